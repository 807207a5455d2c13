"""What `go test -json` prints: packages, tests and subtests, live; and builds that failed."""

from __future__ import annotations

import re
from typing import Any, Optional

from tracekit.agent.reports.cases import (
    MESSAGE_LIMIT,
    Begun,
    Case,
    Compared,
    CutShortError,
    Left,
    Lines,
    Printed,
    cut,
    parsed,
    seconds,
    torn,
)

_ENDS = {"pass": "passed", "fail": "failed", "skip": "skipped"}
# What go itself prints around a test.
_FRAME = re.compile(r"\s*(?:=== (?:RUN|PAUSE|CONT|NAME)\b|--- (?:PASS|FAIL|SKIP): )")
_PLACE = re.compile(r"\s+(?P<file>[^\s:]+\.go):(?P<line>\d+): ?(?P<message>.*)")
_PANIC = re.compile(r"^(?P<kind>panic|fatal error): (?P<message>.+?)(?: \[recovered.*)?$", re.MULTILINE)
# Go's own first goroutine begins tests, theirs begin their parts.
_MADE = re.compile(r"^created by testing\.\(\*T\)\.Run in goroutine (?P<by>\d+)$", re.MULTILINE)
_RACE = re.compile(r"^\s*testing\.go:\d+: (?P<message>race detected during execution of test)$", re.MULTILINE)
_STATUS = re.compile(r"^(?P<kind>exit status|signal:) (?P<what>[\w ]+)$", re.MULTILINE)
# An example prints what its comment does not say.
_EXAMPLE = re.compile(
    r"\A\s*got:\n(?P<actual>.*?)\n?want(?P<op> \(unordered\))?:\n(?P<expected>.*?)\n?\Z", re.DOTALL
)
# testify says it in a table of its own.
_TABLE = re.compile(r"^\s+Error:\s+(?P<message>\S.*)$", re.MULTILINE)
_OPERANDS = re.compile(
    r"^\s+expected: (?P<expected>.*?)\n\s+actual  : (?P<actual>.*?)(?=\n\s*\n|\n\s+(?:Diff|Test|Messages):|\Z)",
    re.MULTILINE | re.DOTALL,
)
_CALL = re.compile(r"^\t(?P<file>\S.*\.go):(?P<line>\d+)(?: \+0x[0-9a-f]+)?$", re.MULTILINE)
_RAN = re.compile(r"^\t\t(?P<name>\S+) \((?P<took>[\dhms.µn]+)\)$", re.MULTILINE)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
_SILENT = "it says nothing of why"
_NOT_YET = "its process ended before its turn came"
#: The name of what is a package's and no test's.
PACKAGE = "(package)"
_MOST = 256 * 1024


