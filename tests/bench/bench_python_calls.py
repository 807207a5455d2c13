"""python-calls: what recording every call adds to programs that do little but call, beside what VizTracer adds.

Each program is a test of its own, run untraced and traced by either, in turn, on every Python that is here: ours as a
whole command with its drain (over the same command with tracing off), VizTracer's with the report that it writes at the
end (over plain pytest). It keeps the functions of C out, as we do, and has room for every call.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.figures import Figure, median
from tests.bench.places import TRACEKIT, Place, place
from tests.bench.tree import measure as cost_of
from tools.tasks.common import TARGET
from tools.tasks.pythons import find

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The frame evaluator's Pythons, and those with `sys.monitoring`.
LIMITS = {"3.11": 0.5, "3.13": 0.65}
PAIRS = 7
# Either has room for every call.
ENTRIES = 3_000_000
OURS = '[suite.programs]\nrunner = "pytest"\ntrace_ring = "32MiB"\n'
INSTALLING = 600
PROGRAMS = {
    "recursion": """\
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

def test_program():
    assert fibonacci(26) == 121393
""",
    "methods": """\
class Account:
    def __init__(self):
        self.total = 0

    def add(self, amount):
        self.total += self.checked(amount)

    def checked(self, amount):
        return amount if amount > 0 else 0

def test_program():
    account = Account()
    for number in range(200_000):
        account.add(number)
    assert account.total == 19999900000
""",
    "layers": """\
def parsed(text):
    return int(text)

def valid(number):
    return number >= 0

def handled(text):
    number = parsed(text)
    return number if valid(number) else 0

def served(texts):
    return sum(map(handled, texts))

def test_program():
    texts = [str(number) for number in range(100)]
    assert {served(texts) for _ in range(1_300)} == {4950}
""",
}


def environment(python: Path, version: str) -> Path:
    """An environment of this Python with the two that are needed, made once."""
    folder = TARGET / f"viztracer-{version}"
    made = folder / "bin" / "python"
    if not (folder / "made").exists():
        subprocess.run([str(python), "-m", "venv", "--clear", str(folder)], check=True, timeout=INSTALLING)
        install = [str(made), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "pytest", "viztracer"], check=True, timeout=INSTALLING)
        (folder / "made").touch()
    return folder


def _cpu(here: Place, command: Sequence[str]) -> float:
    cost = cost_of(command, here.project, here.env)
    if cost.code:
        raise RuntimeError(f"{' '.join(command)} ended with {cost.code}")
    return cost.cpu


def _added(here: Place, python: str) -> tuple[float, float]:
    """What either adds to the program in the project, in seconds of processor time: theirs, ours."""
    plain = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    report = str(here.base / "report.json")
    how = ["--ignore_c_function", "--quiet", "--tracer_entries", str(ENTRIES), "-o", report]
    theirs = ([python, *plain], [python, "-m", "viztracer", *how, *plain])
    ours = tuple([TRACEKIT, "run", "--trace", level, "--", "-q"] for level in ("off", "calls"))
    for command in (*theirs, *ours):
        _cpu(here, command)
    pairs = [[_cpu(here, command) for command in (*theirs, *ours)] for _ in range(PAIRS)]
    return median([pair[1] - pair[0] for pair in pairs]), median([pair[3] - pair[2] for pair in pairs])


def _lost(here: Place) -> tuple[int, int]:
    """Records that the last run kept, and those that it had no room for, which must be none to be a fair match."""
    said = subprocess.run(
        [TRACEKIT, "verify", "last", "--json"],
        cwd=here.project,
        env=here.env,
        capture_output=True,
        check=False,
    )
    told = [json.loads(line) for line in said.stdout.splitlines()]
    return sum(row["events"] for row in told), sum(row["events_lost"] for row in told)


def measure() -> list[Figure]:
    """Each program on each Python."""
    figures: list[Figure] = []
    for version, limit in LIMITS.items():
        python = find(version, fetch=True)
        if python is None:
            raise RuntimeError(f"no Python {version} can be had here")
        home = environment(python, version)
        for name, text in PROGRAMS.items():
            with place() as base:
                here = replace(base, env={**base.env, "VIRTUAL_ENV": str(home)})
                (here.project / "tracekit.toml").write_text(OURS, encoding="utf-8")
                (here.project / "test_program.py").write_text(text, encoding="utf-8")
                theirs, ours = _added(here, str(home / "bin" / "python"))
                kept, lost = _lost(here)
            figures += [
                Figure(f"{name}-{version}", ours / theirs, "ratio", 1.0, limit),
                Figure(f"{name}-{version}-added", ours, "s", theirs),
                Figure(f"{name}-{version}-lost", lost, "records", kept, 0.0),
            ]
    return figures
