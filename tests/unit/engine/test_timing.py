"""How a box's clock stands to ours: by what is asked, answered and noted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tracekit.engine.timing import Timing, fact
from tracekit.store.clocks import Clocks, Reading, clocks_of, reading_of
from tracekit.wire.lines import encode
from tracekit.wire.names import E

SECOND, MS = 10**9, 10**6
AHEAD = 7 * SECOND


def answer(timing: Timing, at: int, *, trip: int, late: int = 0, ahead: int = AHEAD) -> Reading | None:
    """A question whose way there and back take so long, of which the way back so much longer."""
    box_m = at + (trip - late) // 2
    clock = {"t": box_m + 1000 * SECOND + ahead, "m": box_m + 50 * SECOND}
    timing.asked(at)
    return timing.answered(at, at + trip + 1000 * SECOND, at + trip, clock)


def test_answers__slow_and_quick__then_the_truth_is_within_the_bound_and_only_what_is_better_is_noted() -> (
    None
):
    timing = Timing()
    noted = [
        answer(timing, number * SECOND, trip=trip, late=late)
        for number, (trip, late) in enumerate(
            [(100 * MS, 90 * MS), (80 * MS, 0), (20 * MS, -20 * MS), (15 * MS, 3 * MS)]
        )
    ]
    assert [reading is not None for reading in noted] == [True, False, True, False]
    for reading in noted:
        assert reading is None or abs(reading.ahead - AHEAD) <= reading.bound


def test_answers__somebody_sets_the_clock_of_the_box__then_noted_and_told() -> None:
    timing = Timing()
    before = answer(timing, SECOND, trip=4 * MS)
    assert answer(timing, 2 * SECOND, trip=4 * MS) is None
    after = answer(timing, 3 * SECOND, trip=4 * MS, ahead=AHEAD - 3600 * SECOND)
    assert before is not None
    assert after is not None
    clocks = Clocks([after, before])
    assert clocks.jumped == -3600 * SECOND
    # What happened in between stands by the clock that nobody sets.
    assert clocks.place(before.box_m + SECOND).t == before.t + SECOND


@pytest.mark.parametrize("odd", [None, "x", {}, {"t": 1}, {"t": "1", "m": 2}, {"t": 1, "m": True}])
def test_answers__box_says_nonsense__then_nothing_is_noted(odd: Any) -> None:
    timing = Timing()
    for at in (1, 5):
        timing.asked(at)
    assert timing.answered(1, 2, 3, odd) is None
    assert timing.answered(5, 2, 3, {"t": 1, "m": 1}) is None
    assert timing.answered("x", 2, 3, {"t": 1, "m": 1}) is None
    assert timing.answered(1, 2, 3, {"t": 1, "m": 1}) is not None


def test_notes__two_consoles_and_damage__then_all_that_is_sound(tmp_path: Path) -> None:
    readings = [Reading(10, 10, 110, 60, 3), Reading(20, 20, 120, 70, 2)]
    for number, reading in enumerate(readings):
        line = encode({"n": 1, "e": E.CLOCK, **fact(reading)})
        (tmp_path / f"console-{number}.ndjson").write_bytes(line + b'{"e":"clock","t":1}\n{"e":"clock"\n')
    clocks = clocks_of(tmp_path, "box7")
    assert clocks.readings == readings
    assert clocks.place(69) == (19, 2)
    assert clocks.place(0) == (-50, 3)
    assert reading_of({"e": "box.lost"}) is None


def test_answers__nobody_asked_or_told_twice__then_none_is_believed() -> None:
    timing = Timing()
    clock = {"t": 2000 * SECOND, "m": 50 * SECOND}
    assert timing.answered(SECOND, 1001 * SECOND, 2 * SECOND, clock) is None
    timing.asked(SECOND)
    assert timing.answered(SECOND, 1001 * SECOND, 2 * SECOND, clock) is not None
    assert timing.answered(SECOND, 1001 * SECOND, SECOND, {"t": 9 * SECOND, "m": 9 * SECOND}) is None
    for at in range(100):
        timing.asked(3 * SECOND + at)
    assert timing.answered(3 * SECOND, 1004 * SECOND, 4 * SECOND, clock) is None
