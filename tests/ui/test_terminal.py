"""The console on a real pty: signals, its own exceptions, keys, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.terminal import Terminal, escapes

PROGRAM = """
import os, sys
pass
from tests.support import journals
from tests.support.consoles import FakeEngine, FakeView, NOW, Ports, Replay
from tracekit.ui.app import ConsoleApp, run
view = FakeView(journals.{journal}())
app = ConsoleApp(Ports(FakeEngine(replay=view), now=lambda: NOW), Replay(view.run_id), root=view.root)
{extra}
sys.exit(run(app))
"""
LEFT = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l", b"\x1b[<u")


@contextmanager
def opened(journal: str = "failing", extra: str = "", **environ: str) -> Iterator[Terminal]:
    terminal = Terminal(["-c", PROGRAM.format(journal=journal, extra=extra)], env=environ)
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
    "environ", [{"NO_COLOR": "1"}, {"TERM": "xterm", "COLORTERM": ""}, {"TERM": "linux", "COLORTERM": ""}]
)
def test_few_colours__cursor_is_still_seen(environ: dict[str, str]) -> None:
    with opened(TRACEKIT_GOLDEN="", **environ) as terminal:
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
