"""python-calls: what recording every call adds to programs that do little but call, beside what others add.

Each program is a test of its own, run untraced and traced by each, in turn, on every Python that is here: ours as a
whole command with its drain (over the same command with tracing off), VizTracer's with the report that it writes at the
end, and cProfile's (over plain pytest).
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.figures import Figure, median
from tests.bench.places import TRACEKIT, Place, place
from tests.bench.tracers import cprofile, cpu, environments, untraced, viztracer

if TYPE_CHECKING:
    from pathlib import Path

#: Of what VizTracer adds.
LIMITS = {"3.11": 0.5, "3.13": 0.65}
PAIRS = 7
OURS = '[suite.programs]\nrunner = "pytest"\ntrace_ring = "32MiB"\n'
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


def _added(here: Place, home: Path) -> tuple[float, float, float]:
    """What each adds to the program in the project, in seconds of processor time: ours, VizTracer's, cProfile's."""
    ours = [[TRACEKIT, "run", "--trace", level, "--", "-q"] for level in ("off", "calls")]
    commands = [*ours, untraced(home), viztracer(home, here), cprofile(home, here)]
    for command in commands:
        cpu(here, command)
    rounds = [[cpu(here, command) for command in commands] for _ in range(PAIRS)]
    added = [(on - off, viz - plain, profiled - plain) for off, on, plain, viz, profiled in rounds]
    mine, theirs, profiles = (median(column) for column in zip(*added, strict=True))
    return mine, theirs, profiles


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
    for version, home in environments():
        for name, text in PROGRAMS.items():
            with place() as base:
                here = replace(base, env={**base.env, "VIRTUAL_ENV": str(home)})
                (here.project / "tracekit.toml").write_text(OURS, encoding="utf-8")
                (here.project / "test_program.py").write_text(text, encoding="utf-8")
                ours, theirs, profiles = _added(here, home)
                kept, lost = _lost(here)
            figures += [
                Figure(f"{name}-{version}", ours / theirs, "ratio", 1.0, LIMITS[version]),
                Figure(f"{name}-{version}-added", ours, "s", theirs),
                Figure(f"{name}-{version}-over-cprofile", ours / profiles, "ratio", 1.0),
                Figure(f"{name}-{version}-lost", lost, "records", kept, 0.0),
            ]
    return figures
