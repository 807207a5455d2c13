"""Brings the recording of a run to an end after everything that wrote it has died.

Spools that nobody has read are ingested as the daemon would have done it: redacted, output first. What was written and
never committed is cut; what has no end gets one, with its reason. It judges nothing that the journal does not say, and
whoever calls it has made sure that nobody else writes here.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracekit.agent.ingest import Ingest
from tracekit.agent.recording import Batch, Recording, Restored
from tracekit.agent.redact import Redactor
from tracekit.agent.runners.base import Exit
from tracekit.agent.runners.ends import how
from tracekit.agent.system import RESERVE, System
from tracekit.model.scenarios import group_facts
from tracekit.store import packing, recorded
from tracekit.wire.lines import LineError, decode
from tracekit.wire.names import JOURNAL_FILE, OUTPUT_FILE, RINGS_DIR, SPOOL_DIR, E
from tracekit.wire.problems import Problem, ProblemError

REASON = "agent-died"
_DIED = "everything that ran it died"
#: The words of a launch whose process ended in order and had no room for all that it had to say.
_FULL = "the disk was full: how they ended could not be written down"
_SUPERVISOR = re.compile(r"supervisor-\d+-\d+\.ndjson")
_NAMED = 1000


@dataclass
class Recovered:
    """What was done, in counts."""

    run: str
    #: It had its end already, and nothing waited in a spool.
    whole: bool = False
    lines: int = 0
    output_bytes: int = 0
    cut_bytes: int = 0
    #: Attempts that got the end that nobody wrote.
    ended: int = 0
    not_run: int = 0
    #: Attempts of which nobody knows how they ended, as the disk took no more lines.
    unknown: int = 0
    #: Events that were still in rings.
    traced: int = 0
    #: Bytes of spools that could not be checked for secrets, and are gone.
    dropped_bytes: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)


@dataclass
class _Told:
    """What the committed journal says, as far as an end needs it."""

    started: bool = False
    ended: bool = False
    committed: bool = False
    lines: int = 0
    last_m: int = 0
    found: dict[str, None] = field(default_factory=dict)
    ends: dict[str, tuple[int, str]] = field(default_factory=dict)
    running: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    exits: dict[str, dict[str, Any]] = field(default_factory=dict)
    launches: dict[str, dict[str, Any]] = field(default_factory=dict)


def waiting(place: Path) -> int:
    """How many bytes the spools of a box's folder hold."""
    total = 0
    with contextlib.suppress(OSError):
        for file in (place / SPOOL_DIR).iterdir():
            if file.name != RESERVE and file.is_file():
                total += file.lstat().st_size
    return total


def recover(
    system: System, place: Path, run: str, first: dict[str, Any], secrets: dict[str, str] | None
) -> Recovered:
    """Recover one box's folder; `first` is the line that begins a run which has none yet.

    Without `secrets` (None, not empty) nothing of the spools is taken over, and that is told as a gap. Raises
    ProblemError when the disk does not take it; then everything is as it was, or further along.
    """
    spool = place / SPOOL_DIR
    done = Recovered(run)
    before = _size(place)
    if not spool.is_dir():
        told = _read(place)
        if told.ended:
            done.whole, done.verdicts = True, _verdicts(told)
            return done
        if not told.committed:
            raise ProblemError(_nothing(place))
    packing.unpack(place, system.files)
    pid = os.getpid()
    source = f"{place.name}/daemon/{pid}-{system.processes.started(pid)}"
    recording = Recording(system, str(place), run, source, Redactor(secrets or {}))
    try:
        restored = recording.open()
        done.cut_bytes = max(0, before - sum(recording.committed.values()))
        if secrets is None:
            batch = _dropped(spool, restored, done)
        else:
            ingest = Ingest(system, str(spool), run, place.name, Redactor(secrets))
            batch = _ingested(recording, ingest, restored)
        batch.own += _traced(place, secrets, done)
        _close(recording, first, batch, done, source)
        recording.sync()
    except OSError as fault:
        raise ProblemError(_disk(place, fault.strerror or str(fault))) from fault
    finally:
        recording.close()
    done.output_bytes = recording.committed[OUTPUT_FILE]
    with contextlib.suppress(OSError):
        system.files.remove_tree(str(spool))
    with contextlib.suppress(OSError):
        system.files.remove_tree(str(place / RINGS_DIR))
    return done


