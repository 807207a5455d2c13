"""Escape and the key right behind it, in one piece: both are keys, each for the screen that it finds."""

from __future__ import annotations

import functools

import pytest

from tests.ui.test_terminal import opened
from tracekit.ui.keystrokes import Escape, Parser

HELP, RUNS = "searches, all screens too", "D delete"


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("\x1bH", ["escape", "H"]),
        ("\x1bf", ["escape", "f"]),
        ("\x1b4", ["escape", "4"]),
        ("\x1b?", ["escape", "question_mark"]),
        ("\x1b\r", ["escape", "enter"]),
        ("\x1bé", ["escape", "é"]),
        ("\x1bHjj", ["escape", "H", "j", "j"]),
        ("\x1b\x1bH", ["escape", "escape", "H"]),
        ("\x1b[A\x1bOB\x1b[1;3C", ["up", "down", "alt+right"]),
        ("\x1b[104;3u", ["alt+h"]),
    ],
)
def test_parser__escape_and_what_stands_behind_it__then_nothing_is_lost(typed: str, keys: list[str]) -> None:
    found: list[str] = []
    for key in Parser().feed(typed):
        found.append(key.key)  # type: ignore[attr-defined]
        if isinstance(key, Escape):
            found.append(key.behind.key)
    assert found == keys


@pytest.mark.parametrize("typed", ["\x1bH", "\x1b\x1bH"])
def test_help_is_open__escape_and_a_key_in_one_piece__then_help_closes_and_the_key_acts(typed: str) -> None:
    with opened() as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("?")
        assert terminal.until(functools.partial(terminal.shows, HELP))
        terminal.keys(typed)
        assert terminal.until(functools.partial(terminal.shows, RUNS)), "\n".join(terminal.display)


@pytest.mark.parametrize("typed", ["\x1ba", "\x1bH"])
def test_filter_is_open__escape_and_a_letter_in_one_piece__then_the_line_is_left_and_nothing_is_begun(
    typed: str,
) -> None:
    with opened() as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("/")
        terminal.keys("zzz")
        assert terminal.until(lambda: terminal.shows("zzz"))
        terminal.keys(typed)
        assert terminal.until(lambda: not terminal.shows("zzz")), "\n".join(terminal.display)
        terminal.keys("J")
        assert terminal.until(lambda: terminal.shows("assert 997")), "\n".join(terminal.display)
        assert not terminal.shows(RUNS)
        assert not terminal.shows("nothing to run")


@pytest.mark.parametrize("typed", [":recorded and\r", ":\x1b[200~recorded and\x1b[201~\r"])
def test_palette__opened_and_searched_in_one_piece__then_no_letter_is_lost(typed: str) -> None:
    with opened() as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys(typed)
        assert terminal.until(functools.partial(terminal.shows, RUNS)), "\n".join(terminal.display)


def test_escape__bound_to_a_move__then_the_key_behind_it_acts_at_once() -> None:
    with opened(options="keys={'move.down': 'escape', 'look.back': 'b'}") as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("\x1bH")
        assert terminal.until(functools.partial(terminal.shows, RUNS)), "\n".join(terminal.display)


def test_word_to_the_left__in_a_line_of_text__then_it_is_one_key() -> None:
    with opened() as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("/")
        terminal.keys("one two")
        assert terminal.until(lambda: terminal.shows("one two"))
        terminal.keys("\x1bbX")
        assert terminal.until(lambda: terminal.shows("one Xtwo")), "\n".join(terminal.display)


def test_alt__a_key_of_ones_own__then_that_acts_and_escape_does_not() -> None:
    with opened(options="keys={'program.help': 'alt+shift+y'}") as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("\x1bY")
        assert terminal.until(functools.partial(terminal.shows, HELP)), "\n".join(terminal.display)


def test_typed_ahead__a_filter_in_one_piece__then_its_text_is_text_and_what_is_behind_it_moves() -> None:
    with opened() as terminal:
        assert terminal.until(lambda: terminal.shows("test_1000_clients"))
        terminal.keys("/status:failed\rH")
        assert terminal.until(functools.partial(terminal.shows, RUNS)), "\n".join(terminal.display)
        terminal.keys("\x1b")
        assert terminal.until(lambda: terminal.shows("/status:failed")), "\n".join(terminal.display)
