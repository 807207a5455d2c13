"""travel-60k: going back in time in a run of 60,000 tests: how long until one may, each step then, and what it holds.

The memory is what the journey adds to a run that is shown already, as the process says; beside it stands what the run
itself takes. Each round is a process of its own, so that no other's memory is used again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.bench_fold import journal
from tests.bench.bench_memory import resident
from tests.bench.figures import Figure, median
from tests.bench.places import PYTHON
from tests.support.terminal import ROOT
from tracekit.wire.names import JOURNAL_FILE

TESTS, ROUNDS = 60_000, 3
LIMIT_MIB = 200.0
NEAR, FAR = 40, 10


def measure(tests: int = TESTS, rounds: int = ROUNDS) -> list[Figure]:
    """The same run, read and travelled in, several times."""
    with tempfile.TemporaryDirectory(prefix="tracekit-travel-") as name:
        place = Path(name) / "local"
        place.mkdir()
        (place / JOURNAL_FILE).write_bytes(journal(tests))
        command = [PYTHON, "-m", "tests.bench.bench_travel_60k", str(place)]
        told = [
            json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
            for _ in range(rounds)
        ]
    taken = {key: median([one[key] for one in told]) for key in told[0]}
    return [
        Figure("journey-holds", taken["held"], "MiB", taken["run"], LIMIT_MIB),
        Figure("set-out", taken["read"], "s", taken["fold"]),
        Figure("step-back", taken["near"], "ms"),
        Figure("step-back-far", taken["far"], "ms"),
        Figure("moments", taken["moments"], "moments"),
    ]


def main(place: Path) -> int:
    """One round; the figures as JSON."""
    import os

    from tracekit.engine.follow import fold_file
    from tracekit.engine.journey import Journey
    from tracekit.engine.view import RunView

    me = os.getpid()
    before, began = resident(me), time.perf_counter()
    view = RunView("", "", place, link="replay")
    fold_file(view, place / JOURNAL_FILE)
    folded, shown = time.perf_counter() - began, resident(me)
    journey, began = Journey(view), time.perf_counter()
    at = moments = journey.read()
    read, near, far = time.perf_counter() - began, list[float](), list[float]()
    for times, by in ((near, 1), (far, len(journey.verdicts) // FAR)):
        for _ in range(NEAR if by == 1 else FAR - 1):
            began = time.perf_counter()
            at = journey.next_verdict(at, -by)
            journey.go(at)
            times.append(1000 * (time.perf_counter() - began))
    figures = {"held": (resident(me) - shown) / 1024, "run": (shown - before) / 1024, "moments": moments}
    figures |= {"fold": folded, "read": read, "near": median(near), "far": median(far)}
    sys.stdout.write(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
