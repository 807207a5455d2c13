"""P8 for the store: the N-th write, sync, rename or statement fails, for every N, in whatever the store does.

Catalogue, checkpoints, pins, retention, bundles, recovery: each ends or says a problem, never anything else; and on a
disk that is well again every run is whole or wholly gone, every verdict is what it was, and a second try succeeds.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from tests.support.faulty_disk import faulty
from tests.support.journals import Journal
from tests.torture.registry import Outcome
from tracekit.agent.ingest import Ingest
from tracekit.agent.recording import Batch, Recording
from tracekit.agent.redact import Redactor
from tracekit.agent.system import Files, System
from tracekit.engine import history as engine_history
from tracekit.engine.history import History
from tracekit.engine.keeping import Keeper
from tracekit.engine.past import Past
from tracekit.engine.recovering import recover_at
from tracekit.report.files import export_bundle
from tracekit.store import bundle
from tracekit.store.keeping import Limits, pin
from tracekit.store.packing import pack, unpack
from tracekit.store.runs import RunStore
from tracekit.store.verify import verify
from tracekit.wire import lines
from tracekit.wire.ids import new_ulid
from tracekit.wire.problems import ProblemError

NOW_MS = 2_000_000_000_000
RUNS = 3
MOST = 400


@dataclass
class Ground:
    """A store with runs, one of which everything has left in the middle, and a bundle of another."""

    base: Path

    @property
    def store(self) -> RunStore:
        return RunStore(self.base / "state")

    @property
    def bundle(self) -> Path:
        return self.base / "other.bundle"

    @property
    def target(self) -> Path:
        return self.base / "out.bundle"

    def name(self, number: int) -> str:
        return new_ulid(NOW_MS - 1000 + number, bytes([number] * 10))

    def keeper(self) -> Keeper:
        return Keeper(History(self.store), lambda: NOW_MS * 10**6)


def prepared(base: Path) -> Ground:
    """The ground as every trial finds it."""
    ground = Ground(base)
    for number in range(RUNS + 1):
        journal = Journal(run=ground.name(number))
        journal.start()
        scenario = journal.found("t.py", "test_it")
        journal.begin(scenario)
        journal.prints("some output\n", scenario)
        verdict = "failed" if number == 1 else "passed"
        journal.end(scenario, verdict)
        journal.line("run.ended", reason="finished", verdicts={verdict: 1})
        folder = ground.store.create(journal.run, {"run": journal.run, "root": journal.root, "plan": {}})
        folder.box_dir.mkdir()
        (folder.box_dir / "output.bin").write_bytes(bytes(journal.output))
        folder.journal.write_bytes(b"".join(map(lines.encode, journal.lines)))
        if number == RUNS:
            export_bundle(folder, str(ground.bundle))
            shutil.rmtree(folder.path)
    dying(ground)
    return ground


def dying(ground: Ground) -> None:
    """A run that has no end, and a spool that nobody has read to its end."""
    run = ground.name(RUNS + 1)
    folder = ground.store.create(run, {"run": run, "root": "/srv/chat-server", "plan": {}})
    spool = folder.path / "local" / "spool"
    spool.mkdir(parents=True)
    place = str(folder.path / "local")
    recording = Recording(System(), place, run, "local/daemon/5-6", Redactor({}))
    ingest = Ingest(System(), str(spool), run, "local", Redactor({}))
    ingest.restore(recording.open())
    batch = Batch(
        own=[{"e": "run.started", "root": "/srv/chat-server", "environment": "local", "mode": "run"}]
    )
    ingest.collect(batch, 0, "L1")
    recording.commit(batch)
    recording.close()
    told = [
        {"n": 1, "t": 1, "m": 1, "e": "attempt.started", "scenario": "pytest:t.py::test_it", "attempt": 1},
        {"n": 2, "t": 2, "m": 2, "e": "output", "scenario": "pytest:t.py::test_it", "attempt": 1, "cap": 0,
         "length": 5, "stream": "stdout"},
    ]  # fmt: skip
    (spool / "main-7-8.ndjson").write_bytes(b"".join(map(lines.encode, told)))
    (spool / "main-7-8.cap").write_bytes(b"words")


def words(ground: Ground) -> dict[str, str]:
    """The verdict of each run that has one, by the catalogue or without it."""
    past = Past(History(ground.store)).story("test_it", limit=-1)
    return {told.run.run_id: told.verdict for told in past.verdicts}


def remember(ground: Ground) -> None:
    history = History(ground.store)
    for folder in ground.store.folders():
        history.remember(folder, history.open(folder))
    ground.keeper().after_a_run({})


def look(ground: Ground) -> None:
    if len(words(ground)) != RUNS:
        raise AssertionError("a run is missing from a scenario's history")


def sweep(ground: Ground) -> None:
    problems = ground.keeper().sweep(Limits(runs=2)).problems
    if problems:
        raise ProblemError(problems)


def bring_in(ground: Ground) -> None:
    bundle.bring_in(ground.store, ground.bundle, NOW_MS * 10**6)


def recovered(ground: Ground) -> None:
    recover_at(ground.store, ground.name(RUNS + 1), {})


def packed(ground: Ground) -> None:
    for number in range(RUNS):
        pack(ground.store.find(ground.name(number)).box_dir, Files(), smallest=0)


def unpacked(ground: Ground) -> None:
    folder = ground.store.find(ground.name(0))
    if folder.journal.exists():
        pack(folder.box_dir, Files(), smallest=0)
    unpack(folder.box_dir, Files())


ACTIONS: dict[str, Callable[[Ground], object]] = {
    "remember": remember,
    "history": look,
    "sweep": sweep,
    "rebuild": lambda ground: ground.keeper().rebuild(),
    "delete": lambda ground: ground.keeper().delete([ground.store.find(ground.name(0))]),
    "pin": lambda ground: pin(ground.store.find(ground.name(0)), "kept"),
    "export": lambda ground: export_bundle(ground.store.find(ground.name(0)), str(ground.target)),
    "import": bring_in,
    "recover": recovered,
    "pack": packed,
    "unpack": unpacked,
}
#: These have nothing to say to anybody: what they write can be made again.
QUIET = {"remember", "history"}


def trial(pristine: Path, action: str, at: int, lasting: bool, outcome: Outcome) -> bool:
    """One action whose call number `at` fails; says whether any call did."""
    name = f"{action} {'from' if lasting else 'at'} call {at}"
    with tempfile.TemporaryDirectory() as place:
        ground = Ground(Path(place) / "ground")
        shutil.copytree(pristine, ground.base)
        failed = 0
        try:
            with contextlib.suppress(ProblemError), faulty(at, lasting=lasting) as disk:
                try:
                    ACTIONS[action](ground)
                except ProblemError as problem:
                    if action in QUIET or not problem.first.action:
                        outcome.fault(f"{name}: {problem.first}")
                    raise
                finally:
                    failed = disk.failed
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is the breach
            outcome.fault(f"{name}: {type(fault).__name__}: {fault}")
        for text in breaches(ground, action):
            outcome.fault(f"{name}: {text}")
        return bool(failed)


def breaches(ground: Ground, action: str) -> list[str]:
    """What is not as it must be, now that the disk is well."""
    found = []
    there = {folder.run_id for folder in ground.store.folders()}
    may_go = {ground.name(0), ground.name(2)} if action in {"sweep", "delete"} else set()
    if lost := {ground.name(number) for number in (*range(RUNS), RUNS + 1)} - there - may_go:
        found.append(f"runs are gone: {sorted(lost)}")
    expected = {ground.name(n): "failed" if n == 1 else "passed" for n in (*range(RUNS), RUNS)}
    expected = {run: verdict for run, verdict in expected.items() if run in there}
    told = {run: verdict for run, verdict in words(ground).items() if verdict != "cancelled"}
    if told != expected:
        found.append(f"verdicts are {told}, not {expected}")
    try:
        ACTIONS[action](ground)
    except ProblemError as problem:
        if action != "delete" or problem.first.code != "store.no_such_run":
            found.append(f"a second try fails: {problem.first}")
    checked = ((folder, verify(folder).problems) for folder in ground.store.folders())
    found += [f"{folder.run_id} is damaged: {problems[0]}" for folder, problems in checked if problems]
    if action == "export" and bundle.contents(ground.target).run != ground.name(0):
        found.append("the bundle is another run's")
    return found


def torture(scale: float, outcome: Outcome) -> int:
    """Every N of every action, once for a single failure, once for a disk that stays full; gives the trials."""
    step = max(1, round(1 / scale))
    trials = 0
    at_once = mock.patch.multiple(engine_history, _WORTH_A_CHECKPOINT=0, _WORTH_A_WAIT=0)
    with tempfile.TemporaryDirectory() as base, at_once:
        pristine = prepared(Path(base) / "ground").base
        for action in ACTIONS:
            for lasting in (False, True):
                for at in range(1, MOST, step):
                    trials += 1
                    if not trial(pristine, action, at, lasting, outcome) or len(outcome.faults) > 20:
                        break
    return trials
