"""Reports of other tools as runs: what a report tells becomes the journal of an ordinary run, which nobody runs again.

A report is read twice: once to know that it is one and how long its tests took, once to write. The same bytes of the
same time are the same run. It starts nothing, and nothing stays of what could not be read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracekit.agent.hosts.cases import Cases
from tracekit.agent.hosts.request import Request
from tracekit.agent.hosts.telling import Teller
from tracekit.agent.recording import Batch, Recording
from tracekit.agent.redact import Redactor
from tracekit.agent.reports.cases import Begun, Case, CutShortError, Left, Reader, ReportError
from tracekit.agent.reports.readers import FORMATS, guessed, reader
from tracekit.agent.system import Clock, System
from tracekit.store.runs import LOCAL_BOX, RunFolder, RunStore, unwritable
from tracekit.wire.ids import SUBTEST_MARK, id_prefix, new_ulid, subtest_id
from tracekit.wire.names import CUT_SHORT, PLAN_SCHEMA, E
from tracekit.wire.problems import Problem, ProblemError

_CHUNK = 1 << 20
_FIRST = 64 * 1024
_BATCH = 2000
_TOLD = ("mode", "root", "environment", "profile", "parent", "seed", "trace", "versions")


@dataclass(frozen=True, slots=True)
class Report:
    """One report, looked at: what it is, of when, and how long its tests took together."""

    path: Path
    form: str
    mtime_ns: int
    seconds: float
    cases: int
    digest: bytes
    #: What is wrong with it, where what came of it still stands.
    fault: str = ""
    #: Tests that begin in it and have no end.
    without_end: int = 0


def look(path: Path, form: str = "") -> Report:
    """Read a report once. Raises ProblemError for what is none, and for one that tells of no test."""
    digest = hashlib.blake2b(digest_size=16)
    total, cases, fault = 0.0, 0, ""
    begun: set[tuple[str, ...]] = set()
    try:
        mtime = path.stat().st_mtime_ns
        with path.open("rb") as file:
            form = form or guessed(file.read(_FIRST)) or ""
        if not form:
            raise ProblemError(_no_report(path, "it begins like none that is known"))
        for told in _told(path, form, digest):
            if isinstance(told, ReportError):
                fault = str(told)
            elif isinstance(told, Case):
                cases += 1
                total += told.seconds or 0.0
                begun.discard(told.path)
            elif isinstance(told, Begun):
                begun.add(told.path)
            elif isinstance(told, Left):
                cases += 1
                begun.discard(told.path)
    except OSError as problem:
        what = f"cannot be read: {problem.strerror or problem}"
        raise ProblemError(
            Problem("import.unreadable", what, str(path), "name a file that is there")
        ) from problem
    if not cases and not begun:
        raise ProblemError(_no_report(path, fault or "it tells of no test", form))
    if begun and not fault:
        fault = "it ends before its tests do"
    return Report(path, form, mtime, total, cases + len(begun), digest.digest(), fault, len(begun))


def _no_report(path: Path, why: str, form: str = "") -> Problem:
    known = ", ".join(FORMATS)
    what = f"not a {form} report: {why}" if form else f"neither a bundle nor a report: {why}"
    return Problem("import.no_report", what, str(path), f"`--format` says which it is: {known}")


def bring_in(
    store: RunStore, reports: Sequence[Report], root: str, suite: str, version: str
) -> tuple[RunFolder, bool]:
    """Make these reports one run; says whether it was new. After a ProblemError nothing has changed."""
    digest = hashlib.blake2b(f"{root}\0{suite}".encode("utf-8", "surrogateescape"), digest_size=10)
    for report in reports:
        digest.update(report.form.encode() + report.digest)
    newest = max(report.mtime_ns for report in reports)
    run = new_ulid(newest // 1_000_000, digest.digest())
    place = RunFolder(store.runs_dir / run, run)
    if place.path.exists():
        return place, False
    part = store.runs_dir / f"{run}.part-{os.getpid()}"
    try:
        shutil.rmtree(part, ignore_errors=True)
        (part / LOCAL_BOX).mkdir(parents=True, mode=0o700)
        folder = RunFolder(part, run)
        plan = _plan(run, reports, root, suite, version)
        facts = {"run": run, "parent": None, "root": root, "profile": None, "console": "", "nonce": ""}
        folder.put(
            {**facts, "created": newest, "plan_hash": "", "boxes": [LOCAL_BOX], "box": None, "plan": plan}
        )
        _write(folder, reports, plan)
        folder.mark_imported({"from": reports[0].path.name, "reports": len(reports), "t": newest})
        folder.path.rename(place.path)
    except OSError as fault:
        raise ProblemError(unwritable(store.state, fault)) from fault
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place, True


def _plan(run: str, reports: Sequence[Report], root: str, suite: str, version: str) -> dict[str, Any]:
    forms = dict.fromkeys(report.form for report in reports)
    suites: list[dict[str, Any]] = [
        {"name": suite, "runner": form, "cwd": root, "paths": [], "python": None} for form in forms
    ]
    return {
        "schema": PLAN_SCHEMA,
        "run": run,
        "mode": "run",
        "root": root,
        "profile": None,
        "environment": LOCAL_BOX,
        "seed": None,
        "trace": "off",
        "parent": None,
        "secret_names": [],
        "suites": suites,
        "versions": {"tracekit": version},
    }


def _told(path: Path, form: str, digest: Any = None) -> Iterator[Any]:
    """What a report tells; at last the fault that ended it, where one did."""
    reading: Reader = reader(form)
    try:
        with path.open("rb") as file:
            while data := file.read(_CHUNK):
                if digest is not None:
                    digest.update(data)
                yield from reading.feed(data)
        yield from reading.close()
    except CutShortError as fault:
        yield from fault.found
        yield fault
    except ReportError as fault:
        yield fault


class _ReportClock(Clock):
    """Time as the report tells it: tests one after the other, the last one's end when the report was written."""

    def __init__(self, start: int) -> None:
        self.now = start

    def wall(self) -> int:
        return self.now

    def mono(self) -> int:
        return self.now


