"""One background thread that calls a function every few milliseconds, and is not there when a test forks.

It is a bare thread, unknown to `threading`, so that tests which count threads see none of ours. CPython >= 3.12 warns a
forking process that has other threads (an error under `-W error`), therefore the thread is gone before a fork there and
comes back with the next sign of life of the run.
"""

from __future__ import annotations

import _thread
import os
import sys
from typing import Callable, Optional

#: From this version on `os.fork` counts the kernel's threads and warns.
FORK_WARNS = sys.version_info >= (3, 12)


class Ticker:
    """Calls `tick` every `period` seconds until stopped; what `tick` raises goes nowhere."""

    def __init__(self, tick: Callable[[], None], period: float) -> None:
        self.tick = tick
        self.period = period
        self.stopped: Optional[_thread.LockType] = None
        self.thread_id = 0
        # Bound here: libraries that patch `_thread` (green threads) must not turn this into one of theirs.
        self._start = _thread.start_new_thread
        self._lock = _thread.allocate_lock
        self._stat = os.stat
        self._native_id = getattr(_thread, "get_native_id", None)

    def start(self) -> None:
        if self.stopped is not None:
            return
        stop = self._lock()
        stop.acquire()
        ready = self._lock()
        ready.acquire()
        try:
            self._start(self._run, (stop, ready))
        except RuntimeError:
            return
        ready.acquire(True, 1.0)
        self.stopped = stop

    def _run(self, stop: _thread.LockType, ready: _thread.LockType) -> None:
        if self._native_id is not None:
            self.thread_id = self._native_id()
        ready.release()
        acquire, period, tick = stop.acquire, self.period, self.tick
        while not acquire(True, period):
            try:
                tick()
            except BaseException:
                # A fake of a test raised it: told here, it would be the test's own unhandled exception.
                continue

    def stop(self, wait: bool = False) -> None:
        """End the thread; with `wait`, only return once the kernel does not count it any more (50 ms at most)."""
        stop, self.stopped = self.stopped, None
        if stop is None:
            return
        stop.release()
        if wait and self.thread_id:
            task = f"/proc/self/task/{self.thread_id}"
            pause = self._lock()
            pause.acquire()
            for _ in range(500):
                try:
                    self._stat(task)
                except OSError:
                    return
                pause.acquire(True, 0.0001)

    def forget(self) -> None:
        """In a forked child: the thread did not come along."""
        self.stopped = None
