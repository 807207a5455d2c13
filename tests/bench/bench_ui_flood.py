"""ui-flood: a key in the console while a million events a second come in, and 10,000 lines of a journal.

Two writers, their rings, the drain and the segments are those of the native flood, in processes of their own. A key's
time goes from its byte to the changed cell in an emulator, whose own work is part of it.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path
from statistics import quantiles

from tests.bench.figures import Figure, median
from tests.support.terminal import Terminal
from tests.torture.cargo_tests import Told, run
from tests.torture.registry import scaled
from tracekit._native import TraceView

EVENTS, WRITERS, JOURNAL_LINES = 1_000_000, 2, 10_000
LIMIT_MS, SHARE_LIMIT = 50.0, 0.35
KEYS = 300
ROOM_S = 60
MARK = "▌"


def measure(keys: int = KEYS) -> list[Figure]:
    """One flood, and keys all the while."""
    with tempfile.TemporaryDirectory(prefix="tracekit-flood-") as name:
        place, told = Path(name), list[Told]()
        seconds = scaled(ROOM_S, keys / KEYS, 15)
        settings: dict[str, int | str] = {
            "TRACEKIT_FLOOD_MS": 1000 * seconds,
            "TRACEKIT_FLOOD_RATE": EVENTS // WRITERS,
            "TRACEKIT_FLOOD_PLACE": name,
        }
        writing = threading.Thread(
            target=lambda: told.append(run("tracekit-tracer-backend", "flood", "P6", settings))
        )
        writing.start()
        try:
            taken, share = _typed(place, keys, writing)
        finally:
            writing.join()
        if not told[0].ok:
            raise RuntimeError(told[0].error)
        view = TraceView(place)
        view.filter("kind:point")
        shown = len(view)
    (line,) = told[0].lines
    sent, dropped = int(line["sent"]), int(line["dropped"])
    return [
        Figure("key-p95", quantiles(taken, n=20)[-1], "ms", None, LIMIT_MS),
        Figure("key-median", median(taken), "ms"),
        Figure("screen-thread", share, "cores", None, SHARE_LIMIT),
        Figure("neither-shown-nor-dropped", abs(sent - shown - dropped), "events", None, 0),
        Figure("sent-a-second", sent / seconds, "events", EVENTS),
        Figure("dropped", dropped, "events"),
        Figure("keys", len(taken), "keys"),
    ]


def _typed(place: Path, keys: int, writing: threading.Thread) -> tuple[list[float], float]:
    """Milliseconds of each key, and the share of a processor that the thread of the screen takes meanwhile."""
    while not (place / "trace").is_dir():
        if not writing.is_alive():
            raise RuntimeError("the flood never began")
        time.sleep(0.05)
    terminal = Terminal(["-m", "tests.bench.flooded", str(place), str(JOURNAL_LINES)])
    try:
        if not terminal.until(lambda: terminal.shows("test_39") or terminal.shows("test_30")):
            raise RuntimeError("\n".join(terminal.display))
        terminal.keys("4")
        terminal.until(lambda: terminal.shows("[4 Events]"))
        began, before = time.monotonic(), _ticks(terminal.process.pid)
        taken = [_one(terminal, "j" if number // 20 % 2 == 0 else "k") for number in range(keys)]
        share = (_ticks(terminal.process.pid) - before) / (time.monotonic() - began)
        if not writing.is_alive():
            raise RuntimeError("the flood was over before the last key")
        return taken, share
    finally:
        terminal.close()


def _one(terminal: Terminal, key: str) -> float:
    row = _row(terminal)
    before = time.perf_counter()
    terminal.keys(key)
    if not terminal.until(lambda: _row(terminal) not in {row, -1}, 20.0):
        raise RuntimeError("\n".join([f"{key} moved nothing", *terminal.display]))
    return 1000 * (time.perf_counter() - before)


def _row(terminal: Terminal) -> int:
    """The line on which the cursor stands."""
    return next((y for y in range(terminal.screen.lines) if terminal.screen.buffer[y][0].data == MARK), -1)


def _ticks(pid: int) -> float:
    """Seconds of processor time of a process's first thread, which is the screen's."""
    stat = Path(f"/proc/{pid}/task/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in stat[11:13]) / os.sysconf("SC_CLK_TCK")