class _Journal(Teller):
    """Takes what cases tell, and commits it in pieces."""

    def __init__(self, recording: Recording, clock: _ReportClock) -> None:
        self.recording, self.clock = recording, clock
        self.role = "report"
        self.batch = Batch()

    def line(self, event: str, **fields: Any) -> None:
        lasted = fields.get("d")
        if event == E.ATTEMPT_ENDED and type(lasted) is int and not fields.get("parent"):
            self.clock.now += lasted
        at = {"t": self.clock.wall(), "m": self.clock.mono()}
        self.batch.own.append({**at, "e": event, **fields})
        if len(self.batch.own) >= _BATCH:
            self.settle()

    def output(self, stream: str, whose: dict[str, Any], data: bytes, attribution: str = "exact") -> None:
        place = self.recording.next_output + self.batch.add_output(data)
        facts = {"offset": place, "length": len(data), "attribution": attribution}
        self.line(E.OUTPUT, stream=stream, **whose, **facts)

    def settle(self) -> None:
        """Commit. Raises OSError where the disk has no room."""
        batch, self.batch = self.batch, Batch()
        if not self.recording.commit(batch):
            raise OSError(28, self.recording.why or "no space left on device")


class _ReportCases(Cases):
    """Cases of a report, whose parts are rows below them where go tells of them."""

    parts = False

    def __init__(self, system: System, request: Request, teller: Teller) -> None:
        super().__init__(system, request, teller, apart=True)
        self._names: dict[str, list[str]] = {}
        self._placed: set[str] = set()

    def _scenario(self, path: tuple[str, ...]) -> str:
        base = path[:2] if self.parts else path
        scenario = self._request.prefix + "::".join(base)
        self._names.setdefault(scenario, list(base))
        return subtest_id(scenario, "/".join(path[2:])) if len(path) > len(base) else scenario

    def _parent(self, scenario: str) -> dict[str, str]:
        base, mark, _ = scenario.partition(SUBTEST_MARK)
        return {"parent": base} if mark else {}

    def found(self, scenario: str, path: list[str], file: str = "", line: int = 0) -> None:
        """Tell that there is such a scenario; the first word of it stands, so it is the one with its place."""
        if scenario not in self._placed and SUBTEST_MARK not in scenario:
            self._placed.add(scenario)
            super().found(scenario, path, file, line)

    def finish(self) -> None:
        """Tell of those whose place nobody said; what has no end stays without one."""
        for scenario, path in self._names.items():
            self.found(scenario, path)


