"""What a test process does when it is asked: write the stacks of its threads, or end the test that runs too long.

Both come as real-time signals that suites do not use. The stacks are written by the interpreter's own fault handler,
so that code that never gives up the interpreter is seen too; the end of a test is an exception raised in the main
thread, so that fixtures are torn down and the tests after it run. Behind the stacks stand the tasks of event loops.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from typing import Any, Callable, Optional

from _tkprobe import tasks
from _tkprobe.spool import move_up

_BASE = getattr(signal, "SIGRTMIN", 0)
#: Write the stacks of all threads.
DUMP = int(_BASE) + 11
#: End the running test.
STOP = int(_BASE) + 12
SUFFIX = ".stacks"


class Stalls:
    """The two signals of one process; without real-time signals there are none, and the agent is told so."""

    def __init__(self, base: str) -> None:
        self.path = base + SUFFIX
        self.pid = os.getpid()
        self.fd = -1
        #: How much stood in the file, and whether it grew when it was last looked at.
        self.size = 0
        self.grew = False
        self.file = (0, 0)
        # Bound here: tests replace what `os` holds, and the background thread is not theirs.
        self._getpid, self._fstat, self._write, self._kill = os.getpid, os.fstat, os.write, os.kill
        #: Raises in the running test, or does nothing when none can be ended now.
        self.end_test: Callable[[Any], None] = _nothing

    def told(self) -> str:
        """JSON members that say which signals are understood."""
        words = []
        if self._listen():
            words.append(f',"dump":{DUMP},"tasks":true')
        if self._obey():
            words.append(f',"stop":{STOP}')
        return "".join(words)

    def _listen(self) -> bool:
        if not _BASE:
            return False
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self.fd = move_up(os.open(self.path, flags, 0o600))
            found = os.fstat(self.fd)
            self.file = (found.st_dev, found.st_ino)
            faulthandler.register(DUMP, file=self.fd, all_threads=True, chain=False)
        except (OSError, RuntimeError, ValueError, AttributeError):
            return False
        return True

    def look(self) -> None:
        """From the background thread: where stacks were just written, the tasks are written behind them."""
        if self.fd < 0 or self._getpid() != self.pid:
            return
        try:
            found = self._fstat(self.fd)
            size = found.st_size
            if (found.st_dev, found.st_ino) != self.file:
                self.fd = -1  # a test closed it, and the number is another file's now
            elif size != self.size:
                # The fault handler may not be done yet; whatever it writes, it writes at once.
                self.size, self.grew = size, True
            elif self.grew:
                self.grew = False
                self._write(self.fd, tasks.text().encode("utf-8", "backslashreplace"))
                self.size = self._fstat(self.fd).st_size
        except Exception:
            self.fd = -1

    def _obey(self) -> bool:
        if not _BASE or threading.current_thread() is not threading.main_thread():
            return False
        try:
            if signal.getsignal(STOP) is not signal.SIG_DFL:
                return False
            signal.signal(STOP, self._stop)
        except (OSError, ValueError):
            return False
        return True

    def _stop(self, _number: int, frame: Optional[Any]) -> None:
        # A forked child took the handler along; it runs nobody's test.
        if self._getpid() == self.pid:
            self.end_test(frame)

    def ask_again(self) -> None:
        """From another thread: the same signal once more, for a main thread that could not act on it."""
        if self._getpid() == self.pid:
            self._kill(self.pid, STOP)


def _nothing(_frame: Any) -> None:
    """Before any test there is nothing to end."""
