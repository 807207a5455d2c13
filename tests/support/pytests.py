"""Other pytests for tests: `need("3.9", "8.0.2")` gives an interpreter and a directory that holds that pytest.

The packages are downloaded once into the cache by this environment's own pip; nothing is installed anywhere else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from tests.support import pythons
from tests.support.unavailable import unavailable
from tools.tasks.common import cache as cache_directory

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Pytest:
    python: Path
    packages: Path


@cache
def need(python: str, version: str) -> Pytest:
    """A pytest of this version for a Python of that one, or the test says that it cannot run here."""
    interpreter = pythons.need(python)
    packages = cache_directory() / "pytests" / f"python{python}-pytest{version}-xdist"
    if not packages.is_dir():
        _download(python, version, packages)
    return Pytest(interpreter, packages)


def _download(python: str, version: str, packages: Path) -> None:
    part = packages.with_name(f"{packages.name}.{os.getpid()}.part")
    wanted = [f"pytest=={version}", "pytest-xdist", *([] if version.startswith("9") else ["pytest-subtests"])]
    if int(python.partition(".")[2]) < 11:
        # The installer asks its own Python which conditional dependencies apply.
        wanted += ["exceptiongroup", "tomli"]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--target",
        str(part),
    ]
    options = ["--python-version", python, "--only-binary=:all:", "--no-compile"]
    done = subprocess.run([*command, *options, *wanted], capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(part, ignore_errors=True)
        unavailable(f"pytest {version} cannot be downloaded: {done.stderr.strip()[-300:]}")
    part.rename(packages)
