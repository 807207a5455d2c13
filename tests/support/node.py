"""The tools of the JavaScript fixtures, installed once into the cache from a lock file, and node as a person has it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.support.unavailable import unavailable

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
_TOOLS = FIXTURES / "node_tools"
_WHOLE = ".whole"


def installed() -> Path:
    """The `node_modules` that holds vitest, jest and mocha as the lock file says."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        unavailable("node and npm: not installed")
    lock = (_TOOLS / "package-lock.json").read_bytes()
    name = hashlib.blake2b(lock, digest_size=8).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracekit-tests"
    place = cache / f"node-{name}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"node-{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not (place / _WHOLE).exists():
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(_TOOLS, place)
            done = subprocess.run(
                # Not `npm ci`: it wants every platform's optional packages in the lock, which npm itself leaves out.
                ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"],
                cwd=place,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                unavailable(f"npm install: {done.stderr.strip()[-300:]}")
            (place / _WHOLE).touch()
    return place / "node_modules"


def copied(fixture: str, place: Path) -> Path:
    """A project of a fixture's files, with the tools beside it."""
    root = place / fixture
    shutil.copytree(FIXTURES / fixture, root)
    (root / "node_modules").symlink_to(installed())
    return root
