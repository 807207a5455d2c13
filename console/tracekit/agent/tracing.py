"""The trace of one run: what its test processes are told, and the drain that takes their records out of the rings.

The drain is native and lives in the box library; where there is none for this machine, nothing is traced and the
journal says why. It never delays the end of a run for longer than one look at all rings, and never raises into it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from tracekit.agent.boot import kept_library, target
from tracekit.agent.kept import trace_files
from tracekit.agent.runnable import runnable
from tracekit.wire.frames import Checksum, checksum_of
from tracekit.wire.names import OWN_SCENARIO, RINGS_DIR, THREAD_SCENARIOS, E

LIBRARIES = "lib"
WATCHED_EVERY = 0.05
#: Between two looks at the rings: what little comes waits longer, calls and a flood of anything do not.
EVERY, AT_REST = 0.02, 0.05
#: So many records in one look are a flood: the smallest ring holds eight times as many.
FLOOD = 1024
SIZED_EVERY = 1.0
# Seconds between two lines about what was lost, each of which says all of it.
LOSSES_EVERY = 1.0
#: What all rings of a process, and of a run, take together at most where nobody asked for larger ones.
PROCESS_RINGS, RUN_RINGS = 96 << 20, 512 << 20
OLDEST, NEWEST = (3, 9), (3, 13)
#: More lanes than this are told in sums.
NAMED = 50
_LOADED: dict[str, Any] = {}


def level_of(plan: Mapping[str, Any], suite: Optional[Mapping[str, Any]] = None) -> str:
    """How much is traced: off, default or calls. A discovery is never traced."""
    if plan.get("mode") == "discover":
        return "off"
    wanted = (suite or {}).get("trace") or plan.get("trace") or "default"
    return wanted if wanted in {"default", "calls"} else "off"


def traced(plan: Mapping[str, Any]) -> bool:
    """Whether any suite of a plan is traced."""
    return any(level_of(plan, suite) != "off" for suite in plan.get("suites", ()))


def library(probe: str) -> str:
    """Where the library for this machine is, beside the probe; whether it is there, its loader finds out."""
    carried = os.path.join(os.path.dirname(probe), LIBRARIES, f"{target()}.so")
    try:
        # On a box it came apart from the agent, which says by which name it is kept.
        with open(f"{carried}.name", encoding="ascii") as file:
            return runnable(kept_library(file.read().strip()) or carried)
    except (OSError, ValueError):
        return runnable(carried)


def rings(spool: str) -> str:
    """The folder of the rings of a run, beside its spool."""
    return os.path.join(os.path.dirname(spool), RINGS_DIR)


def environ(plan: Mapping[str, Any], suite: Mapping[str, Any], probe: str, spool: str) -> dict[str, str]:
    """What the processes of a suite are told; `off` too, whatever runs around us."""
    level = level_of(plan, suite)
    told = {"TRACEKIT_TRACE": level, **linked(plan, suite, spool)}
    if level == "off":
        return told
    rules: dict[str, Any] = {
        "roots": sorted({os.path.abspath(str(plan["root"])), os.path.abspath(str(suite["cwd"]))}),
        "include": list(suite.get("trace_include") or ()),
        "exclude": list(suite.get("trace_exclude") or ()),
    }
    room = suite.get("trace_ring")
    if isinstance(room, int) and room > 0:
        # A room that somebody asked for is there for four threads, beside the part that is not for calls.
        rules |= {"calls": room, "process": max(PROCESS_RINGS, 6 * room), "run": max(RUN_RINGS, 12 * room)}
    return {
        **told,
        "TRACEKIT_BOX": library(probe),
        "TRACEKIT_TRACE_RULES": json.dumps(rules),
    }


def linked(plan: Mapping[str, Any], suite: Mapping[str, Any], spool: str) -> dict[str, str]:
    """What programs that link the tracer are told; nothing of whatever runs around us."""
    told = dict.fromkeys(("TRACEKIT_RINGS", "TRACEKIT_RING", OWN_SCENARIO, THREAD_SCENARIOS), "")
    if level_of(plan, suite) != "off":
        told |= {"TRACEKIT_RINGS": rings(spool), "TRACEKIT_RING": str(suite.get("trace_ring") or "")}
    return told


def load(path: str) -> Any:
    """The box library as a module of this very process; raises OSError with the reason."""
    if path in _LOADED:
        return _LOADED[path]
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise OSError(0, "the agent's Python is none that the box library knows")
    if not os.path.isfile(path):
        raise OSError(0, "there is no box library for this machine")
    from importlib.machinery import ExtensionFileLoader
    from importlib.util import module_from_spec, spec_from_loader

    try:
        spec = spec_from_loader("_tkbox", ExtensionFileLoader("_tkbox", path))
        if spec is None:
            raise OSError(0, "the box library cannot be loaded")
        _LOADED[path] = module_from_spec(spec)
    except (ImportError, SystemError) as fault:
        raise OSError(0, f"the box library cannot be loaded: {fault}") from fault
    return _LOADED[path]


def checksum(probe: str) -> Checksum:
    """The library's CRC-32, which takes a twentieth of the time; without one, the interpreter's own."""
    try:
        found: Checksum = load(library(probe)).crc32
    except (OSError, AttributeError):
        return checksum_of
    return found


def unavailable(probe: str) -> str:
    """Why nothing can be traced on this box, or nothing."""
    try:
        load(library(probe))
    except OSError as fault:
        return fault.strerror or str(fault)
    return ""


class Trace:
    """The drain of one run; without a library, or with tracing off, it does nothing."""

    def __init__(
        self,
        place: str,
        spool: str,
        plan: Mapping[str, Any],
        probe: str,
        forms: Sequence[tuple[bytes, bytes]],
        *,
        copied: bool = True,
    ) -> None:
        self._place = place
        # Whether somebody elsewhere copies the files, and is told how far they are whole.
        self._copied = copied
        self.rings = rings(spool)
        self._forms = list(forms)
        self._library = library(probe)
        self._limit = int(plan.get("trace_bytes") or 0)
        self.wanted = traced(plan)
        levels = {level_of(plan, suite) for suite in plan.get("suites", ())}
        self._rest = EVERY if "calls" in levels else AT_REST
        self._box: Any = None
        self._drain: Optional[int] = None
        self._next = 0.0
        #: Whether so much comes that it is looked for as often as can be.
        self.hurried = False
        # Records that were lost, and how many of them are told; no oftener than somebody looks.
        self._lost = self._told_lost = 0
        self._told = 0.0
        self._written = 0.0
        self._faults: list[str] = []
        self._failing = ""
        # Blocks are written whole; what a disk let through of one that failed is written over, so that no size
        # counts any more until nothing is written.
        self._sound = True
        self._sizes: dict[str, int] = {}
        self._sized = 0.0

    @property
    def committed(self) -> dict[str, int]:
        """How far each file of the trace is whole, as when it was last looked at."""
        return self._sizes

    def step(self, now: float, *, watched: bool) -> list[dict[str, Any]]:
        """One look, when it is time; gives the lines to note about it."""
        if not self.wanted or now < self._next:
            return []
        self._next = now + EVERY
        write = watched and now - self._written >= WATCHED_EVERY
        if write:
            self._written = now
        if self._drain is None and not self._open():
            return self._lines()
        taken = self._ask("drain_pass", self._drain, write)
        self.hurried = taken >= FLOOD or self._rest == EVERY
        if taken < FLOOD:
            self._next = now + self._rest
        self._look(now if write or now - self._sized > SIZED_EVERY else 0.0)
        return [*self._lines(), *self._losses(now)]

    def end(self) -> list[dict[str, Any]]:
        """The run is over: everything goes to the disk, and it is told what became of it."""
        if not self.wanted:
            return []
        self.wanted = self.hurried = False
        if self._drain is None and not self._open():
            return self._lines()
        self._ask("drain_finish", self._drain)
        told = self._report()
        with contextlib.suppress(Exception):
            self._box.drain_close(self._drain)
        self._drain = None
        self._sizes = trace_files(self._place)
        return [*self._lines(), *told]

    def _losses(self, now: float) -> list[dict[str, Any]]:
        """What the end will tell with its reasons, told while it happens."""
        if self._lost == self._told_lost or now - self._told < LOSSES_EVERY:
            return []
        self._told, self._told_lost = now, self._lost
        return [{"e": E.TRACE_LOST, "lost": self._lost}]

    def _look(self, now: float) -> None:
        self._sound = self._sound and not self._failing
        if now and self._sound and self._copied:
            self._sized = now
            self._sizes = trace_files(self._place)

    def _open(self) -> bool:
        """Begin once there is something to take."""
        if not os.path.isdir(self.rings):
            return False
        try:
            self._box = load(self._library)
            self._drain = self._box.drain_open(self.rings, self._place, self._limit, self._forms)
        except (OSError, ValueError) as fault:
            self._fail(fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault))
        return self._drain is not None

    def _ask(self, name: str, *arguments: Any) -> int:
        """Have the library look; gives how many records it took."""
        try:
            answer = getattr(self._box, name)(*arguments)
        except (OSError, ValueError) as fault:
            self._fail(str(fault))
            return 0
        self._failing = ""
        self._lost += int(answer[1])
        self._faults += answer[4:]
        return int(answer[0])

    def _fail(self, why: str) -> None:
        if why != self._failing:
            self._failing = why
            self._faults.append(why)

    def _lines(self) -> list[dict[str, Any]]:
        faults, self._faults = self._faults, []
        return [{"e": E.GAP, "what": "trace", "count": 1, "why": why} for why in faults]

    def _report(self) -> list[dict[str, Any]]:
        try:
            text = self._box.drain_report(self._place)
        except (OSError, ValueError) as fault:
            self._fail(str(fault))
            return []
        return [summed(text)]


def summed(text: str) -> dict[str, Any]:
    """The line about the whole trace, from what the library says of each lane."""
    lanes = records = 0
    lost: dict[str, int] = {}
    missing: list[dict[str, Any]] = []
    faults: list[str] = []
    for line in text.splitlines():
        kind, *rest = line.split("\t")
        if kind == "lane" and len(rest) == 7:
            pid, tid, lane, count, gone, end, name = rest
            lanes += 1
            records += int(count)
            if gone != "0" or not (end or lane == "process"):
                missing.append(
                    {
                        "pid": int(pid),
                        "tid": int(tid),
                        "lane": lane,
                        "name": name,
                        "lost": int(gone),
                        "end": end,
                    }
                )
        elif kind == "lost" and len(rest) == 2:
            lost[rest[1]] = lost.get(rest[1], 0) + int(rest[0])
        elif kind == "fault":
            faults += rest
    return {
        "e": E.TRACE_ENDED,
        "lanes": lanes,
        "records": records,
        "lost": sum(lost.values()),
        "why": lost,
        "complete": not (missing or faults),
        "missing": missing[:NAMED],
        "missing_count": len(missing),
        "faults": faults[:NAMED],
    }
