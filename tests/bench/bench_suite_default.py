"""suite-default: what tracing costs as it is when nobody asked for anything, over the same suite with tracing off."""

from __future__ import annotations

from tests.bench.figures import Figure
from tests.bench.traced_suite import measured

LIMIT = 1.05


def measure() -> list[Figure]:
    """One suite, two levels, in pairs."""
    return measured("default", LIMIT)
