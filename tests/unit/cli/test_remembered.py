"""The frame of the last time: shown only where all that it was made of is the same, and never left standing."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.terminal import ROOT
from tests.support.until import until
from tracekit.cli.remembered import Picture

SIZE = (40, 3)
LINES = ["one", "\x1b[1mtwo\x1b[0m", "three"]
OPENED, CLOSED = b"\x1b[?1049h\x1b[?25l", b"\x1b[?1049l\x1b[?25h\x1b[0m"
FRAME = b"\x1b[1;1Hone\x1b[2;1H\x1b[1mtwo\x1b[0m\x1b[3;1Hthree"


class Pty:
    """Both ends of a terminal of one size."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(*SIZE)

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def said(self) -> bytes:
        told = b""
        while select.select([self.master], [], [], 0)[0]:
            told += os.read(self.master, 65536)
        return told


@pytest.fixture
def terminal() -> Iterator[Pty]:
    made = Pty()
    yield made
    os.close(made.master)
    os.close(made.slave)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path / "cache"), "TERM": "xterm"}


def kept(environ: dict[str, str], terminal: Pty, *made_of: Path, words: tuple[str, ...] = ()) -> None:
    first = Picture(words, environ, terminal.slave)
    first.show()
    assert first.wanted
    first.made_of = tuple(map(str, made_of))
    first.keep(LINES, SIZE)
    first.take_away()
    terminal.said()


def shown(environ: dict[str, str], terminal: Pty, *words: str) -> Picture:
    again = Picture(words, environ, terminal.slave)
    again.show()
    return again


def test_show__nothing_has_changed__then_the_frame_and_nothing_typed_into_it(
    terminal: Pty, environ: dict[str, str], tmp_path: Path
) -> None:
    source = tmp_path / "inventory"
    source.write_text("as it was")
    kept(environ, terminal, source, tmp_path / "never there")
    again = shown(environ, terminal)
    assert again.up
    assert not terminal.echoes()
    again.give_back()
    assert terminal.echoes()
    assert again.taken()
    again.take_away()
    assert terminal.said() == OPENED + FRAME


@pytest.mark.parametrize("change", ["written", "gone", "come"])
def test_show__something_it_was_made_of_is_another__then_nothing(
    terminal: Pty, environ: dict[str, str], tmp_path: Path, change: str
) -> None:
    source, absent = tmp_path / "inventory", tmp_path / "tracekit.toml"
    source.write_text("as it was")
    kept(environ, terminal, source, absent)
    if change == "written":
        source.write_text("as it is now")
    elif change == "gone":
        source.unlink()
    else:
        absent.touch()
    assert not shown(environ, terminal).up
    assert terminal.said() == b""
    assert terminal.echoes()


@pytest.mark.parametrize("change", ["words", "size", "variable", "place", "pinned"])
def test_show__another_start__then_nothing(
    terminal: Pty, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    kept(environ, terminal)
    words: tuple[str, ...] = ()
    if change == "words":
        words = ("elsewhere",)
    elif change == "size":
        terminal.resize(41, 3)
    elif change == "place":
        monkeypatch.chdir(tmp_path)
    else:
        environ |= {"COLUMNS": "40"} if change == "pinned" else {"TRACEKIT_THEME": "light"}
    again = shown(environ, terminal, *words)
    assert not again.up
    assert again.wanted == (change != "pinned")
    assert terminal.said() == b""


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"[]\nx", b"\xff\n", b"cut", b"changed"])
def test_show__damaged_file__then_nothing(
    terminal: Pty, environ: dict[str, str], tmp_path: Path, damage: bytes
) -> None:
    kept(environ, terminal)
    (file,) = (tmp_path / "cache" / "tracekit" / "frames").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    whole = file.read_bytes()
    file.write_bytes(
        {b"cut": whole[:-3], b"changed": whole.replace(b"three", b"thre\x07")}.get(damage, damage)
    )
    assert not shown(environ, terminal).up
    assert terminal.said() == b""


