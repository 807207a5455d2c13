"""What every task shares: where things are, how a stage is run. Must never hold a task's own logic."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
NATIVE = ROOT / "native"
TARGET = ROOT / "target"
# What is not ours to judge: build products, environments, and projects made to misbehave.
SKIPPED_FOLDERS = frozenset(
    {".git", ".venv", "target", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
)


def say(text: str) -> None:
    """Print a line at once, so that it stands above the output of what it announces."""
    print(text, flush=True)


def tool(name: str) -> str:
    """The path of a program of the project's own environment."""
    return str(BIN / name)


def cache() -> Path:
    """The folder for what is fetched once and used by many runs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "tracekit"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run(
    command: Sequence[str],
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    patience: float | None = None,
) -> int:
    """Run a command with no standard input, its output passed through; gives its exit code.

    One that takes longer than `patience` seconds is ended, with what was still running in words: a stage that waits
    for ever says nothing, and takes the time of all that come behind it.
    """
    full = {**os.environ, **env} if env else None
    try:
        process = subprocess.Popen(
            list(command), cwd=cwd, env=full, stdin=subprocess.DEVNULL, start_new_session=patience is not None
        )
    except FileNotFoundError:
        say(f"{command[0]}: not found; `make setup` installs the project's own tools")
        return 127
    with process:
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            say(f"{' '.join(command)}: not done after {patience:.0f} s; ended. Of it there were:")
            subprocess.run(["ps", "-s", str(process.pid), "-o", "pid,ppid,stat,etime,args"], check=False)
            _end(process)
            return 124
        except BaseException:
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it started, unless it has a session of its own."""
    with contextlib.suppress(ProcessLookupError):
        if os.getsid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.terminate()


@dataclass
class Stages:
    """A list of named stages: each is timed, a failure does not hide the ones after it."""

    title: str
    failed: list[str] = field(default_factory=list)
    times: list[tuple[str, float]] = field(default_factory=list)

    def stage(self, name: str, work: Callable[[], int]) -> int:
        """Run one stage and note its time; gives its exit code."""
        say(f"== {self.title}: {name}")
        before = time.monotonic()
        code = work()
        took = time.monotonic() - before
        self.times.append((name, took))
        if code:
            self.failed.append(name)
        say(f"== {self.title}: {name}: {'ok' if code == 0 else f'FAILED ({code})'} in {took:.1f} s")
        return code

    def close(self) -> int:
        """Print the table of times and give the exit code of the whole."""
        for name, took in self.times:
            mark = "FAILED" if name in self.failed else "ok"
            say(f"   {name:<28} {took:7.1f} s  {mark}")
        if self.failed:
            say(f"== {self.title}: failed: {', '.join(self.failed)}")
        return 1 if self.failed else 0


def tracked_files() -> list[Path]:
    """Every file that is, or could be, committed: what git lists, ignored files left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    ).stdout
    names = sorted({os.fsdecode(name) for name in listed.split(b"\0") if name})
    found = (ROOT / name for name in names if not SKIPPED_FOLDERS.intersection(Path(name).parts))
    return [path for path in found if path.is_file() and not path.is_symlink()]
