"""What this machine is, for HELLO and for the `box.facts` line: read once, never decided upon here."""

from __future__ import annotations

import os
import sys
from typing import Any

from tracekit.agent.carry import boot_id


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def _load() -> float:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return 0.0


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "unknown"
    except (ValueError, OSError):
        # Only glibc knows the name; on Linux anything else is musl as far as we support it.
        return "musl" if sys.platform.startswith("linux") else "unknown"


def _disk(path: str) -> dict[str, int]:
    try:
        found = os.statvfs(path)
    except OSError:
        return {"free": 0, "total": 0}
    return {"free": found.f_bavail * found.f_frsize, "total": found.f_blocks * found.f_frsize}


def machine(state: str) -> dict[str, Any]:
    """The facts of this machine as HELLO carries them."""
    names = os.uname()
    return {
        "boot": boot_id(),
        "machine": names.nodename,
        "system": f"{names.sysname} {names.release}",
        "arch": names.machine,
        "libc": _libc(),
        "python": sys.version.partition(" ")[0],
        "cpus": os.cpu_count() or 1,
        "memory": _memory(),
        "disk": _disk(state),
        "load": _load(),
        "uid": os.getuid(),
        "pid": os.getpid(),
    }


def box_line(state: str, group: bool, tracer: str = "") -> dict[str, Any]:
    """The `box.facts` line of a journal: where the run happened and what was not to be had there."""
    facts = machine(state)
    missing = [{"what": "tracer", "why": tracer}] if tracer else []
    if not group:
        missing.append({"what": "cgroup", "why": "no control group is delegated to this user"})
    kept = ("boot", "machine", "system", "arch", "libc", "python", "cpus", "memory", "disk")
    return {**{key: facts[key] for key in kept}, "unavailable": missing}
