"""cargo-overhead: 1,000 trivial Rust tests, one process each, beside `cargo nextest run`, which does the same.

`wall` is limited: the whole command, recorded and live, over nextest's, as the median of interleaved pairs. Where
nextest cannot be had, the same processes started by `xargs`, as many at a time, stand in its place, without a limit:
nobody can do less. `cargo test`, which runs all tests in one process, stands beside.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.bench.figures import Figure, median
from tests.bench.places import TRACEKIT, Place, place
from tests.bench.tree import Cost
from tests.bench.tree import measure as cost_of
from tools.tasks.common import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TESTS = 1000
PAIRS = 5
LIMIT_WALL = 1.1
MANIFEST = (
    '[package]\nname = "trivial"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n[lib]\ndoctest = false\n'
)
NEXTEST = ROOT / "target" / "nextest"
# To build it takes long, once.
INSTALLING = 3600


def nextest() -> str:
    """Where cargo-nextest is, installed when it is not; "" where it cannot be had."""
    found = shutil.which("cargo-nextest") or shutil.which("cargo-nextest", path=str(NEXTEST / "bin"))
    if found:
        return found
    command = ["cargo", "install", "cargo-nextest", "--locked", "--root", str(NEXTEST)]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=INSTALLING)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return str(NEXTEST / "bin" / "cargo-nextest") if done.returncode == 0 else ""


def crate(project: Path) -> None:
    """So many tests that do nothing."""
    (project / "src").mkdir(parents=True)
    (project / "Cargo.toml").write_text(MANIFEST, encoding="utf-8")
    tests = "".join(f"#[test]\nfn test_{number}() {{}}\n" for number in range(TESTS))
    (project / "src" / "lib.rs").write_text(tests, encoding="utf-8")


def program(here: Place) -> str:
    """The built program of tests."""
    command = ["cargo", "test", "--no-run", "--quiet"]
    subprocess.run(command, cwd=here.project, env=here.env, capture_output=True, check=True)
    found = (here.project / "target" / "debug" / "deps").glob("trivial-*")
    return str(next(path for path in found if not path.suffix and os.access(path, os.X_OK)))


def cost(here: Place, command: Sequence[str]) -> Cost:
    """One run of a command, which must be green."""
    found = cost_of(command, here.project, here.env)
    if found.code:
        raise RuntimeError(f"{' '.join(command)} ended with {found.code}")
    return found


def measure() -> list[Figure]:
    """Wall time and processor time, each beside its reference of the same run."""
    with place() as here:
        crate(here.project)
        binary, other = program(here), nextest()
        atonce = len(os.sched_getaffinity(0))
        every = f"seq 0 {TESTS - 1} | xargs -P {atonce} -I % {binary} --exact test_% --nocapture"
        least = ["sh", "-c", every]
        reference = [other, "nextest", "run", "--offline"] if other else least
        ours = [TRACEKIT, "run"]
        for command in (ours, reference):
            cost(here, command)
        pairs = [(cost(here, reference), cost(here, ours)) for _ in range(PAIRS)]
        native = [cost(here, ["cargo", "test", "--quiet"]) for _ in range(PAIRS)]
        processes = [cost(here, least) for _ in range(PAIRS)]
    wall = median([own.wall / theirs.wall for theirs, own in pairs])
    name = "nextest" if other else "xargs"
    return [
        Figure("wall", wall, f"ratio to {name}", 1.0, LIMIT_WALL if other else None),
        Figure(
            "wall-seconds",
            median([own.wall for _, own in pairs]),
            "s",
            median([one.wall for one, _ in pairs]),
        ),
        Figure(
            "cpu-seconds", median([own.cpu for _, own in pairs]), "s", median([one.cpu for one, _ in pairs])
        ),
        Figure("cargo-test", median([one.wall for one in native]), "s"),
        Figure("processes-alone", median([one.wall for one in processes]), "s"),
    ]
