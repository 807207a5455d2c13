"""record: one event into its ring, against a bare loop of the same clock and a store of 32 bytes."""

from __future__ import annotations

from tests.bench.figures import Figure
from tests.bench.recorder import run

LIMIT = 1.25


def measure() -> list[Figure]:
    """The median of seven pairs, each of two million events."""
    (told,) = run("record")
    return [
        Figure("each", told.number("value"), "ns", told.number("reference")),
        Figure("over-bare-store", told.number("ratio"), "ratio", 1.0, LIMIT),
    ]