class GoReader:
    """One stream."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._texts: dict[tuple[str, ...], list[str]] = {}
        self._sizes: dict[tuple[str, ...], int] = {}
        self._red: set[str] = set()
        # Packages and tests that have begun and told no end.
        self._packages: set[str] = set()
        # Whether a build has failed, and no package is told yet that it failed for it.
        self._unbuilt = False
        self._begun: dict[tuple[str, ...], None] = {}
        self._paused: set[tuple[str, ...]] = set()
        # The tests that panicked, by package: with them its process went.
        self._panicked: dict[str, tuple[str, ...]] = {}
        # Parts that have just failed, the innermost first: what one panics with go prints when it has told them all.
        self._parts: list[Case] = []

    def feed(self, data: bytes) -> list[Any]:
        """What these bytes tell. Raises ReportError."""
        return [told for line in self._lines.feed(data) for told in self._take(line)]

    def close(self) -> list[Any]:
        """What is left. Raises CutShortError where a package has told no end: what ran in it has none either."""
        last = self._lines.close()
        broken = torn(last)
        found = [] if broken else [told for line in last for told in self._take(line)]
        found += self._let_go()
        if self._packages:
            first, more = min(self._packages), len(self._packages) - 1
            others = f" and {more} more" if more else ""
            raise CutShortError(f"it ends inside the package {first}{others}", found)
        if broken:
            raise CutShortError("it ends inside a line", found)
        if self._unbuilt:
            raise CutShortError("it ends behind a build that failed, in front of the packages", found)
        return found

    def _take(self, line: str) -> list[Any]:
        event = parsed(line)
        if event is None or "Action" not in event:
            return [Printed((), line + "\n")] if line.strip() else []
        action, package = str(event["Action"]), str(event.get("Package") or event.get("ImportPath") or "")
        test = str(event.get("Test") or "")
        path = (package, *test.split("/")) if test else (package,)
        above = action in {"output", "fail"} and any(
            one.path[: len(path)] == path for one in self._parts[-1:]
        )
        before = [] if above and test else self._let_go()
        return [*before, *self._told(event, action, package, path)]

    def _told(self, event: dict[str, Any], action: str, package: str, path: tuple[str, ...]) -> list[Any]:
        test = len(path) > 1
        if action in {"output", "build-output"}:
            return self._printed(path if test else (), package, str(event.get("Output") or ""))
        if action == "build-fail":
            self._unbuilt = True
        if action == "start" or test:
            self._packages.add(package)
        if action == "run" and test:
            self._texts[path], self._sizes[path] = [], 0
            self._begun[path] = None
            return [Begun(path)]
        if action in {"pause", "cont"}:
            (self._paused.add if action == "pause" else self._paused.discard)(path)
        if action not in _ENDS:
            return []
        if test:
            found = self._ended(path, _ENDS[action], event)
            if found.verdict == "failed" and len(path) > 2:
                self._parts.append(found)
                return []
            return self._with_parts(found)
        return self._package(package, event, red=action == "fail")

    def _printed(self, path: tuple[str, ...], package: str, text: str) -> list[Any]:
        if path and _FRAME.match(text):
            return []
        key = path or (package,)
        if self._sizes.get(key, 0) < _MOST:
            self._texts.setdefault(key, []).append(text)
            self._sizes[key] = self._sizes.get(key, 0) + len(text)
        return [Printed(path, text)]

    def _ended(self, path: tuple[str, ...], verdict: str, event: dict[str, Any]) -> Case:
        text = "".join(self._texts.pop(path, ()))
        self._sizes.pop(path, None)
        self._begun.pop(path, None)
        self._paused.discard(path)
        if verdict == "failed" and not _PANIC.search(text):
            text += self._said_beside(path)
        found = case(path, verdict, text, event.get("Elapsed"))
        if verdict == "failed":
            self._red.add(path[0])
        if found.kind == "panic":
            self._panicked.setdefault(path[0], path)
        return found

    def _with_parts(self, found: Case) -> list[Any]:
        """A test behind its parts: go prints a part's panic as the test's words, behind the end of both."""
        parts, panic = self._let_go(), _PANIC.search(found.text)
        made = _MADE.search(found.text, panic.end()) if panic is not None else None
        if not parts or panic is None or made is None or made.group("by") == "1":
            return [*parts, found]
        said = found.text[panic.start() :]
        parts[0] = case(parts[0].path, "failed", parts[0].text + said, parts[0].seconds)
        return [*parts, case(found.path, "failed", found.text[: panic.start()], found.seconds)]

    def _let_go(self) -> list[Case]:
        """The parts that were held back."""
        parts, self._parts = self._parts, []
        return parts

    def _said_beside(self, path: tuple[str, ...]) -> str:
        """The panic of this test, where go took it for the words of one beside it: its function stands in the stack."""
        own = re.compile(rf"\.{re.escape(path[1])}(?:\.func[\d.]+)?\(")
        for other, parts in self._texts.items():
            text = "".join(parts) if other[0] == path[0] else ""
            if _PANIC.search(text) and own.search(text):
                return text
        return ""

    def _package(self, package: str, event: dict[str, Any], *, red: bool) -> list[Any]:
        """A package has ended, with whatever ran in it. It is red for its tests, or by itself when none of them is."""
        self._packages.discard(package)
        self._unbuilt = self._unbuilt and not event.get("FailedBuild")
        text = "".join(self._texts.get((package,), ()))
        left = [path for path in self._begun if path[0] == package]
        found = self._without_end(package, left, text)
        for path in left:
            del self._begun[path]
            self._paused.discard(path)
        known = left or package in self._red or event.get("FailedBuild")
        if not red or known or not text.strip() or "no test files" in text:
            return found
        return [*found, case((package, PACKAGE), "error", text, event.get("Elapsed"))]

    def _without_end(self, package: str, left: list[tuple[str, ...]], text: str) -> list[Any]:
        """What a package's process that ended left without an end: whose doing it was, and who only ran beside it."""
        culprit = self._panicked.get(package) or next((path for path in left if self._died_of(path)), None)
        if culprit is not None and len(culprit) == 2:
            culprit = self._longest(package, culprit)
        status = _STATUS.search(text)
        why = f"the process of its package ended during it{f': {status.group()}' if status else ''}"
        found: list[Any] = []
        for path in reversed(left):
            if culprit is None:
                turn = path not in self._paused
                found.append(Left(path, *(("crashed", why) if turn else ("cancelled", _NOT_YET))))
            elif path == culprit:
                said = self._died_of(path)
                out_of_time = said.startswith("panic: test timed out")
                verdict = "timedout" if out_of_time else "crashed"
                found.append(case(path, verdict, "".join(self._texts.get(path, ())), None))
            elif path[:2] == culprit[:2]:
                found.append(Left(path, "crashed", "a part of it ended the process of its package"))
            else:
                name = "/".join(culprit[1:])
                found.append(Left(path, "cancelled", f"its process was ended because of {name}"))
        return found

    def _died_of(self, path: tuple[str, ...]) -> str:
        """The words that a test's process ended with, where they are among its own."""
        found = _PANIC.search("".join(self._texts.get(path, ())))
        return found.group() if found else ""

    def _longest(self, package: str, path: tuple[str, ...]) -> tuple[str, ...]:
        """Who ran when go's limit of time was over it prints as anyone's words: it was the one that ran longest."""
        ran = _RAN.findall("".join(self._texts.get(path, ())))
        if not ran:
            return path
        name = max(ran, key=lambda one: _seconds(one[1]))[0]
        longest = (package, *name.split("/"))
        if longest in self._begun and longest != path:
            self._texts[longest] = self._texts.pop(path)
        return longest if longest in self._begun else path


