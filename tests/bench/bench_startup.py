"""startup: what a command costs before it does anything, over bare Python, and what it must not load."""

from __future__ import annotations

import subprocess
import sys

from tests.bench.figures import Figure, median
from tests.bench.places import PYTHON, TRACEKIT, Place, place, trivial_tests
from tests.bench.tree import measure as cost_of

ROUNDS = 15
LIMIT_MS = 60.0
HEAVY = ("textual", "rich", "asyncssh")
COMMANDS = {
    "help": ["--help"],
    "version": ["--version"],
    "list": ["list", "--json"],
    "completions": ["completions", "--values", "scenarios"],
}
LOADED = """\
import sys
from tracekit.cli.main import main
code = main(sys.argv[1:])
sys.exit(code or any(name in sys.modules for name in %r) * 99)
"""


def cpu(here: Place, command: list[str]) -> float:
    """Processor time of a command, with whatever it starts."""
    cost = cost_of(command, here.project, here.env)
    if cost.code:
        raise RuntimeError(f"{' '.join(command)} ended with {cost.code}")
    return cost.cpu


def loads_heavy(here: Place, words: list[str]) -> bool:
    """Whether a command loads what only the screen or a remote box needs."""
    command = [PYTHON, "-c", LOADED % (HEAVY,), *words]
    done = subprocess.run(
        command, cwd=here.project, env=here.env, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode not in {0, 99}:
        sys.stderr.write(done.stderr.decode(errors="replace"))
        raise RuntimeError(f"tracekit {' '.join(words)} ended with {done.returncode}")
    return done.returncode == 99


def measure() -> list[Figure]:
    """Each command beside bare Python, in turn."""
    with place() as here:
        trivial_tests(here.project, 200)
        cpu(here, [TRACEKIT, "list", "--json"])  # from here on the inventory is cached
        bare: list[float] = []
        taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(ROUNDS):
            bare.append(cpu(here, [PYTHON, "-c", "pass"]))
            for name, words in COMMANDS.items():
                taken[name].append(cpu(here, [TRACEKIT, *words]))
        base = median(bare) * 1000
        figures = [
            Figure(name, median(values) * 1000 - base, "ms", base, LIMIT_MS) for name, values in taken.items()
        ]
        heavy = sum(loads_heavy(here, words) for words in COMMANDS.values())
        return [*figures, Figure("heavy-imports", heavy, "commands", None, 0)]
