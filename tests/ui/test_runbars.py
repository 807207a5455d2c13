"""The timeline of a run as data: what counts as a hole."""

from __future__ import annotations

import pytest

from tracekit.ui.panes.runbars import Gap, Lane, RunBars, Tried


def tried(start: int, end: int) -> Tried:
    return Tried(start, end, f"pytest:test_a.py::test_{start}", f"test_{start}", 1)


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
