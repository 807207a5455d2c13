"""The console on a real pty: signals, its own exceptions, keys, and what it leaves behind."""

from __future__ import annotations

import base64
import fcntl
import functools
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.terminal import Terminal, escapes

PROGRAM = """
import os, sys
from tests.support import journals
from tests.support.consoles import FakeEngine, FakeView, NOW, Ports, Replay
from tracekit.ui.app import ConsoleApp, run
view = FakeView(journals.{journal}(), fed={fed})
app = ConsoleApp(Ports(FakeEngine(replay=view), now=lambda: NOW), Replay(view.run_id), root=view.root, {options})
{extra}
sys.exit(run(app, mouse={mouse}))
"""
LEFT = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l", b"\x1b[<u")


@contextmanager
def opened(
    journal: str = "failing",
    extra: str = "",
    *,
    fed: int | None = None,
    size: tuple[int, int] = (120, 36),
    keep: Sequence[int] = (),
    mouse: bool = True,
    options: str = "",
    environ: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    program = PROGRAM.format(journal=journal, extra=extra, fed=fed, mouse=mouse, options=options)
    terminal = Terminal(["-c", program], env=environ, size=size, keep=keep)
    try:
        yield terminal
    finally:
        terminal.close()


def restored(terminal: Terminal) -> bool:
    """The modes are switched off again, and the line discipline is what it was."""
    return (
        all(part in terminal.raw for part in LEFT)
        and termios.tcgetattr(terminal.slave)[:4] == terminal.attributes[:4]
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT])
def test_signal__while_shown__restores_the_terminal_and_exits_128_plus_n(number: signal.Signals) -> None:
    with opened("running") as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        os.kill(terminal.process.pid, number)
        assert terminal.wait() == 128 + number
        assert restored(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal__again_and_again_while_it_ends__restores_the_terminal_all_the_same(
    number: signal.Signals,
) -> None:
    with opened("running") as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        while terminal.process.poll() is None:
            os.kill(terminal.process.pid, number)
            terminal.read(0.001)
        assert terminal.wait() == 128 + number
        assert restored(terminal)
        assert b"Traceback" not in terminal.raw


def test_signal__terminal_was_just_taken__is_restored() -> None:
    extra = """
from tracekit.ui.pacing import Screenwriter
take = Screenwriter.start_application_mode
def taken(self):
    take(self)
    os.kill(os.getpid(), 15)
Screenwriter.start_application_mode = taken
"""
    with opened("running", extra) as terminal:
        assert terminal.wait() == 128 + signal.SIGTERM
        assert restored(terminal)


def test_signal__terminal_takes_no_bytes__ends_all_the_same() -> None:
    with opened("running") as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        for _ in range(300):  # a page of painting each, which nobody reads
            terminal.keys("zG1g2")
        os.kill(terminal.process.pid, signal.SIGTERM)
        assert terminal.process.wait(60) == 128 + signal.SIGTERM
        assert termios.tcgetattr(terminal.slave)[:4] == terminal.attributes[:4]


def test_terminal__goes_away_without_a_signal__then_the_console_ends_too() -> None:
    with opened("running") as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        os.close(terminal.slave)
        os.close(terminal.master)
        # Descriptors of nobody's stand in, so that closing them again closes nothing else.
        terminal.slave, terminal.master = os.open(os.devnull, os.O_RDWR), os.open(os.devnull, os.O_RDWR)
        assert terminal.process.wait(60) == 128 + signal.SIGHUP


def test_exception__of_our_own__exits_3_with_a_report_without_control_characters() -> None:
    extra = "def broken(delta): raise ValueError('boom \\x1b]52;c;eA==\\x07 \\u202e')\napp.board_screen.apply = broken"
    with opened(extra=extra) as terminal:
        assert terminal.wait() == 3
        assert restored(terminal)
        assert b"the console stopped on an error of its own" in terminal.raw
        assert b"ValueError: boom" in terminal.raw
        assert escapes(bytes(terminal.raw)) == []


def test_quit__by_key__exits_0_and_restores() -> None:
    with opened() as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("q")
        assert terminal.wait() == 0
        assert restored(terminal)


def test_terminal_gone__console_ends() -> None:
    with opened("running") as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        os.close(terminal.slave)
        os.close(terminal.master)
        os.kill(terminal.process.pid, signal.SIGHUP)
        assert terminal.process.wait(60) == 128 + signal.SIGHUP


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(b"\xe4", id="another-language"),
        pytest.param(b"\xff\xfe\xe2\x82", id="line-noise"),
        pytest.param(b"\x1b[M\xff\xff\xff", id="mouse-of-an-old-kind"),
        pytest.param(b"\x1b[99999999999u", id="key-that-no-letter-has"),
        pytest.param(b"\x1b[1114112u", id="key-beyond-all-letters"),
        pytest.param(b"\x1b[<0;99999999999999999999;1M", id="mouse-far-away"),
    ],
)
def test_typed__bytes_that_are_no_keys__the_next_key_is_heard(typed: bytes) -> None:
    with opened() as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        os.write(terminal.master, typed + b"\x1b[27u?")
        assert terminal.until(lambda: terminal.shows("what the scenario printed"))
        assert terminal.process.poll() is None


