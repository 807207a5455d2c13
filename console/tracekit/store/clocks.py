"""How the clocks of a box stood to this machine's while a run went on, by the notes of the consoles that asked.

A moment of the box is placed by its monotonic clock, which nobody sets, and the note nearest to it; how far that may be
off is half the round trip of the question. It reads notes and decides nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tracekit.store import recorded
from tracekit.store.runs import LOCAL_BOX
from tracekit.wire.lines import LineError, decode
from tracekit.wire.names import JOURNAL_FILE, E

_FIELDS = ("t", "m", "box_t", "box_m", "bound")


class Reading(NamedTuple):
    """One moment on both machines, in nanoseconds; `bound`: how far they may be apart."""

    t: int
    m: int
    box_t: int
    box_m: int
    bound: int

    @property
    def ahead(self) -> int:
        """How far the box's wall clock is ahead of ours."""
        return self.box_t - self.t

    @property
    def uptime(self) -> int:
        """The box's wall clock when its monotonic one began: it changes when somebody sets the clock."""
        return self.box_t - self.box_m


class Placed(NamedTuple):
    """A moment by this machine's wall clock, give or take `bound`."""

    t: int
    bound: int


class Clocks:
    """What is known of one run's box."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self.readings = sorted(readings, key=lambda reading: reading.box_m)
        self._at = [reading.box_m for reading in self.readings]

    def place(self, box_m: int) -> Placed:
        """Where a moment of the box's monotonic clock lies; raises IndexError where nothing is known."""
        after = bisect_left(self._at, box_m)
        near = self.readings[max(0, after - 1) : after + 1]
        reading = min(near or self.readings[-1:], key=lambda reading: abs(reading.box_m - box_m))
        return Placed(reading.t + box_m - reading.box_m, reading.bound)

    @property
    def jumped(self) -> int:
        """The furthest that the box's wall clock was set while somebody watched, in nanoseconds."""
        found = [
            after.uptime - before.uptime
            for before, after in zip(self.readings, self.readings[1:], strict=False)
        ]
        return max(found, key=abs, default=0)


def clocks_of(folder: Path, box: str) -> Clocks:
    """The clocks of a run's box. This machine's own need no notes: one line of the journal has both."""
    if box == LOCAL_BOX:
        return Clocks(_own(folder / box))
    found: list[Reading] = []
    for file in sorted(folder.glob("console-*.ndjson")):
        try:
            lines = file.read_bytes().splitlines()  # plain: a console's own facts
        except OSError:
            continue
        found += [reading for line in lines if b'"clock"' in line and (reading := reading_of(_decoded(line)))]
    return Clocks(found)


def reading_of(fact: Mapping[str, Any]) -> Reading | None:
    """A note of a clock, back; None for any other."""
    if fact.get("e") != E.CLOCK:
        return None
    values = [fact.get(name) for name in _FIELDS]
    return Reading(*values) if all(type(value) is int for value in values) else None  # type: ignore[arg-type]


def _own(place: Path) -> Iterable[Reading]:
    try:
        with recorded.opened(place / JOURNAL_FILE) as file:
            first = _decoded(file.readline())
    except OSError:
        return
    wall, mono = first.get("t"), first.get("m")
    if type(wall) is int and type(mono) is int:
        yield Reading(wall, mono, wall, mono, 0)


def _decoded(line: bytes) -> dict[str, Any]:
    try:
        return decode(line)
    except LineError:
        return {}
