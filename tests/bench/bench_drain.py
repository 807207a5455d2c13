"""drain: events lost between a thread that records as fast as it can and the one drain of its run.

The large ring has to lose nothing; the usual one beside it says what is lost, and its drops are counted to the last.
"""

from __future__ import annotations

from tests.bench.figures import Figure
from tests.bench.recorder import run

EVENTS = 36_000_000


def measure() -> list[Figure]:
    """A ring of 32 MiB flat out, the default of 1 MiB, and one at the pace of traced calls.

    Beside them what one event costs the drain, and what it costs who recorded it, each alone on a processor.
    """
    figures = []
    for told in run("drain", str(EVENTS)):
        name = told.name.removeprefix("drain-")
        if name == "alone":
            figures.append(Figure("each", told.number("value"), "ns", told.number("reference")))
            continue
        limit = None if name == "1mib" else 0.0
        figures.append(
            Figure(f"lost-{name}", told.number("value"), "events", told.number("reference"), limit)
        )
        figures.append(Figure(f"bytes-{name}", told.number("bytes_each"), "bytes/event"))
    return figures
