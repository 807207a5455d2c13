"""What the console shows of a process that was killed: in a terminal, over a run that it started itself."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cli import Sandbox
from tests.support.terminal import Terminal, escapes

TESTS = """\
import ctypes, logging, os, signal
log = logging.getLogger("shop")

def price(item):
    return len(item)

def last_words():
    price("ab")
    log.error("just before the end\\x1b]0;owned\\x07")

def test_killed():
    last_words()
    os.kill(os.getpid(), signal.SIGKILL)

def test_segfault():
    last_words()
    ctypes.string_at(0)
"""


@contextmanager
def replayed(tmp_path: Path) -> Iterator[Terminal]:
    sandbox = Sandbox(tmp_path / "home")
    root = sandbox.project({"test_end.py": TESTS})
    done = sandbox.run("run", root, "--json")
    assert set(done.verdicts().values()) == {"crashed"}, done.err
    terminal = Terminal(["-m", "tracekit.cli.main", "tui", "--replay", done.run_id()], env=sandbox.environ)
    try:
        yield terminal
    finally:
        terminal.close()


def shown(terminal: Terminal, text: str) -> None:
    there = terminal.until(lambda: terminal.shows(text))
    assert there, "\n".join([text, *terminal.display])


def ends(terminal: Terminal, typed: str) -> bool:
    return terminal.display[-2].endswith(typed.rstrip())


def asks(terminal: Terminal, text: str) -> None:
    """Type a filter into the events' box, once it is there."""
    typed = "▕ "
    terminal.keys("/")
    assert terminal.until(lambda: "kind:log" in terminal.display[-2]), "\n".join(terminal.display)
    for letter in text:
        # One after the other, as a person types: several at once may go to whoever had the keys before.
        terminal.keys(letter)
        typed += letter
        assert terminal.until(functools.partial(ends, terminal, typed)), "\n".join(terminal.display)
    terminal.keys("\r")
    shown(terminal, f"/{text}")


@pytest.mark.parametrize(("name", "keys"), [("test_killed", "J"), ("test_segfault", "JJ")])
def test_events_pane__row_of_a_dead_process__then_its_last_calls_and_the_line_before_its_end(
    tmp_path: Path, name: str, keys: str
) -> None:
    with replayed(tmp_path) as terminal:
        assert terminal.until(lambda: terminal.shows(name))
        terminal.keys(keys)
        assert terminal.until(lambda: any(line.startswith("▌") and name in line for line in terminal.display))
        terminal.keys("4")
        shown(terminal, "ERROR   shop just before the end␛]0;owned␇")
        painted = len(terminal.raw)
        terminal.keys("\t")
        assert terminal.until(lambda: len(terminal.raw) > painted), (
            "the tree's cursor shows that the keys have left it"
        )
        asks(terminal, "kind:log level>=error")
        shown(terminal, "1 of 12")
        terminal.keys("t")
        shown(terminal, "may its code run?")
        terminal.keys("j")
        assert terminal.until(lambda: any("▌ let it run" in line for line in terminal.display))
        terminal.keys("\r")
        shown(terminal, "attempt 2/2")
        assert escapes(bytes(terminal.raw[: terminal.raw.rindex(b"\x1b")])) == []  # the rest is on its way
