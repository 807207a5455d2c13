"""Whether counts that were taken again and again have a slope: the last quarter is held against the one before it.

An allocator takes its room in large pieces, and a short round has too few of them for a rate. So one clean step may be
forgiven, as high as its limit says: below it everything before, above it everything behind. What grows steadily, grows
in several steps or comes and goes has no such step, and is judged as it is.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.torture.registry import Outcome

QUARTERS = 4
# So many times what is usual from one count to the next.
_STANDS_OUT = 3


@dataclass(frozen=True)
class Limit:
    """How much more the last quarter may hold: a share for what the machine itself moves, and so many besides.

    Of what is taken in large pieces one `step` of that height may come between, and is not counted.
    """

    share: float = 0.0
    besides: float = 0.0
    step: float = 0.0


class Slopes:
    """Rows of counts, in the order in which they were taken; taking one more adds no object."""

    def __init__(self, limits: dict[str, Limit]) -> None:
        self.limits = limits
        self._taken = {name: array("d") for name in limits}

    def __len__(self) -> int:
        return min(map(len, self._taken.values()))

    def take(self, **counts: float) -> None:
        for name, count in counts.items():
            self._taken[name].append(count)

    def judge(self, outcome: Outcome, whose: str) -> None:
        """Break the promise for everything that grows in the last half."""
        if len(self) < QUARTERS:
            outcome.fault(f"{whose}: only {len(self)} counts were taken")
            return
        for name, limit in self.limits.items():
            taken = self._taken[name]
            flat = without_step(taken, limit.step)
            third, last = (_middle(_quarter(flat, number)) for number in (2, 3))
            if last > third * (1 + limit.share) + limit.besides:
                told = " ".join(f"{count:g}" for count in taken[:: max(1, len(taken) // 20)])
                forgiven = (
                    f", a step of {taken[-1] - flat[-1]:g} not counted" if flat[-1] != taken[-1] else ""
                )
                outcome.fault(f"{whose}: {name} grows from {third:g} to {last:g}{forgiven}: {told}")

    def told(self, name: str) -> str:
        """What stood there in the middle and at the end."""
        taken = self._taken[name]
        return f"{taken[len(taken) // 2]:.0f}..{taken[-1]:.0f}" if taken else "none"


def without_step(taken: Sequence[float], highest: float) -> Sequence[float]:
    """The counts as if the widest clean step in their last half had not been, where it is no higher than that.

    Its height is what lies between the highest count before it and the lowest behind it, so that a spike has none, but
    for what they grow by from one to the next anyhow: that is no step, and stays.
    """
    begin = len(taken) // 2
    height, at = 0.0, 0
    for number in range(begin + 1, len(taken)):
        gap = min(taken[number:]) - max(taken[begin:number])
        if gap > height:
            height, at = gap, number
    usual = max(0.0, _middle([after - before for before, after in pairwise(taken[begin:])]))
    if height <= _STANDS_OUT * usual or not 0 < height <= highest:
        return taken
    return [*taken[:at], *(count - height + usual for count in taken[at:])]


def _quarter(taken: Sequence[float], number: int) -> Sequence[float]:
    return taken[len(taken) * number // QUARTERS : len(taken) * (number + 1) // QUARTERS]


def _middle(found: Sequence[float]) -> float:
    return sorted(found)[len(found) // 2]
