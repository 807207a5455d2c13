"""trickle: what an event takes on the disk when few come, ten minutes of them on a clock of their own."""

from __future__ import annotations

from tests.bench.figures import Figure
from tests.bench.recorder import run

MINUTES = 10
LIMIT_BYTES = 40.0


def measure() -> list[Figure]:
    """Written once a second, and every 50 ms as while somebody watches."""
    return [
        Figure(told.name, told.number("value"), "bytes/event", told.number("reference"), LIMIT_BYTES)
        for told in run("trickle", str(MINUTES))
    ]
