"""Hostile text on the screen: a spread of the torture tests, and both layers on their own."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tests.security.payloads import PAYLOADS, as_text
from tests.support.hostile import PANES
from tests.support.terminal import escapes
from tests.torture import p9, p10
from tracekit.ui.ports import quote, run_command
from tracekit.ui.safe import UNSAFE, Line, SafetyFilter, clean, safe, shorten, shorten_name, wrap

NAMES = [name for name, _ in PAYLOADS]
CONTENT = [payload for _, payload in PAYLOADS]
BLACK = Color(0, 0, 0)


def test_payloads__there_are_42__each_with_its_own_name() -> None:
    assert len(PAYLOADS) == len(set(NAMES)) == 42


def test_p9__three_payloads_on_a_real_terminal__no_byte_outside_the_grammar() -> None:
    told = p9.visit([0, 27, 34], layer_one=True)
    assert (told.escaped, told.differed, told.missing, told.caught) == ([], [], [], 0)
    assert told.panes == 3 * len(PANES)


def test_p9__layer_one_off__the_last_filter_holds_and_widths_match() -> None:
    told = p9.visit([4, 29], layer_one=False)
    assert (told.escaped, told.differed, told.missing) == ([], [], [])
    assert told.caught > 0


def test_p10__a_few_names__no_crash_no_link_no_file() -> None:
    outcome = p10.main(0.08)
    assert outcome.faults == []


@pytest.mark.parametrize("payload", CONTENT, ids=NAMES)
def test_layer_one__payload_as_bytes_and_as_text__is_safe_and_as_wide_as_it_says(payload: bytes) -> None:
    for text in (payload, as_text(payload)):
        made = safe(text, 4096)
        assert UNSAFE.search(made.text) is None
        assert made.columns == cell_len(made.text) <= 4096


@pytest.mark.parametrize("payload", CONTENT, ids=NAMES)
def test_layer_two__raw_payload__is_pictured_at_the_same_width(payload: bytes) -> None:
    text = as_text(payload)[:2000]
    watch = SafetyFilter()
    done = watch.apply([Segment(text, Style(link="https://x.invalid"))], BLACK)
    shown = "".join(segment.text for segment in done)
    assert escapes(shown.encode()) == []
    assert cell_len(shown) == cell_len(text)
    assert all(segment.style is None or not segment.style.link for segment in done)
    assert watch.caught


def test_layer_two__clean_line__is_handed_back_untouched() -> None:
    segments = [Segment("✓ test_limit[100] 漢字 é", Style(color="red"))]
    watch = SafetyFilter()
    assert watch.apply(segments, BLACK) is segments
    assert watch.caught == 0


@pytest.mark.parametrize("payload", CONTENT, ids=NAMES)
def test_line__cut_and_wrapped__never_wider_than_asked(payload: bytes) -> None:
    made = clean(as_text(payload))
    for width in (1, 7, 16, 33, 80):
        assert cell_len(shorten(made, width).text) <= width
        assert cell_len(shorten_name(made, width).text) <= width
    for line in wrap([Line(4).put(made)], 20, 1000):
        assert cell_len(line.text) <= 20


@pytest.mark.parametrize("payload", CONTENT, ids=NAMES)
def test_command__hostile_id__is_one_printable_word_for_the_shell(payload: bytes) -> None:
    command = run_command("/srv/x", [as_text(payload)])
    assert command.isprintable()
    assert command.startswith("tracekit run /srv/x -s ")


def test_quote__control_characters__come_back_from_a_shell_as_they_were() -> None:
    assert quote("a\nb'c\\\x1b") == "$'a\\012b\\047c\\134\\033'"
    assert quote("plain") == "plain"
    assert quote("two words") == "'two words'"


def test_wrap__a_place_at_the_edge__goes_on_below_whole_with_its_line() -> None:
    path = "/home/ana/.pyenv/versions/3.11.7/lib/python3.11/ctypes/__init__.py:519"
    told = [line.text for line in wrap([Line(6).own("    ").own(f"{path}  in string_at")], 68, 9)]
    assert told == [f"    {path.rpartition('/')[0]}/", "      __init__.py:519  in string_at"]
    # What is no place is cut where the room ends, as before.
    assert [len(line.text) for line in wrap([Line().own("/".join(["x" * 30] * 3))], 70, 9)] == [70, 22]
