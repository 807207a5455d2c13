"""Checks a run directory line by line, and says what is damaged and where.

It reads only; nothing is mended here. What is beyond the last whole line is a write that never ended, not damage, as
long as the run has no end.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tracekit.store import recorded
from tracekit.store.packing import differing
from tracekit.store.recorded import DamagedFileError
from tracekit.store.runs import RunFolder
from tracekit.wire import lines
from tracekit.wire.names import BLOB_DIR, LINE_VERSION, OUTPUT_FILE, SPOOL_DIR, TRACE_DIR, E
from tracekit.wire.problems import Problem, ProblemError

MAX_SHOWN = 100
_CHUNK = 1 << 20


@dataclass(slots=True)
class Verified:
    """What a check of one run found."""

    run_id: str
    journal_lines: int = 0
    #: Lines that are missing, in a recording which says itself that it is incomplete.
    lines_lost: int = 0
    sources: int = 0
    output_bytes: int = 0
    blobs: int = 0
    #: Of the trace: rows, rows that are said to be missing, and whether nothing is missing at all.
    events: int = 0
    events_lost: int = 0
    trace_complete: bool = True
    ended: bool = False
    problems: list[Problem] = field(default_factory=list)
    more: int = 0

    def add(self, code: str, what: str, where: str, action: str = "") -> None:
        """Keep a problem, up to what a person can read."""
        if len(self.problems) < MAX_SHOWN:
            self.problems.append(Problem(f"verify.{code}", what, where, action))
        else:
            self.more += 1


@dataclass(slots=True)
class _Told:
    """What the lines of a journal say together, to be held against each other at its end."""

    windows: list[tuple[int, int, int]] = field(default_factory=list)
    #: Where a source's count jumps: how many lines are missing, in words, and where.
    jumps: list[tuple[int, str, str]] = field(default_factory=list)
    #: The latest attempt of each scenario and how it ended; sub-tests are counted with their parents.
    ends: dict[str, tuple[int, str]] = field(default_factory=dict)
    end: dict[str, object] | None = None
    end_line: int = 0
    out: int | None = None
    out_line: int = 0


def verify(folder: RunFolder) -> Verified:
    """Check one run; every problem is in the result, none is raised."""
    found = Verified(folder.run_id)
    try:
        if not folder.facts():
            found.add("no_run_file", "run.json is missing", str(folder.path))
    except ProblemError as fault:
        found.problems.extend(fault.problems)
    if not folder.has_journal:
        found.add(
            "no_journal", "the journal is missing", str(folder.journal), "the run cannot be shown without it"
        )
        return found
    for part in (_output, _recorded, _blobs, _trace):
        try:
            part(folder, found)
        except DamagedFileError as fault:
            action = "put a copy of the file in its place: nobody else can read what is in it"
            found.add("packed", fault.what, fault.filename, action)
        except OSError as fault:
            found.add(
                "unreadable", f"cannot be read: {fault.strerror or fault}", str(fault.filename or folder.path)
            )
    return found


def _output(folder: RunFolder, found: Verified) -> None:
    file = folder.box_dir / OUTPUT_FILE
    if not recorded.there(file):
        return
    found.output_bytes = recorded.size(file)
    _beside(file, found)
    if not file.is_file():  # plain: reading that checks nothing
        with recorded.opened(file) as packed:
            while packed.read(_CHUNK):
                pass


def _beside(file: Path, found: Verified) -> None:
    """A packing that was cut short leaves the plain file, which counts, and perhaps the packed one."""
    if differing(file):
        what = f"{file.name} and {recorded.packed(file).name} do not hold the same"
        found.add("two_files", what, str(file), "the plain one is read: remove the one that is wrong")


def _recorded(folder: RunFolder, found: Verified) -> None:
    _beside(folder.journal, found)
    _journal(folder.journal, found, held=(folder.box_dir / SPOOL_DIR).is_dir())


def _trace(folder: RunFolder, found: Verified) -> None:
    place = folder.box_dir
    if not (place / TRACE_DIR).is_dir():
        return
    from tracekit._native import verify_trace

    _, found.events, found.events_lost, _, found.trace_complete, faults = verify_trace(place)
    for fault in faults:
        # While it is written, its last block may be half there.
        if found.ended or "not whole" not in fault:
            where, _, what = fault.rpartition(": ")
            found.add("trace", what, where or str(place), "its other rows can still be shown")


def _journal(path: Path, found: Verified, *, held: bool) -> None:
    if not recorded.size(path):
        found.add("empty_journal", "the journal is empty", str(path), "the run cannot be shown without it")
        return
    next_n: dict[str, int] = {}
    told = _Told()
    with recorded.opened(path) as file:
        for number, line in enumerate(file, 1):
            where = f"{path}:{number}"
            if not line.endswith(b"\n"):
                if found.ended:
                    found.add("torn_line", "the last line was never finished", where)
                break
            try:
                obj = lines.decode(line)
            except lines.LineError as fault:
                found.add("bad_line", str(fault), where)
                continue
            found.journal_lines += 1
            _line(obj, where, next_n, found, told)
            _tell(obj, number, told)
    found.sources = len(next_n)
    if not found.ended and not held:
        action = "its last lines are lost: what the journal holds can still be shown"
        found.add("no_end", "the run has no end and nobody holds it", str(path), action)
    _jumps(told, found)
    _output_size(told, path, found)
    _verdicts(told, path, found)
    _overlaps(told, path, found)


def _tell(obj: dict[str, object], number: int, told: _Told) -> None:
    event = obj.get("e")
    if event == E.RUN_ENDED:
        told.end, told.end_line = obj, number
    elif event == E.INGESTED:
        out = obj.get("out")
        if isinstance(out, int):
            told.out, told.out_line = out, number
    elif event == E.OUTPUT:
        offset, length = obj.get("offset"), obj.get("length")
        if isinstance(offset, int) and isinstance(length, int) and length > 0:
            told.windows.append((offset, length, number))
    elif event == E.ATTEMPT_ENDED and not obj.get("parent"):
        _attempt(obj, told)


def _attempt(obj: dict[str, object], told: _Told) -> None:
    scenario, attempt, verdict = obj.get("scenario"), obj.get("attempt"), obj.get("verdict")
    if not (isinstance(scenario, str) and isinstance(attempt, int) and isinstance(verdict, str)):
        return
    if attempt >= told.ends.get(scenario, (0, ""))[0]:
        told.ends[scenario] = (attempt, verdict)


def _jumps(told: _Told, found: Verified) -> None:
    if told.end is not None and told.end.get("recording") == "incomplete":
        found.lines_lost = sum(missing for missing, _, _ in told.jumps)
        return
    for _, what, where in told.jumps:
        found.add("gap", what, where)


def _output_size(told: _Told, path: Path, found: Verified) -> None:
    # A run that goes on may have written output whose line is still to come.
    wrong = told.out is not None and (
        found.output_bytes != told.out if found.ended else found.output_bytes < told.out
    )
    if wrong:
        what = f"the journal speaks of {told.out} bytes of output, {found.output_bytes} are there"
        found.add("output_size", what, f"{path}:{told.out_line}")


def _verdicts(told: _Told, path: Path, found: Verified) -> None:
    # A recording that says itself that it is incomplete is not expected to agree.
    if told.end is None or told.end.get("recording") == "incomplete":
        return
    said = told.end.get("verdicts")
    counted = dict(Counter(verdict for _, verdict in told.ends.values()))
    if isinstance(said, dict) and {word: count for word, count in said.items() if count} != counted:
        what = f"the end says {_words(said)}, the attempts say {_words(counted)}"
        found.add("verdicts", what, f"{path}:{told.end_line}")


def _words(verdicts: dict[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(verdicts.items())) or "nothing"


def _overlaps(told: _Told, path: Path, found: Verified) -> None:
    covered = 0
    for offset, length, number in sorted(told.windows):
        if offset < covered:
            found.add("overlap", f"output {offset}+{length} was given away before", f"{path}:{number}")
        covered = max(covered, offset + length)


def _line(obj: dict[str, object], where: str, next_n: dict[str, int], found: Verified, told: _Told) -> None:
    version, source, number = obj.get("v"), obj.get("src"), obj.get("n")
    if version != LINE_VERSION:
        found.add("other_version", f"line version {version}, this program reads {LINE_VERSION}", where)
        return
    if obj.get("run") != found.run_id:
        found.add("other_run", f"the line belongs to run {obj.get('run')}", where)
    if not isinstance(source, str) or not isinstance(number, int):
        found.add("no_source", "the line does not say which source counted it", where)
        return
    expected = next_n.get(source, 1)
    if number != expected:
        what = f"{source} goes from {expected - 1} to {number}"
        if number > expected:
            told.jumps.append((number - expected, what, where))
        else:
            found.add("repeated", what, where)
    next_n[source] = number + 1
    event = obj.get("e")
    if event == E.RUN_ENDED:
        found.ended = True
    elif event == E.OUTPUT and "offset" in obj:
        _window(obj, where, found)


def _window(obj: dict[str, object], where: str, found: Verified) -> None:
    offset, length = obj.get("offset"), obj.get("length")
    if not isinstance(offset, int) or not isinstance(length, int) or offset < 0 or length < 0:
        found.add("bad_window", "an output line does not say which bytes", where)
    elif offset + length > found.output_bytes:
        found.add(
            "missing_output",
            f"output {offset}+{length} is beyond the {found.output_bytes} recorded bytes",
            where,
        )


def _blobs(of: RunFolder, found: Verified) -> None:
    folder = of.box_dir / BLOB_DIR
    if not folder.is_dir():
        return
    for name in sorted(entry.name for entry in folder.iterdir()):
        if name.endswith(".part"):
            continue
        digest = hashlib.blake2b(digest_size=32)
        with (folder / name).open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        found.blobs += 1
        if digest.hexdigest() != name:
            found.add("bad_blob", "the bytes do not match the name", str(folder / name))