@pytest.mark.parametrize(
    "environ", [{"NO_COLOR": "1"}, {"TERM": "xterm", "COLORTERM": ""}, {"TERM": "linux", "COLORTERM": ""}]
)
def test_few_colours__cursor_is_still_seen(environ: dict[str, str]) -> None:
    with opened(environ={"TRACEKIT_GOLDEN": "", **environ}) as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        assert terminal.until(lambda: terminal.shows("▌"))
        terminal.keys("J")
        assert terminal.until(lambda: terminal.shows("assert 997 == 1000"))
        # One frame may come in several pieces.
        assert terminal.until(
            lambda: any(
                line.startswith("▌") and "test_reconnect_keeps_history" in line for line in terminal.display
            )
        )


def test_paste__control_characters__lose_them() -> None:
    with opened() as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("/")
        assert terminal.until(lambda: terminal.shows("path, name, glob"))
        terminal.keys("\x1b[200~lim\x07\u202eit\x1b[201~")
        assert terminal.until(lambda: terminal.shows("/limit"))
        terminal.keys("\x1b")
        assert terminal.until(lambda: not terminal.shows("/limit"))
        terminal.keys("q")
        assert terminal.wait() == 0
        assert escapes(bytes(terminal.raw)) == []


def state_of(pid: int) -> str:
    """What the kernel says a process does: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_suspend__by_key_where_no_shell_is__stays_and_says_why() -> None:
    with opened("running") as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("\x1a")
        assert terminal.until(lambda: terminal.shows("no shell is there to come back from"))
        assert state_of(terminal.process.pid) != "T"


def test_suspend__by_key_under_a_shell__stops_and_comes_back_with_fg() -> None:
    inner = PROGRAM.format(journal="running", extra="", fed=None, mouse=True, options="")
    script = (
        "import os, pty, subprocess, sys\n"
        "os.close(os.open(os.ttyname(0), os.O_RDWR))\n"  # a session's leader takes it as its own
        "os.execvp('bash', ['bash', '--norc', '--noprofile', '-i', '-c',"
        f' \'set -m; "$0" -c "$1"; echo stopped-$?; read x; fg; echo left-$?\', sys.executable, {inner!r}])'
    )
    terminal = Terminal(["-c", script])
    try:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("\x1a")
        assert terminal.until(lambda: terminal.shows("stopped-")), "\n".join(terminal.display)
        terminal.raw.clear()
        terminal.keys("\n")
        assert terminal.until(lambda: b"\x1b[?1049h" in terminal.raw), "\n".join(terminal.display)
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("q")
        assert terminal.until(lambda: terminal.shows("A run is live"))
        terminal.keys("\r")
        assert terminal.until(lambda: terminal.shows("left-0")), "\n".join(terminal.display)
    finally:
        terminal.close()


def test_suspend__by_signal__terminal_is_the_shells_until_it_goes_on() -> None:
    with opened("running") as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        os.kill(terminal.process.pid, signal.SIGTSTP)
        assert terminal.until(lambda: state_of(terminal.process.pid) == "T")
        assert terminal.until(lambda: restored(terminal))
        terminal.raw.clear()
        fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        terminal.screen.resize(24, 80)
        os.kill(terminal.process.pid, signal.SIGCONT)
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        assert b"\x1b[?1049h" in terminal.raw
        terminal.keys("q")
        assert terminal.until(lambda: terminal.shows("A run is live"))
        terminal.keys("\r")
        assert terminal.wait() == 0
        assert restored(terminal)


def test_suspend__by_signal_while_bytes_are_handed_to_the_writer__stops_all_the_same() -> None:
    extra = (
        "import signal\n"
        "from textual.drivers._writer_thread import WriterThread\n"
        "plain, left = WriterThread.write, [1]\n"
        "def write(self, text):\n"
        "    if 'test_1000_clients' in text and left and left.pop():\n"
        "        with self._queue.mutex:\n"  # as it is held for a moment in every write
        "            os.kill(os.getpid(), signal.SIGTSTP)\n"
        "            len(text)\n"
        "    plain(self, text)\n"
        "WriterThread.write = write\n"
    )
    with opened("running", extra) as terminal:
        assert terminal.until(lambda: state_of(terminal.process.pid) == "T")
        assert terminal.until(lambda: restored(terminal))
        terminal.raw.clear()
        os.kill(terminal.process.pid, signal.SIGCONT)
        assert terminal.until(lambda: b"\x1b[?1049h" in terminal.raw)
        terminal.keys("q")
        assert terminal.until(lambda: terminal.shows("A run is live"))
        terminal.keys("\r")
        assert terminal.wait() == 0


def test_reset_terminal__console_was_killed__modes_and_line_discipline_are_a_shells_again() -> None:
    with opened("running") as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        os.kill(terminal.process.pid, signal.SIGKILL)
        terminal.process.wait(60)
        terminal.read()
        assert termios.tcgetattr(terminal.slave)[3] & (termios.ECHO | termios.ICANON | termios.ISIG) == 0
        terminal.raw.clear()
        done = reset_by(terminal.slave)
        assert (done.returncode, done.stderr) == (0, b"")
        assert terminal.until(
            lambda: all(part in terminal.raw for part in (*LEFT, b"\x1b[?2026l", b"\x1b[?7h"))
        )
        now, before = termios.tcgetattr(terminal.slave), terminal.attributes
        assert now[:4] == before[:4]
        assert [now[6][key] for key in (termios.VINTR, termios.VEOF)] == [b"\x03", b"\x04"]


def reset_by(descriptor: int, *words: str) -> subprocess.CompletedProcess[bytes]:
    """The command, typed into that terminal; it reads nothing and says what it did on a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "tracekit.cli.main", "reset-terminal", *words],
        stdin=descriptor,
        capture_output=True,
        timeout=60,
        start_new_session=True,
        check=False,
    )


