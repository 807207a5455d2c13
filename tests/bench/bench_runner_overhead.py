"""runner-overhead: what recording costs on 10,000 trivial tests, the hardest case there is.

Two figures are limited. `instructions`: the test process with the probe in it, over the same process of plain
`pytest -q`; perf counts all 10,000 tests where the machine lets it. Where it does not, callgrind counts two smaller
runs: instructions grow in a straight line with the number of tests, so two points give the start and the slope, and
the value is what they say for 10,000. `cpu`: processor time of the whole tree (command, bridge, daemon, supervisor,
warden, tests) over plain pytest's, as the median of interleaved pairs. pytest's own reports stand beside it.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from tests.bench.figures import Figure, median
from tests.bench.places import PYTHON, TRACEKIT, Place, place, trivial_tests
from tests.bench.tree import Cost
from tests.bench.tree import measure as cost_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TESTS = 10_000
PAIRS = 7
BESIDE = 3
POINTS = (400, 1200)
LIMIT_INSTRUCTIONS = 1.05
LIMIT_CPU = 1.35
PLAIN = [PYTHON, "-m", "pytest", "-q"]
# The same command on both sides: without -q pytest's own report costs more than is measured here.
RUN = [TRACEKIT, "run", "--", "-q"]
# Counts what the process itself does when tests are run; whatever else asks this interpreter something is let through.
WRAPPER = """\
#!/bin/sh
case "${TRACEKIT_MODE-run} $*" in
    run*pytest*) exec %(count)s "%(python)s" "$@" ;;
esac
exec "%(python)s" "$@"
"""


def counter() -> str:
    """`perf` where it counts instructions here, else `callgrind`."""
    if shutil.which("perf"):
        probe = ["perf", "stat", "-x,", "-e", "instructions:u", "true"]
        done = subprocess.run(probe, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode == 0 and done.stderr.split(b",")[0].strip().isdigit():
            return "perf"
    if shutil.which("valgrind"):
        return "callgrind"
    raise RuntimeError("neither perf nor valgrind counts instructions here: `make bench` installs valgrind")


def wrapper(here: Place, way: str) -> Path:
    """An interpreter that counts its own instructions into a folder."""
    counts = here.base / "counts"
    counts.mkdir(exist_ok=True)
    count = (
        f'perf stat -x, -e instructions:u -o "{counts}/$$.perf" --'
        if way == "perf"
        else f'valgrind --quiet --tool=callgrind --callgrind-out-file="{counts}/%p.callgrind" --'
    )
    folder = here.base / "counting"
    folder.mkdir(exist_ok=True)
    file = folder / "python"
    file.write_text(WRAPPER % {"count": count, "python": PYTHON}, encoding="utf-8")
    file.chmod(0o755)
    return file


def counted(here: Place) -> int:
    """The instructions of the process that ran the tests, and forget them."""
    found = 0
    for file in (here.base / "counts").iterdir():
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.suffix == ".perf":
            values = [line.split(",")[0] for line in text.splitlines() if "instructions" in line]
            found = max(found, *(int(value) for value in values if value.isdigit()))
        else:
            totals = [
                line.split()[1] for line in text.splitlines() if line.startswith(("summary:", "totals:"))
            ]
            found = max(found, *(int(value) for value in totals))
        file.unlink()
    if found == 0:
        raise RuntimeError("no instructions were counted: the tests did not run in the counting interpreter")
    return found


def instructions(way: str, count: int) -> tuple[int, int]:
    """Instructions of the test process for so many tests: plain, recorded."""
    with place() as here:
        trivial_tests(here.project, count)
        python = wrapper(here, way)
        warm(here)
        slow = _wall(str(python), here)
        plain = counted(here)
        # The probe looks at its files by the clock: without this it would look as often as the counter is slow.
        here.env["TRACEKIT_TICK_STRETCH"] = str(slow / _wall(PYTHON, here))
        (here.project / "tracekit.toml").write_text(
            f'[suite.trivial]\npaths = ["tests"]\npython = "{python}"\n', encoding="utf-8"
        )
        done_cost = cost_of(RUN, here.project, here.env)
        if done_cost.code:
            raise RuntimeError(f"tracekit run ended with {done_cost.code}")
        return plain, counted(here)


def _wall(python: str, here: Place) -> float:
    before = time.monotonic()
    done = subprocess.run(
        [python, *PLAIN[1:]], cwd=here.project, env=here.env, capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"plain pytest ended with {done.returncode}: {done.stdout[-500:]!r}")
    return time.monotonic() - before


def warm(here: Place) -> None:
    """Compiled files, the agent in its cache: what every run but the first finds."""
    for command in (PLAIN, RUN):
        cost = cost_of(command, here.project, here.env)
        if cost.code:
            raise RuntimeError(f"{' '.join(command)} ended with {cost.code}")


def projected(way: str) -> tuple[float, float]:
    """Instructions for all the tests: counted, or drawn from two smaller counts."""
    if way == "perf":
        return instructions(way, TESTS)
    (low_plain, low_recorded), (high_plain, high_recorded) = (instructions(way, count) for count in POINTS)
    span, rest = POINTS[1] - POINTS[0], TESTS - POINTS[0]
    return (
        low_plain + (high_plain - low_plain) / span * rest,
        low_recorded + (high_recorded - low_recorded) / span * rest,
    )


def cpu(here: Place, command: Sequence[str]) -> float:
    """Processor time of a command's whole tree."""
    cost: Cost = cost_of(command, here.project, here.env)
    if cost.code:
        raise RuntimeError(f"{' '.join(command)} ended with {cost.code}")
    return cost.cpu


def measure() -> list[Figure]:
    """Instructions, then processor time."""
    way = counter()
    plain, recorded = projected(way)
    figures = [
        Figure("instructions", recorded / plain, "ratio", 1.0, LIMIT_INSTRUCTIONS),
        Figure(f"instructions-{way}", recorded, "instructions", plain),
    ]
    with place() as here:
        trivial_tests(here.project, TESTS)
        warm(here)
        pairs = [(cpu(here, PLAIN), cpu(here, RUN)) for _ in range(PAIRS)]
        ratio = median([recorded / plain for plain, recorded in pairs])
        reference = median([plain for plain, _ in pairs])
        figures.append(Figure("cpu", ratio, "ratio", 1.0, LIMIT_CPU))
        figures.append(Figure("cpu-seconds", median([recorded for _, recorded in pairs]), "s", reference))
        junit = [cpu(here, [*PLAIN, f"--junitxml={here.base}/junit.xml"]) for _ in range(BESIDE)]
        figures.append(Figure("junitxml", median(junit) / reference, "ratio", 1.0))
        log = [cpu(here, [*PLAIN, f"--report-log={here.base}/log.json"]) for _ in range(BESIDE)]
        figures.append(Figure("reportlog", median(log) / reference, "ratio", 1.0))
    return figures
