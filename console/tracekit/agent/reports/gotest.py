"""What `go test -json` prints: packages, tests and subtests, live; and builds that failed."""

from __future__ import annotations

import re
from typing import Any

from tracekit.agent.reports.cases import MESSAGE_LIMIT, Begun, Case, Lines, Printed, cut, parsed, seconds

_ENDS = {"pass": "passed", "fail": "failed", "skip": "skipped"}
# What go itself prints around a test.
_FRAME = re.compile(r"\s*(?:=== (?:RUN|PAUSE|CONT|NAME)\b|--- (?:PASS|FAIL|SKIP): )")
_PLACE = re.compile(r"\s+(?P<file>[^\s:]+\.go):(?P<line>\d+): (?P<message>.*)")
_PANIC = re.compile(r"^(?:panic: |fatal error: )(?P<message>.+?)(?: \[recovered.*)?$", re.MULTILINE)
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

    def feed(self, data: bytes) -> list[Any]:
        """What these bytes tell. Raises ReportError."""
        return [told for line in self._lines.feed(data) for told in self._take(line)]

    def close(self) -> list[Any]:
        """What is left: a test that never ended stays open, and whoever runs it says so."""
        return [told for line in self._lines.close() for told in self._take(line)]

    def _take(self, line: str) -> list[Any]:
        event = parsed(line)
        if event is None or "Action" not in event:
            return [Printed((), line + "\n")] if line.strip() else []
        action, package = str(event["Action"]), str(event.get("Package") or event.get("ImportPath") or "")
        test = str(event.get("Test") or "")
        path = (package, *test.split("/")) if test else (package,)
        if action in {"output", "build-output"}:
            return self._printed(path if test else (), package, str(event.get("Output") or ""))
        if action == "run" and test:
            self._texts[path], self._sizes[path] = [], 0
            return [Begun(path)]
        if action not in _ENDS or (not test and action != "fail"):
            return []
        if test:
            return [self._ended(path, _ENDS[action], event)]
        return self._package(package, event)

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
        if verdict == "failed":
            self._red.add(path[0])
        return case(path, verdict, text, event.get("Elapsed"))

    def _package(self, package: str, event: dict[str, Any]) -> list[Any]:
        """A package that failed: for its tests, or by itself when none of them is red."""
        if package in self._red or event.get("FailedBuild"):
            return []
        text = "".join(self._texts.get((package,), ()))
        if not text.strip() or "no test files" in text:
            return []
        return [case((package, PACKAGE), "error", text, event.get("Elapsed"))]


def case(path: tuple[str, ...], verdict: str, text: str, took: object) -> Case:
    """A test with what go says of its end."""
    place = _PLACE.search(text)
    panic = _PANIC.search(text)
    message = (
        panic.group("message")
        if panic
        else place.group("message")
        if place
        else text.strip().partition("\n")[0]
    )
    return Case(
        path=path,
        verdict=verdict,
        seconds=seconds(took),
        kind="panic" if panic else "",
        message=cut(message, MESSAGE_LIMIT),
        text=cut(text),
        file=place.group("file") if place else "",
        line=int(place.group("line")[:9]) if place else 0,
    )