def _traced(place: Path, secrets: dict[str, str] | None, done: Recovered) -> list[dict[str, Any]]:
    """What the rings still hold becomes part of the trace; gives the lines about it."""
    rings = place / RINGS_DIR
    if not rings.is_dir():
        return []
    if secrets is None:
        why = "the run had secrets that nobody can name, so its rings were not read"
        return [{"e": E.GAP, "what": "trace", "count": 1, "why": why}]
    from tracekit._native import TraceView, recover_trace, verify_trace

    try:
        done.traced, _, strange = recover_trace(rings, place, Redactor(secrets).pairs())
        lanes, records, lost, _, complete, faults = verify_trace(place)
        gaps = TraceView(place)
        gaps.filter("kind:gap")
        missing = Counter[str]()
        for row in gaps.rows(0, len(gaps)):
            missing[row.name] += row.value or 0
    except OSError as fault:
        return [{"e": E.GAP, "what": "trace", "count": 1, "why": str(fault)}]
    told = {"lanes": lanes, "records": records, "lost": lost, "why": dict(missing), "complete": complete}
    unread = [{"e": E.GAP, "what": "trace", "count": 1, "why": why} for why in strange[:_NAMED]]
    return [*unread, {"e": E.TRACE_ENDED, **told, "faults": faults[:_NAMED]}]


def _ingested(recording: Recording, ingest: Ingest, restored: Restored) -> Batch:
    """Everything that waits in the spools, committed; gives the batch that closes them."""
    ingest.supervisor = _supervisor(Path(ingest.directory))
    ingest.restore(restored)
    launch = str((restored.driver or {}).get("launch") or "")
    batch = Batch()
    ingest.collect(batch, recording.next_output, launch)
    while not batch.empty:
        _commit(recording, batch)
        batch = Batch()
        ingest.collect(batch, recording.next_output, launch)
        ingest.rest(batch, recording.next_output)
    for known in sorted({each.launch for each in ingest.spools.values()}):
        ingest.finish(batch, recording.next_output, known)
    return batch


def _dropped(spool: Path, restored: Restored, done: Recovered) -> Batch:
    """What could hold a secret that nobody can name any more is not taken over; how much it was is told."""
    batch = Batch()
    with contextlib.suppress(OSError):
        for file in spool.iterdir():
            # Captured output is read through the lines that name it: how much it was stands in no count of lines.
            if file.name != RESERVE and file.suffix != ".cap" and file.is_file():
                done.dropped_bytes += max(0, file.lstat().st_size - restored.at.get(file.name, 0))
    if done.dropped_bytes:
        why = "the run's secrets are not known any more"
        batch.own.append({"e": E.GAP, "what": "spooled bytes", "count": done.dropped_bytes, "why": why})
    return batch


def _close(recording: Recording, first: dict[str, Any], batch: Batch, done: Recovered, source: str) -> None:
    """Commit what is left and every end that is missing."""
    _commit(recording, batch)
    told = _read(Path(recording.directory), source)
    done.lines = told.lines
    if told.ended:
        done.verdicts = _verdicts(told)
        return
    batch = Batch()
    if not told.started:
        batch.own.append(first)
    unheard = _unheard(Path(recording.directory), told)
    for (scenario, number), line in sorted(told.running.items()):
        if line.get("launch") in unheard:
            done.unknown += not line.get("parent")
            continue
        end = _end(scenario, number, line, told)
        batch.own.append(end)
        done.ended += 1
        if not line.get("parent") and number >= told.ends.get(scenario, (0, ""))[0]:
            told.ends[scenario] = (number, end["verdict"])
    for launch in told.launches:
        if launch not in told.exits:
            line = {"e": E.PHASE_ENDED, "phase": "launch", "id": launch, "exit": None, "signal": None}
            batch.own.append({**line, "why": REASON})
    begun = {scenario for scenario, _ in told.running}
    left = [scenario for scenario in told.found if scenario not in told.ends and scenario not in begun]
    if left or done.unknown:
        batch.own += [_disk_full(recording.directory, told, launch) for launch in unheard]
    done.not_run, done.verdicts = len(left), _verdicts(told)
    state = "incomplete" if done.dropped_bytes or unheard else "complete"
    batch.own.append(
        {
            "e": E.RUN_ENDED,
            "reason": REASON,
            "verdicts": done.verdicts,
            "not_run": left[:_NAMED],
            "not_run_count": len(left),
            "why": _FULL if unheard else _DIED,
            "recording": state,
            "recovered": True,
        }
    )
    done.lines += len(batch.own)
    _commit(recording, batch)


def _unheard(place: Path, told: _Told) -> list[str]:
    """The launches on a disk so full that what was set aside for lines was used up.

    How full it was when a process died nobody can see any more: its last lines may be lost as well.
    """
    if (place / SPOOL_DIR / RESERVE).exists() or not (place / SPOOL_DIR).is_dir():
        return []
    return sorted({*told.launches, *told.exits})


