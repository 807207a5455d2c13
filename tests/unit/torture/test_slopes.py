"""What the judge of slopes finds: a leak in whatever form, and neither one step nor noise."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from tests.torture.p7_link import AGENT
from tests.torture.registry import Outcome
from tests.torture.slopes import Limit, Slopes, without_step

SHORT, FULL = 12, 100


def judged(taken: Sequence[float], limit: Limit = AGENT["kib"]) -> list[str]:
    slopes, outcome = Slopes({"kib": limit}), Outcome()
    for count in taken:
        slopes.take(kib=count)
    slopes.judge(outcome, "it")
    return outcome.faults


def noise(size: int, seed: int) -> list[float]:
    """What pages that are touched for the first time do to a process that leaks nothing."""
    dice = random.Random(seed)
    return [21700 + 4 * number**0.5 + dice.uniform(-12, 12) for number in range(size)]


def stepped(taken: Sequence[float], height: float, *places: int) -> list[float]:
    return [count + height * sum(number >= at for at in places) for number, count in enumerate(taken)]


@pytest.mark.parametrize("size", [SHORT, FULL])
@pytest.mark.parametrize("seed", range(20))
def test_judge__nothing_but_noise__then_no_fault(size: int, seed: int) -> None:
    assert judged(noise(size, seed)) == []


@pytest.mark.parametrize("size", [SHORT, FULL])
def test_judge__one_step_wherever_it_is__then_no_fault(size: int) -> None:
    for at in range(1, size):
        assert judged(stepped(noise(size, at), 780, at)) == [], at


def test_judge__as_a_short_round_was_once_red__then_no_fault() -> None:
    taken = [20640, 21660, 21684, 21712, 21728, 21744, 21760, 21800, 22580, 22600, 22636, 22656]
    assert judged(taken) == []
    assert "grows from" in judged(taken, Limit(0.01, 256))[0]


@pytest.mark.parametrize(("size", "a_run"), [(SHORT, 80), (FULL, 10)])
@pytest.mark.parametrize("step", [0, 780])
def test_judge__so_much_leaks_with_every_run__then_found_with_and_without_a_step(
    size: int, a_run: int, step: int
) -> None:
    leaked = [count + a_run * number for number, count in enumerate(noise(size, 1))]
    for at in range(1, size):
        assert len(judged(stepped(leaked, step, at))) == 1, at


@pytest.mark.parametrize("size", [SHORT, FULL])
def test_judge__a_leak_that_shows_in_two_steps__then_found(size: int) -> None:
    places = size * 7 // 12, size * 10 // 12
    assert len(judged(stepped(noise(size, 2), 780, *places))) == 1


def test_judge__a_step_that_is_too_high__then_found() -> None:
    assert len(judged(stepped(noise(SHORT, 3), 5000, 9))) == 1


def test_judge__a_spike_before_a_leak__then_the_leak_is_found() -> None:
    leaked = [count + 80 * number for number, count in enumerate(noise(SHORT, 4))]
    leaked[8] += 900
    assert len(judged(leaked)) == 1


def test_judge__one_descriptor_more__then_found_though_it_is_one_step() -> None:
    assert len(judged([12.0] * 8 + [13.0] * 4, AGENT["fds"])) == 1


def test_judge__too_few_counts__then_said() -> None:
    assert "only 3" in judged([1, 2, 3])[0]


def test_without_step__nothing_but_a_slope__then_nothing_of_it_is_forgiven() -> None:
    taken = [float(10 * number) for number in range(12)]
    assert without_step(taken, 1000) is taken


def test_without_step__a_step_in_a_slope__then_the_slope_stays() -> None:
    taken = [10.0 * number + 500 * (number >= 9) for number in range(12)]
    assert without_step(taken, 1000) == [10.0 * number for number in range(12)]
    assert without_step(taken, 400) is taken
