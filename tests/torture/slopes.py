"""Whether counts that were taken again and again have a slope: the last quarter is held against the one before it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from tests.torture.registry import Outcome

QUARTERS = 4


@dataclass(frozen=True)
class Limit:
    """How much more the last quarter may hold: a share for what the machine itself moves, and so many besides."""

    share: float = 0.0
    besides: float = 0.0


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
            third, last = (_middle(_quarter(taken, number)) for number in (2, 3))
            if last > third * (1 + limit.share) + limit.besides:
                told = " ".join(f"{count:g}" for count in taken[:: max(1, len(taken) // 20)])
                outcome.fault(f"{whose}: {name} grows from {third:g} to {last:g}: {told}")

    def told(self, name: str) -> str:
        """What stood there in the middle and at the end."""
        taken = self._taken[name]
        return f"{taken[len(taken) // 2]:.0f}..{taken[-1]:.0f}" if taken else "none"


def _quarter(taken: Sequence[float], number: int) -> Sequence[float]:
    return taken[len(taken) * number // QUARTERS : len(taken) * (number + 1) // QUARTERS]


def _middle(found: Sequence[float]) -> float:
    return sorted(found)[len(found) // 2]
