"""What a line of a pane may stand for: another row, another run, a place in the code, a stretch of time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GoTo:
    """Another row of the tree."""

    scenario: str


@dataclass(frozen=True)
class OpenRun:
    """Another run, at a scenario."""

    run_id: str
    scenario: str


@dataclass(frozen=True)
class Place:
    """A line of code, as the machine that ran it names the file."""

    file: str
    line: int


@dataclass(frozen=True)
class Stretch:
    """A stretch of an attempt's time, in nanoseconds of its box's monotonic clock; `until` 0 is no end."""

    name: str
    since: int
    until: int = 0
    step: str = ""  # the step that it is
