"""The recorded runs as a screen asks for them: real run folders, read and removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import journals
from tracekit.engine.archive import Archive
from tracekit.store.runs import RunStore
from tracekit.wire.lines import encode
from tracekit.wire.names import JOURNAL_FILE
from tracekit.wire.problems import ProblemError


def recorded(store: RunStore, journal: journals.Journal, run: str, parent: str | None = None) -> str:
    """Put a journal into the store as a run of this machine."""
    folder = store.create(run, {"root": journal.root, "parent": parent})
    folder.box_dir.mkdir(exist_ok=True, parents=True)
    lines = [{**line, "run": run} for line in journal.lines]
    (folder.box_dir / JOURNAL_FILE).write_bytes(b"".join(map(encode, lines)))
    return run


RUN, RERUN = "01KAH0C5M0DEMQRVNTRACEK1T0", "01KAH0C5M0DEMQRVNTRACEK1T1"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """A run with three reds, and a rerun of them that is green."""
    store = RunStore(tmp_path)
    first = journals.failing()
    recorded(store, first, RUN)
    again = journals.rerun_of(first)
    again.lines[0]["parent"] = RUN
    recorded(store, again, RERUN, RUN)
    return Archive(store, lambda: journals.BEGAN)


def test_digest__of_a_red_run__tells_causes_by_their_number(archive: Archive) -> None:
    digest = archive.digest(RUN)
    assert [tests for _, tests in digest.causes] == sorted(
        (tests for _, tests in digest.causes), reverse=True
    )
    assert sum(tests for _, tests in digest.causes) == 3
    assert digest.outstanding is None


def test_digest__over_a_tree__tells_what_no_rerun_has_made_green(archive: Archive) -> None:
    assert archive.digest(RERUN, (RUN, RERUN)).outstanding == ()
    still = archive.digest(RUN, (RERUN, RUN)).outstanding
    assert still is not None
    assert len(still) == 3


def test_pin_and_unpin__are_seen_in_the_rows(archive: Archive) -> None:
    archive.pin(RUN, "why")
    assert {row.run_id: row.pinned for row in archive.rows()} == {RUN: "why", RERUN: None}
    archive.unpin(RUN)
    assert {row.pinned for row in archive.rows()} == {None}


def test_delete__pinned__is_refused_unless_it_is_meant(archive: Archive) -> None:
    archive.pin(RUN)
    with pytest.raises(ProblemError) as refused:
        archive.delete((RUN,))
    assert refused.value.first.code == "store.pinned"
    assert archive.delete((RUN,), pinned=True) > 0
    assert [row.run_id for row in archive.rows()] == [RERUN]


def test_digest__of_a_run_that_is_gone__is_a_problem(archive: Archive) -> None:
    archive.delete((RERUN,))
    with pytest.raises(ProblemError):
        archive.digest(RERUN)


def test_pair_of__a_rerun__is_held_against_what_it_repeats(archive: Archive) -> None:
    assert archive.pair_of(RERUN) == (RUN, RERUN)
    with pytest.raises(ProblemError) as alone:
        archive.pair_of(RUN)
    assert alone.value.first.code == "runs.no_earlier"


def test_pair_of__a_whole_run__is_held_against_the_last_whole_one(archive: Archive, tmp_path: Path) -> None:
    later = journals.green()
    for line in later.lines:
        line["t"] += 3600 * journals.SECOND
    newest = recorded(RunStore(tmp_path), later, "01KAH0C5M0DEMQRVNTRACEK1T9")
    assert archive.pair_of(newest) == (RUN, newest)
    held = archive.compare(RUN, newest)
    assert {pair.scenario for pair in held.scenarios.fixed} | {p.scenario for p in held.scenarios.only_before}
    assert all(pair.why_before is not None for pair in held.scenarios.fixed)
