"""suite-calls: what the recording of every call of the project's functions costs, over the same suite untraced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.traced_suite import measured

if TYPE_CHECKING:
    from tests.bench.figures import Figure

#: By the frame evaluator up to 3.11, by `sys.monitoring` behind it; code outside the project is left alone in both.
LIMIT = 1.25


def measure() -> list[Figure]:
    """One suite, two levels, in pairs."""
    return measured("calls", LIMIT)
