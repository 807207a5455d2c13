"""JUnit XML in any dialect: nested suites, several failures a case, reruns, properties, output of suites and cases.

It reads as a stream and never resolves an entity: a document type is refused.
"""

from __future__ import annotations

from typing import Any, Optional
from xml.parsers import expat

from tracekit.agent.reports.cases import (
    MESSAGE_LIMIT,
    TEXT_LIMIT,
    Begun,
    Case,
    CutShortError,
    ReportError,
    cut,
    seconds,
)

_ENDS = {"failure": "failed", "error": "error", "skipped": "skipped", "disabled": "skipped"}
# A retried test of Maven's: the last attempt decides, and these are what was before.
_FORMER = frozenset({"flakyFailure", "flakyError", "rerunFailure", "rerunError"})
_TEXTS = frozenset({"failure", "error", "skipped", "system-out", "system-err", *_FORMER})
_MOST_DEPTH = 200


class JUnitReader:
    """One document."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._suites: list[str] = []
        self._depth = 0
        self._any = False
        self._case: Optional[dict[str, Any]] = None
        self._inside = ""
        self._parts: list[str] = []
        self._size = 0
        self._found: list[Any] = []

    def feed(self, data: bytes) -> list[Any]:
        """What these bytes tell. Raises ReportError."""
        return self._parsed(data, last=False) if data else []

    def close(self) -> list[Any]:
        """What is left. Raises CutShortError where the report is not whole."""
        found = self._parsed(b"", last=True)
        if not self._any:
            raise ReportError("it holds no test suite")
        return found

    def _parsed(self, data: bytes, *, last: bool) -> list[Any]:
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as fault:
            raise CutShortError(f"not well-formed XML: {fault}", self._at_last()) from fault
        except ReportError as fault:
            raise CutShortError(str(fault), self._at_last()) from fault
        except (ValueError, LookupError) as fault:  # an encoding that nobody knows
            raise CutShortError(f"cannot be read: {fault}", self._at_last()) from fault
        found, self._found = self._found, []
        return found

    def _at_last(self) -> list[Any]:
        """What came before the fault; the case that it is in has no end, unless it is red already: it stays so."""
        found, self._found = self._found, []
        case, self._case = self._case, None
        if case is None:
            return found
        if self._inside:
            self._said(self._inside, "".join(self._parts), case)
        made = self._made(case)
        return [*found, made if made.verdict in {"failed", "error"} else Begun(made.path)]

    def _refuse(self, *_: object) -> None:
        raise ReportError("it declares a document type, which no report needs")

    def _begin(self, name: str, words: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise ReportError(f"elements lie more than {_MOST_DEPTH} deep")
        if name in {"testsuites", "testsuite"}:
            self._any = True
            self._suites.append(words.get("name", "") if name == "testsuite" else "")
        elif name == "testcase":
            self._case = {"words": words, "end": "", "out": [], "err": []}
        elif name in _TEXTS:
            self._inside, self._parts, self._size = name, [], 0
            case = self._case
            if case is not None and name in _ENDS and case["end"] not in {"failed", "error"}:
                case.update(end=_ENDS[name], kind=words.get("type", ""), message=words.get("message", ""))

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        self._depth -= 1
        if name in {"testsuites", "testsuite"} and self._suites:
            self._suites.pop()
        elif name == "testcase" and self._case is not None:
            self._found.append(self._made(self._case))
            self._case = None
        elif name == self._inside:
            self._said(name, "".join(self._parts), self._case)
            self._inside = ""

    def _text(self, text: str) -> None:
        if self._inside and self._size < TEXT_LIMIT * 4:
            self._parts.append(text)
            self._size += len(text)

    @staticmethod
    def _said(name: str, text: str, case: Optional[dict[str, Any]]) -> None:
        if case is None:
            return
        if name in {"system-out", "system-err"}:
            case["out" if name == "system-out" else "err"].append(text)
        elif name in _ENDS:
            case["text"] = "\n\n".join(part for part in (case.get("text", ""), text.strip("\n")) if part)

    def _made(self, case: dict[str, Any]) -> Case:
        words: dict[str, str] = case["words"]
        name = words.get("name", "")
        file = words.get("file", "")
        place = words.get("classname", "") or file or "::".join(part for part in self._suites if part)
        verdict = case["end"] or ("skipped" if words.get("status") in {"notrun", "skipped"} else "passed")
        number = words.get("line", "")
        text, message = cut(case.get("text", "")), case.get("message", "")
        return Case(
            path=tuple(part for part in (place, name) if part) or ("(no name)",),
            verdict=verdict,
            seconds=seconds(words.get("time", "")),
            kind=case.get("kind", ""),
            message=cut(message or text.partition("\n")[0], MESSAGE_LIMIT),
            text=text,
            file=file,
            line=int(number) if number.isascii() and number.isdigit() else 0,
            out=cut("".join(case["out"])),
            err=cut("".join(case["err"])),
        )
