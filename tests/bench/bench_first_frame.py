"""first-frame: the console over 60,000 known scenarios beside the smallest application of the same library.

From the start of the process to its first painted rows on a terminal, in turn; a frame counts when it holds scenarios,
not when it holds a header. The first frame is the remembered one of the last time, as whoever opens a project again
sees it; that of a console with nothing to remember, which is about when keys are answered, stands beside it, and the
processor time of that: what a busy machine cannot stretch.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.bench.bench_discover_60k import CONSOLE, FIRST_ROW, LIST
from tests.bench.bench_startup import cpu
from tests.bench.figures import Figure, median
from tests.bench.large_project import large_project
from tests.bench.painting import ONE_WIDGET, SHOWN, Painted, painted
from tests.bench.places import PYTHON, place
from tracekit.store.trust import TrustStore

LIMIT = 1.4


def measure(tests: int = 60_000, rounds: int = 11) -> list[Figure]:
    """One widget and the console in turn, after both have been started once."""
    with place() as here:
        large_project(here.project, tests)
        TrustStore(Path(here.env["XDG_STATE_HOME"]) / "tracekit").remember(str(here.project))
        cpu(here, LIST)  # from here on the scenarios are known
        smallest: list[Painted] = []
        console: list[Painted] = []
        fresh: list[Painted] = []
        frames = Path(here.env["XDG_CACHE_HOME"]) / "tracekit" / "frames"
        for _ in range(rounds + 1):
            smallest.append(painted(here, [PYTHON, "-c", ONE_WIDGET], SHOWN))
            shutil.rmtree(frames, ignore_errors=True)
            fresh.append(painted(here, CONSOLE, FIRST_ROW, until=lambda: any(frames.glob("*.frame"))))
            console.append(painted(here, CONSOLE, FIRST_ROW))
    ours, theirs, new = console[1:], smallest[1:], fresh[1:]
    wall, wall_of_one = median([each.wall for each in ours]), median([each.wall for each in theirs])
    wall_of_new = median([each.wall for each in new])
    used, used_by_one = median([each.cpu for each in new]), median([each.cpu for each in theirs])
    return [
        Figure("over-one-widget", wall / wall_of_one, "ratio", 1.0, LIMIT),
        Figure("first-frame", wall, "s", wall_of_one),
        Figure("nothing-remembered-over-one-widget", wall_of_new / wall_of_one, "ratio", 1.0),
        Figure("nothing-remembered", wall_of_new, "s", wall_of_one),
        Figure("cpu-over-one-widget", used / used_by_one, "ratio", 1.0),
        Figure("cpu", used, "s", used_by_one),
    ]
