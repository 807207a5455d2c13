"""What a box's answers to the time say: of a few questions the one that was answered quickest says most.

Pure: questions, answers and this machine's clocks in, what is worth a note out. A clock that somebody sets on the box
is found by its own monotonic one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracekit.store.clocks import Reading

#: So many questions wait for an answer at most.
OPEN = 32


class Timing:
    """One box's clocks, as this console knows them."""

    def __init__(self) -> None:
        #: What was noted last.
        self.noted: Reading | None = None
        #: The quickest answer there was, in nanoseconds; 0 before there was one.
        self.quickest = 0
        # Questions without an answer, in their order: what nobody asked is no answer.
        self._open: dict[int, None] = {}

    def asked(self, now_m: int) -> None:
        """Note a question; of those that are never answered only the last few are known."""
        self._open[now_m] = None
        while len(self._open) > OPEN:
            del self._open[next(iter(self._open))]

    def answered(self, asked_m: object, now_t: int, now_m: int, clock: object) -> Reading | None:
        """What an answer says, if more than was noted: when it was asked, when it came, the box's clocks."""
        told = clock if isinstance(clock, Mapping) else {}
        box_t, box_m = told.get("t"), told.get("m")
        if type(asked_m) is not int or type(box_t) is not int or type(box_m) is not int:
            return None
        if asked_m not in self._open or not 0 <= asked_m <= now_m:
            return None
        del self._open[asked_m]
        trip = now_m - asked_m
        self.quickest = min(self.quickest or trip, trip)
        bound = trip // 2
        found = Reading(now_t - bound, now_m - bound, box_t, box_m, bound)
        if self.noted is not None and _same(self.noted, found):
            return None
        self.noted = found
        return found


def _same(old: Reading, new: Reading) -> bool:
    """Whether a note would say nothing new: within the bounds of both, and not told twice as well."""
    apart = old.bound + new.bound
    went = (new.box_m - old.box_m) - (new.m - old.m)
    moved = (new.box_t - old.box_t) - (new.box_m - old.box_m)
    return abs(went) <= apart and abs(moved) <= apart and new.bound * 2 > old.bound


def fact(reading: Reading) -> dict[str, Any]:
    """A reading as a console's own note; its `t` and `m` are those of the moment, not of the writing."""
    return reading._asdict()