def test_reset_terminal__no_terminal_at_all__exit_2_with_what_to_do() -> None:
    with Path(os.devnull).open("rb") as nothing:
        done = reset_by(nothing.fileno(), "--json")
    assert done.returncode == 2
    assert b"run it in the terminal that looks wrong" in done.stderr
    assert done.stdout == b""


def test_stalled__nobody_reads_the_terminal__then_what_comes_is_shown_when_somebody_does() -> None:
    extra = (
        "import threading\n"
        "go, ended = {go}, {ended}\n"
        "def feed():\n"
        "    os.read(go, 1)\n"
        "    while not view.state.run.ended: view.feed(1)\n"
        "    os.write(ended, b'x')\n"
        "    os.read(go, 1)\n"
        "threading.Thread(target=feed, daemon=True).start()\n"
    )
    go_read, go_write = os.pipe()
    ended_read, ended_write = os.pipe()
    with opened(
        "failing", extra.format(go=go_read, ended=ended_write), fed=3, keep=(go_read, ended_write)
    ) as terminal:
        assert terminal.until(lambda: terminal.shows("0/"))
        for _ in range(300):  # a page of painting each, which nobody reads
            terminal.keys("z")
        os.write(go_write, b"x")
        # The run, on its own thread, comes to its end while the screen is stuck in a write.
        assert select.select([ended_read], [], [], 60)[0]
        assert terminal.process.poll() is None
        assert terminal.until(lambda: terminal.shows("13/13"))
        terminal.keys("q")
        assert terminal.wait() == 0
        assert restored(terminal)
    for descriptor in (go_read, go_write, ended_read, ended_write):
        os.close(descriptor)