@pytest.mark.parametrize(
    "told", [b"\x1b]52;c;eA==\x07", b"\x1b[2J", b"\x1b[?1003h", "\x9b6n".encode(), "\u202e".encode()]
)
def test_show__a_frame_that_a_terminal_would_obey__then_nothing(
    terminal: Pty, environ: dict[str, str], tmp_path: Path, told: bytes
) -> None:
    kept(environ, terminal)
    (file,) = (tmp_path / "cache" / "tracekit" / "frames").iterdir()
    frame = FRAME + told
    head = {"schema": "tracekit.frame/1", "made_of": {}, "checksum": zlib.crc32(frame)}
    file.write_bytes(json.dumps(head).encode() + b"\n" + frame)
    assert not shown(environ, terminal).up
    assert terminal.said() == b""


def test_show__a_file_that_others_may_write__then_nothing(
    terminal: Pty, environ: dict[str, str], tmp_path: Path
) -> None:
    kept(environ, terminal)
    (file,) = (tmp_path / "cache" / "tracekit" / "frames").iterdir()
    file.chmod(0o620)
    assert not shown(environ, terminal).up
    file.chmod(0o600)
    assert shown(environ, terminal).up


def test_keep__no_room__then_only_no_frame(terminal: Pty, environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    kept(environ, terminal)
    assert not shown(environ, terminal).up


def test_keep__many_places__then_the_newest_are_remembered(
    terminal: Pty, environ: dict[str, str], tmp_path: Path
) -> None:
    for number in range(40):
        kept(environ, terminal, words=(str(number),))
    assert len(list((tmp_path / "cache" / "tracekit" / "frames").iterdir())) == 24
    assert shown(environ, terminal, "39").up
    assert not shown(environ, terminal, "0").up


WAITS = "import time; print('ready', flush=True); time.sleep(600)"
ENDS = {
    "SIGTERM": (WAITS, -signal.SIGTERM),
    "SIGHUP": (WAITS, -signal.SIGHUP),
    "SIGQUIT": (WAITS, -signal.SIGQUIT),
    "raises": ("raise SystemExit(7)", 7),
}


@contextlib.contextmanager
def waiting(terminal: Pty, environ: dict[str, str], code: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program with a picture up, that does this."""
    begin = (
        # Whoever runs the tests may have been told to ignore some, which children inherit and a picture respects.
        "import signal\nfor number in (1, 3, 15, 20): signal.signal(number, signal.SIG_DFL)\n"
        "from tracekit.cli.remembered import picture\nwith picture([]) as shown:\n    assert shown.up\n    "
    )
    # An interpreter without a locale gives itself one, and what a frame is kept under holds that.
    environ |= {"LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT / "console")}
    kept(environ, terminal)
    line = terminal.slave
    # In a group of its own, whose parent is in the session: only there can a program be stopped by its terminal.
    process = subprocess.Popen(
        [sys.executable, "-c", begin + code],
        env=environ,
        stdin=line,
        stdout=line,
        stderr=line,
        process_group=0,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("end", ENDS)
def test_picture__program_ends_before_the_screen_comes__then_taken_away(
    terminal: Pty, environ: dict[str, str], end: str
) -> None:
    code, status = ENDS[end]
    told = b""
    with waiting(terminal, environ, code) as process:

        def ready() -> bool:
            nonlocal told
            told += terminal.said()
            return b"ready" in told or process.poll() is not None

        until(ready)
        if status < 0:
            process.send_signal(-status)
        assert process.wait(60) == status, told
        told += terminal.said()
    assert told.startswith(OPENED + FRAME)
    assert told.endswith(CLOSED)
    assert terminal.echoes()


def test_picture__program_is_stopped_before_the_screen_comes__then_taken_away_and_it_goes_on_without(
    terminal: Pty, environ: dict[str, str]
) -> None:
    told = b""
    code = "print('ready', flush=True); input(); print('up' if shown.up else 'away')"
    with waiting(terminal, environ, code) as process:

        def said(word: bytes) -> bool:
            nonlocal told
            told += terminal.said()
            return word in told

        until(lambda: said(b"ready"))
        process.send_signal(signal.SIGTSTP)
        until(lambda: said(CLOSED))
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert terminal.echoes()
        process.send_signal(signal.SIGCONT)
        os.write(terminal.master, b"\n")
        until(lambda: said(b"away"))
    assert told.count(CLOSED) == 1
