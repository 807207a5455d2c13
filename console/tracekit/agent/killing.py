"""Finds and ends everything that belongs to a run, whatever it did to get away.

A process belongs when it descends from the supervisor, shares a session with one that does, or carries the run token in
its environment. Everything is stopped before anything is killed, again and again until nothing is left: a fork bomb
cannot outrun a signal that it cannot catch. It never touches a process that carries nothing of the run.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable

from tracekit.agent.system import Process, System

TOKEN = "TRACEKIT_RUN_TOKEN"  # noqa: S105 - the name of a variable
#: How the names of the agent's own processes begin; a warden of a live run is a child of the daemon, too.
OWN_NAME = "tracekit-"
_ROUNDS = 400
_PAUSE = 0.005


def members(system: System, token: str, root: int = 0, exclude: Iterable[int] = ()) -> set[int]:
    """Every living process of the run but ourselves and the excluded; `root` is the supervisor or 0."""
    return set(_members(system, token, root, exclude))


def _members(system: System, token: str, root: int, exclude: Iterable[int]) -> dict[int, Process]:
    table = system.processes.table()
    left_out = {os.getpid(), *exclude}
    needle = f"{TOKEN}={token}".encode()
    found = below(table, {root} if root else set())
    if token:
        # The end of the value is checked too: one token may begin another.
        found |= {
            pid
            for pid, row in table.items()
            if pid not in left_out and not row.zombie and needle in system.processes.environ(pid).split(b"\0")
        }
    found = _with_sessions(table, found - left_out - {root}, left_out | {root})
    return {pid: table[pid] for pid in found if not table[pid].zombie}


def below(table: dict[int, Process], roots: set[int]) -> set[int]:
    """These processes, as far as they are there, and all that descend from them."""
    children: dict[int, list[int]] = {}
    for row in table.values():
        children.setdefault(row.parent, []).append(row.pid)
    found: set[int] = set()
    queue = list(roots)
    while queue:
        for child in children.get(queue.pop(), ()):
            if child not in found:
                found.add(child)
                queue.append(child)
    return found


def _with_sessions(table: dict[int, Process], found: set[int], left_out: set[int]) -> set[int]:
    """Add who shares a member's session, and everything below: each launch began a session of its own."""
    ours = os.getsid(0)
    while True:
        sessions = {table[pid].session for pid in found} - {0, ours}
        more = {pid for pid, row in table.items() if row.session in sessions} | below(table, found)
        more -= left_out
        if more <= found:
            return found
        found |= more


def sweep_adopted(system: System, own: Iterable[int]) -> None:
    """Kill what came to us because its supervisor died: our children that are neither known nor the agent's.

    A debugger of ours stays: killed while it takes hold of a process, it may leave that one stopped for good.
    """
    kept = frozenset(own)
    me = os.getpid()
    for _ in range(_ROUNDS):
        table = system.processes.table()
        adopted = {
            pid
            for pid, row in table.items()
            if row.parent == me
            and pid not in kept
            and pid not in system.processes.helpers
            and not row.zombie
            and not system.processes.name(pid).startswith(OWN_NAME)
        }
        found = {pid: table[pid] for pid in adopted | below(table, adopted) if not table[pid].zombie}
        if not found:
            break
        _signal(system, found, signal.SIGSTOP)
        _signal(system, found, signal.SIGKILL)
        system.clock.sleep(_PAUSE)


def sweep(system: System, token: str, root: int = 0, exclude: Iterable[int] = ()) -> int:
    """Kill the run to the last process; gives how many were killed."""
    kept = tuple(exclude)
    killed: set[tuple[int, int]] = set()
    for _ in range(_ROUNDS):
        found = _members(system, token, root, kept)
        if not found:
            break
        _signal(system, found, signal.SIGSTOP)
        found.update(_members(system, token, root, kept))
        killed |= _signal(system, found, signal.SIGKILL)
        system.clock.sleep(_PAUSE)
    return len(killed)


def _signal(system: System, found: dict[int, Process], number: int) -> set[tuple[int, int]]:
    """Signal processes that are still the ones that were found: a pid may be somebody else's by now."""
    told: set[tuple[int, int]] = set()
    for pid, row in found.items():
        if system.processes.started(pid) == row.started and system.processes.signal(pid, number):
            told.add((pid, row.started))
    return told


def control_group(run: str) -> str:
    """The run's control group where one was delegated to us, or ""."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            own = next((line.strip()[3:] for line in file if line.startswith("0::")), "")
    except OSError:
        return ""
    base = os.path.join("/sys/fs/cgroup", own.lstrip("/"))
    for name in ("user.delegate", "trusted.delegate"):
        try:
            if os.getxattr(base, name) != b"1":
                continue
            path = os.path.join(base, f"tracekit-{run}")
            os.makedirs(path, exist_ok=True)
        except OSError:
            continue
        return path
    return ""


def kill_group(path: str) -> bool:
    """Kill a whole control group at once, where the kernel offers it."""
    try:
        with open(os.path.join(path, "cgroup.kill"), "w", encoding="ascii") as file:
            file.write("1")
    except OSError:
        return False
    return True
