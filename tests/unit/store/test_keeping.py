"""Retention: what goes and in which order, what never goes, and a removal that is whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.store.conftest import Recorded
from tracekit.agent.paths import Places as AgentPlaces
from tracekit.agent.system import Files
from tracekit.engine.history import History
from tracekit.engine.keeping import Keeper, limits
from tracekit.model.facts import OutputSpan
from tracekit.store.catalogue import Catalogue, RunSummary
from tracekit.store.keeping import Limits, pin, remove, superfluous, to_pack, unpin
from tracekit.store.runs import RunFolder, RunStore
from tracekit.wire.ids import new_ulid, ulid_ms
from tracekit.wire.problems import ProblemError

DAY_MS = 86_400_000
NOW_MS = 1000 * DAY_MS
NOW = NOW_MS * 10**6
MANY = Limits(runs=1000)


def row(days_old: float, *, red: bool = False, pinned: str | None = None, size: int = 1) -> RunSummary:
    run = new_ulid(NOW_MS - int(days_old * DAY_MS), b"\0" * 10)
    counts = {"failed" if red else "passed": 1}
    return RunSummary(
        run, "", None, "local", None, 1, 2, True, "finished", counts, disk_bytes=size, pinned=pinned
    )


def chosen(rows: list[RunSummary], kept: Limits, room: int = 10**9) -> list[tuple[int, str]]:
    names = [each.run_id for each in rows]
    return [(names.index(one.row.run_id), one.why) for one in superfluous(rows, kept, NOW, room)]


def test_superfluous__within_every_limit__then_none() -> None:
    assert chosen([row(1), row(2), row(29)], Limits(runs=3)) == []


def test_superfluous__too_many__then_green_before_red_and_old_before_new() -> None:
    rows = [row(5, red=True), row(4), row(3), row(2, red=True), row(1)]
    assert [place for place, _ in chosen(rows, Limits(runs=3))] == [1, 2]
    assert [place for place, _ in chosen(rows, Limits(runs=2))] == [1, 2, 0]


def test_superfluous__too_large_together__then_until_they_fit() -> None:
    rows = [row(5, size=50), row(4, size=30, red=True), row(3, size=30), row(1, size=10)]
    assert chosen(rows, MANY, room=60) == [(0, "too large together"), (2, "too large together")]


def test_superfluous__too_old__then_red_ones_too() -> None:
    assert chosen([row(31, red=True), row(32), row(1)], MANY) == [(1, "too old"), (0, "too old")]


def test_superfluous__pinned_or_newest__then_never() -> None:
    rows = [row(500, pinned="", size=10**6), row(400, size=10**6)]
    assert chosen(rows, Limits(runs=1), room=1) == []
    assert chosen([*rows, row(1)], Limits(runs=1), room=1) == [(1, "too old")]


def test_room__little_free_disk__then_a_tenth_of_it_with_what_the_runs_hold() -> None:
    assert Limits(bytes=1000).room(free=100_000, used=0) == 1000
    assert Limits(bytes=1000).room(free=500, used=500) == 100


def test_limits__user_file_and_variable__then_settled_and_a_project_cannot(tmp_path: Path) -> None:
    (tmp_path / "tracekit").mkdir()
    (tmp_path / "tracekit" / "config.toml").write_text('[settings]\nkeep_runs = 7\nkeep_size = "1.5GiB"\n')
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "TRACEKIT_KEEP_FOR": "2d"}
    assert limits(environ) == Limits(7, 172_800.0, 3 << 29)
    (tmp_path / "tracekit" / "config.toml").write_text('[settings]\nkeep_size = "much"\n')
    with pytest.raises(ProblemError) as caught:
        limits(environ)
    assert "config.toml" in caught.value.first.where


@pytest.fixture
def keeper(store: RunStore) -> Keeper:
    return Keeper(History(store), lambda: NOW)


def names(store: RunStore) -> list[str]:
    return [folder.run_id for folder in store.folders()]


def test_sweep__over_the_limit__then_gone_from_disk_and_catalogue(
    store: RunStore, recorded: Recorded, keeper: Keeper
) -> None:
    old, new = recorded(NOW_MS - 2), recorded(NOW_MS - 1)
    History(store).refresh()
    assert [choice.row.run_id for choice in keeper.sweep(Limits(runs=1), dry=True).removed] == [old.run_id]
    assert names(store) == [new.run_id, old.run_id]
    swept = keeper.sweep(Limits(runs=1))
    assert (swept.kept, swept.freed > 0, swept.problems) == (1, True, [])
    assert names(store) == [new.run_id]
    assert set(Catalogue(store.state).rows()) == {new.run_id}
    assert [entry.name for entry in store.runs_dir.iterdir()] == [new.run_id]


def unended(folder: RunFolder) -> RunFolder:
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    folder.journal.write_bytes(b"".join(lines[:4]))
    return folder


def hold_live(store: RunStore, folder: RunFolder) -> None:
    places = AgentPlaces(str(store.state))
    places.prepare()
    places.note_live(Files(), folder.run_id, {"run": folder.run_id})


def hold_spool(store: RunStore, folder: RunFolder) -> None:
    unended(folder)
    (folder.box_dir / "spool").mkdir()


def hold_copiers(store: RunStore, folder: RunFolder) -> None:
    (folder.path / "copiers.json").write_text("{}")


def hold_start(store: RunStore, folder: RunFolder) -> None:
    folder.journal.unlink()


def hold_box(store: RunStore, folder: RunFolder) -> None:
    unended(folder)
    folder.box_dir.rename(folder.path / "box7")
    (folder.path / "run.json").write_text(json.dumps({"schema": "tracekit.run/1", "boxes": ["box7"]}))


@pytest.mark.parametrize(
    ("hold", "why"),
    [
        (hold_live, "live"),
        (hold_spool, "not ended: tracekit recover"),
        (hold_copiers, "kept for the console"),
        (hold_start, "being started"),
        (hold_box, "its box may still have it"),
    ],
)
def test_sweep__run_that_somebody_needs__then_it_stays_and_says_why(
    store: RunStore, recorded: Recorded, keeper: Keeper, hold: object, why: str
) -> None:
    needed, new = recorded(NOW_MS - 2), recorded(NOW_MS - 1)
    assert callable(hold)
    hold(store, needed)
    swept = keeper.sweep(Limits(runs=1))
    assert [choice.why[: len(why)] for choice in swept.held] == [why]
    assert names(store) == [new.run_id, needed.run_id]
    with pytest.raises(ProblemError) as caught:
        keeper.delete([new, needed])
    assert caught.value.first.code == "store.needed"
    assert names(store) == [new.run_id, needed.run_id]


def test_sweep__another_console_copies_it__then_it_stays(
    store: RunStore, recorded: Recorded, keeper: Keeper
) -> None:
    copied = recorded(NOW_MS - 2)
    recorded(NOW_MS - 1)
    with (copied.path / "box7.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "copying" in keeper.sweep(Limits(runs=1)).held[0].why
    assert [choice.row.run_id for choice in keeper.sweep(Limits(runs=1)).removed] == [copied.run_id]


def test_sweep__directory_that_cannot_be_removed__then_a_problem_and_the_rest_goes(
    store: RunStore, recorded: Recorded, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, loose, new = (recorded(NOW_MS - age) for age in (3, 2, 1))
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name == stuck.run_id:
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    swept = keeper.sweep(Limits(runs=1))
    assert [problem.code for problem in swept.problems] == ["store.not_removed"]
    assert names(store) == [new.run_id, stuck.run_id]
    assert [choice.row.run_id for choice in swept.removed] == [loose.run_id]


def test_sweep__removal_that_was_cut_short__then_finished_by_the_next(
    store: RunStore, recorded: Recorded, keeper: Keeper
) -> None:
    folder = recorded(NOW_MS - 1)
    folder.path.rename(folder.path.with_name(f"{folder.run_id}.gone"))
    recorded(NOW_MS - 1)
    keeper.sweep(MANY)
    assert [entry.name for entry in store.runs_dir.iterdir()] == names(store)


def test_delete__pinned__then_refused_with_its_reason_until_told(
    store: RunStore, recorded: Recorded, keeper: Keeper
) -> None:
    folder, other = recorded(1), recorded(2)
    pin(folder, "  the one\nwith the leak ")
    assert folder.pinned == "the one with the leak"
    with pytest.raises(ProblemError) as caught:
        keeper.delete([other, folder])
    assert "the one with the leak" in caught.value.first.what
    assert names(store) == [other.run_id, folder.run_id]
    assert keeper.delete([folder], pinned=True) > 0
    assert names(store) == [other.run_id]


def test_pin__then_listed_with_its_reason_until_removed(store: RunStore, recorded: Recorded) -> None:
    folder = recorded()
    assert folder.pinned is None
    assert not unpin(folder)
    pin(folder, "")
    assert [each.pinned for each in History(store).summaries()] == [""]
    assert unpin(folder)
    assert [each.pinned for each in History(store).summaries()] == [None]


def test_rebuild__catalogue_and_checkpoints_damaged__then_as_they_were(
    store: RunStore, recorded: Recorded, keeper: Keeper
) -> None:
    folder = recorded()
    before = History(store).summaries()
    (folder.path / "checkpoints").mkdir()
    (folder.path / "checkpoints" / "fold.ckpt").write_bytes(b"damaged")
    (store.state / "catalogue.sqlite").write_bytes(b"damaged" * 1000)
    assert keeper.rebuild() == 1
    assert not (folder.path / "checkpoints").exists()
    after = Catalogue(store.state).rows()
    assert [replace(each, disk_bytes=0) for each in after.values()] == [
        replace(each, disk_bytes=0) for each in before
    ]


def test_remove__killed_between_rename_and_removal__then_no_list_shows_it(
    store: RunStore, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = recorded()
    monkeypatch.setattr("tracekit.store.keeping.shutil.rmtree", lambda *_, **__: None)
    remove(folder)
    assert names(store) == []
    assert os.listdir(store.runs_dir) == [f"{folder.run_id}.gone"]  # noqa: PTH208 - the name alone


@pytest.mark.parametrize("at", [0, 1, 1_763_674_123_123, (1 << 48) - 1])
def test_ulid_ms__then_the_time_it_was_made_of(at: int) -> None:
    assert ulid_ms(new_ulid(at, b"\xff" * 10)) == at
    assert ulid_ms("no run") == 0


def test_sweep__catalogue_lost__then_green_still_goes_before_red(
    store: RunStore, recorded: Recorded, keeper: Keeper
) -> None:
    red, green = recorded(NOW_MS - 3), recorded(NOW_MS - 2, verdict="passed")
    new = recorded(NOW_MS - 1)
    assert [choice.row.run_id for choice in keeper.sweep(Limits(runs=2)).removed] == [green.run_id]
    assert names(store) == [new.run_id, red.run_id]


def test_remove__another_console_was_quicker__then_nothing_to_say(recorded: Recorded) -> None:
    folder = recorded()
    remove(folder)
    remove(folder)
    assert not folder.path.exists()


# -- packing

OUTPUT = b"connected, all is well\n" * 4000
HOUR_NS = 3600 * 10**9


def at_rest(folder: RunFolder) -> RunFolder:
    """As it is an hour after its end."""
    for file in folder.box_dir.iterdir():
        os.utime(file, ns=(NOW - HOUR_NS, NOW - HOUR_NS))
    return folder


def is_packed(folder: RunFolder) -> bool:
    return not (folder.box_dir / "journal.ndjson").exists() or not (folder.box_dir / "output.bin").exists()


def test_to_pack__of_today_and_among_the_newest__then_not_and_others_oldest_first() -> None:
    rows = [row(hours / 24) for hours in range(1, 23)] + [row(1.1)]
    rows[3] = replace(rows[3], ended=False)
    assert [rows.index(each) for each in to_pack(rows, NOW)] == [22, 21, 20]
    brought = replace(row(40), imported=NOW - HOUR_NS)
    assert to_pack([brought], NOW) == []
    assert to_pack([replace(brought, ended=False, imported=0), replace(brought, imported=0)], NOW) == [
        replace(brought, imported=0)
    ]


def test_sweep__old_runs__then_packed_and_weighed_and_read_as_before(
    store: RunStore, recorded: Recorded, keeper: Keeper
) -> None:
    old, new = (at_rest(recorded(NOW_MS - age * DAY_MS, output=OUTPUT)) for age in (2, 0))
    History(store).refresh()
    before = {each.run_id: each for each in History(store).summaries()}
    plain = (old.box_dir / "output.bin").stat().st_size
    foretold = keeper.sweep(MANY, dry=True)
    assert (foretold.packed, foretold.saved) == (1, plain)
    assert not is_packed(old)
    swept = keeper.sweep(MANY)
    assert (swept.packed, swept.problems) == (1, [])
    assert plain * 0.9 < swept.saved < plain
    assert (is_packed(old), is_packed(new)) == (True, False)
    after = {each.run_id: each for each in History(store).summaries()}
    weight = before[old.run_id].disk_bytes - after[old.run_id].disk_bytes
    assert weight >= swept.saved
    assert swept.kept_bytes == sum(each.disk_bytes for each in after.values())
    assert replace(after[old.run_id], disk_bytes=0) == replace(before[old.run_id], disk_bytes=0)
    again = keeper.sweep(MANY)
    assert (again.packed, again.saved) == (0, 0)


def test_sweep__runs_that_fit_once_they_are_packed__then_packed_and_not_removed(
    store: RunStore, recorded: Recorded, keeper: Keeper
) -> None:
    folders = [at_rest(recorded(NOW_MS - age * DAY_MS, output=OUTPUT)) for age in (5, 4, 3)]
    swept = keeper.sweep(Limits(bytes=len(OUTPUT)))
    assert (swept.packed, swept.removed) == (3, [])
    assert len(names(store)) == len(folders)


def just_ended(store: RunStore, folder: RunFolder) -> None:
    os.utime(folder.journal, ns=(NOW - 10**9, NOW - 10**9))


def grown_since(store: RunStore, folder: RunFolder) -> None:
    with folder.journal.open("ab") as journal:
        journal.write(b"{}\n")
    at_rest(folder)


def spooling(store: RunStore, folder: RunFolder) -> None:
    (folder.box_dir / "spool").mkdir()


@pytest.mark.parametrize("hold", [hold_live, hold_copiers, just_ended, grown_since, spooling])
def test_sweep__old_run_that_somebody_may_still_write_or_follow__then_not_packed(
    store: RunStore, recorded: Recorded, keeper: Keeper, hold: object
) -> None:
    held = at_rest(recorded(NOW_MS - 2 * DAY_MS, output=OUTPUT))
    History(store).refresh()
    assert callable(hold)
    hold(store, held)
    assert keeper.sweep(MANY).packed == 0
    assert not is_packed(held)


def test_sweep__another_console_copies_it__then_not_packed(
    store: RunStore, recorded: Recorded, keeper: Keeper
) -> None:
    copied = at_rest(recorded(NOW_MS - 2 * DAY_MS, output=OUTPUT))
    History(store).refresh()
    with (copied.path / "box7.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert keeper.sweep(MANY).packed == 0
    assert keeper.sweep(MANY).packed == 1


def test_beside_a_run__many_to_pack__then_a_few_of_them_and_none_that_is_large(
    store: RunStore, recorded: Recorded, keeper: Keeper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tracekit.engine.keeping._BYTES_BESIDE", 5 * len(OUTPUT))
    large = at_rest(recorded(NOW_MS - 20 * DAY_MS, output=OUTPUT * 6))
    folders = [at_rest(recorded(NOW_MS - age * DAY_MS, output=OUTPUT)) for age in range(10, 4, -1)]
    History(store).refresh()
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    swept = keeper.beside_a_run(environ, lambda: True)
    assert swept is not None
    assert swept.packed == 4
    assert [is_packed(folder) for folder in (large, *folders)] == [False, *[True] * 4, False, False]
    keeper.beside_a_run(environ, lambda: True)
    assert [is_packed(folder) for folder in (large, *folders)] == [False, *[True] * 6]
    assert keeper.sweep(MANY).packed == 1


def test_after_a_run__runs_to_pack__then_left_as_they_are(
    store: RunStore, recorded: Recorded, keeper: Keeper, tmp_path: Path
) -> None:
    old = at_rest(recorded(NOW_MS - 5 * DAY_MS, output=OUTPUT))
    History(store).refresh()
    swept = keeper.after_a_run({"XDG_CONFIG_HOME": str(tmp_path / "config")})
    assert swept is not None
    assert (swept.packed, is_packed(old)) == (0, False)


def test_beside_a_run__left_after_any_piece__then_whole_and_the_next_one_ends_it(
    store: RunStore, recorded: Recorded, keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracekit.store.packing._PIECE", len(OUTPUT) // 3)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    old = at_rest(recorded(NOW_MS - 5 * DAY_MS, output=OUTPUT))
    History(store).refresh()
    times = 0
    while not is_packed(old):
        left = times

        def going() -> bool:
            nonlocal left
            left -= 1
            return left >= 0

        keeper.beside_a_run(environ, going)
        times += 1
        names = {path.name for path in old.box_dir.iterdir()}
        assert names in ({"journal.ndjson", "output.bin"}, {"journal.ndjson", "output.bin.zst"})
        view = History(store).open(old)
        assert view.output([OutputSpan("stdout", 0, len(OUTPUT))]) == OUTPUT
    assert times > 6


def test_sweep__full_disk__then_plain_files_stay_and_it_is_told_once(
    store: RunStore, recorded: Recorded, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [at_rest(recorded(NOW_MS - age * DAY_MS, output=OUTPUT)) for age in (5, 4, 3)]
    History(store).refresh()

    def full(self: Files, descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Files, "write", full)
    swept = keeper.sweep(MANY)
    assert [problem.code for problem in swept.problems] == ["store.disk_full"]
    assert [is_packed(folder) for folder in folders] == [False] * 3
    assert {path.suffix for folder in folders for path in folder.box_dir.iterdir()} == {".ndjson", ".bin"}
    monkeypatch.undo()
    assert keeper.sweep(MANY).packed == 3


def test_sweep__half_packed_files__then_taken_away_and_the_only_good_one_never(
    store: RunStore, recorded: Recorded, keeper: Keeper
) -> None:
    old, damaged = (at_rest(recorded(NOW_MS - age * DAY_MS, output=OUTPUT)) for age in (3, 2))
    History(store).refresh()
    (old.box_dir / "output.bin.zst.part").write_bytes(b"half")
    (old.box_dir / "journal.ndjson.part").write_bytes(b"half")
    assert keeper.sweep(MANY).packed == 2
    assert sorted(path.name for path in old.box_dir.iterdir()) == ["journal.ndjson", "output.bin.zst"]
    (damaged.box_dir / "output.bin.zst").write_bytes(b"damaged")
    keeper.sweep(MANY)
    keeper.rebuild()
    keeper.sweep(MANY)
    assert (damaged.box_dir / "output.bin.zst").read_bytes() == b"damaged"
    assert damaged.journal.is_file()
    assert [each.counts for each in History(store).summaries()] == [{"failed": 1, "passed": 1}] * 2


def test_delete_and_pin__packed__then_as_plain(store: RunStore, recorded: Recorded, keeper: Keeper) -> None:
    old = at_rest(recorded(NOW_MS - 2 * DAY_MS, output=OUTPUT))
    History(store).refresh()
    assert keeper.sweep(MANY).packed == 1
    pin(old, "kept")
    assert old.pinned == "kept"
    assert keeper.rebuild() == 1
    with pytest.raises(ProblemError):
        keeper.delete([old])
    assert keeper.delete([old], pinned=True) > 0
    assert names(store) == []
