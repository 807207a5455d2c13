"""Two runs held against each other, scenario by scenario: verdicts and durations, never where they came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from tracekit.model.results import FLAKY, SUBTEST, Result

# Slower is only what somebody would feel: half as long again, and by a tenth of a second.
SLOWER_RATIO = 1.5
SLOWER_FLOOR_NS = 100_000_000


class Why(NamedTuple):
    """Why a scenario was red: what tells the cause from others, and its words."""

    key: str
    title: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One scenario in both runs; None where a run does not have it."""

    scenario: str
    before: Result | None
    after: Result | None
    #: Where it is red and that is known.
    why_before: Why | None = None
    why_after: Why | None = None

    @property
    def other_cause(self) -> bool:
        """Whether it was red by one cause and is red by another one now."""
        before, after = self.why_before, self.why_after
        return before is not None and after is not None and before.key != after.key

    @property
    def flaky(self) -> bool:
        """Whether it passed after an attempt that did not, in one of them."""
        return any(result is not None and FLAKY in result.flags for result in (self.before, self.after))

    @property
    def ratio(self) -> float:
        """How many times as long it took."""
        if self.before is None or self.after is None or not self.before.duration_ns:
            return 0.0
        return self.after.duration_ns / self.before.duration_ns

    @property
    def pace(self) -> str:
        """How much longer or shorter it took, in words; empty where nothing can be said."""
        if not self.ratio:
            return ""
        return f"{self.ratio:.1f} times as long" if self.ratio >= 1 else f"{1 / self.ratio:.1f} times as fast"


class Kind(NamedTuple):
    """One way in which scenarios changed: its name, a verdict that gives sign and colour, its words, the scenarios."""

    name: str
    verdict: str
    words: str
    pairs: list[Pair]


@dataclass(slots=True)
class Comparison:
    """What changed between two runs; each scenario is in one list of verdicts, and perhaps among the slower."""

    new_red: list[Pair] = field(default_factory=list)
    fixed: list[Pair] = field(default_factory=list)
    #: By the same cause, or by another one: each pair tells.
    still_red: list[Pair] = field(default_factory=list)
    #: Neither was or is red, and still it is another verdict; or it was red and is now not told.
    changed: list[Pair] = field(default_factory=list)
    only_before: list[Pair] = field(default_factory=list)
    only_after: list[Pair] = field(default_factory=list)
    slower: list[Pair] = field(default_factory=list)
    faster: list[Pair] = field(default_factory=list)
    flaky: list[Pair] = field(default_factory=list)
    same: int = 0
    #: How many scenarios there are in the two runs together.
    scenarios: int = 0

    def kinds(self) -> list[Kind]:
        """Everything that changed, in the order in which it is told."""
        told = [
            Kind("new_red", "failed", "newly red", self.new_red),
            Kind("other_cause", "failed", "red by another cause", self.other_cause),
            Kind("still_red", "failed", "still red", self.same_cause),
            Kind("fixed", "passed", "fixed", self.fixed),
            Kind("changed", "skipped", "with another verdict", self.changed),
            Kind("flaky", "flaky", "flaky", self.flaky),
            Kind("slower", "", "slower", self.slower),
            Kind("faster", "", "faster", self.faster),
            Kind("only_before", "notrun", "only in the first", self.only_before),
            Kind("only_after", "notrun", "only in the second", self.only_after),
        ]
        return [kind for kind in told if kind.pairs]

    @property
    def same_cause(self) -> list[Pair]:
        """Still red, and as far as is known for the same reason."""
        return [pair for pair in self.still_red if not pair.other_cause]

    @property
    def other_cause(self) -> list[Pair]:
        """Still red, for another reason."""
        return [pair for pair in self.still_red if pair.other_cause]


Whys = Mapping[str, Why]


def compare(
    before: Iterable[Result],
    after: Iterable[Result],
    *,
    why_before: Whys = MappingProxyType({}),
    why_after: Whys = MappingProxyType({}),
) -> Comparison:
    """Hold the second run against the first; sub-tests speak through their tests."""
    old, new = _whole(before), _whole(after)
    found = Comparison(scenarios=len(old.keys() | new.keys()))
    for scenario in {**old, **new}:
        pair = Pair(
            scenario, old.get(scenario), new.get(scenario), why_before.get(scenario), why_after.get(scenario)
        )
        _verdict(found, pair)
        if pair.flaky:
            found.flaky.append(pair)
        took = _timed(pair)
        if took is not None and beyond(*took):
            found.slower.append(pair)
        elif took is not None and beyond(*took[::-1]):
            found.faster.append(pair)
    found.slower.sort(key=lambda pair: -pair.ratio)
    found.faster.sort(key=lambda pair: pair.ratio)
    return found


def beyond(usual: int, took: int) -> bool:
    """Whether a duration is longer than the usual one by more than noise."""
    return took >= usual * SLOWER_RATIO and took - usual >= SLOWER_FLOOR_NS


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


def _timed(pair: Pair) -> tuple[int, int] | None:
    """Both durations, where both are told and of a test that did all it does."""
    before, after = pair.before, pair.after
    if before is None or after is None or not (before.green and after.green):
        return None
    if not (before.duration_ns and after.duration_ns):
        return None
    return before.duration_ns, after.duration_ns


def _whole(results: Iterable[Result]) -> Mapping[str, Result]:
    return {each.scenario: each for each in results if SUBTEST not in each.flags}