def case(path: tuple[str, ...], verdict: str, text: str, took: object) -> Case:
    """A test with what go says of its end."""
    file, line, kind, message = "", 0, "", text.strip().partition("\n")[0]
    compared: Optional[Compared] = None
    place, panic = _PLACE.search(text), _PANIC.search(text)
    example = _EXAMPLE.match(text) if path[-1].startswith("Example") and verdict == "failed" else None
    if place is not None:
        file, line, message = place.group("file"), int(place.group("line")[:9]), place.group("message")
    if panic is not None:
        kind, message = panic.group("kind"), panic.group("message")
        own = next(
            (call for call in _CALL.finditer(text, panic.end()) if call.group("file").endswith("_test.go")),
            None,
        )
        if own is not None:
            file, line = own.group("file"), int(own.group("line")[:9])
    elif example is not None:
        kind, message = "output", f"{path[-1]} prints something else than its comment says"
        op = "has the lines of" if example.group("op") else "=="
        compared = Compared(example.group("expected"), example.group("actual"), op)
    elif verdict in {"failed", "error"}:
        kind, message, compared = _said(text, message, compared)
        if verdict == "failed" and place is None and not kind and compared is None:
            # What it prints is no complaint: where it says nothing, the last of it stands nearest to the reason.
            printed = text.strip().rpartition("\n")[2].strip()
            message = f"{_SILENT}; the last that it printed: {printed}" if printed else ""
        message = message or _SILENT
    return Case(
        path=path,
        verdict=verdict,
        seconds=seconds(took),
        kind=kind,
        message=cut(message, MESSAGE_LIMIT),
        text=cut(text),
        file=file,
        line=line,
        compared=compared,
    )


def places(text: str) -> list[tuple[str, int, str]]:
    """Every place of a test's own words, and those: go says the same of what is logged and of what complains."""
    return [
        (found.group("file"), int(found.group("line")[:9]), found.group("message"))
        for found in _PLACE.finditer(text)
    ]


def _said(text: str, message: str, compared: Optional[Compared]) -> tuple[str, str, Optional[Compared]]:
    """What a failure says in one of the forms that libraries have."""
    race, status, table = _RACE.search(text), _STATUS.search(text), _TABLE.search(text)
    if race is not None:
        return "data race", race.group("message"), compared
    if table is not None:
        operands = _OPERANDS.search(text)
        if operands is not None:
            compared = Compared(*(cut(operands.group(name).strip()) for name in ("expected", "actual")))
        return "", table.group("message").strip(), compared
    if status is not None:
        kind = status.group("kind").rstrip(":")
        return kind, f"{kind} {status.group('what')}", compared
    return "", message, compared


def _seconds(took: str) -> float:
    """A duration as go writes it: 1m3.5s."""
    parts = re.findall(r"([\d.]+)(ms|µs|ns|h|m|s)", took)
    return sum((seconds(number) or 0.0) * _UNITS[unit] for number, unit in parts)
