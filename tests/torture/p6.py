"""P6, the plane of traces: threads write at full speed, a drain takes what it can, and a reader looks all the while.

The writing, the draining and the counting are `native/tracer_backend/tests/flood.rs`; the reader is what stands behind
the console's events pane, in this process. Every record is kept or counted as dropped, no row that is read is torn, and
the reader's memory stays where it is.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

from tests.torture.cargo_tests import Told, run
from tests.torture.registry import Outcome, scaled
from tracekit._native import TraceView

FULL_MS = 60_000
#: What the whole figure has to come to.
FULL_EVENTS = 100_000_000
GROWTH_KIB = 64 * 1024
ROWS, COLUMNS = 60, 200


def main(scale: float) -> Outcome:
    """One flood, watched."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="tracekit-flood-") as name:
        place = Path(name)
        told: list[Told] = []
        figures: dict[str, int | str] = {
            "TRACEKIT_FLOOD_MS": scaled(FULL_MS, scale, 2000),
            "TRACEKIT_FLOOD_PLACE": str(place),
        }
        writing = threading.Thread(
            target=lambda: told.append(run("tracekit-tracer-backend", "flood", "P6", figures))
        )
        writing.start()
        seen = _watch(place, writing, outcome)
        writing.join()
    _judge(outcome, told, seen, scale)
    return outcome


def _watch(place: Path, writing: threading.Thread, outcome: Outcome) -> tuple[int, int]:
    """Look at the newest rows until the writing is over; gives how often, and how much memory it took."""
    looks = before = most = 0
    view: TraceView | None = None
    while writing.is_alive():
        writing.join(0.05)
        if view is None:
            if not (place / "trace").is_dir():
                continue
            view = TraceView(place)
            view.filter("kind:point")
        view.poll()
        total = len(view)
        if not total:
            continue
        for row in view.rows(max(0, total - ROWS), ROWS):
            if row.name != "a name of the flood":
                outcome.fault(f"a torn row was shown: {row}")
        view.shown(max(0, total - ROWS), ROWS, COLUMNS)
        view.kinds()
        looks += 1
        if looks == 1:
            before = _resident()
        most = max(most, _resident())
        if view.damaged:
            outcome.fault(f"{view.damaged} blocks were damaged")
    return looks, max(0, most - before)


def _judge(outcome: Outcome, told: list[Told], seen: tuple[int, int], scale: float) -> None:
    looks, grown = seen
    for each in told:
        for line in each.lines:
            outcome.figures.update(line)
        if not each.ok:
            outcome.fault(each.error)
    outcome.figures["looks"] = looks
    outcome.figures["reader_grew_kib"] = grown
    if not told or not looks:
        outcome.fault("nobody looked")
    if grown > GROWTH_KIB:
        outcome.fault(f"the reader grew by {grown} KiB")
    sent = int(outcome.figures.get("sent", 0))
    if scale >= 1 and sent < FULL_EVENTS:
        outcome.fault(f"{sent} events are no flood")


def _resident() -> int:
    """How much memory this process holds, in KiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0
