"""The catalogue of runs: one SQLite file that can be thrown away and built again from the run directories.

It holds what a list of runs shows, and how every scenario ended in each of them. It is never the truth: a row is
written from a folded journal, and a damaged file is replaced. A disk that does not take it costs time, nothing else.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tracekit.model.results import FLAKY, QUARANTINED, SUBTEST, Result
from tracekit.wire.names import RED

SCHEMA_VERSION = 2
_PATIENCE = 10.0

Answer = TypeVar("Answer")

# A scenario's name stands once: it is most of what a row would weigh. The results of a run lie together, which is how
# they are written, compared and dropped; a scenario's own are found by the index.
_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    no INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, root TEXT, profile TEXT, environment TEXT, parent TEXT,
    started_ns INTEGER, ended_ns INTEGER, ended INTEGER, reason TEXT, counts TEXT, journal_bytes INTEGER,
    disk_bytes INTEGER, fingerprint TEXT, facts TEXT
);
CREATE TABLE IF NOT EXISTS scenarios (no INTEGER PRIMARY KEY, scenario TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS results (
    run INTEGER, scenario INTEGER, verdict TEXT, duration_ns INTEGER, attempts INTEGER, started_ns INTEGER,
    cpu_ns INTEGER, peak_kib INTEGER, flags TEXT, PRIMARY KEY (run, scenario)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS results_of_scenario ON results (scenario);
"""
_SUMMARY = (
    "run, root, profile, environment, parent, started_ns, ended_ns, ended, reason, counts, journal_bytes,"
    " disk_bytes, fingerprint, facts"
)
_RESULT = "verdict, duration_ns, attempts, results.started_ns, cpu_ns, peak_kib, flags"


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as a row of a list."""

    run_id: str
    root: str
    profile: str | None
    environment: str
    parent: str | None
    started_t: int
    ended_t: int
    ended: bool
    reason: str
    counts: dict[str, int]
    journal_bytes: int = 0
    live: bool = False
    disk_bytes: int = 0
    fingerprint: str = ""
    #: `git`, `seed`, `python` and `framework` by suite: what two runs may differ in; `purpose` of a run that was a
    #: question of a search.
    facts: dict[str, Any] = field(default_factory=dict)
    #: Why somebody wants it kept; None when nobody said so. On the disk, never in the catalogue.
    pinned: str | None = None
    #: When it was brought here from elsewhere; 0 for a run of this machine.
    imported: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one scenario ended in one run, and what it is a verdict on."""

    run: RunSummary
    result: Result

    @property
    def verdict(self) -> str:
        """The word itself."""
        return self.result.verdict

    @property
    def flags(self) -> tuple[str, ...]:
        """What was odd about it."""
        return self.result.flags

    @property
    def fingerprint(self) -> str:
        """Of the run's sources."""
        return self.run.fingerprint

    @property
    def environment(self) -> str:
        """Where it was given."""
        return self.run.environment