def _write(folder: RunFolder, reports: Sequence[Report], plan: dict[str, Any]) -> None:
    newest = max(report.mtime_ns for report in reports)
    clock = _ReportClock(newest - int(sum(report.seconds for report in reports) * 1e9))
    system = System(clock=clock)
    box = folder.box_dir
    source = f"{LOCAL_BOX}/daemon/0-0"
    recording = Recording(system, str(box), folder.run_id, source, Redactor({}))
    recording.open()
    journal = _Journal(recording, clock)
    try:
        told = {key: plan[key] for key in _TOLD}
        journal.line(E.RUN_STARTED, **told, plan_hash="", console="", suites=plan["suites"])
        verdicts: Counter[str] = Counter()
        for number, report in enumerate(reports, 1):
            verdicts.update(_one(system, journal, report, plan, f"L{number}"))
        # Who was never told how a test ended writes no end for it: such a run is a part of what was run.
        reason = CUT_SHORT if any(report.fault for report in reports) else "finished"
        end = {"reason": reason, "verdicts": dict(sorted(verdicts.items())), "not_run": []}
        why = "; ".join(report.fault for report in reports if report.fault)
        journal.line(E.RUN_ENDED, **end, not_run_count=0, why=why, recording="complete")
        journal.settle()
        recording.sync()
    finally:
        recording.close()


def _one(
    system: System, journal: _Journal, report: Report, plan: dict[str, Any], launch: str
) -> dict[str, int]:
    """Tell what one report tells; gives how many ended how."""
    suite = next(one for one in plan["suites"] if one["runner"] == report.form)
    name, root = str(suite["name"]), str(plan["root"])
    request = Request(
        runner=report.form,
        suite=name,
        prefix=id_prefix(report.form, name),
        launch=launch,
        spool="",
        cwd=root,
        root=root,
        discovers=False,
        args=(),
        paths=(),
        ignore=(),
        only=None,
        order="",
        isolate=(),
        attempts={},
        more={},
    )
    cases = _ReportCases(system, request, journal)
    cases.parts = report.form == "gotest"
    words = ["import", report.path.name]
    journal.line(E.PHASE_STARTED, phase="launch", id=launch, suite=name, command=words, reason="import")
    facts = {"suite": name, "runner": report.form, "root": root, "framework": report.form}
    journal.line(E.SUITE_FOUND, **facts, count=report.cases, launch=launch)
    for told in _told(report.path, report.form):
        if isinstance(told, ReportError):
            continue
        cases.take([told])
    cases.finish()
    if report.fault:
        remedy = "ask for the report of a run that came to its end"
        number = report.without_end
        lost = f"; {number} of its tests {'has' if number == 1 else 'have'} no end in it" if number else ""
        fields = {"exit": None, "message": f"the report is not whole: {report.fault}{lost}", "detail": ""}
        journal.line(E.SUITE_FAILED, suite=name, **fields, remedy=remedy, code="import.cut_short")
    journal.line(E.PHASE_ENDED, phase="launch", id=launch, exit=0, signal=None)
    return cases.counts()


def may_be_report(path: Path) -> bool:
    """Whether a file begins like a report."""
    try:
        with path.open("rb") as file:
            return guessed(file.read(_FIRST)) is not None
    except OSError:
        return False


def newer(found: dict[Path, tuple[int, int]], directory: Path) -> list[Path]:
    """The files below a directory that are new or have changed since it was asked before, oldest first."""
    changed: list[tuple[int, Path]] = []
    for place, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        for name in names:
            path = Path(place) / name
            with contextlib.suppress(OSError):
                facts = path.stat()
                mark = (facts.st_size, facts.st_mtime_ns)
                if facts.st_size and found.get(path) != mark:
                    found[path] = mark
                    changed.append((facts.st_mtime_ns, path))
    return [path for _, path in sorted(changed)]
