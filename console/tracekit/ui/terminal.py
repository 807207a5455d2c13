"""The terminal as it must be left: signals that end the program, and an exception that ends it.

The usual way out lets the driver restore the terminal; when the screen cannot even do that (a terminal that takes no
more bytes), a watchdog restores the line discipline and ends the process. Nothing here paints.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, cast

from textual.events import Resize
from textual.geometry import Size

from tracekit.ui.hearing import Hearing
from tracekit.ui.modes import RESET
from tracekit.ui.safe import safe

if TYPE_CHECKING:
    from tracekit.ui.app import ConsoleApp

_ALTERNATE = "\x1b[?1049h"
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT)
CRASHED = 3
PATIENCE = 3.0
LOOK_AT_TERMINAL = 1.0


def gone() -> bool:
    """Whether the terminal has gone away without a signal: the library would read its end for ever."""
    try:
        watch = select.poll()
        watch.register(sys.__stdin__.fileno() if sys.__stdin__ else 0, 0)
        return any(told & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, told in watch.poll(0))
    except (OSError, ValueError):
        return True


class Leaving:
    """Turns the signals that end a program into an orderly exit with 128 + n."""

    def __init__(self, leave: Callable[[int], None]) -> None:
        self._leave = leave
        self._before: dict[int, object] = {}
        self._attributes: list[object] | None = None
        with contextlib.suppress(termios.error, OSError, ValueError, AttributeError):
            self._attributes = termios.tcgetattr(sys.__stdin__.fileno())  # type: ignore[union-attr]
        self._watch: threading.Timer | None = None
        self._aside = False
        #: 128 and the number of the signal that ended the program, once one came.
        self.code: int | None = None

    def install(self) -> None:
        """Catch the signals; only in the main thread, where they arrive."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._caught)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """While another program has the terminal, its interrupt key is that program's."""
        self._aside = True
        try:
            yield
        finally:
            self._aside = False

    def over(self) -> None:
        """The terminal is as it was: give the signals back.

        Not earlier: a signal seldom comes alone, and the next would end what is just restoring the terminal. After one
        came no other changes how this ends, but it must still come to an end.
        """
        if self._watch is not None and self.code is not None:
            self._watch.cancel()
            self._watch = _later(os._exit, self.code)
        for number, handler in self._before.items():
            signal.signal(number, handler if self.code is None else signal.SIG_IGN)  # type: ignore[arg-type]
        self._before.clear()

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        if self.code is not None or (self._aside and number == signal.SIGINT):
            return
        self.code = 128 + number
        self._watch = _later(self._force, number)
        self._leave(self.code)

    def _force(self, number: int) -> None:
        """The screen did not come to an end: restore what can be restored without waiting for it."""
        with contextlib.suppress(termios.error, OSError, ValueError):
            if self._attributes is not None and sys.__stdin__:
                termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, self._attributes)  # type: ignore[arg-type]
        with contextlib.suppress(OSError):
            descriptor = sys.__stderr__.fileno() if sys.__stderr__ else 2
            os.set_blocking(descriptor, False)
            os.write(descriptor, RESET.encode())
        os._exit(128 + number)


def _later(do: Callable[[int], object], told: int) -> threading.Timer:
    timer = threading.Timer(PATIENCE, do, (told,))
    timer.daemon = True
    timer.start()
    return timer


class Taking(Hearing):
    """The library's own driver, on a terminal that shows a frame of ours already: it takes the place as it is.

    Some terminals empty the alternate screen each time it is asked for, which would be seen as a flicker.
    """

    _standing = False
    _stopping = False

    def _sigtstp_application(self, *_: object) -> None:
        """Stop where the screen is between two things it does.

        A signal may come while bytes are handed to the writer, whose lock the way to the shell would then wait for,
        and never get it. While another program has the terminal there is nothing to hand over.
        """
        if not self._auto_restart:
            super()._sigtstp_application()
        elif not self._stopping:
            self._stopping = True
            self._loop.call_soon_threadsafe(self._stop_here)

    def _stop_here(self) -> None:
        self._stopping = False
        super()._sigtstp_application()

    def as_it_is(self, told: Resize) -> Resize:
        """The size that the terminal has by now, where a signal has told of one.

        One signal interrupts whoever works off another: what that one had looked up before is told last. A terminal
        that tells of its size by itself does so in turn, and in pixels too.
        """
        size = Size(*self._get_terminal_size())
        return told if told.pixel_size is not None or told.size == size else Resize(size, size)

    def start_application_mode(self) -> None:
        """Take the terminal, or take it over."""
        self._standing = cast("ConsoleApp", self._app).ports.picture.taken()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._standing = False

    def write(self, data: str) -> None:
        """Pass it on, but for the one question that is answered already."""
        if not (self._standing and data == _ALTERNATE):
            super().write(data)


def crash_report(error: BaseException) -> str:
    """An exception's traceback as text that no terminal obeys."""
    lines = [line for part in traceback.format_exception(error) for line in part.splitlines()]
    shown = [safe(line, 400).text for line in lines[-80:]]
    return (
        "\n".join(["tracekit: the console stopped on an error of its own; runs go on without it", *shown])
        + "\n"
    )
