"""Two runs held against each other, scenario by scenario: verdicts and durations, never where they came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tracekit.model.results import SUBTEST, Result

# Slower is only what somebody would feel: half as long again, and by a tenth of a second.
SLOWER_RATIO = 1.5
SLOWER_FLOOR_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """One scenario in both runs; None where a run does not have it."""

    scenario: str
    before: Result | None
    after: Result | None

    @property
    def ratio(self) -> float:
        """How many times as long it took."""
        if self.before is None or self.after is None or not self.before.duration_ns:
            return 0.0
        return self.after.duration_ns / self.before.duration_ns


@dataclass(slots=True)
class Comparison:
    """What changed between two runs; each scenario is in one list of verdicts, and perhaps among the slower."""

    new_red: list[Pair] = field(default_factory=list)
    fixed: list[Pair] = field(default_factory=list)
    still_red: list[Pair] = field(default_factory=list)
    #: Neither was or is red, and still it is another verdict; or it was red and is now not told.
    changed: list[Pair] = field(default_factory=list)
    only_before: list[Pair] = field(default_factory=list)
    only_after: list[Pair] = field(default_factory=list)
    slower: list[Pair] = field(default_factory=list)
    same: int = 0


def compare(before: Iterable[Result], after: Iterable[Result]) -> Comparison:
    """Hold the second run against the first; sub-tests speak through their tests."""
    old, new = _whole(before), _whole(after)
    found = Comparison()
    for scenario in {**old, **new}:
        pair = Pair(scenario, old.get(scenario), new.get(scenario))
        _verdict(found, pair)
        if _slower(pair):
            found.slower.append(pair)
    found.slower.sort(key=lambda pair: -pair.ratio)
    return found


def _verdict(found: Comparison, pair: Pair) -> None:
    before, after = pair.before, pair.after
    if before is None:
        found.only_after.append(pair)
    elif after is None:
        found.only_before.append(pair)
    elif before.red and after.red:
        found.still_red.append(pair)
    elif after.red:
        found.new_red.append(pair)
    elif before.red and after.green:
        found.fixed.append(pair)
    elif before.verdict != after.verdict:
        found.changed.append(pair)
    else:
        found.same += 1


def _slower(pair: Pair) -> bool:
    before, after = pair.before, pair.after
    if before is None or after is None or not (before.green and after.green):
        return False
    return pair.ratio >= SLOWER_RATIO and after.duration_ns - before.duration_ns >= SLOWER_FLOOR_NS


def _whole(results: Iterable[Result]) -> Mapping[str, Result]:
    return {each.scenario: each for each in results if SUBTEST not in each.flags}
