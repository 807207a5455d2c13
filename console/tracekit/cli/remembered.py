"""The first frame of the last time, shown again while everything that paints is loaded.

Whoever opens a project sees its scenarios in the time that an interpreter takes, as they were known when the console
was opened last: a frame is kept with the marks of all that it was made of, and is shown only where each of them, the
terminal and the words typed are the same. The screen takes the place over without a moment of emptiness. Until then
nothing is typed into the picture, and whatever ends the program takes it away.

Runs before anything is loaded, so it imports only what an interpreter has ready.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import sys
import termios
import zlib
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType

from tracekit import __version__
from tracekit.config.paths import cache_dir

_SCHEMA = "tracekit.frame/1"
# Alternate screen, no cursor; and back.
_OPEN, _CLOSE = "\x1b[?1049h\x1b[?25l", "\x1b[?1049l\x1b[?25h\x1b[0m"
# What changes how a terminal is painted, or what is painted on it.
_NAMES = ("TERM", "COLORTERM", "NO_COLOR", "LANG", "LC_ALL", "LC_CTYPE", "HOME")
_FAMILIES = ("TRACEKIT_", "TEXTUAL", "XDG_", "PYTHON")
# What a test runner or a shell pins the size with: then the terminal's own is not the one that is painted.
_SIZES = ("COLUMNS", "LINES")
# What ends or stops a program unless it does something about it; an interrupt is an exception here.
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
_KEPT = 24
_LARGEST = 1 << 20
# What a frame is made of besides letters, and what none of its letters may be.
_LOOKS = re.compile(r"\x1b\[[0-9;]*[Hm]")
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class Picture:
    """One remembered frame: up while `up`, kept anew where the screen asks for it."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], terminal: int | None) -> None:
        self.up = False
        #: Whether this start would want one: the right kind of terminal, of its own size.
        self.wanted = False
        #: The files that what is painted depends on.
        self.made_of: tuple[str, ...] = ()
        #: Whether there is a terminal for one, of its own size.
        self.possible = terminal is not None and not any(name in environ for name in _SIZES)
        self._terminal = terminal
        self._attributes: list[object] | None = None
        self._words, self._environ = list(words), environ
        self._folder = os.path.join(cache_dir(environ), "frames")

    # -- shown -------------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Paint the frame that belongs here, if there is one."""
        if self._terminal is None or not self.possible:
            return
        try:
            width, height = os.get_terminal_size(self._terminal)
            self.wanted = True
            frame = _read(self._file(width, height))
            if frame is None:
                return
            self._attributes = termios.tcgetattr(self._terminal)
            termios.tcsetattr(self._terminal, termios.TCSANOW, _quiet(self._attributes))  # type: ignore[arg-type]
            self.up = True
            shown = _OPEN.encode() + frame
            while shown:
                shown = shown[os.write(self._terminal, shown) :]
        except (OSError, ValueError, termios.error):
            self.take_away()

    def give_back(self) -> None:
        """The screen comes, and finds the line discipline as it was."""
        if self._attributes is not None and self._terminal is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._attributes)  # type: ignore[arg-type]
            self._attributes = None

    def taken(self) -> bool:
        """The screen takes over what stands there, if anything does; from here on it gives the terminal back."""
        was, self.up = self.up, False
        return was

    def take_away(self) -> None:
        """As it was before: nobody came to take it over."""
        self.give_back()
        if self.taken() and self._terminal is not None:
            with contextlib.suppress(OSError):
                os.write(self._terminal, _CLOSE.encode())

    # -- kept --------------------------------------------------------------------------------------------------------

    def keep(self, lines: Sequence[str], size: tuple[int, int]) -> None:
        """Remember a frame; a disk that takes nothing only means that the next first frame is a later one."""
        frame = "".join(f"\x1b[{number};1H{line}" for number, line in enumerate(lines, 1)).encode()
        head = {
            "schema": _SCHEMA,
            "made_of": {path: _mark(path) for path in self.made_of},
            "checksum": zlib.crc32(frame),
        }
        part = ""
        try:
            place = self._file(*size)
            part = f"{place}.{os.getpid()}.part"
            os.makedirs(self._folder, exist_ok=True, mode=0o700)
            with open(part, "wb", opener=_private) as file:
                file.write(json.dumps(head).encode("ascii") + b"\n" + frame)
            os.replace(part, place)
            self._forget_the_oldest()
        except (OSError, UnicodeEncodeError):
            with contextlib.suppress(OSError):
                os.unlink(part)

    def _forget_the_oldest(self) -> None:
        with os.scandir(self._folder) as entries:
            kept = sorted(entries, key=lambda entry: entry.stat().st_mtime_ns)
        for entry in kept[:-_KEPT]:
            os.unlink(entry.path)

    def _file(self, width: int, height: int) -> str:
        """One for each place, words, size and way to paint; as a digest, since variables may hold what is secret."""
        told = sorted(
            (name, value)
            for name, value in self._environ.items()
            if name in _NAMES or name.startswith(_FAMILIES)
        )
        key = json.dumps([__version__, self._words, os.getcwd(), width, height, told])
        name = hashlib.blake2b(key.encode("ascii"), digest_size=16).hexdigest()
        return os.path.join(self._folder, f"{name}.frame")


