"""discover-60k: a project of 60,000 tests, collected cold beside pytest itself, listed from its inventory, refreshed.

First paint is not measured here: this is what stands in front of it.
"""

from __future__ import annotations

import time

from tests.bench.bench_startup import cpu
from tests.bench.figures import Figure, median
from tests.bench.large_project import large_project
from tests.bench.places import PYTHON, TRACEKIT, Place, place

COLD_LIMIT, REFRESH_LIMIT_S = 1.15, 1.0
COLLECT = [PYTHON, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
LIST = [TRACEKIT, "list", "--json"]


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
        changed: list[float] = []
        for path in files[:rounds]:
            with path.open("a", encoding="utf-8") as file:
                file.write("\n\ndef test_added():\n    pass\n")
            changed.append(_wall(here, LIST))
    return [
        Figure("cold-over-pytest", median(cold) / median(native), "ratio", 1.0, COLD_LIMIT),
        Figure("cold", median(cold), "s", median(native)),
        Figure("list-kept", median(kept), "s"),
        Figure("refresh-one-file", median(changed), "s", median(native), REFRESH_LIMIT_S),
    ]


def _wall(here: Place, command: list[str]) -> float:
    before = time.perf_counter()
    cpu(here, command)
    return time.perf_counter() - before
