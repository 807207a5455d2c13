"""Which runs are kept, which are let go, and how one is taken off the disk: whole, or not at all.

A run that somebody still needs is never touched: a live one, one that another console copies, one that waits here for
the console that asked for it. What is decided here depends on names, sizes and verdicts, never on what a run says.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tracekit.agent.kept import COPIERS, KEPT_SECONDS
from tracekit.agent.paths import Places as AgentPlaces
from tracekit.agent.system import Files, free_space
from tracekit.store import recorded
from tracekit.store.catalogue import RunSummary
from tracekit.store.packing import Going, clear, pack, plain_bytes
from tracekit.store.runs import LOCAL_BOX, PIN_FILE, RunFolder, RunStore, unwritable
from tracekit.wire.ids import is_run_id, ulid_ms
from tracekit.wire.names import RED, RINGS_DIR, SPOOL_DIR
from tracekit.wire.problems import Problem, ProblemError

GONE = ".gone"
PART = ".part"
_DAY_NS = 86_400 * 10**9
# The agent has a launch on its list well before this.
_BEING_STARTED_NS = 3_600 * 10**9
_SHARE_OF_DISK = 10
# So many of the newest runs stay as they are for a day: they are opened again and again.
_NEWEST = 20
# Whoever was following it has seen its end by then.
_JUST_ENDED_NS = 600 * 10**9


class Limits(NamedTuple):
    """How much is kept."""

    runs: int = 100
    seconds: float = 30 * 86_400.0
    bytes: int = 10 << 30

    def room(self, free: int, used: int) -> int:
        """How much all runs may weigh: what is set, or a tenth of what would be free without them."""
        return min(self.bytes, (free + used) // _SHARE_OF_DISK)


class Choice(NamedTuple):
    """A run that may go, and why it is its turn."""

    row: RunSummary
    why: str


@dataclass(slots=True)
class Swept:
    """What retention did, or would do."""

    removed: list[Choice] = field(default_factory=list)
    #: Runs whose turn it was, and why they stay all the same.
    held: list[Choice] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    freed: int = 0
    kept: int = 0
    kept_bytes: int = 0
    #: Runs whose files were packed, and how much less they weigh for it, or how much there is to pack.
    packed: int = 0
    saved: int = 0
    pinned: int = 0
    room: int = 0


def superfluous(rows: Sequence[RunSummary], limits: Limits, now_ns: int, room: int) -> list[Choice]:
    """The runs that are over a limit, in the order in which they go: what a search asked, green before red, old before
    new.

    Neither a pinned run nor the newest of all is among them.
    """
    newest = max((row.run_id for row in rows), default="")
    ordered = sorted(
        (row for row in rows if row.pinned is None and row.run_id != newest),
        key=lambda row: (not row.facts.get("purpose"), _red(row), row.run_id),
    )
    chosen: dict[str, Choice] = {}
    for row in ordered:
        # What somebody brought here today is not old, whenever it was recorded.
        since = max(ulid_ms(row.run_id) * 10**6, row.imported)
        if now_ns - since > limits.seconds * 10**9:
            chosen[row.run_id] = Choice(row, "too old")
    count = sum(row.pinned is None for row in rows) - len(chosen)
    weight = sum(row.disk_bytes for row in rows) - sum(one.row.disk_bytes for one in chosen.values())
    for row in ordered:
        if count <= limits.runs and weight <= room:
            break
        if row.run_id not in chosen:
            chosen[row.run_id] = Choice(row, "too many" if count > limits.runs else "too large together")
            count -= 1
            weight -= row.disk_bytes
    return list(chosen.values())


def to_pack(rows: Sequence[RunSummary], now_ns: int) -> list[RunSummary]:
    """The ended runs that are looked at seldom, oldest first: not of today, or not among the newest."""
    newest = {row.run_id for row in sorted(rows, key=lambda row: row.run_id)[-_NEWEST:]}
    return sorted(
        (
            row
            for row in rows
            if row.ended
            and (
                row.run_id not in newest or now_ns - max(ulid_ms(row.run_id) * 10**6, row.imported) > _DAY_NS
            )
        ),
        key=lambda row: row.run_id,
    )


def pack_run(
    store: RunStore, row: RunSummary, needed: Needed, now_ns: int, *, most: int, dry: bool, going: Going
) -> tuple[int, int]:
    """Pack a run that has ended, if nobody needs it as it is and there are no more than `most` bytes to pack.

    Gives how much there was to pack, and how much less it weighs; `going` says whether there is time. Raises
    ProblemError when the disk does not allow it.
    """
    folder = RunFolder(store.runs_dir / row.run_id, row.run_id)
    place = folder.box_dir
    work = plain_bytes(place)

    def idle() -> bool:
        return (
            not needed.reason(folder, row.ended, now_ns)
            and not any((place / name).is_dir() for name in (SPOOL_DIR, RINGS_DIR))
            and _at_rest(folder.journal, row, now_ns)
        )

    if not work or work > most or not idle():
        return 0, 0
    return work, work if dry else pack(place, Files(), still=idle, going=going)


def _at_rest(journal: Path, row: RunSummary, now_ns: int) -> bool:
    """Whether a journal is what it was when its end was read, and was so for a while."""
    try:
        facts = journal.stat()  # plain: a packed one is at rest
    except OSError:
        return recorded.there(journal)
    return facts.st_size == row.journal_bytes and now_ns - facts.st_mtime_ns > _JUST_ENDED_NS


def sweep(
    store: RunStore, rows: Sequence[RunSummary], limits: Limits, now_ns: int, *, dry: bool = False
) -> Swept:
    """Let go of what is over a limit; never raises for a run that cannot be removed."""
    used = sum(row.disk_bytes for row in rows)
    try:
        room = limits.room(free_space(str(store.state)), used)
    except OSError:
        room = limits.bytes
    swept = Swept(room=room, pinned=sum(row.pinned is not None for row in rows))
    chosen = superfluous(rows, limits, now_ns, room)
    needed = Needed(store.state) if chosen else None
    for choice in chosen:
        folder = RunFolder(store.runs_dir / choice.row.run_id, choice.row.run_id)
        reason = needed.reason(folder, choice.row.ended, now_ns) if needed is not None else ""
        if reason:
            swept.held.append(Choice(choice.row, reason))
            continue
        if not dry:
            try:
                remove(folder)
            except ProblemError as fault:
                swept.problems.extend(fault.problems)
                continue
        swept.removed.append(choice)
        swept.freed += choice.row.disk_bytes
    if not dry:
        clear_leftovers(store, now_ns)
    swept.kept = len(rows) - len(swept.removed)
    swept.kept_bytes = used - swept.freed
    return swept


class Needed:
    """Why runs must stay where they are, by what the agent and other consoles of this machine say."""

    def __init__(self, state: Path) -> None:
        self._live = {str(entry.get("run")) for entry in AgentPlaces(str(state)).live_runs()}

    def reason(self, folder: RunFolder, ended: bool, now_ns: int) -> str:
        """What needs this run; empty when nothing does."""
        if folder.run_id in self._live:
            return "live"
        if (folder.path / COPIERS).exists():
            return "kept for the console that started it"
        if _locked(folder):
            return "another console is copying it"
        if ended:
            return ""
        age = now_ns - ulid_ms(folder.run_id) * 10**6
        if (folder.box_dir / SPOOL_DIR).is_dir():
            return f"not ended: tracekit recover {folder.path}"
        if not folder.has_journal and age < _BEING_STARTED_NS:
            return "being started"
        if folder.box_dir.name != LOCAL_BOX and age < KEPT_SECONDS * 10**9:
            return "its box may still have it"
        return ""


def remove(folder: RunFolder) -> None:
    """Take a run off the disk: gone in one step for every reader, then piece by piece. Raises ProblemError."""
    gone = folder.path.with_name(folder.run_id + GONE)
    shutil.rmtree(gone, ignore_errors=True)
    try:
        folder.path.rename(gone)
    except FileNotFoundError:
        return  # another console was quicker
    except OSError as fault:
        what = f"the run cannot be removed: {fault.strerror or fault}"
        raise ProblemError(
            Problem("store.not_removed", what, str(folder.path), "make its directory writable")
        ) from fault
    # What is left of it now is tried again by the next sweep.
    shutil.rmtree(gone, ignore_errors=True)


def clear_leftovers(store: RunStore, now_ns: int) -> None:
    """What a removal or an import left half done."""
    with contextlib.suppress(OSError):
        for entry in list(store.runs_dir.iterdir()):
            name, dot, ending = entry.name.partition(".")
            if not is_run_id(name) or not dot:
                continue
            old = now_ns - entry.lstat().st_mtime_ns > _DAY_NS
            if f".{ending}" == GONE or (f".{ending}".startswith(PART) and old):
                shutil.rmtree(entry, ignore_errors=True)


def clear_parts(store: RunStore) -> None:
    """What a packing left half done."""
    for folder in store.folders():
        clear(folder.box_dir)


def pin(folder: RunFolder, reason: str) -> None:
    """Keep a run, whatever the limits say; raises ProblemError when the disk does not take it."""
    part = folder.path / f"{PIN_FILE}{PART}"
    try:
        part.write_text(" ".join(reason.split()) + "\n", encoding="utf-8", errors="backslashreplace")
        part.replace(folder.path / PIN_FILE)
    except OSError as fault:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise ProblemError(unwritable(folder.path, fault)) from fault


def unpin(folder: RunFolder) -> bool:
    """Leave a run to the limits again; says whether it was pinned."""
    try:
        (folder.path / PIN_FILE).unlink()
    except FileNotFoundError:
        return False
    except OSError as fault:
        raise ProblemError(unwritable(folder.path, fault)) from fault
    return True


def _red(row: RunSummary) -> bool:
    """Whether a run has something to look at: red scenarios, or an end that is none."""
    return not row.ended or row.reason not in {"finished", ""} or any(row.counts.get(word) for word in RED)


def _locked(folder: RunFolder) -> bool:
    locks: Iterable[Path] = folder.path.glob("*.lock")
    for lock in locks:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
    return False
