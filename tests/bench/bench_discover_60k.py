"""discover-60k: a project of 60,000 tests, collected cold beside pytest itself, painted and listed from its inventory.

The first paint is that of the console in a terminal, from the start of its process, beside the smallest application of
the same library in the same run. A refresh is what a person sees who opens the console after a change of one file:
from the first rows, which are remembered, to the new test among them.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.bench.bench_startup import cpu
from tests.bench.figures import Figure, median
from tests.bench.large_project import large_project
from tests.bench.painting import ONE_WIDGET, SHOWN, until_shown
from tests.bench.places import PYTHON, TRACEKIT, Place, place
from tracekit.store.trust import TrustStore

COLD_LIMIT, REFRESH_LIMIT_S, PAINT_LIMIT_S = 1.15, 1.0, 0.25
COLLECT = [PYTHON, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
LIST = [TRACEKIT, "list", "--json"]
CONSOLE = [PYTHON, "-c", "import sys; from tracekit.cli.main import tui; sys.exit(tui())"]
FIRST_ROW = b"test_plain_0"


def measure(tests: int = 60_000, rounds: int = 3) -> list[Figure]:
    """Cold collections in turn with pytest's own; then the inventory as it is, and behind one changed file."""
    with place() as here:
        files = large_project(here.project, tests)
        cpu(here, COLLECT)  # both sides find compiled files
        cpu(here, LIST)
        native: list[float] = []
        cold: list[float] = []
        for _ in range(rounds):
            native.append(cpu(here, COLLECT))
            cold.append(cpu(here, [*LIST, "--refresh"]))
        kept = [_wall(here, LIST) for _ in range(rounds)]
        smallest, painted = _paints(here, 2 * rounds + 1)
        shown: list[float] = []
        listed: list[float] = []
        for number in range(rounds):
            added = f"test_added_{number}"
            _add(files[0], added)
            old, new = until_shown(here, CONSOLE, FIRST_ROW, added.encode())
            shown.append(new - old)
            _add(files[0], f"{added}_listed")
            listed.append(_wall(here, LIST))
    return [
        Figure("first-paint", median(painted), "s", median(smallest), PAINT_LIMIT_S),
        Figure("cold-over-pytest", median(cold) / median(native), "ratio", 1.0, COLD_LIMIT),
        Figure("cold", median(cold), "s", median(native)),
        Figure("list-kept", median(kept), "s"),
        Figure("refresh-one-file", median(shown), "s", median(native), REFRESH_LIMIT_S),
        Figure("list-one-file-changed", median(listed), "s", median(native)),
    ]


def _paints(here: Place, rounds: int) -> tuple[list[float], list[float]]:
    """Start to first frame of one widget, and to the first row of the console, in turn."""
    TrustStore(Path(here.env["XDG_STATE_HOME"]) / "tracekit").remember(str(here.project))
    smallest: list[float] = []
    painted: list[float] = []
    for _ in range(rounds):
        smallest += until_shown(here, [PYTHON, "-c", ONE_WIDGET], SHOWN)
        painted += until_shown(here, CONSOLE, FIRST_ROW)
    return smallest, painted


def _add(file: Path, name: str) -> None:
    with file.open("a", encoding="utf-8") as opened:
        opened.write(f"\n\ndef {name}():\n    pass\n")


def _wall(here: Place, command: list[str]) -> float:
    before = time.perf_counter()
    cpu(here, command)
    return time.perf_counter() - before
