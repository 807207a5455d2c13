"""Reads a journal that somebody else prints: the lines of `docs/formats.md` that tell of scenarios, and no other."""

from __future__ import annotations

from typing import Any, NamedTuple

from tracekit.agent.reports.cases import Lines, Printed, parsed
from tracekit.wire.names import VERDICTS, E

_KNOWN = frozenset(
    {
        E.SCENARIO_FOUND,
        E.ATTEMPT_STARTED,
        E.ATTEMPT_ENDED,
        E.STEP_STARTED,
        E.STEP_ENDED,
        E.ASSERTION,
        E.FAILURE,
        E.OUTPUT,
        E.WARNING,
    }
)
# The agent's own: who tells a line, and when.
_OURS = frozenset(
    {"v", "e", "src", "run", "n", "t", "m", "pid", "worker", "launch", "offset", "length", "cap"}
)


class Line(NamedTuple):
    """One line."""

    event: str
    fields: dict[str, Any]


class JournalReader:
    """One stream."""

    def __init__(self) -> None:
        self._lines = Lines()

    def feed(self, data: bytes) -> list[Any]:
        """What these bytes tell. Raises ReportError."""
        return [self._told(line) for line in self._lines.feed(data)]

    def close(self) -> list[Any]:
        """What is left."""
        return [self._told(line) for line in self._lines.close()]

    @property
    def unfinished(self) -> bool:
        """Whether the last line has no end yet."""
        return self._lines.unfinished

    @staticmethod
    def _told(line: str) -> object:
        found = parsed(line)
        event = found.get("e") if found is not None else None
        if (
            found is None
            or not isinstance(event, str)
            or event not in _KNOWN
            or (event != E.OUTPUT and not isinstance(found.get("scenario"), str))
        ):
            return Printed((), line + "\n")
        fields = {name: value for name, value in found.items() if name not in _OURS}
        if event == E.ATTEMPT_ENDED and fields.get("verdict") not in VERDICTS:
            fields["verdict"] = "error"
        return Line(str(event), fields)
