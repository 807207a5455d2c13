"""CTRF, the common test report format: one JSON document, told when it has ended; of half of one, what came."""

from __future__ import annotations

import json
from typing import Any

from tracekit.agent.reports.cases import (
    MESSAGE_LIMIT,
    Begun,
    Case,
    CutShortError,
    ReportError,
    cut,
    seconds,
)

_VERDICTS = {
    "passed": "passed",
    "failed": "failed",
    "skipped": "skipped",
    "pending": "skipped",
    "other": "error",
}
_MOST = 256 << 20
#: results, tests, a test and what stands in it: nothing of ours lies deeper.
_DEPTH = 4
_SPACE = " \t\r\n"


class CtrfReader:
    """One document."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Any]:
        """Keep these bytes. Raises ReportError when they are more than a report can be."""
        self._parts.append(data)
        self._size += len(data)
        if self._size > _MOST:
            raise ReportError(f"it is larger than {_MOST >> 20} MiB")
        return []

    def close(self) -> list[Any]:
        """All cases. Raises CutShortError where the document is not whole."""
        text = b"".join(self._parts).decode("utf-8", "replace").removeprefix("\ufeff")
        try:
            return _cases(json.loads(text))
        except RecursionError as fault:
            raise ReportError(f"not JSON: {fault}") from fault
        except json.JSONDecodeError as fault:
            raise CutShortError(f"not JSON: {fault}", _cases_of_part(text)) from fault


def _cases(found: object) -> list[Any]:
    results = found.get("results") if isinstance(found, dict) else None
    tests = results.get("tests") if isinstance(results, dict) else None
    if not isinstance(tests, list):
        raise ReportError("it has no results.tests")
    return [_case(test) for test in tests if isinstance(test, dict)]


def _cases_of_part(text: str) -> list[Any]:
    """The tests that came before the document broke off; the one that it broke off in has no end, unless it said so."""
    try:
        found = _begun(text, 0, _DEPTH)
        results = found.get("results") if isinstance(found, dict) else None
        tests = results.get("tests") if isinstance(results, dict) else None
    except (ValueError, RecursionError):
        return []
    told = [test for test in (tests if isinstance(tests, list) else ()) if isinstance(test, dict)]
    if not told:
        return []
    *whole, last = told
    # The one that it broke off in may have been whole, and else has only some of its names.
    named = "name" in last and ("suite" in last or (whole and not any(_above(test) for test in whole)))
    if not named:
        return [_case(test) for test in whole]
    path = (*_above(last), str(last["name"]))
    return [*map(_case, whole), _case(last) if "status" in last else Begun(path)]


def _begun(text: str, at: int, depth: int) -> Any:
    """An object or an array without its end, as far as it is there: whole members, and the last one begun."""
    decoder = json.JSONDecoder()
    at = _behind_space(text, at)
    closing = {"{": "}", "[": "]"}.get(text[at : at + 1])
    if closing is None or not depth:
        return None
    names: dict[str, Any] = {}
    items: list[Any] = []
    while True:
        at = _behind_space(text, at + 1)
        name = ""
        if closing == "}":
            try:
                name, at = decoder.raw_decode(text, at)
            except ValueError:
                return names
            at = _behind_space(text, at)
            if text[at : at + 1] != ":":
                return names
            at = _behind_space(text, at + 1)
        try:
            one, at = decoder.raw_decode(text, at)
            whole = True
        except ValueError:
            one, whole = _begun(text, at, depth - 1), False
        # A number at the very end may have had more digits.
        if isinstance(one, (str, dict, list)) or (whole and at < len(text)):
            names[str(name)] = one
            items.append(one)
        at = _behind_space(text, at)
        if not whole or text[at : at + 1] != ",":
            return names if closing == "}" else items


def _behind_space(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _SPACE:
        at += 1
    return at


def _above(test: dict[str, Any]) -> list[str]:
    suite = test.get("suite")
    return [str(part) for part in suite] if isinstance(suite, list) else [str(suite)] if suite else []


def _case(test: dict[str, Any]) -> Case:
    name, took, line = str(test.get("name") or "(no name)"), test.get("duration"), test.get("line")
    milliseconds = seconds(took)
    message, trace = str(test.get("message") or ""), str(test.get("trace") or "")
    return Case(
        path=(*_above(test), name),
        verdict=_VERDICTS.get(str(test.get("status")), "error"),
        seconds=None if took is None or milliseconds is None else milliseconds / 1000,
        message=cut(message, MESSAGE_LIMIT),
        text=cut(trace or message),
        file=str(test.get("filePath") or ""),
        line=line if type(line) is int and line > 0 else 0,
        out=_output(test.get("stdout")),
        err=_output(test.get("stderr")),
    )


def _output(found: object) -> str:
    return cut("".join(f"{line}\n" for line in found)) if isinstance(found, list) else ""