def resized(terminal: Terminal, columns: int, lines: int) -> None:
    fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    os.kill(terminal.process.pid, signal.SIGWINCH)


def test_resize__a_storm_down_to_one_cell_and_back__screen_fits_and_goes_on() -> None:
    with opened() as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        for columns, lines in [(1, 1), (200, 60), (2, 1), (39, 9), (1, 40), (80, 24), (160, 3), (60, 20)] * 6:
            resized(terminal, columns, lines)
            terminal.read(0)
        # Before the last one: what is painted for it stays there, and is not painted again for a key.
        terminal.screen.reset()
        resized(terminal, 120, 36)
        terminal.keys("Jl")
        assert terminal.until(lambda: terminal.shows("assert 997 == 1000")), "\n".join(terminal.display)
        assert terminal.until(lambda: terminal.shows("tracekit  chat-server")), "\n".join(terminal.display)
        terminal.keys("q")
        assert terminal.wait() == 0


@pytest.mark.parametrize("sizes", [[(120, 36)], [(1, 1), (120, 36)]], ids=["seen-once", "seen-twice"])
def test_resize__back_where_it_was_by_the_time_it_is_looked_at__all_is_painted_again(
    sizes: list[tuple[int, int]],
) -> None:
    with opened() as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients") and terminal.shows("? help"))
        while terminal.read(1):  # poll: until all of it is painted
            pass
        before = terminal.display
        terminal.screen.reset()  # what a terminal makes of its lines at one cell is nobody's to know
        for columns, lines in sizes:
            resized(terminal, columns, lines)
        assert terminal.until(lambda: terminal.display == before), "\n".join(terminal.display)


def test_resize__sizes_are_told_out_of_turn__then_the_screen_fits_the_terminal_as_it_is() -> None:
    # One signal interrupts the handler of another between its look at the terminal and its word to the console.
    extra = (
        "import shutil\n"
        "look, nested = shutil.get_terminal_size, []\n"
        "def interrupted(*given):\n"
        "    seen = look(*given)\n"
        "    if seen.columns == 60 and not nested:\n"
        "        nested.append(os.write({looked}, b'x'))\n"
        "        os.read({go}, 1)\n"
        "        signal.raise_signal(signal.SIGWINCH)\n"
        "    return seen\n"
        "import signal\n"
        "shutil.get_terminal_size = interrupted\n"
    )
    go_read, go_write = os.pipe()
    looked_read, looked_write = os.pipe()
    with opened(
        extra=extra.format(go=go_read, looked=looked_write), keep=(go_read, looked_write)
    ) as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients") and terminal.shows("? help"))
        while terminal.read(1):  # poll: until all of it is painted
            pass
        before = terminal.display
        resized(terminal, 60, 20)
        assert select.select([looked_read], [], [], 60)[0]
        fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        terminal.screen.reset()
        os.write(go_write, b"x")
        assert terminal.until(lambda: terminal.display == before), "\n".join(terminal.display)
        while terminal.read(1):  # poll: nothing else is painted over it
            pass
        assert terminal.display == before
    for descriptor in (go_read, go_write, looked_read, looked_write):
        os.close(descriptor)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (5, 1), (1, 30), (39, 9)])
def test_tiny__from_the_first_frame__shows_what_fits_and_leaves_by_key(size: tuple[int, int]) -> None:
    with opened(size=size) as terminal:
        assert terminal.until(lambda: b"\x1b[?1049h" in terminal.raw)
        assert terminal.until(lambda: any(line.strip() for line in terminal.display) or size[0] < 5)
        terminal.keys("jJ7q")
        assert terminal.wait() == 0
        assert restored(terminal)


