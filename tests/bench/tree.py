"""CPU time of a command with everything it starts, also what outlives it or leaves its group.

Run as a program it becomes the reaper of whatever its command leaves behind, so that the system adds up the time of
daemons too; what has not ended by itself is ended once it has come to rest. Must never be used inside the measured
process.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PR_SET_CHILD_SUBREAPER = 36
REST = 0.3
PATIENCE = 20.0


@dataclass(frozen=True)
class Cost:
    """What a command cost."""

    cpu: float
    wall: float
    code: int
    left: int


def measure(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Cost:
    """Run a command in a new process of this module and read what it cost."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__)), *command],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    told = done.stderr.decode(errors="replace").strip().splitlines()
    return Cost(**json.loads(told[-1]))


def children() -> list[int]:
    """Direct children, the adopted ones too."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    return [int(word) for word in listed.split()]


def ticks(pids: Sequence[int]) -> int:
    """Processor time of these, their reaped children included, in ticks."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError, ValueError):
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            total += sum(int(word) for word in stat.rpartition(")")[2].split()[11:15])
    return total


def reap() -> None:
    """Reap every child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def settle() -> int:
    """Wait until what is left is at rest, then end it; gives how many had to be ended."""
    deadline = time.monotonic() + PATIENCE
    before = -1
    reap()
    while (left := children()) and time.monotonic() < deadline and (now := ticks(left)) != before:
        before = now
        time.sleep(REST)
        reap()
    count = len(children())
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + PATIENCE / 4
        while (left := children()) and time.monotonic() < deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(REST / 10)
            reap()
    return count


def main(command: list[str]) -> int:
    """Run the command, settle what it leaves, print its cost as the last line on standard error."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become the reaper of what the command leaves")
    before = time.monotonic()
    code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    wall = time.monotonic() - before
    left = settle()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = {"cpu": used.ru_utime + used.ru_stime, "wall": wall, "code": code, "left": left}
    sys.stderr.write("\n" + json.dumps(cost) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
