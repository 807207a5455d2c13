"""The Pythons that tracing is measured on, and the other tracers that stand beside it in the same runs.

VizTracer keeps the functions of C out, as we do, has room for every call, and writes the report that it is run for;
cProfile is what comes with Python. Must never judge anything.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.bench.tree import measure as cost_of
from tools.tasks.common import TARGET
from tools.tasks.pythons import find

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.bench.places import Place

#: The frame evaluator's Python, and one with `sys.monitoring`.
VERSIONS = ("3.11", "3.13")
INSTALLING = 600
# Either has room for every call.
ENTRIES = 3_000_000
PLAIN = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


def environments() -> Iterator[tuple[str, Path]]:
    """Each version with an environment that has pytest and VizTracer."""
    for version in VERSIONS:
        python = find(version, fetch=True)
        if python is None:
            raise RuntimeError(f"no Python {version} can be had here")
        yield version, _environment(python, version)


def _environment(python: Path, version: str) -> Path:
    """Made once."""
    folder = TARGET / f"viztracer-{version}"
    made = folder / "bin" / "python"
    if not (folder / "made").exists():
        subprocess.run([str(python), "-m", "venv", "--clear", str(folder)], check=True, timeout=INSTALLING)
        install = [str(made), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "pytest", "viztracer"], check=True, timeout=INSTALLING)
        (folder / "made").touch()
    return folder


def untraced(home: Path) -> list[str]:
    """Plain pytest."""
    return [str(home / "bin" / "python"), *PLAIN]


def viztracer(home: Path, here: Place) -> list[str]:
    """The same under VizTracer."""
    how = [
        "--ignore_c_function",
        "--quiet",
        "--tracer_entries",
        str(ENTRIES),
        "-o",
        str(here.base / "report.json"),
    ]
    return [str(home / "bin" / "python"), "-m", "viztracer", *how, *PLAIN]


def cprofile(home: Path, here: Place) -> list[str]:
    """The same under cProfile."""
    return [str(home / "bin" / "python"), "-m", "cProfile", "-o", str(here.base / "profile"), *PLAIN]


def cpu(here: Place, command: Sequence[str]) -> float:
    """Processor time of a command with everything it starts; it has to end well."""
    cost = cost_of(command, here.project, here.env)
    if cost.code:
        raise RuntimeError(f"{' '.join(command)} ended with {cost.code}")
    return cost.cpu
