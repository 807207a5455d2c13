"""libtest's own JSON (`--format json`), which old and nightly Rust print: events of suites and tests, one a line."""

from __future__ import annotations

from typing import Any

from tracekit.agent.reports.cases import (
    MESSAGE_LIMIT,
    Begun,
    Case,
    CutShortError,
    Lines,
    Printed,
    ReportError,
    cut,
    parsed,
    seconds,
    torn,
)

_ENDS = {"ok": "passed", "failed": "failed", "ignored": "skipped", "timeout": ""}


class LibtestReader:
    """One stream, of one or of many programs."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._open = 0
        self._any = False

    def feed(self, data: bytes) -> list[Any]:
        """What these bytes tell. Raises ReportError."""
        return [told for line in self._lines.feed(data) for told in self._take(line)]

    def close(self) -> list[Any]:
        """What is left. Raises CutShortError where the stream is not whole."""
        last = self._lines.close()
        broken = torn(last)
        found = [] if broken else [told for line in last for told in self._take(line)]
        if not self._any:
            raise ReportError("it holds no test suite")
        if self._open > 0 or broken:
            raise CutShortError(
                "it ends inside a test suite" if self._open > 0 else "it ends inside a line", found
            )
        return found

    def _take(self, line: str) -> list[Any]:
        told = parsed(line)
        if told is None:
            return [Printed((), line + "\n")] if line.strip() else []
        kind, event = told.get("type"), str(told.get("event"))
        if kind == "suite":
            self._any = True
            self._open += 1 if event == "started" else -1
            return []
        path = tuple(str(told.get("name") or "(no name)").split("::"))
        if kind != "test" or not (event == "started" or _ENDS.get(event)):
            return []
        if event == "started":
            return [Begun(path)]
        said = str(told.get("stdout") or "")
        message = str(told.get("message") or told.get("reason") or "")
        return [
            Case(
                path=path,
                verdict=_ENDS[event],
                seconds=seconds(told.get("exec_time")),
                message=cut(message or said.strip().partition("\n")[0], MESSAGE_LIMIT),
                text=cut(said),
                out=cut(said),
            )
        ]
