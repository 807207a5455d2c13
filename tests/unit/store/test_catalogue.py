"""The catalogue: rebuildable from the runs, so it may be lost, and never a reason for a run to fail."""

from __future__ import annotations

import sqlite3

from tests.unit.store.conftest import Recorded, journal_line
from tracekit.engine.history import History
from tracekit.store.catalogue import SCHEMA_VERSION, Catalogue
from tracekit.store.runs import RunStore


def test_newer_catalogue__then_left_as_it_is_and_runs_are_listed_all_the_same(
    store: RunStore, recorded: Recorded
) -> None:
    folder = recorded()
    file = store.state / "catalogue.sqlite"
    with sqlite3.connect(file) as newer:
        newer.executescript(f"CREATE TABLE of_the_future (x); PRAGMA user_version = {SCHEMA_VERSION + 1};")
    newer.close()
    before = file.read_bytes()
    assert [row.run_id for row in History(store).summaries()] == [folder.run_id]
    Catalogue(store.state).forget(folder.run_id)
    assert file.read_bytes() == before


def test_put__name_that_holds_half_a_character__then_the_run_is_listed(
    store: RunStore, recorded: Recorded
) -> None:
    folder = recorded()
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    odd = journal_line(
        folder.run_id, 7, "attempt.ended", scenario="pytest:t.py::\ud800", attempt=1, verdict="passed"
    )
    ended = journal_line(
        folder.run_id, 8, "run.ended", reason="finished", verdicts={"passed": 2, "failed": 1}
    )
    folder.journal.write_bytes(b"".join([*lines[:6], odd, ended]))
    (summary,) = History(store).summaries()
    assert summary.counts == {"failed": 1, "passed": 2}
    assert set(Catalogue(store.state).rows()) == {folder.run_id}
