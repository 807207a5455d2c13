"""reopen-60k: a run of 60,000 tests that really ran, opened again in a terminal, and read cold beside `json.loads`.

Opened is when the header shows all of it, from the start of the process; beside it stands the smallest application of
the same library.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.bench_fold import FOLD_LIMIT
from tests.bench.figures import Figure, median
from tests.bench.large_project import large_project
from tests.bench.painting import ONE_WIDGET, SHOWN, until_shown
from tests.bench.places import PYTHON, TRACEKIT, Place, place
from tracekit.engine.follow import fold_file
from tracekit.engine.view import RunView

if TYPE_CHECKING:
    from collections.abc import Callable

REOPEN_LIMIT_S = 2.0
REPLAY = "import sys; from tracekit.cli.main import main; sys.exit(main(['replay', 'last']))"


def measure(tests: int = 60_000, rounds: int = 5) -> list[Figure]:
    """One run; then its journal read and opened in turn with what cannot be undercut."""
    with place() as here:
        large_project(here.project, tests)
        journal = _run(here, tests)
        size, lines = journal.stat().st_size, journal.read_bytes().splitlines()
        loads: list[float] = []
        folds: list[float] = []
        opened: list[float] = []
        smallest: list[float] = []
        for _ in range(rounds):
            loads.append(_cpu(lambda: [json.loads(line) and None for line in lines]))
            folds.append(_cpu(lambda: _fold(journal)))
            smallest += until_shown(here, [PYTHON, "-c", ONE_WIDGET], SHOWN)
            opened += until_shown(here, [PYTHON, "-c", REPLAY], f"{tests}/{tests}".encode())
    return [
        Figure("reopen", median(opened), "s", median(smallest), REOPEN_LIMIT_S),
        Figure("cold-over-loads", median(folds) / median(loads), "ratio", 1.0, FOLD_LIMIT),
        Figure("cold", median(folds), "s", median(loads)),
        Figure("journal", size, "bytes"),
    ]


def _run(here: Place, tests: int) -> Path:
    """Run the project; gives the journal. The console's checkpoint is written when it has come to its end."""
    command = [TRACEKIT, "run", str(here.project)]
    done = subprocess.run(
        command, cwd=here.project, env=here.env, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode or f"{tests} passed".encode() not in done.stdout:
        raise RuntimeError(
            f"the run ended with {done.returncode}: {done.stdout[-400:]!r} {done.stderr[-400:]!r}"
        )
    found = list(Path(here.env["XDG_STATE_HOME"]).glob("tracekit/runs/*/local/journal.ndjson"))
    if len(found) != 1 or not list(found[0].parents[1].glob("**/checkpoint*")):
        raise RuntimeError(f"not one run with its checkpoint: {found}")
    return found[0]


def _fold(journal: Path) -> RunView:
    view = RunView("", "", journal.parent, link="replay")
    fold_file(view, journal)
    return view


def _cpu(part: Callable[[], object]) -> float:
    before = time.process_time()
    kept = part()
    after = time.process_time()
    del kept
    return after - before
