"""When the screen is painted by itself, and when the interpreter looks for garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tracekit.ui import pacing, sweeping
from tracekit.ui.pacing import FAR, LATEST, MOST_WAITING, REST, Pace
from tracekit.ui.sweeping import Sweeping


class Clock:
    """Seconds that a test lets go by."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_pace__near_terminal_that_takes_all__then_every_frame() -> None:
    clock = Clock()
    pace = Pace(clock)
    for frame in range(50):
        clock.now += 1 / 30
        assert pace.may(frame * 10_000, 0)


def test_pace__terminal_that_stands_still__then_no_frame_however_long() -> None:
    clock = Clock()
    pace = Pace(clock)
    clock.now += 10 * LATEST
    assert not pace.may(0, MOST_WAITING + 1)
    assert pace.may(0, MOST_WAITING)


def test_pace__far_terminal__then_no_more_than_its_bytes_a_second() -> None:
    clock = Clock()
    pace, written, size = Pace(clock, FAR), 0, 2048
    for _ in range(30 * 60):
        clock.now += 1 / 30
        if pace.may(written, 0):
            written += size
    assert 0.8 * FAR * 60 < written <= FAR * 60 + FAR * pacing.AHEAD + size


def test_pace__far_terminal_and_keys_that_paint_more__then_frames_all_the_same() -> None:
    clock = Clock()
    pace, written, frames = Pace(clock, FAR), 0, 0
    for _ in range(30 * 10):
        clock.now += 1 / 30
        written += FAR
        frames += pace.may(written, 0)
    assert frames >= 10 / LATEST - 2


def test_pace__frame_that_took_long__then_rest_before_the_next() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.may(0, 0)
    began, clock.now = clock.now, clock.now + 0.05
    pace.painted(began)
    clock.now += 0.05 * REST * 0.9
    assert not pace.may(0, 0)
    clock.now += 0.05 * REST * 0.2
    assert pace.may(0, 0)


@pytest.fixture
def swept(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sweeping, Clock, list[float]]]:
    """A sweeper on a clock of the test's, and when it looked through everything; that takes a tenth of a second."""
    clock, looked = Clock(), list[float]()

    def collect() -> int:
        looked.append(clock.now)
        clock.now += 0.1
        return 0

    monkeypatch.setattr(gc, "collect", collect)
    monkeypatch.setattr(gc, "get_count", lambda: (5, 3, 0))
    made = Sweeping(clock)
    made.begin()
    yield made, clock, looked
    made.end()


def test_sweeping__begun_and_ended__then_the_collector_is_as_it_was() -> None:
    before = gc.get_threshold()
    made = Sweeping(Clock())
    made.begin()
    during = gc.get_threshold()
    made.end()
    assert during == (sweeping.YOUNG, sweeping.OFTEN, sweeping.NEVER)
    assert gc.get_threshold() == before


def test_sweeping__keys_all_the_time__then_nothing_is_looked_through(
    swept: tuple[Sweeping, Clock, list[float]],
) -> None:
    made, clock, looked = swept
    for _ in range(200):
        clock.now += sweeping.QUIET / 2
        made.touch()
        assert not made.look()
    assert looked == []


def test_sweeping__news_that_never_end__then_now_and_then_where_nobody_types(
    swept: tuple[Sweeping, Clock, list[float]],
) -> None:
    made, clock, looked = swept
    step = sweeping.MOMENT / 2
    for _ in range(int(2 * sweeping.LATEST / step)):
        clock.now += step
        made.touch(typed=True)
        assert not made.look()
    for _ in range(int(2 * sweeping.LATEST / step)):
        clock.now += step
        made.touch()
        made.look()
    assert len(looked) == 2


def test_sweeping__quiet__then_once_and_not_again_for_a_while(
    swept: tuple[Sweeping, Clock, list[float]],
) -> None:
    made, clock, looked = swept
    clock.now += sweeping.APART + 1
    assert made.look()
    for _ in range(20):
        clock.now += sweeping.APART / 40
        assert not made.look()
    clock.now += sweeping.APART
    assert made.look()
    assert len(looked) == 2
