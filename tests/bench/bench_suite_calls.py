"""suite-calls: what the recording of every call of the project's functions costs, over the same suite untraced."""

from __future__ import annotations

import sys

from tests.bench.figures import Figure
from tests.bench.traced_suite import measured

#: By the frame evaluator up to 3.11, by `sys.monitoring` behind it; code outside the project is left alone in both.
LIMIT = 1.25


def measure() -> list[Figure]:
    """One suite, two levels, in pairs."""
    found = measured("calls", LIMIT)
    return [*found, Figure("python", sys.version_info[1] / 100 + 3, "version")]