def _disk_full(directory: str, told: _Told, launch: str) -> dict[str, Any]:
    exited = told.exits.get(launch, {})
    code, number = exited.get("exit"), exited.get("signal")
    said = _DIED if not exited else f"the runner itself {how(Exit(code, number, b'', b''))}"
    return {
        "e": E.RUNNER_FAILED_TO_START,
        "suite": told.launches.get(launch, {}).get("suite", ""),
        "launch": launch,
        "command": list(told.launches.get(launch, {}).get("command") or ()),
        "exit": code,
        "signal": number,
        "stderr": "",
        "remedy": f"free space on the disk of {directory}, and run again",
        "code": "disk.full",
        "why": f"the disk was full, and not every end of a test could be written down; {said}",
    }


def _end(scenario: str, number: int, line: dict[str, Any], told: _Told) -> dict[str, Any]:
    """The end of an attempt that has none: crashed where its process is known to have ended first, else cut short."""
    exited = told.exits.get(str(line.get("launch")))
    began = line.get("m")
    end: dict[str, Any] = {
        "e": E.ATTEMPT_ENDED,
        "scenario": scenario,
        "attempt": number,
        "verdict": "cancelled" if exited is None else "crashed",
        "cause": None if exited is None else "crash",
        "d": max(0, told.last_m - began) if isinstance(began, int) else 0,
        "durations": {},
        "reason": _DIED if exited is None else "its process ended",
    }
    if exited is not None:
        end.update({key: exited.get(key) for key in ("exit", "signal")})
    if line.get("parent"):
        end["parent"] = line["parent"]
    return end


def _read(place: Path, ours: str = "") -> _Told:
    told = _Told()
    try:
        with recorded.opened(place / JOURNAL_FILE) as file:
            for raw in file:
                if raw.endswith(b"\n"):
                    with contextlib.suppress(LineError):
                        _take(told, decode(raw), ours)
    except FileNotFoundError:
        pass
    except OSError as fault:
        raise ProblemError(_disk(place, fault.strerror or str(fault))) from fault
    return told


def _take(told: _Told, line: dict[str, Any], ours: str) -> None:
    told.lines += 1
    event, scenario, number = line.get("e"), line.get("scenario"), line.get("attempt", 1)
    m = line.get("m")
    # Our own lines are of today, which is long after what they speak of.
    if isinstance(m, int) and line.get("src") != ours:
        told.last_m = max(told.last_m, m)
    if event == E.RUN_STARTED:
        told.started = True
    elif event == E.INGESTED:
        told.committed = True
    elif event == E.RUN_ENDED:
        told.ended = True
    elif event == E.PHASE_STARTED and line.get("phase") == "launch":
        told.launches[str(line.get("id"))] = line
    elif event == E.PHASE_ENDED and line.get("phase") == "launch":
        told.exits[str(line.get("id"))] = line
    elif event == E.SCENARIOS_FOUND:
        told.found.update((facts.id, None) for facts in group_facts(line))
    elif isinstance(scenario, str) and isinstance(number, int):
        if event == E.SCENARIO_FOUND and not line.get("parent"):
            told.found[scenario] = None
        elif event == E.ATTEMPT_STARTED:
            if (scenario, number) not in told.running:
                told.running[scenario, number] = line
        elif event == E.ATTEMPT_ENDED:
            _ended(told, line, scenario, number)


def _ended(told: _Told, line: dict[str, Any], scenario: str, number: int) -> None:
    told.running.pop((scenario, number), None)
    verdict = line.get("verdict")
    if not line.get("parent") and isinstance(verdict, str) and number >= told.ends.get(scenario, (0, ""))[0]:
        told.ends[scenario] = (number, verdict)


def _verdicts(told: _Told) -> dict[str, int]:
    return dict(sorted(Counter(verdict for _, verdict in told.ends.values()).items()))


def _commit(recording: Recording, batch: Batch) -> None:
    if not recording.commit(batch):
        raise ProblemError(_disk(Path(recording.directory), recording.why))


def _supervisor(spool: Path) -> str:
    with contextlib.suppress(OSError):
        return next((name for name in sorted(os.listdir(spool)) if _SUPERVISOR.fullmatch(name)), "")  # noqa: PTH208
    return ""


def _size(place: Path) -> int:
    total = 0
    for name in (JOURNAL_FILE, OUTPUT_FILE):
        with contextlib.suppress(OSError):
            total += recorded.size(place / name)
    return total


def _nothing(place: Path) -> Problem:
    what = "nothing of the run was ever committed, and no spool is left to read it from"
    action = "what its journal holds can be shown with `tracekit replay`"
    return Problem("recover.nothing", what, str(place), action)


def _disk(place: Path, why: str) -> Problem:
    what = f"the recording cannot be written: {why}"
    action = "free space there and say it again: nothing is lost so far"
    return Problem("recover.disk", what, str(place), action)
