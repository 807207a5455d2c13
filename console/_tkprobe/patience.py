"""Code of the tests that is asked for a text may take its time, but not for ever: a word of it is worth no hung test.

What waits, loops or recurses is ended by an exception that a signal raises in the main thread, where tests run. The
signal is a real-time one that suites do not use, sent by a thread that is only there while somebody is asked. It does
not end code that takes every exception there is and goes on for ever: that hangs its test, as it would without us if
the test itself asked, and is ended with the test by its time limit.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import TracebackType
from typing import Any, Callable, Optional, Type

from _tkprobe.ticker import Ticker

_BASE = int(getattr(signal, "SIGRTMIN", 0))
#: End what is being asked.
ENOUGH = _BASE + 13
#: So deep may the calls of somebody who is asked go, even where the tests allow themselves more than the stack has.
DEPTH = 3000


class TooLong(BaseException):
    """What was asked did not answer in time."""


class Patience:
    """Inside, for so many seconds from the first question on, code of the tests is waited for; then it is ended."""

    def __init__(self, seconds: float) -> None:
        # Bound here: tests replace what these modules hold, and nothing of this is theirs.
        self._kill, self._signal, self._getsignal = (
            getattr(signal, "pthread_kill", None),
            signal.signal,
            signal.getsignal,
        )
        self._thread = threading.get_ident
        self._ticker = Ticker(self._ring, seconds)
        self._main = 0
        self._asking = False
        #: Nobody is asked any more once somebody had to be ended.
        self._spent = False

    def __enter__(self) -> None:
        """Nobody is asked yet."""

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        where: Optional[TracebackType],
    ) -> None:
        self._ticker.stop(wait=True)
        self._spent = False

    def ask(self, call: Callable[[], str], anyway: bool = False) -> Optional[str]:
        """What it says; nothing where that took too long. Where nobody could end it, it is only asked if `anyway`."""
        if self._spent:
            return None
        if not self._ready():
            return call() if anyway else None
        depth = sys.getrecursionlimit()
        try:
            try:
                if depth > DEPTH:
                    sys.setrecursionlimit(DEPTH)
                self._asking = True
                return call()
            finally:
                self._asking = False
        except TooLong:
            self._spent = True
            return None
        except RecursionError:
            return None
        finally:
            self._asking = False
            if depth > DEPTH:
                sys.setrecursionlimit(depth)

    def _ready(self) -> bool:
        """Whether what is asked from here on would be ended."""
        if not _BASE or self._kill is None:
            return False
        try:
            # It stays: a signal that comes late must find somebody who makes nothing of it.
            if self._getsignal(ENOUGH) != self._end:
                self._signal(ENOUGH, self._end)
        except (ValueError, OSError):
            return False  # another thread than the main one
        self._main = self._thread()
        self._ticker.start()
        return self._ticker.stopped is not None

    def _ring(self) -> None:
        if self._asking and self._kill is not None:
            self._kill(self._main, ENOUGH)

    def _end(self, _number: int, _frame: Any) -> None:
        if self._asking:
            raise TooLong