class Catalogue:
    """Rows of runs and results below one state directory."""

    def __init__(self, state: Path) -> None:
        self._file = state / "catalogue.sqlite"
        # Where no file can be used, this process remembers for itself: nothing that was folded is folded twice.
        self._memory: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._keeps = False
        self._db: sqlite3.Connection | None = None

    @contextlib.contextmanager
    def kept_open(self) -> Iterator[None]:
        """Many rows at once: the file is opened once for all of them, and its log folded in at the end."""
        self._keeps = True
        try:
            yield
        finally:
            with self._lock:
                self._keeps = False
                self._let_go()

    # -- in

    def put(self, summary: RunSummary, results: Iterable[Result]) -> None:
        """Write a run's row and, once it has ended, its scenarios' results."""
        rows = [(_storable(row.scenario), _result_row(row)) for row in results] if summary.ended else []

        def work(db: sqlite3.Connection) -> None:
            db.execute("BEGIN IMMEDIATE")
            number = _number(db, summary.run_id)
            db.execute("DELETE FROM results WHERE run = ?", (number,))
            marks = ",".join("?" * 15)
            db.execute(
                f"INSERT OR REPLACE INTO runs (no, {_SUMMARY}) VALUES ({marks})",  # noqa: S608 - names of ours
                (number, *_summary_row(summary)),
            )
            names = ((name,) for name, _ in rows)
            db.executemany("INSERT OR IGNORE INTO scenarios (scenario) VALUES (?)", names)
            db.executemany(
                "INSERT OR REPLACE INTO results SELECT ?, no, ?, ?, ?, ?, ?, ?, ? FROM scenarios WHERE scenario = ?",
                ((number, *row, name) for name, row in rows),
            )

        self._with(work)

    def forget(self, *run_ids: str) -> None:
        """Drop runs that are no longer on the disk."""

        def work(db: sqlite3.Connection) -> None:
            for run_id in run_ids:
                found = db.execute("SELECT no FROM runs WHERE run = ?", (run_id,)).fetchone()
                if found is not None:
                    db.execute("DELETE FROM results WHERE run = ?", found)
                    db.execute("DELETE FROM runs WHERE no = ?", found)

        if run_ids:
            self._with(work)

    def weigh(self, weights: Mapping[str, int]) -> None:
        """What runs weigh on the disk by now."""
        rows = [(weight, run_id) for run_id, weight in weights.items()]
        if rows:
            self._with(lambda db: db.executemany("UPDATE runs SET disk_bytes = ? WHERE run = ?", rows))

    def destroy(self) -> None:
        """Throw the whole away, unless a newer program wrote it; the next look builds it again."""
        with self._lock:
            if self._memory is not None:
                self._memory.close()
                self._memory = None
            self._let_go()
            if _version(self._file) <= SCHEMA_VERSION:
                self._unlink()

    # -- out

    def rows(self, limit: int | None = None) -> dict[str, RunSummary]:
        """Every known run by its id, or only the newest."""
        query = f"SELECT {_SUMMARY} FROM runs ORDER BY run DESC LIMIT ?"  # noqa: S608 - names of ours
        found = self._all(query, (-1 if limit is None else limit,))
        return {row[0]: _summary(row) for row in found}

    def ended(self) -> set[str]:
        """The runs that need not be looked at again."""
        return {row[0] for row in self._all("SELECT run FROM runs WHERE ended", ())}

    def row(self, run_id: str) -> RunSummary | None:
        """One run's row, where there is one."""
        query = f"SELECT {_SUMMARY} FROM runs WHERE run = ?"  # noqa: S608 - names of ours
        found = self._all(query, (run_id,))
        return _summary(found[0]) if found else None

    def knows(self, run_id: str, journal_bytes: int) -> bool:
        """Whether an ended run stands here as it is on the disk."""
        query = "SELECT 1 FROM runs WHERE run = ? AND ended AND journal_bytes = ?"
        return bool(self._all(query, (run_id, journal_bytes)))

    def scenarios(self) -> list[str]:
        """Every scenario that any run knows."""
        known = "EXISTS (SELECT 1 FROM results WHERE results.scenario = scenarios.no)"
        query = f"SELECT scenario FROM scenarios WHERE {known} ORDER BY scenario"  # noqa: S608 - names of ours
        return [row[0] for row in self._all(query, ())]

    def verdicts(
        self, scenario: str, *, limit: int, environment: str | None = None, root: str | None = None
    ) -> list[Verdict]:
        """A scenario's last verdicts, newest first; what a search asked says nothing of it."""
        wanted: list[tuple[str, Any]] = [("scenarios.scenario = ?", _storable(scenario))]
        wanted.append(("coalesce(json_extract(runs.facts, '$.purpose'), '') = ?", ""))
        if environment is not None:
            wanted.append(("environment = ?", environment))
        if root is not None:
            wanted.append(("root = ?", _storable(root)))
        where = " AND ".join(condition for condition, _ in wanted)
        columns = ", ".join(f"runs.{name.strip()}" for name in _SUMMARY.split(","))
        query = (
            f"SELECT {columns}, {_RESULT} FROM scenarios"  # noqa: S608 - names of ours
            " JOIN results ON results.scenario = scenarios.no JOIN runs ON runs.no = results.run"
            f" WHERE {where} ORDER BY runs.run DESC LIMIT ?"
        )
        found = self._all(query, (*(value for _, value in wanted), limit))
        return [Verdict(_summary(row[:14]), _result(scenario, row[14:])) for row in found]

    def unsteady(self, run_ids: Sequence[str], most: int) -> list[str]:
        """Scenarios that were red, flaky or in quarantine in one of these runs: in the most of them first."""
        marks = ",".join("?" * len(run_ids))
        reds = ",".join("?" * len(RED))
        query = (
            "SELECT scenarios.scenario FROM runs JOIN results ON results.run = runs.no"  # noqa: S608 - marks alone
            " JOIN scenarios ON scenarios.no = results.scenario"
            f" WHERE runs.run IN ({marks}) AND instr(flags, ?) = 0 AND (verdict IN ({reds})"
            " OR instr(flags, ?) OR instr(flags, ?))"
            " GROUP BY results.scenario ORDER BY count(*) DESC, scenarios.scenario LIMIT ?"
        )
        values = (*run_ids, SUBTEST, *sorted(RED), FLAKY, QUARANTINED, most)
        return [row[0] for row in self._all(query, values)]

    def roots_of(self, scenario: str) -> list[str]:
        """The projects in which a scenario has run."""
        query = (
            "SELECT DISTINCT root FROM scenarios JOIN results ON results.scenario = scenarios.no"
            " JOIN runs ON runs.no = results.run WHERE scenarios.scenario = ? ORDER BY root"
        )
        return [row[0] or "" for row in self._all(query, (_storable(scenario),))]

    def results(self, run_id: str) -> list[Result]:
        """How every scenario of one ended run ended."""
        query = (
            f"SELECT scenarios.scenario, {_RESULT} FROM runs JOIN results ON results.run = runs.no"  # noqa: S608
            " JOIN scenarios ON scenarios.no = results.scenario WHERE runs.run = ?"
        )
        return [_result(row[0], row[1:]) for row in self._all(query, (run_id,))]

    def _all(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        return self._with(lambda db: db.execute(query, values).fetchall())

    # -- the file

    @property
    def forgetful(self) -> bool:
        """Whether the file could not be used, so that what is known is only what this process has put in."""
        return self._memory is not None

    def _with(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Do something with the file, in one transaction; in memory where the disk does not allow it."""
        with self._lock:
            for attempt in range(2):
                if self._memory is not None:
                    break
                try:
                    self._db = self._db or self._opened()
                    with self._db:
                        return work(self._db)
                except sqlite3.OperationalError:
                    # No room, no permission, or another console has held it for too long.
                    self._let_go()
                    break
                except sqlite3.DatabaseError:
                    self._let_go()
                    if attempt:
                        break
                    self._unlink()
                finally:
                    if not self._keeps:
                        self._let_go()
            if self._memory is None:
                self._memory = sqlite3.connect(":memory:", check_same_thread=False)
                self._memory.executescript(_TABLES)
            with self._memory:
                return work(self._memory)

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._file, timeout=_PATIENCE, check_same_thread=False)
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                # A newer program's: it is not ours to rebuild. Everything in it can be read from the runs.
                raise sqlite3.OperationalError(f"catalogue version {version}")
            if version not in {0, SCHEMA_VERSION}:
                raise sqlite3.DatabaseError(f"catalogue version {version}")
            # What a power cut takes from it is in the runs; a log that is never torn is enough.
            db.execute("PRAGMA synchronous=NORMAL")
            if not version:
                db.execute("PRAGMA journal_mode=WAL")
                db.executescript(
                    f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                )
        except BaseException:
            db.close()
            raise
        return db

    def _let_go(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _unlink(self) -> None:
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                self._file.with_name(self._file.name + ending).unlink()


def _number(db: sqlite3.Connection, run_id: str) -> int:
    """The number of a run, a new one where it has none."""
    found = db.execute("SELECT no FROM runs WHERE run = ?", (run_id,)).fetchone()
    if found is None:
        found = db.execute("SELECT coalesce(max(no), 0) + 1 FROM runs").fetchone()
    return int(found[0])


def _summary_row(summary: RunSummary) -> tuple[Any, ...]:
    return (
        summary.run_id,
        _storable(summary.root),
        summary.profile and _storable(summary.profile),
        _storable(summary.environment),
        summary.parent,
        summary.started_t,
        summary.ended_t,
        summary.ended,
        _storable(summary.reason),
        json.dumps(summary.counts),
        summary.journal_bytes,
        summary.disk_bytes,
        _storable(summary.fingerprint),
        json.dumps(summary.facts),
    )


def _summary(row: Sequence[Any]) -> RunSummary:
    return RunSummary(
        run_id=row[0],
        root=row[1] or "",
        profile=row[2],
        environment=row[3] or "",
        parent=row[4],
        started_t=row[5] or 0,
        ended_t=row[6] or 0,
        ended=bool(row[7]),
        reason=row[8] or "",
        counts=json.loads(row[9] or "{}"),
        journal_bytes=row[10] or 0,
        disk_bytes=row[11] or 0,
        fingerprint=row[12] or "",
        facts=json.loads(row[13] or "{}"),
    )


def _result_row(row: Result) -> tuple[Any, ...]:
    return (
        row.verdict,
        row.duration_ns,
        row.attempts,
        row.started_t,
        row.cpu_ns,
        row.peak_kib,
        " ".join(row.flags),
    )


def _result(scenario: str, row: Sequence[Any]) -> Result:
    verdict, duration, attempts, started, cpu, peak, flags = row
    return Result(scenario, verdict, duration, attempts, started, cpu, peak, tuple((flags or "").split()))


def _version(file: Path) -> int:
    """The version of a catalogue's file without trusting anything else in it; 0 where it cannot be told."""
    try:
        with file.open("rb") as opened:
            head = opened.read(64)
    except OSError:
        return 0
    return int.from_bytes(head[60:64], "big") if head.startswith(b"SQLite format 3\0") else 0


def _storable(text: str) -> str:
    """Text as the database holds it: a name may hold half a character, which no encoding does."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
