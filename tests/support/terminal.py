"""A real terminal for tests: a pty whose bytes are checked against a grammar and shown by an emulator.

The grammar is what the screen library is known to say; a byte outside it is an escape of outside text.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyte

from tracekit.ui.safe import UNSAFE

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
QUIET = 0.02  # longer than between two parts of one painting, and shorter than between two paintings
PARTS = 32
TOKEN = re.compile(
    r"\x1b\[(?:\d+;\d+)?H"  # place
    r"|\x1b\[[\d;]*m"  # colours
    r"|\x1b\[\?(?:1049|25|1004|2004|7|1000|1003|1015|1006|1016|2048|2026)[hl]"  # modes of the screen itself
    r"|\x1b\[\?(?:2026|2048)\$p|\x1b\[>\d+u|\x1b\[<u"  # questions, keyboard protocol
    r"|\r?\n"
)
PAINTS = re.compile(r"\x1b\[(?:\d+;\d+)?H|\x1b\[[\d;]*m|\r?\n")


def escapes(data: bytes) -> list[str]:
    """What lies outside the grammar, each with a little of what stands around it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as fault:
        return [f"invalid UTF-8 at {fault.start}: {data[max(0, fault.start - 20) : fault.start + 20]!r}"]
    found, at = [], 0
    for token in TOKEN.finditer(text):
        found += _unsafe(text, at, token.start())
        at = token.end()
    return found + _unsafe(text, at, len(text))


def _unsafe(text: str, start: int, end: int) -> list[str]:
    return [
        repr(text[max(0, bad.start() - 20) : bad.end() + 20]) for bad in UNSAFE.finditer(text, start, end)
    ]


class Terminal:
    """A process on a pty, and the emulator that shows what it wrote."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        size: tuple[int, int] = (120, 36),
        env: Mapping[str, str] | None = None,
        keep: Sequence[int] = (),
    ) -> None:
        self.raw = bytearray()
        self._undecoded = b""
        self.screen = pyte.Screen(*size)
        self._stream = pyte.Stream(self.screen)
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.attributes = termios.tcgetattr(slave)
        self.slave = slave
        path = os.pathsep.join([str(ROOT), str(ROOT / "console")])
        # The size is the terminal's own: a runner that spreads tests over processes sets these two for its workers.
        inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        environ = {
            **inherited,
            "PYTHONPATH": path,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "TEXTUAL_ANIMATIONS": "none",
            **(env or {}),
        }
        self.process = subprocess.Popen(
            [sys.executable, *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environ,
            start_new_session=True,
            cwd=ROOT,
            pass_fds=keep,
        )
        os.set_blocking(self.master, False)

    def read(self, patience: float = 0.05) -> bool:
        """Take what is there; says whether there was something."""
        try:
            ready, _, _ = select.select([self.master], [], [], patience)
            if not ready:
                return False
            data = os.read(self.master, 65536)
        except BlockingIOError:
            return False
        except OSError:
            return False
        self.raw += data
        self._show(data)
        return bool(data)

    def _show(self, data: bytes) -> None:
        """Only what paints goes to the emulator, which does not know every question that may be asked of a terminal."""
        text = (self._undecoded + data).decode("utf-8", "surrogateescape")
        whole = re.sub(r"(?:\x1b[^a-zA-Z]*|[\udc80-\udcff]{1,3})$", "", text)
        self._undecoded = text[len(whole) :].encode("utf-8", "surrogateescape")
        at = 0
        for token in TOKEN.finditer(whole):
            self._stream.feed(emulated(whole[at : token.start()]))
            if PAINTS.fullmatch(token.group()):
                self._stream.feed(token.group())
            at = token.end()
        self._stream.feed(emulated(whole[at:]))

    def until(self, happened: Callable[[], bool], patience: float = PATIENCE) -> bool:
        """Read until something is so; says whether it came to be."""
        end = time.monotonic() + patience
        while not happened():
            if time.monotonic() > end:
                return False
            if not self.read() and self.process.poll() is not None and not self.read():
                return happened()
        self._settle()
        return True

    def _settle(self) -> None:
        """Read the rest of a painting that comes in several parts.

        Where one part shows what was waited for, what stood there before is still to be seen around it; and a key
        that is typed at once comes in one piece with the one before it, which makes another key of an escape.
        """
        for _ in range(PARTS):
            if not self.read(QUIET):
                return

    def keys(self, keys: str) -> None:
        """Type."""
        os.write(self.master, keys.encode())

    @property
    def display(self) -> list[str]:
        """What the emulator shows."""
        return [line.rstrip() for line in self.screen.display]

    def shows(self, text: str) -> bool:
        """Whether a text is on the screen."""
        return any(text in line for line in self.display)

    def close(self) -> int | None:
        """End the process, if it has not; gives its exit code."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        while self.read(0):
            pass
        for descriptor in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        return self.process.returncode

    def wait(self, patience: float = PATIENCE) -> int | None:
        """Read until the process has ended, and all that it wrote; gives its exit code, or None."""
        self.until(lambda: self.process.poll() is not None, patience)
        code = self.process.poll()
        while code is not None and self.read(0):
            pass
        return code


def emulated(text: str) -> str:
    """Without marks that take no cell and have no combining class: the emulator drops the rest of a line at them."""
    if text.isascii():
        return text
    return "".join(
        char for char in text if unicodedata.combining(char) or unicodedata.category(char) not in {"Mn", "Me"}
    )


def same(shown: Sequence[str], expected: str) -> bool:
    """Whether the emulator shows what the compositor meant, composed characters aside."""
    wanted = [
        unicodedata.normalize("NFC", emulated(line).rstrip()) for line in expected.rstrip("\n").split("\n")
    ]
    return [unicodedata.normalize("NFC", line) for line in shown] == wanted