@contextlib.contextmanager
def picture(words: Sequence[str]) -> Iterator[Picture]:
    """The frame of the last time, until the screen takes its place, or whatever happens instead."""
    found = Picture(words, os.environ, _terminal())

    def ended(number: int, _frame: FrameType | None) -> None:
        # A program that was only stopped goes on here, without a picture: its screen begins as any other's.
        found.take_away()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    before: dict[int, object] = {}
    try:
        if found.possible:
            for number in _SIGNALS:
                # What a shell lets nobody hear is nothing to listen to.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    before[number] = signal.signal(number, ended)
            found.show()
        yield found
    finally:
        found.take_away()
        for caught, handler in before.items():
            signal.signal(caught, handler)  # type: ignore[arg-type]


def _quiet(attributes: Sequence[object]) -> list[object]:
    """A line that shows and changes nothing of what is typed, so that each key is a key for whoever reads it later.

    Signals stay: whoever waits can end it.
    """
    quiet = list(attributes)
    quiet[0] = int(quiet[0]) & ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.IXON)  # type: ignore[call-overload]
    hidden = termios.ECHO | termios.ECHONL | termios.ICANON | termios.IEXTEN
    quiet[3] = int(quiet[3]) & ~hidden  # type: ignore[call-overload]
    return quiet


def _terminal() -> int | None:
    """Where the screen will be drawn, if all three streams are that terminal and speak its language."""
    try:
        streams = [stream.fileno() for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__) if stream]
        utf8 = sys.__stderr__ is not None and sys.__stderr__.encoding.lower() == "utf-8"
    except (OSError, ValueError, AttributeError):
        return None
    return streams[-1] if utf8 and len(streams) == 3 and all(map(os.isatty, streams)) else None


def _read(file: str) -> bytes | None:
    """A frame that was made of what is still the same."""
    try:
        with open(file, "rb") as opened:
            found = os.fstat(opened.fileno())
            if found.st_uid != os.geteuid() or found.st_mode & 0o022 or found.st_size > _LARGEST:
                return None
            head, frame = json.loads(opened.readline()), opened.read()
        same = head["schema"] == _SCHEMA and head["checksum"] == zlib.crc32(frame)
        # It goes to the terminal as it is: where somebody else could write it, it must not be obeyed.
        same = same and not _OBEYED.search(_LOOKS.sub("", frame.decode()))
        return frame if same and all(_mark(path) == mark for path, mark in head["made_of"].items()) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _mark(path: str) -> list[int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
