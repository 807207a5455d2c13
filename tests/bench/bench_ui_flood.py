"""ui-flood: a key in the console while a million events a second come in, and 10,000 lines of a journal.

A run as any other: two traced processes call functions, their rings are drained into segments, a third one tells
verdicts, and the agent passes them on. Keys come as a held one repeats. A key's time goes from its byte to the changed
cell in an emulator of a terminal; what of it is the emulator's own work, and what is waiting for a processor, is told
beside it. The screen library's own panes are fed at the rates at which they give out, afterwards and with nothing else
going on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from statistics import quantiles

from tests.bench.figures import Figure, median
from tests.bench.flooded import LANE, Watched, flooded

EVENTS, JOURNAL_LINES = 1_000_000, 10_000
LIMIT_MS, SHARE_LIMIT = 50.0, 0.35
KEYS = 300
#: The longest that it may take to type them.
MOST = 240.0
#: Rows a second at which the library's own panes give out.
LIBRARY = {"RichLog": 2000, "DataTable": 500}
LIBRARY_KEYS = 40
#: One that has given out never catches up: a key that is not seen by then took at least as long.
GIVEN_OUT = 60.0


def measure(
    keys: int = KEYS,
    events: int = EVENTS,
    lines: int = JOURNAL_LINES,
    library_rates: Mapping[str, int] = LIBRARY,
) -> list[Figure]:
    """One flood, and keys all the while; then the same with the library's panes."""
    with flooded(events=events, lines=lines, most=MOST) as flood:
        typed = flood.type(keys)
        flood.end()
        sent, lost = flood.project.sent(), flood.lost()
        shown, of = flood.counted(LANE)
    figures = [
        Figure("key-p95", ninety_five(typed.whole), "ms", None, LIMIT_MS),
        Figure("key-median", median(typed.whole), "ms"),
        Figure("key-worst", max(typed.whole), "ms"),
        Figure("emulator-p95", ninety_five(typed.emulator), "ms"),
        Figure("emulator-median", median(typed.emulator), "ms"),
        Figure("screen-had-no-processor-p95", ninety_five(typed.screen_waited), "ms"),
        Figure("screen-had-no-processor-median", median(typed.screen_waited), "ms"),
        Figure("reader-had-no-processor-p95", ninety_five(typed.reader_waited), "ms"),
        Figure("console-alone-p95", ninety_five(typed.rest), "ms"),
        Figure("screen-thread", typed.screen.cpu / typed.seconds, "cores", None, SHARE_LIMIT),
        Figure("screen-thread-kept-waiting", typed.screen.waited / typed.seconds, "cores"),
        Figure("other-threads", typed.others.cpu / typed.seconds, "cores"),
        Figure("painted", typed.painted / typed.seconds / 1024, "KiB/s"),
        Figure("neither-shown-nor-dropped", abs(sent.total - shown - lost), "events", None, 0),
        Figure("shown", shown, "events", of),
        Figure("dropped", lost, "events"),
        Figure("sent-a-second", sent.a_second, "events", events),
        Figure("told-a-second", sent.lines_a_second, "lines", lines),
        Figure("keys", len(typed.whole), "keys"),
        Figure("keys-a-second", len(typed.whole) / typed.seconds, "keys"),
        Figure("screen-a-key", 1000 * typed.screen.cpu / len(typed.whole), "ms"),
    ]
    return figures + [
        Figure(f"{kind.lower()}-key-p95", ninety_five(library(kind, rate)), "ms", LIMIT_MS)
        for kind, rate in library_rates.items()
    ]


def library(kind: str, rate: int, keys: int = LIBRARY_KEYS) -> list[float]:
    """Milliseconds of each key while one of the library's panes grows by so many rows a second."""
    terminal, taken = Watched(["-m", "tests.bench.library_panes", kind, str(rate)]), list[float]()
    try:
        terminal.need("keys 0")
        end = time.monotonic() + GIVEN_OUT
        for number in range(1, keys + 1):
            began = time.perf_counter()
            terminal.keys("j")
            seen = terminal.until(partial(terminal.shows, f"keys {number}"), end - time.monotonic())
            if not seen and terminal.process.poll() is not None:
                raise RuntimeError("\n".join([f"the {kind} ended before key {number}", *terminal.display]))
            taken.append(1000 * (time.perf_counter() - began))
            if time.monotonic() > end:
                break
    finally:
        terminal.close()
    return taken


def ninety_five(values: list[float]) -> float:
    """What 95 of 100 stay below."""
    return quantiles(values, n=20)[-1]
