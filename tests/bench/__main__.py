"""`make bench [B=name]`: every bench, or the named ones; exit 1 when a figure misses its limit.

A bench NAME is a module `tests/bench/bench_NAME.py` (dashes as underscores) with `measure() -> list[Figure]`.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
from pathlib import Path

from tests.bench.figures import Figure, record, verdict
from tools.tasks.common import TARGET, say

HERE = Path(__file__).parent


def benches() -> dict[str, str]:
    """Every bench by its name, with its module."""
    modules = sorted(path.stem for path in HERE.glob("bench_*.py"))
    return {module.removeprefix("bench_").replace("_", "-"): module for module in modules}


def run(name: str, module: str) -> bool:
    """Measure one bench, print it, keep it; whether it is within its limits."""
    before = time.monotonic()
    figures: list[Figure] = importlib.import_module(f"tests.bench.{module}").measure()
    for figure in figures:
        say(figure.line(name))
    judged = verdict(name, figures)
    say(judged.line())
    context = {
        "t": time.time_ns(),
        "took": round(time.monotonic() - before, 1),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
    }
    TARGET.mkdir(exist_ok=True)
    with (TARGET / "bench.jsonl").open("a", encoding="utf-8") as file:
        file.write(record(name, figures, judged, context) + "\n")
    return judged.ok and all(figure.ok for figure in figures)


def main(arguments: list[str]) -> int:
    """Run the named benches, or all."""
    known = benches()
    names = arguments or os.environ.get("B", "").replace(",", " ").split() or list(known)
    if unknown := [name for name in names if name not in known]:
        say(f"unknown bench {', '.join(unknown)}; here: {', '.join(known)}")
        return 2
    # Each is measured, whatever the one before it said.
    results = [run(name, known[name]) for name in names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
