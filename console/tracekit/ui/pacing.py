"""How often the screen is painted by itself: as often as the terminal takes it, no more than a long line carries, and
for a ninth of the time at most, so that a key nearly always finds the screen at rest.

What a key changes is painted at once and only counted. Here nothing is painted and nothing is read of a run.
"""

from __future__ import annotations

from collections.abc import Callable

from tracekit.ui.terminal import Taking

#: Bytes a second for a console at the far end of a login: with its encryption and what keys paint, within 32 KiB.
FAR = 20 * 1024
#: Seconds for which a line that was idle is ahead.
AHEAD = 0.25
#: Seconds after which a frame is painted in any case: keys alone do not hold the screen.
LATEST = 0.5
#: How many times as long as the last frame took the screen rests before the next.
REST = 8.0
#: Writes that wait for the terminal; a frame has three.
MOST_WAITING = 3


class Screenwriter(Taking):
    """The driver, which counts what it is given."""

    written = 0

    def write(self, data: str) -> None:
        """Bytes for the terminal."""
        self.written += len(data) if data.isascii() else len(data.encode("utf-8", "replace"))
        super().write(data)

    @property
    def waiting(self) -> int:
        """How many writes the terminal has not taken."""
        thread = self._writer_thread
        return thread._queue.qsize() if thread is not None else 0  # noqa: SLF001 - it has no other way to say


class Pace:
    """Says whether it is time for a frame."""

    def __init__(self, seconds: Callable[[], float], a_second: int = 0) -> None:
        self._seconds = seconds
        #: 0 is no limit.
        self.a_second = a_second
        self._looked = self._painted = seconds()
        self._written = 0
        self._left = AHEAD * a_second
        self._not_before = 0.0

    def painted(self, began: float) -> None:
        """A frame that began then is on the screen."""
        now = self._seconds()
        self._not_before = now + min(LATEST, REST * (now - began))

    def may(self, written: int, waiting: int) -> bool:
        """Whether to paint now; `written` is all that the terminal was ever given, `waiting` what it has not taken."""
        if waiting > MOST_WAITING:
            # A terminal that stands still would hold whoever writes to it.
            return False
        now = self._seconds()
        if now < self._not_before:
            return False
        if self.a_second:
            earned = (now - self._looked) * self.a_second
            self._left = min(AHEAD * self.a_second, self._left + earned - (written - self._written))
            self._looked, self._written = now, written
            if self._left < 0 and now - self._painted < LATEST:
                return False
        self._painted = now
        return True
