"""Names every process that still carries a mark in its environment after a run, and ends it.

Waits for what is promised to end by itself before it calls anything left behind. Must never touch a process
without the mark.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

PROC = Path("/proc")


def own_line() -> set[int]:
    """The ids of this process and of those above it."""
    line: set[int] = set()
    pid = os.getpid()
    while pid > 1 and pid not in line:
        line.add(pid)
        stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        pid = int(stat.rpartition(")")[2].split()[1])
    return line


def marked(mark: bytes) -> dict[int, str]:
    """Processes with the mark, and their command lines; zombies have neither."""
    found: dict[int, str] = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(entry.name)] = words.decode(errors="replace").strip()
        except OSError:
            continue  # gone while it was looked at, or someone else's
    for pid in own_line():
        found.pop(pid, None)
    return found


def main(arguments: list[str]) -> int:
    """`leftovers NAME=VALUE SECONDS`: exit 1 when something with the mark outlives the time."""
    mark, patience = arguments[0].encode(), float(arguments[1])
    deadline = time.monotonic() + patience
    while (found := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.5)
    for pid, command in found.items():
        print(f"left running: {pid} {command[:300]}")
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError as fault:
            print(f"  not ended: {fault}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
