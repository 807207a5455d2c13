"""live: from a print in a test, which then sleeps, to the line on `tracekit run --json`, with capture on.

The test itself prints, and so does a child process of it; alone, and in two xdist workers at once. A line that arrives
for the wrong test does not count.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from typing import Any

from tests.bench.figures import Figure, median
from tests.bench.places import TRACEKIT, Place, place

PRINTS = 20
LIMIT_MS = 100.0
TEST = """\
import subprocess, sys, time

CHILD = "import sys, time; print('mark', sys.argv[1], time.monotonic_ns(), flush=True); time.sleep(0.3)"


def test_parent():
    for number in range(%(prints)d):
        print("mark", f"parent-{number}", time.monotonic_ns())
        time.sleep(0.3)


def test_child():
    for number in range(%(prints)d):
        subprocess.run([sys.executable, "-c", CHILD, f"child-{number}"], check=True)
"""


def text_of(line: dict[str, Any]) -> str:
    """The inline text of an output line."""
    if isinstance(line.get("base64"), str):
        return base64.b64decode(line["base64"]).decode(errors="replace")
    return str(line.get("text", ""))


def delays(here: Place) -> dict[str, list[float]]:
    """For parent and child: how long each mark took, in milliseconds."""
    found: dict[str, dict[str, float]] = {"parent": {}, "child": {}}
    process = subprocess.Popen(
        [TRACEKIT, "run", "--json"],
        cwd=here.project,
        env=here.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    with process:
        for raw in process.stdout or ():
            now = time.monotonic_ns()
            line = json.loads(raw)
            if line.get("e") != "output":
                continue
            for row in text_of(line).splitlines():
                words = row.split()
                if len(words) != 3 or words[0] != "mark" or not words[2].isdigit():
                    continue
                kind = words[1].partition("-")[0]
                if str(line.get("scenario", "")).endswith(f"::test_{kind}"):
                    found[kind].setdefault(words[1], (now - int(words[2])) / 1e6)
    if process.returncode:
        raise RuntimeError(f"tracekit run ended with {process.returncode}")
    return {kind: list(marks.values()) for kind, marks in found.items()}


def figures_of(here: Place, way: str) -> list[Figure]:
    """The slowest line of each kind; one that never came is a line without end."""
    figures = []
    for kind, taken in delays(here).items():
        lost = PRINTS - len(taken)
        worst = max(taken, default=float("inf")) if not lost else float("inf")
        figures.append(Figure(f"{way}{kind}-worst", worst, "ms", None, LIMIT_MS))
        figures.append(Figure(f"{way}{kind}-median", median(taken) if taken else float("inf"), "ms"))
        figures.append(Figure(f"{way}{kind}-lost", lost, "lines", None, 0))
    return figures


def measure() -> list[Figure]:
    """Alone, then with two workers."""
    with place() as here:
        (here.project / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (here.project / "test_live.py").write_text(TEST % {"prints": PRINTS}, encoding="utf-8")
        figures = figures_of(here, "")
        (here.project / "tracekit.toml").write_text('[suite.live]\nargs = ["-n", "2"]\n', encoding="utf-8")
        return figures + figures_of(here, "n2-")
