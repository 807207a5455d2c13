"""Where benches work: a folder of their own, with nobody's state, cache or configuration."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.tasks.common import BIN, tool

if TYPE_CHECKING:
    from collections.abc import Iterator

PERSONAL = (
    "PYTEST_ADDOPTS",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "GITHUB_ACTIONS",
    "FORCE_COLOR",
)


@dataclass(frozen=True)
class Place:
    """A folder, and the environment that keeps everything inside it."""

    base: Path
    env: dict[str, str]

    @property
    def project(self) -> Path:
        """The measured project."""
        return self.base / "project"


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """A new place, gone at the end."""
    base = Path(tempfile.mkdtemp(prefix="tracekit-bench-"))
    env = {name: value for name, value in os.environ.items() if name not in PERSONAL}
    for name in ("STATE_HOME", "CACHE_HOME", "CONFIG_HOME", "RUNTIME_DIR"):
        folder = base / name.lower()
        folder.mkdir(mode=0o700)
        env[f"XDG_{name}"] = str(folder)
    # The same order of everything in each run: instructions are compared, not luck.
    env |= {
        "VIRTUAL_ENV": str(BIN.parent),
        "PYTHONHASHSEED": "0",
        "NO_COLOR": "1",
        "TRACEKIT_AGENT_IDLE": "1",
    }
    (base / "project").mkdir()
    try:
        yield Place(base, env)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def trivial_tests(project: Path, count: int, per_file: int = 100) -> None:
    """So many tests that do nothing."""
    project.mkdir(exist_ok=True)
    (project / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    folder = project / "tests"
    folder.mkdir(exist_ok=True)
    for first in range(0, count, per_file):
        body = "".join(
            f"def test_{number}():\n    pass\n\n\n" for number in range(first, min(count, first + per_file))
        )
        (folder / f"test_{first // per_file:04}.py").write_text(body, encoding="utf-8")


TRACEKIT = tool("tracekit")
PYTHON = tool("python")
