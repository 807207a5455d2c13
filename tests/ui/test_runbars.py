"""The timeline of a run as data: what counts as a hole."""

from __future__ import annotations

import pytest

from tracekit.ui.panes.runbars import Gap, Lane, RunBars, Tried, summary
from tracekit.ui.theme import palette


def tried(start: int, end: int) -> Tried:
    return Tried(start, end, f"pytest:test_a.py::test_{start}", f"test_{start}", 1)


@pytest.mark.parametrize(
    ("first", "chain"),
    [
        ([tried(0, 30), tried(31, 60), tried(60, 90)], [(60, 90), (31, 60), (0, 30)]),
        ([tried(0, 30), tried(60, 90)], [(60, 90)]),  # a hole: nothing before it was waited for
        (
            [tried(0, 30), tried(10, 80), tried(84, 95)],
            [(84, 95), (10, 80)],
        ),  # what went on beside it was not
        ([tried(0, 20)], []),
    ],
)
def test_chain__attempts_before_the_last_one__then_those_without_a_hole_on_its_worker(
    first: list[Tried], chain: list[tuple[int, int]]
) -> None:
    lanes = [Lane("w", [*first, tried(95, 100)], "w"), Lane("v", [tried(0, 94)], "v")]
    bars = RunBars(0, 100, lanes)
    assert [(one.start, one.end) for one in bars.chain] == chain
    told = "\n".join(line.text for line in summary(bars, palette()))
    assert ("in a row" in told) == bool(chain)
    # Of one worker everything is in a row: nothing is said of it.
    alone = "\n".join(line.text for line in summary(RunBars(0, 100, lanes[:1]), palette()))
    assert "in a row" not in alone


@pytest.mark.parametrize(
    ("lanes", "gap"),
    [
        # One that lasts covers what its neighbour lane leaves open.
        ([Lane("w", [tried(0, 100)], "w"), Lane("w +1", [tried(10, 11), tried(80, 81)], "w")], None),
        (
            [Lane("w", [tried(0, 30), tried(60, 70)], "w"), Lane("w +1", [tried(10, 40)], "w")],
            Gap("w", 40, 60),
        ),
        ([Lane("w", [tried(0, 100)], "w"), Lane("v", [tried(10, 11), tried(80, 81)], "v")], Gap("v", 11, 80)),
        ([Lane("w", [tried(0, 1), tried(1, 2)], "w")], None),
        ([], None),
    ],
)
def test_gap__lanes_of_one_worker__then_only_where_none_of_them_did_something(
    lanes: list[Lane], gap: Gap | None
) -> None:
    assert RunBars(0, 100, lanes).gap == gap
