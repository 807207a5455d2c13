"""The catalogue of runs: one SQLite file that can be thrown away and built again from the run directories.

It holds what a list of runs shows, and each scenario's last verdicts. It is never the truth: a row is written from a
folded journal, and a damaged file is replaced.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tracekit.model.state import RunState, Status

SCHEMA_VERSION = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, root TEXT, profile TEXT, environment TEXT, parent TEXT, started_ns INTEGER, ended_ns INTEGER,
    ended INTEGER, reason TEXT, counts TEXT, journal_bytes INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (
    scenario TEXT, run TEXT, verdict TEXT, duration_ns INTEGER, PRIMARY KEY (scenario, run)
) WITHOUT ROWID;
"""


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


class Catalogue:
    """Rows of runs and results below one state directory."""

    def __init__(self, state: Path) -> None:
        self._file = state / "catalogue.sqlite"

    def put(self, summary: RunSummary, state: RunState) -> None:
        """Write a run's row and its scenarios' results, in one transaction."""
        results = [
            (_storable(state.ids[index]), summary.run_id, Status(code).word, state.duration[index])
            for index, code in enumerate(state.status)
            if code != Status.PENDING
        ]
        with self._open() as db:
            db.execute(
                "INSERT OR REPLACE INTO runs VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                (
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
                ),
            )
            if summary.ended:
                db.executemany("INSERT OR REPLACE INTO results VALUES (?,?,?,?)", results)

    def rows(self) -> dict[str, RunSummary]:
        """Every known run by its id."""
        with self._open() as db:
            found = db.execute("SELECT * FROM runs ORDER BY run DESC").fetchall()
        return {
            row[0]: RunSummary(
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
            )
            for row in found
        }

    def forget(self, run_id: str) -> None:
        """Drop a run that is no longer on the disk."""
        with self._open() as db:
            db.execute("DELETE FROM runs WHERE run = ?", (run_id,))
            db.execute("DELETE FROM results WHERE run = ?", (run_id,))

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = self._usable()
        try:
            with db:
                yield db
        finally:
            db.close()

    def _usable(self) -> sqlite3.Connection:
        # A catalogue that cannot be read is rebuilt from the runs; one that cannot be written lives in memory.
        for attempt in range(2):
            db: sqlite3.Connection | None = None
            try:
                db = sqlite3.connect(self._file, timeout=10)
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if version > SCHEMA_VERSION:
                    # A newer program's: it is not ours to rebuild. Everything in it can be read from the runs.
                    db.close()
                    break
                if version not in {0, SCHEMA_VERSION}:
                    message = f"catalogue version {version}"
                    raise sqlite3.DatabaseError(message)
                db.execute("PRAGMA journal_mode=WAL")
                db.executescript(f"{_TABLES} PRAGMA user_version = {SCHEMA_VERSION};")
            except sqlite3.OperationalError:
                if db is not None:
                    db.close()
                break
            except sqlite3.DatabaseError:
                if db is not None:
                    db.close()
                if attempt:
                    break
                with contextlib.suppress(OSError):
                    self._file.unlink()
            else:
                return db
        memory = sqlite3.connect(":memory:")
        memory.executescript(_TABLES)
        return memory


def _storable(text: str) -> str:
    """Text as the database holds it: a name may hold half a character, which no encoding does."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
