"""memory: how much the console grows while 100 million events of its run go by, with what it shows counted to the last.

The console is a person's, with the events of the flood on its screen; P6 floods a view alone and faster. What memory
counts is the process's own, not pages of files. Beside it the plainest console there is: a list of the same lines, of
which a million are made and the rest is multiplied.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.flooded import LANE, PATIENCE, flooded

EVENTS, A_SECOND = 100_000_000, 1_000_000
LIMIT_MIB = 64.0
LISTED = 1_000_000
LOOK = 0.5


def measure(events: int = EVENTS, a_second: int = A_SECOND, listed: int = LISTED) -> list[Figure]:
    """One flood, as long as it takes; a console that holds it back is given three times that."""
    with flooded(events=a_second, lines=0, most=3 * events / a_second + PATIENCE) as flood:
        before = most = resident(flood.pid)
        while flood.recorded() < events:
            flood.terminal.rest(LOOK)
            most = max(most, resident(flood.pid))
        flood.end()
        flood.terminal.rest(LOOK)
        after = resident(flood.pid)
        sent, lost = flood.project.sent(), flood.lost()
        shown, _ = flood.counted(LANE)
        counted = resident(flood.pid)
    growth = (max(most, after) - before) / 1024
    return [
        Figure("grown", max(0.0, growth), "MiB", plain(listed) * sent.total / listed / 2**20, LIMIT_MIB),
        Figure("grown-with-a-filter-counted", max(0, counted - before) / 1024, "MiB"),
        Figure("neither-shown-nor-dropped", abs(sent.total - shown - lost), "events", None, 0),
        Figure("sent", sent.total, "events", events),
        Figure("dropped", lost, "events"),
    ]


def resident(pid: int) -> int:
    """How much memory of its own a process holds, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise RuntimeError("the console has ended")


def plain(lines: int) -> int:
    """Bytes of a list of so many lines as the console shows them."""
    tracemalloc.start()
    try:
        held = [f"+{number / 1e6:.6f} call {29104} writer.tick {number % 90}ns" for number in range(lines)]
        size = tracemalloc.get_traced_memory()[0]
        del held
    finally:
        tracemalloc.stop()
    return size
