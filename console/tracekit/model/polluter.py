"""Which of the tests before it makes a test fail: delta debugging over a recorded order, for steady and unsteady ones.

Pure: it asks an oracle and counts. A set of tests is called clean only after so many greens that it is hardly chance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

#: How often the whole order is run before anything is looked for.
FIRST = 3
#: How often the whole order may be green before the failure is given up as not reproduced.
GIVE_UP = 20
#: How unlikely a wrong "clean" may be.
DOUBT = 0.005
#: How often halving begins anew, each time with more patience, before everything is tried.
TRIES = 3
MOST_REPEATS = 40

Found = Literal["alone", "not-reproduced", "found"]


@dataclass(frozen=True)
class Answer:
    """What a set of tests did to the victim, in so many passes; it stops at the first red when it is told to."""

    reds: int
    passes: int


#: Runs these tests and the victim behind them, at most so often; stops at the first red where `stop` is true.
Oracle = Callable[[Sequence[str], int, bool], Answer]


@dataclass
class Verdict:
    """What was found."""

    found: Found
    polluters: list[str] = field(default_factory=list)
    #: How often a set had to be green to be called clean.
    repeats: int = 1
    steps: int = 0
    passes: int = 0


@dataclass
class Step:
    """One question, for whoever watches."""

    candidates: int
    tried: int
    repeats: int


class Bisection:
    """One search."""

    def __init__(self, oracle: Oracle, told: Callable[[Step], None] = lambda _: None) -> None:
        self._oracle = oracle
        self._told = told
        self._verdict = Verdict("not-reproduced")
        self._known: dict[tuple[str, ...], bool] = {}
        self._candidates = 0

    def search(self, before: Sequence[str]) -> Verdict:
        """Find the smallest part of `before` behind which the victim is red."""
        verdict = self._verdict
        self._candidates = len(before)
        if self._ask((), FIRST, stop=True).reds:
            verdict.found = "alone"
            return verdict
        if not before:
            return verdict
        first = self._ask(before, FIRST, stop=False)
        if not first.reds:
            more = self._ask(before, GIVE_UP, stop=True)
            if not more.reds:
                return verdict
            first = Answer(first.reds + more.reds, first.passes + more.passes)
        verdict.repeats = repeats(first)
        if verdict.repeats > FIRST and self._ask((), verdict.repeats, stop=True).reds:
            verdict.found = "alone"  # it only took longer to show
            return verdict
        verdict.found = "found"
        verdict.polluters = self._smallest(list(before))
        return verdict

    def _smallest(self, before: list[str]) -> list[str]:
        """Halve while one half is enough; a guess by exclusion is proved at the end, and undone when it was wrong."""
        for _ in range(TRIES):
            found = self._halved(before)
            if self._red(found):
                return found
            # One of the greens was luck, or it takes two: both halves of the whole would be clean then.
            if self._together(before):
                break
            self._verdict.repeats = max(repeats(Answer(1, 2)), min(MOST_REPEATS, self._verdict.repeats * 2))
            self._known.clear()
        return self._minimised(before)

    def _together(self, before: list[str]) -> bool:
        """Whether neither half is enough, asked with patience."""
        half = len(before) // 2
        patience = max(self._verdict.repeats, repeats(Answer(1, 2)))
        return not any(self._ask(part, patience, stop=True).reds for part in (before[half:], before[:half]))

    def _halved(self, before: list[str]) -> list[str]:
        while len(before) > 1:
            half = len(before) // 2
            # What is nearer to the victim is the likelier culprit.
            near, far = before[half:], before[:half]
            before = near if self._red(near) else far
            self._candidates = len(before)
        return before

    def _minimised(self, before: list[str]) -> list[str]:
        """Full delta debugging: several tests together."""
        parts = 2
        while len(before) > 1:
            size = math.ceil(len(before) / parts)
            chunks = [before[start : start + size] for start in range(0, len(before), size)]
            for index, chunk in enumerate(chunks):
                rest = [name for other, piece in enumerate(chunks) if other != index for name in piece]
                smaller = next(
                    (some for some in (chunk, rest) if len(some) < len(before) and self._red(some)), None
                )
                if smaller is not None:
                    parts = 2 if smaller is chunk else max(parts - 1, 2)
                    before = smaller
                    self._candidates = len(before)
                    break
            else:
                if size == 1:
                    break
                parts = min(len(before), parts * 2)
        return before

    def _red(self, tests: Sequence[str]) -> bool:
        key = tuple(tests)
        if key not in self._known:
            self._known[key] = bool(self._ask(tests, self._verdict.repeats, stop=True).reds)
        return self._known[key]

    def _ask(self, tests: Sequence[str], passes: int, *, stop: bool) -> Answer:
        self._told(Step(self._candidates, len(tests), passes))
        answer = self._oracle(tests, passes, stop)
        self._verdict.steps += 1
        self._verdict.passes += answer.passes
        return answer


def repeats(seen: Answer) -> int:
    """How many greens in a row make a set clean, when the whole was red so often."""
    if seen.reds >= seen.passes:
        return 1
    rate = (seen.reds + 0.5) / (seen.passes + 1)
    return min(MOST_REPEATS, max(2, math.ceil(math.log(DOUBT) / math.log(1 - rate))))
