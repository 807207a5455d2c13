"""When the interpreter looks for garbage: young objects all the time, everything only while nobody waits for it.

A run that is folded fills the heap with what stays. Left alone, the interpreter goes through all of that again with
every quarter by which it grows, which stops every thread for as long as it takes: a key would wait for it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

#: Objects that are made before the youngest are looked through, and how often that is done before their survivors are:
#: some milliseconds each, whatever the heap holds.
YOUNG, OFTEN = 5_000, 10
#: Never by itself.
NEVER = 1_000_000
#: Seconds without a key and without news before everything is looked through.
QUIET = 2.0
#: Seconds between two of those, and how many times as long as one takes.
APART, SHARE = 30.0, 100
#: Where news never end, what became garbage late would stay for ever: after so many seconds, and so many times as long
#: as one takes, it is enough that nobody pressed a key for a moment.
LATEST, RARELY, MOMENT = 300.0, 1_000, 0.5


class Sweeping:
    """Sets the pace of the interpreter's collector for as long as a console is open."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._before: tuple[int, int, int] | None = None
        self._busy = self._typed = self._swept = seconds()
        self._took = 0.0

    def begin(self) -> None:
        """From now on."""
        if self._before is None:
            self._before = gc.get_threshold()
            gc.set_threshold(YOUNG, OFTEN, NEVER)

    def end(self) -> None:
        """As it was before."""
        if self._before is not None:
            gc.set_threshold(*self._before)
            self._before = None

    def touch(self, *, typed: bool = False) -> None:
        """Somebody pressed a key, or something new was painted."""
        self._busy = self._seconds()
        if typed:
            self._typed = self._busy

    def look(self) -> bool:
        """Look through everything if it is quiet, and worth it; says whether that was done."""
        now = self._seconds()
        if self._before is None or not any(gc.get_count()[1:]):
            return False
        since = now - self._swept
        rests = now - self._busy >= QUIET and since >= max(APART, SHARE * self._took)
        late = now - self._typed >= MOMENT and since >= max(LATEST, RARELY * self._took)
        if not (rests or late):
            return False
        gc.collect()
        self._swept = self._seconds()
        self._took = self._swept - now
        return True