@pytest.mark.parametrize(
    ("environ", "colours"),
    [
        ({"NO_COLOR": "1"}, set()),
        ({"TERM": "xterm", "COLORTERM": ""}, {"3"}),
        ({"TERM": "screen", "COLORTERM": ""}, {"3"}),
        ({"TERM": "screen-256color", "COLORTERM": ""}, {"38;5"}),
        ({"TERM": "tmux-256color", "COLORTERM": ""}, {"38;5"}),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, {"38;2"}),
    ],
    ids=["no-color", "xterm", "screen", "screen-256color", "tmux-256color", "truecolor"],
)
def test_colours__terminal_of_a_kind__is_sent_those_it_says_it_has(
    environ: dict[str, str], colours: set[str]
) -> None:
    with opened(environ={"TRACEKIT_GOLDEN": "", **environ}) as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("J")
        assert terminal.until(lambda: terminal.shows("assert 997 == 1000"))
        terminal.keys("q")
        assert terminal.wait() == 0
        assert told_colours(bytes(terminal.raw)) == colours
        assert escapes(bytes(terminal.raw)) == []


def told_colours(raw: bytes) -> set[str]:
    """Which ways of naming a colour stand in what was sent."""
    found = set()
    for told in re.findall(rb"\x1b\[([\d;]*)m", raw):
        words = told.decode().split(";")
        while words:
            word = words.pop(0)
            if word in {"38", "48"}:
                found.add(f"38;{words[0]}")
                del words[: 2 if words[0] == "5" else 4]
            elif word not in {"39", "49"} and re.fullmatch(r"[349]\d|10\d", word):
                found.add("9" if word[0] in "91" else "3")
    return found


@pytest.mark.parametrize("mouse", [True, False])
def test_mouse__asked_for_or_not__terminal_is_told_only_then(mouse: bool) -> None:
    with opened(mouse=mouse) as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("q")
        assert terminal.wait() == 0
        assert (b"\x1b[?1000h" in terminal.raw) is mouse


def test_ascii__every_cell_of_a_screen__is_ascii() -> None:
    with opened(options="ascii_only=True") as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        for key, told in (("J", "assert 997"), ("?", "KEYS"), ("\x1b", "assert 997"), ("H", "D delete")):
            terminal.keys(key)
            assert terminal.until(functools.partial(terminal.shows, told)), "\n".join(terminal.display)
            assert all(line.isascii() for line in terminal.display), "\n".join(terminal.display)


def test_copy__no_tool_here__sequence_goes_out_on_the_key_and_never_before() -> None:
    extra = (
        "from tracekit.cli.desk_clipboard import DeskClipboard\n"
        "clipboard = DeskClipboard({'TERM': 'xterm'})\n"
        "for ports in (app.ports, app.board_screen.ports):\n"
        "    object.__setattr__(ports, 'clipboard', clipboard)"
    )
    with opened(extra=extra) as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("J")
        assert terminal.until(lambda: terminal.shows("assert 997 == 1000"))
        assert b"\x1b]" not in terminal.raw
        terminal.keys("y")
        assert terminal.until(lambda: terminal.shows("copied by the terminal (OSC 52)"))
        (told,) = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", terminal.raw)
        assert base64.b64decode(told).startswith(b"tracekit run ")
        terminal.keys("q")
        assert terminal.wait() == 0
        assert terminal.raw.count(b"\x1b]") == 1


def test_redraw__something_else_wrote_on_the_terminal__then_the_screen_is_whole_again() -> None:
    with opened() as terminal:
        # A replay opens at its beginning for a moment: what is held against the painting anew is the whole of it.
        assert terminal.until(lambda: terminal.shows("drop") and not terminal.shows(" 0/0 "))
        terminal.read(0.5)
        before = terminal.display
        for row in range(0, terminal.screen.lines, 5):
            terminal.screen.cursor_position(row + 1, 1)
            terminal.screen.draw("somebody else was here")
        assert terminal.shows("somebody else was here")
        terminal.keys("\x0c")
        assert terminal.until(lambda: not terminal.shows("somebody else")), "\n".join(terminal.display)
        assert terminal.display[0] == before[0]
