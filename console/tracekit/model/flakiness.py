"""When a scenario may be called flaky: only where the same sources, in the same environment, gave both verdicts.

A red verdict behind a change of the sources is news, not a flake; where it is not known which sources a run was of, it
is held against no other run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tracekit.model.results import FLAKY
from tracekit.wire.names import GREEN, RED


class Told(Protocol):
    """One verdict of a scenario, and what it is a verdict on."""

    @property
    def verdict(self) -> str: ...
    @property
    def flags(self) -> tuple[str, ...]: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def environment(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Tally:
    """What a row of verdicts amounts to."""

    runs: int
    green: int
    red: int
    #: Runs in which it was flaky by itself, or red while the same sources were green elsewhere.
    flaky: int

    @property
    def flaky_rate(self) -> float:
        """The share of verdicts that say nothing about the sources."""
        return self.flaky / (self.green + self.red) if self.green + self.red else 0.0


def flaky_places(verdicts: Sequence[Told]) -> list[bool]:
    """For each verdict, whether it is a flake."""
    seen: dict[tuple[str, str], set[bool]] = {}
    for told in verdicts:
        if told.fingerprint and (told.verdict in GREEN or told.verdict in RED):
            seen.setdefault((told.fingerprint, told.environment), set()).add(told.verdict in RED)
    both = {key for key, words in seen.items() if len(words) == 2}
    return [
        FLAKY in told.flags or (told.verdict in RED and (told.fingerprint, told.environment) in both)
        for told in verdicts
    ]


def tally(verdicts: Sequence[Told]) -> Tally:
    """Count them."""
    return Tally(
        len(verdicts),
        sum(told.verdict in GREEN for told in verdicts),
        sum(told.verdict in RED for told in verdicts),
        sum(flaky_places(verdicts)),
    )


def share(durations: Iterable[int], of: float) -> int:
    """The duration that this share of them does not exceed: 0.5 is the median."""
    ordered = sorted(durations)
    return ordered[max(0, math.ceil(of * len(ordered)) - 1)] if ordered else 0
