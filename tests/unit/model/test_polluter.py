"""The search for a polluter: any steady one, pairs, and ones that pollute only now and then."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from tracekit.model.polluter import Answer, Bisection, Step, repeats

NAMES = [f"t{number}" for number in range(499)]


class World:
    """Tests of which some, run together, make the victim red; with a chance."""

    def __init__(self, *polluters: str, chance: float = 1.0, seed: int = 0, alone: bool = False) -> None:
        self.polluters = set(polluters)
        self.chance = chance
        self.alone = alone
        self.random = random.Random(seed)
        self.runs = 0

    def __call__(self, tests: Sequence[str], passes: int, stop: bool) -> Answer:
        self.runs += 1
        reds = 0
        for number in range(1, passes + 1):
            armed = self.alone or (self.polluters and self.polluters <= set(tests))
            reds += bool(armed and self.random.random() < self.chance)
            if reds and stop:
                return Answer(reds, number)
        return Answer(reds, passes)


@settings(deadline=None)
@given(st.integers(0, 498))
def test_search__one_polluter_among_500__then_found_in_at_most_15_runs(place: int) -> None:
    world = World(NAMES[place])
    verdict = Bisection(world).search(NAMES)
    assert (verdict.found, verdict.polluters, verdict.repeats) == ("found", [NAMES[place]], 1)
    assert verdict.steps == world.runs <= 15


@settings(deadline=None)
@given(st.sets(st.sampled_from(NAMES[:60]), min_size=2, max_size=4))
def test_search__several_that_only_pollute_together__then_exactly_these(polluters: set[str]) -> None:
    verdict = Bisection(World(*polluters)).search(NAMES[:60])
    assert (verdict.found, set(verdict.polluters)) == ("found", polluters)
    assert verdict.polluters == [name for name in NAMES[:60] if name in polluters], "in their order"


def test_search__pollutes_half_the_time__then_mostly_found_with_the_repeats_it_needed() -> None:
    found = 0
    for seed in range(100):
        verdict = Bisection(World(NAMES[seed * 4], chance=0.5, seed=seed)).search(NAMES)
        found += verdict.polluters == [NAMES[seed * 4]]
    assert found >= 95, found


def test_search__fails_alone__then_it_is_no_victim() -> None:
    world = World(alone=True)
    assert Bisection(world).search(NAMES).found == "alone"
    assert world.runs == 1


def test_search__never_fails_again__then_not_reproduced_and_nothing_is_looked_for() -> None:
    world = World()
    verdict = Bisection(world).search(NAMES)
    assert (verdict.found, verdict.polluters, world.runs) == ("not-reproduced", [], 3)


def test_search__nothing_ran_before_it__then_not_reproduced() -> None:
    assert Bisection(World()).search([]).found == "not-reproduced"


def test_steps__each_is_told_with_what_is_left() -> None:
    told: list[Step] = []
    Bisection(World("t7"), told.append).search(NAMES[:16])
    left = [step.candidates for step in told]
    assert left == sorted(left, reverse=True)
    assert left[-1] <= 2
    assert [step.tried for step in told][:2] == [0, 16]


def test_repeats__always_red__then_one_green_is_enough() -> None:
    assert repeats(Answer(3, 3)) == 1
    assert repeats(Answer(1, 3)) > repeats(Answer(2, 3)) > 1
    assert repeats(Answer(1, 23)) == 40
