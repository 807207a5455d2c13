"""Three keys from a red row to its cause: ten recorded failures of real suites, in terminals of three sizes.

What a screen must show was written down before any was looked at: `causes.toml` beside the recordings.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Sandbox
from tests.support.terminal import Terminal, escapes

PLACE = Path(__file__).parents[1] / "fixtures" / "real-failures"
FAILURES = tomllib.loads((PLACE / "causes.toml").read_text())["failure"]
TO_ITS_FAILURE, WHOLE, PAGE = "l", "z", "\x1b[6~"
# Three keys; a terminal as small as the smallest may take pages more.
KEYS = {
    (120, 36): [TO_ITS_FAILURE, PAGE, PAGE],
    (80, 24): [TO_ITS_FAILURE, WHOLE, PAGE],
    (60, 20): [TO_ITS_FAILURE, *[PAGE] * 10],
}
# What is known not to be shown, anywhere or at one size: each is a lack of the console, to be mended there and
# struck out here. A new lack fails; so does one that is named here and is none on the screens that were looked at.
LACKS: dict[tuple[str, tuple[int, int] | None], set[str]] = {
    # The exception that the command line runner handles: no event tells of it.
    ("choice-case", None): {"BadParameter", "'apple' is not one of"},
    # Only the locals of the last own frame are kept.
    ("decoder-order", None): {"deflate, gzip"},
    # The limit that was overstepped.
    ("redirect-hang", None): {"3s"},
    # The argument of the frame below, which is not the project's own.
    ("no-certificates", None): {"certifi/cacert.pem"},
    # What is handled stands below the long story of the warning, two pages further on.
    ("missing-await", (80, 24)): {"_models.py:638", "test_async_client.py:17"},
}
# Longer than a screen takes after a key: only a key that paints nothing is waited for so long.
STILL = 5.0


@contextmanager
def replayed(home: Path, name: str, size: tuple[int, int]) -> Iterator[Terminal]:
    """The console over one recording."""
    bundle = str(PLACE / f"{name}.bundle")
    terminal = Terminal(
        ["-m", "tracekit.cli.main", "tui", "--replay", bundle], size=size, env=Sandbox(home).environ
    )
    try:
        yield terminal
    finally:
        terminal.close()


def settled(terminal: Terminal) -> None:
    """Read until nothing more is painted."""
    while terminal.read(0.1):
        pass


def pressed(terminal: Terminal, key: str) -> list[str]:
    """The screen after a key, or the same one where the key paints nothing."""
    painted = len(terminal.raw)
    terminal.keys(key)
    terminal.until(lambda: len(terminal.raw) > painted, STILL)
    settled(terminal)
    return terminal.display


def to_the_row(terminal: Terminal, test: str) -> None:
    """Go from one red row to the next until the cursor is on this test's."""
    last = test.rsplit("::", 1)[1]
    assert terminal.until(lambda: terminal.shows("CAUSES")), "\n".join(terminal.display)
    settled(terminal)
    for _ in range(4):
        row = next((line for line in pressed(terminal, "J") if line.startswith("▌")), "")
        if last in row:
            return
    raise AssertionError("\n".join([last, *terminal.display]))


def words(screens: list[list[str]]) -> str:
    """What can be read: each line, and each pane's lines as one text, as eyes read what is wrapped."""
    read = []
    for screen in screens:
        panes = [line.rpartition("▕")[2].strip() for line in screen]
        read += [*screen, " ".join(panes), "".join(panes)]
    return re.sub(r"[ \t]+", " ", "\n".join(read))


def missing(facts: list[str], screens: list[list[str]]) -> set[str]:
    """The facts that none of these screens shows."""
    text = words(screens)
    return {fact for fact in facts if fact not in text}


@pytest.mark.parametrize("size", KEYS, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure["name"])
def test_red_row_of_a_real_suite__three_keys__then_each_fact_of_its_cause_was_on_a_screen(
    tmp_path: Path, failure: dict[str, Any], size: tuple[int, int]
) -> None:
    name, facts = failure["name"], failure["facts"]
    lacks = LACKS.get((name, None), set()) | LACKS.get((name, size), set())
    with replayed(tmp_path / "home", name, size) as terminal:
        to_the_row(terminal, failure["test"])
        screens = [terminal.display]
        for key in KEYS[size]:
            if missing(facts, screens) <= lacks:
                break
            screens.append(pressed(terminal, key))
        assert missing(facts, screens) == lacks, "\n".join("\n".join(["", *screen]) for screen in screens)
        assert not escapes(bytes(terminal.raw))
