"""What the signals of a command that follows a run have asked for: it is caught before anything of the run is begun.

It loads nothing, and decides nothing.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_CANCELS = (signal.SIGINT, signal.SIGTERM)
_LEAVES = (signal.SIGHUP, signal.SIGQUIT)


class Signals:
    """What the signals of this process have asked for so far."""

    def __init__(self) -> None:
        self.cancel = 0
        self.times = 0
        self.leave = 0

    @property
    def asked(self) -> bool:
        """Whether somebody wants this process to end."""
        return bool(self.cancel or self.leave)

    @contextmanager
    def caught(self) -> Iterator[Signals]:
        """Catch them for as long as the block runs."""
        before = {number: signal.signal(number, self._take) for number in (*_CANCELS, *_LEAVES)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, _: FrameType | None) -> None:
        if number in _CANCELS:
            self.cancel = number
            self.times += 1
        else:
            self.leave = number
