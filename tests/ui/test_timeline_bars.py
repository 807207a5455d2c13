"""Bars of the timeline in cells: short ones are seen, and look as short as they are."""

from __future__ import annotations

from tracekit.model.status import Status
from tracekit.ui.panes.timeline import Bar, Chart, Row
from tracekit.ui.safe import clean
from tracekit.ui.theme import palette

LOOK = palette()
SLIVER, BLOCK = LOOK.glyphs.sliver, LOOK.glyphs.block


def cells(row: Row, chosen: int = -1, width: int = 131) -> str:
    """A row of 100 columns over a window of 100,000 ns."""
    chart = Chart(LOOK, 0, 100_000, width, 0)
    assert chart.width == 100
    return chart.line(row, chosen).text[chart.label + 1 : chart.label + 101].ljust(100)


def step(start: int, end: int) -> Row:
    return Row(clean("step"), "step", [Bar(start, end, clean("step"), status=int(Status.PASSED))])


def calls(*spans: tuple[int, int]) -> Row:
    return Row(clean(""), "calls", [Bar(start, end, clean("f")) for start, end in spans])


def test_step__much_shorter_than_a_column__then_a_sliver_and_a_block_from_half_of_one_on() -> None:
    assert cells(step(20_000, 20_499)).strip() == SLIVER
    assert cells(step(20_000, 20_500)).strip() == BLOCK
    assert cells(step(20_000, 24_000)).strip() == BLOCK * 4


def test_step__at_the_very_end__then_in_the_last_column() -> None:
    assert cells(step(100_000, 100_001)).index(SLIVER) == 99


def test_calls__each_too_short_for_its_column__then_each_is_seen() -> None:
    assert [
        at
        for at, cell in enumerate(cells(calls((3_000, 3_001), (4_000, 4_002), (90_000, 90_003))))
        if cell != " "
    ] == [
        3,
        4,
        90,
    ]


def test_calls__two_begin_in_one_column__then_the_chosen_one_is_painted() -> None:
    row = calls((3_000, 3_100), (3_200, 3_300))
    chart = Chart(LOOK, 0, 100_000, 131, 0)
    for chosen in (0, 1):
        painted = [style for text, style, *_ in chart.line(row, chosen).segments if SLIVER in text]
        assert painted == [LOOK.accent]


def test_calls__a_long_one_behind_a_short_one__then_what_is_left_of_it() -> None:
    told = cells(calls((3_000, 3_100), (3_200, 20_000)))
    assert told[3] == SLIVER
    assert told[4:20].strip() == "f"
