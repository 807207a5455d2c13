"""Run directories, checks, checkpoints, catalogue, inventory: what is kept, found again and refused."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.unit.store.conftest import Recorded, journal_line
from tracekit.engine import history as engine_history
from tracekit.engine.history import History, open_path
from tracekit.store import checkpoints
from tracekit.store.catalogue import Catalogue
from tracekit.store.preview import MAX_NAMES, preview
from tracekit.store.runs import RunStore
from tracekit.store.trust import TrustStore
from tracekit.store.verify import verify
from tracekit.wire.ids import new_ulid
from tracekit.wire.problems import ProblemError


def test_create__then_found_by_id_part_and_last(store: RunStore, recorded: Recorded) -> None:
    old, new = recorded(1), recorded(2)
    assert store.find(old.run_id) == old
    assert store.find("last") == new
    assert store.find(new.run_id[:10].lower() + new.run_id[10:]) == new
    assert [folder.run_id for folder in store.folders()] == [new.run_id, old.run_id]


def test_find__last_in_a_project__then_its_own_and_nothing_that_a_search_asked(tmp_path: Path) -> None:
    numbers = itertools.count(1)

    def made(root: Path, **plan: str) -> str:
        run_id = new_ulid(next(numbers), bytes(10))
        RunStore(tmp_path).create(run_id, {"root": str(root), "plan": plan})
        return run_id

    one, other = tmp_path / "one", tmp_path / "one-more"
    ours = made(one)
    theirs = made(other)
    made(one, purpose="bisect")
    assert RunStore(tmp_path, str(one / "tests")).find("last").run_id == ours
    assert RunStore(tmp_path, str(other)).find("last").run_id == theirs
    assert RunStore(tmp_path, "/somewhere/else").find("latest").run_id == theirs


def test_find__part_of_many__then_ambiguous_naming_them(store: RunStore, recorded: Recorded) -> None:
    first = recorded(1)
    recorded(2)
    with pytest.raises(ProblemError) as caught:
        store.find("0000")
    assert caught.value.first.code == "store.ambiguous_run"
    assert first.run_id in caught.value.first.action


@pytest.mark.parametrize("name", ["../../etc", "nothing", "", "01K"])
def test_find__no_run__then_problem_with_next_action(store: RunStore, recorded: Recorded, name: str) -> None:
    recorded(1)
    with pytest.raises(ProblemError) as caught:
        store.find(name)
    assert caught.value.first.code == "store.no_such_run"
    assert "tracekit runs" in caught.value.first.action


def test_create__state_is_a_file__then_unwritable_with_next_action(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(ProblemError) as caught:
        RunStore(tmp_path / "state").create(new_ulid(1, b"\0" * 10), {})
    assert caught.value.first.code == "store.unwritable"
    assert "XDG_STATE_HOME" in caught.value.first.action


def test_facts__other_format__then_refused_naming_both(recorded: Recorded) -> None:
    folder = recorded()
    (folder.path / "run.json").write_text(json.dumps({"schema": "tracekit.run/7"}))
    with pytest.raises(ProblemError) as caught:
        folder.facts()
    assert "tracekit.run/7" in caught.value.first.what
    assert "tracekit.run/1" in caught.value.first.what


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff"])
def test_facts__damaged_file__then_problem_naming_verify(recorded: Recorded, damage: bytes) -> None:
    folder = recorded()
    (folder.path / "run.json").write_bytes(damage)
    with pytest.raises(ProblemError) as caught:
        folder.facts()
    assert caught.value.first.code == "store.damaged_run"
    assert "tracekit verify" in caught.value.first.action


def test_children__then_only_reruns_of_that_run(store: RunStore, recorded: Recorded) -> None:
    parent = recorded(1)
    child = recorded(2, parent=parent.run_id)
    recorded(3)
    assert [folder.run_id for folder in store.children(parent.run_id)] == [child.run_id]


def test_verify__whole_run__then_no_problem(recorded: Recorded) -> None:
    found = verify(recorded())
    assert (found.problems, found.ended, found.journal_lines, found.sources) == ([], True, 8, 1)


def _drop_line(data: bytes, number: int) -> bytes:
    kept = data.splitlines(keepends=True)
    return b"".join(kept[: number - 1] + kept[number:])


def _second_window(data: bytes) -> bytes:
    line = data.splitlines(keepends=True)[2].replace(b'"n":3', b'"n":9').replace(b'"offset":0', b'"offset":4')
    return data + line.replace(b'"length":5', b'"length":1')


def test_verify__no_end_while_a_spool_is_there__then_the_run_goes_on_and_more_output_is_no_damage(
    recorded: Recorded,
) -> None:
    folder = recorded()
    kept = folder.journal.read_bytes().splitlines(keepends=True)[:3]
    folder.journal.write_bytes(b"".join(kept) + journal_line(folder.run_id, 4, "ingested", at={}, out=3))
    (folder.box_dir / "spool").mkdir()
    found = verify(folder)
    assert (found.problems, found.ended) == ([], False)


def test_verify__later_attempt_and_subtest__then_only_the_last_of_each_test_counts(
    recorded: Recorded,
) -> None:
    folder = recorded(verdict="passed")
    run, red = folder.run_id, "pytest:t.py::red"
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    again = [
        journal_line(run, 9, "attempt.ended", scenario=red, attempt=2, verdict="passed", d=5),
        journal_line(
            run, 10, "attempt.ended", scenario=red + " ▸ a", parent=red, attempt=2, verdict="failed"
        ),
    ]
    lines[3] = lines[3].replace(b'"verdict":"passed"', b'"verdict":"failed"')
    folder.journal.write_bytes(b"".join([*lines, *again]))
    assert verify(folder).problems == []


def test_verify__lines_missing_in_a_recording_that_says_it_is_incomplete__then_counted_and_no_damage(
    recorded: Recorded,
) -> None:
    folder = recorded()
    whole = folder.journal.read_bytes()
    told = whole.replace(b'"e":"run.ended",', b'"e":"run.ended","recording":"incomplete",')
    assert told != whole
    folder.journal.write_bytes(_drop_line(told, 3))
    found = verify(folder)
    assert [problem for problem in found.problems if problem.code == "verify.gap"] == []
    assert found.lines_lost == 1


@pytest.mark.parametrize(
    ("code", "damage"),
    [
        ("gap", lambda data: _drop_line(data, 3)),
        ("repeated", lambda data: data + data.splitlines(keepends=True)[-1]),
        ("bad_line", lambda data: data.replace(b'{"v":1,"n":4', b'{"v":1 "n":4')),
        ("torn_line", lambda data: data + b'{"v":1'),
        ("missing_output", lambda data: data.replace(b'"length":5', b'"length":6')),
        ("bad_window", lambda data: data.replace(b'"length":5', b'"length":-1')),
        ("other_version", lambda data: data.replace(b'{"v":1,"n":2', b'{"v":2,"n":2')),
        ("no_source", lambda data: data.replace(b'"n":2,"src"', b'"n":2,"source"')),
        ("empty_journal", lambda data: b""),
        ("no_end", lambda data: b"".join(data.splitlines(keepends=True)[:6])),
        ("output_size", lambda data: data.replace(b'"out":5', b'"out":4')),
        ("verdicts", lambda data: data.replace(b'"verdict":"passed"', b'"verdict":"failed"')),
        ("verdicts", lambda data: data.replace(b'"verdicts":{"failed":1', b'"verdicts":{"failed":2')),
        ("overlap", _second_window),
    ],
)
def test_verify__damage__then_named_with_its_line(recorded: Recorded, code: str, damage: object) -> None:
    folder = recorded()
    assert callable(damage)
    folder.journal.write_bytes(damage(folder.journal.read_bytes()))
    problems = verify(folder).problems
    assert f"verify.{code}" in {problem.code for problem in problems}
    assert all(problem.where.startswith(str(folder.journal)) for problem in problems)


def test_verify__foreign_line_and_bad_blob__then_both_named(recorded: Recorded) -> None:
    folder = recorded()
    other = new_ulid(9, b"\1" * 10)
    with folder.journal.open("ab") as file:
        file.write(journal_line(other, 9, "log"))
    (folder.box_dir / "blobs").mkdir()
    (folder.box_dir / "blobs" / "00ff").write_bytes(b"x")
    assert {problem.code for problem in verify(folder).problems} == {"verify.other_run", "verify.bad_blob"}


def test_verify__no_journal__then_says_so(recorded: Recorded) -> None:
    folder = recorded()
    folder.journal.unlink()
    assert "verify.no_journal" in {problem.code for problem in verify(folder).problems}


def test_history__open__then_same_verdicts_as_the_journal(store: RunStore, recorded: Recorded) -> None:
    view = History(store).open(recorded())
    assert (view.verdicts()["failed"], view.verdicts()["passed"], view.live) == (1, 1, False)
    assert view.output(view.state.attempts(0)[0].outputs) == b"hello"


def test_history__journal_missing__then_damaged_run(store: RunStore, recorded: Recorded) -> None:
    folder = recorded()
    folder.journal.unlink()
    with pytest.raises(ProblemError) as caught:
        History(store).open(folder)
    assert caught.value.first.code == "store.damaged_run"


def test_history__damaged_run_among_others__then_listed_not_hidden(
    store: RunStore, recorded: Recorded
) -> None:
    recorded(1)
    broken = recorded(2)
    broken.journal.unlink()
    reasons = {row.run_id: row.reason for row in History(store).summaries()}
    assert reasons[broken.run_id] == "damaged"
    assert len(reasons) == 2


def test_history__second_listing__then_rows_come_from_the_catalogue(
    store: RunStore, recorded: Recorded
) -> None:
    folder = recorded()
    first = History(store).summaries()
    folder.journal.unlink()
    assert History(store).summaries() == first


@pytest.mark.parametrize("damage", [b"not a database at all, but long enough", None])
def test_catalogue__damaged_or_of_an_older_version__then_built_again(
    store: RunStore, recorded: Recorded, damage: bytes | None
) -> None:
    recorded()
    before = History(store).summaries()
    file = store.state / "catalogue.sqlite"
    if damage is None:
        with sqlite3.connect(file) as db:
            db.execute("PRAGMA user_version = -1")
        db.close()
    else:
        for each in store.state.glob("catalogue.sqlite*"):
            each.write_bytes(damage)
    assert History(store).summaries() == before
    assert set(Catalogue(store.state).rows()) == {before[0].run_id}


def test_replay__path_of_a_journal__then_opened_without_a_store(recorded: Recorded) -> None:
    folder = recorded()
    for path in (folder.path, folder.box_dir, folder.journal):
        assert open_path(path).run_id == folder.run_id
    with pytest.raises(ProblemError) as caught:
        open_path(folder.path.parent)
    assert caught.value.first.code == "replay.not_a_run"


def test_checkpoint__then_same_state_and_refused_on_another_journal(
    store: RunStore, recorded: Recorded
) -> None:
    folder = recorded()
    view = History(store).open(folder)
    checkpoints.save(folder, *view.checkpoint())
    held = checkpoints.load(folder)
    assert held is not None
    assert held[1] == folder.journal.stat().st_size
    assert held[0].state.counts == view.state.counts
    folder.journal.write_bytes(folder.journal.read_bytes().replace(b'"d":5', b'"d":6'))
    assert checkpoints.load(folder) is None


def test_checkpoint__long_run__then_its_end_waits_for_none_and_the_first_look_writes_it(
    store: RunStore, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_history, "_WORTH_A_CHECKPOINT", 0)
    folder = recorded()
    history = History(store)
    seen = open_path(folder.journal)
    history.remember(folder, seen)
    assert checkpoints.load(folder) is None
    view = history.open(folder)
    held = checkpoints.load(folder)
    assert held is not None
    assert held[0].state.counts == view.state.counts
    shutil.rmtree(folder.path / "checkpoints")
    monkeypatch.setattr(engine_history, "_WORTH_A_WAIT", 0)
    history.remember(folder, seen)
    assert checkpoints.load(folder) is not None


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"x" * 100, b'{"folded":1,"tail":"","size":3}\nabc'])
def test_checkpoint__damaged__then_ignored(store: RunStore, recorded: Recorded, damage: bytes) -> None:
    folder = recorded()
    checkpoints.save(folder, *History(store).open(folder).checkpoint())
    (folder.path / "checkpoints" / "fold.ckpt").write_bytes(damage)
    assert checkpoints.load(folder) is None


def test_trust__remembered__then_known_and_nothing_else(tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "state")
    assert not store.known("/srv/app")
    store.remember("/srv/app")
    assert TrustStore(tmp_path / "state").known("/srv/app")
    assert not store.known("/srv")


def test_preview__then_names_without_running_a_line(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(
        "raise SystemExit\ndef test_one(): ...\nclass T:\n  async def test_two(self): ...\n"
    )
    (tmp_path / "helper.py").write_text("def test_no(): ...\n")
    assert preview(tmp_path) == (["test_a.py::test_one", "test_a.py::test_two"], True)


@pytest.mark.parametrize(("many", "whole"), [(MAX_NAMES, True), (MAX_NAMES + 1, False)])
def test_preview__as_many_names_as_are_told_or_one_more__says_whether_these_are_all(
    tmp_path: Path, many: int, whole: bool
) -> None:
    (tmp_path / "test_a.py").write_text("".join(f"def test_{at}(): ...\n" for at in range(many)))
    names, all_of_them = preview(tmp_path)
    assert (len(names), all_of_them) == (MAX_NAMES, whole)
