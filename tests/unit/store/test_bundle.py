"""Bundles: the same run gives the same bytes and comes back equal; a hostile one leaves nothing behind."""

from __future__ import annotations

import io
import json
import random
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.store.conftest import Recorded
from tracekit.engine.history import History, open_path
from tracekit.engine.keeping import Keeper
from tracekit.model.results import results
from tracekit.store import bundle
from tracekit.store.keeping import Limits
from tracekit.store.runs import RunFolder, RunStore
from tracekit.store.verify import verify
from tracekit.wire.problems import ProblemError

NOW = 10**18


def packed(folder: RunFolder) -> bytes:
    file = io.BytesIO()
    bundle.write(folder, file)
    return file.getvalue()


@pytest.fixture
def other(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "elsewhere")


@pytest.fixture
def file(tmp_path: Path, recorded: Recorded) -> Path:
    place = tmp_path / "run.tracekit"
    place.write_bytes(packed(recorded(output=b"hello")))
    return place


def test_write__twice__then_the_same_bytes_and_only_what_is_the_run(recorded: Recorded) -> None:
    folder = recorded()
    (folder.path / "pin").write_text("mine")
    (folder.path / "console-1.ndjson").write_text("{}")
    (folder.box_dir / "blobs").mkdir()
    (folder.box_dir / "blobs" / ("a" * 64)).write_bytes(b"blob")
    (folder.box_dir / "blobs" / "half.part").write_bytes(b"")
    first = packed(folder)
    assert packed(folder) == first
    assert zipfile.ZipFile(io.BytesIO(first)).namelist() == [
        "manifest.json",
        "run.json",
        "local/journal.ndjson",
        "local/output.bin",
        f"local/blobs/{'a' * 64}",
    ]


def test_bring_in__then_listed_opened_and_verified_as_it_was(
    store: RunStore, other: RunStore, file: Path
) -> None:
    folder, new = bundle.bring_in(other, file, NOW)
    assert new
    assert folder.imported
    assert verify(folder).problems == []
    here, there = History(store).open(store.find("last")), History(other).open(folder)
    assert list(results(here.state)) == list(results(there.state))
    index = there.state.index["pytest:t.py::red"]
    assert there.output(there.state.attempts(index)[0].outputs) == b"hello"
    (row,) = History(other).summaries()
    assert row.imported
    assert row.counts == {"failed": 1, "passed": 1}


def test_bring_in__twice__then_the_same_run_and_another_of_its_name_is_refused(
    store: RunStore, other: RunStore, file: Path
) -> None:
    bundle.bring_in(other, file, NOW)
    assert bundle.bring_in(other, file, NOW)[1] is False
    folder = store.find("last")
    (folder.box_dir / "output.bin").write_bytes(b"HELLO")
    file.write_bytes(packed(folder))
    with pytest.raises(ProblemError) as caught:
        bundle.bring_in(other, file, NOW)
    assert caught.value.first.code == "bundle.exists"


def test_open_path__bundle__then_shown_without_becoming_a_run(other: RunStore, file: Path) -> None:
    view = open_path(file)
    place = view.box_dir
    assert view.verdicts()["failed"] == 1
    assert other.folders() == []
    assert place.is_dir()
    del view
    assert not place.exists()


def test_sweep__old_run_that_was_imported_just_now__then_it_stays(other: RunStore, file: Path) -> None:
    folder, _ = bundle.bring_in(other, file, NOW)
    when = (folder.path / "imported.json").stat().st_mtime_ns
    assert Keeper(History(other), lambda: when).sweep(Limits()).removed == []


def test_write__run_that_goes_on__then_refused(recorded: Recorded) -> None:
    folder = recorded()
    (folder.box_dir / "spool").mkdir()
    with pytest.raises(ProblemError) as caught:
        packed(folder)
    assert caught.value.first.code == "bundle.not_ended"


Change = Callable[[dict[str, Any], dict[str, bytes]], None]


def changed(file: Path, change: Change) -> None:
    """The bundle again with another manifest, other entries, or both."""
    with zipfile.ZipFile(file) as whole:
        entries = {name: whole.read(name) for name in whole.namelist()}
    manifest = json.loads(entries.pop("manifest.json"))
    change(manifest, entries)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as whole:
        whole.writestr("manifest.json", json.dumps(manifest))
        for name, data in entries.items():
            whole.writestr(name, data)


def rename(old: str, new: str) -> Change:
    def change(manifest: dict[str, Any], entries: dict[str, bytes]) -> None:
        entries[new] = entries.pop(old)
        for row in manifest["files"]:
            row["name"] = new if row["name"] == old else row["name"]

    return change


def say(**told: Any) -> Change:
    return lambda manifest, entries: manifest.update(told)


def other_bytes(manifest: dict[str, Any], entries: dict[str, bytes]) -> None:
    entries["local/output.bin"] = b"HELLO"


def more(manifest: dict[str, Any], entries: dict[str, bytes]) -> None:
    entries["local/extra"] = b""


def fewer(manifest: dict[str, Any], entries: dict[str, bytes]) -> None:
    del entries["local/output.bin"]


def lies_about_size(manifest: dict[str, Any], entries: dict[str, bytes]) -> None:
    manifest["files"][-1]["size"] -= 1


OTHER_RUN = "01M7YGETZKM89S7E5TNP41GRM2"
HOSTILE: dict[str, Change] = {
    "above": rename("local/output.bin", "../../evil"),
    "absolute": rename("local/output.bin", "/tmp/evil"),
    "inside-another": rename("run.json", "../01M7YGETZKM89S7E5TNP41GRM2/run.json"),
    "pin": rename("local/output.bin", "pin"),
    "spool": rename("local/output.bin", "local/spool/main-1-1.ndjson"),
    "blob-name": rename("local/output.bin", "local/blobs/../../../evil"),
    "box-above": say(box=".."),
    "box-path": say(box="a/b"),
    "box-taken": say(box="checkpoints"),
    "box-lock": say(box="x.lock"),
    "run-name": say(run="../../../../etc"),
    "run-number": say(run=3),
    "no-files": say(files=[]),
    "files-are-words": say(files=["run.json"]),
    "negative": say(files=[{"name": "run.json", "size": -1, "blake2b": "0" * 64}]),
    "other-bytes": other_bytes,
    "more": more,
    "fewer": fewer,
    "size": lies_about_size,
    "other-run": say(run=OTHER_RUN),
    "schema": say(schema="tracekit.events/1"),
}


def nothing_left(store: RunStore, base: Path) -> bool:
    return not store.folders() and not list(base.rglob("evil")) and not Path("/tmp/evil").exists()


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_bring_in__hostile__then_refused_and_nothing_left(
    other: RunStore, file: Path, tmp_path: Path, change: Change
) -> None:
    changed(file, change)
    with pytest.raises(ProblemError) as caught:
        bundle.bring_in(other, file, NOW)
    assert caught.value.first.code == "bundle.refused"
    assert caught.value.first.where == str(file)
    assert nothing_left(other, tmp_path)
    assert not other.runs_dir.exists() or list(other.runs_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("told", "both"),
    [
        ({"schema": "tracekit.bundle/2"}, ("tracekit.bundle/2", "tracekit.bundle/1")),
        ({"lines": 7}, ("lines/7", "lines/1")),
    ],
)
def test_bring_in__newer_format__then_refused_naming_both(
    other: RunStore, file: Path, told: dict[str, Any], both: tuple[str, str]
) -> None:
    changed(file, say(**told))
    with pytest.raises(ProblemError) as caught:
        bundle.bring_in(other, file, NOW)
    assert caught.value.first.code == "bundle.other_version"
    assert all(version in caught.value.first.what for version in both)


def test_bring_in__link_or_folder_as_an_entry__then_refused(
    other: RunStore, file: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(file) as whole:
        entries = {name: whole.read(name) for name in whole.namelist()}
    for kind in (stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO):
        with zipfile.ZipFile(file, "w") as whole:
            for name, data in entries.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = ((kind if name == "local/output.bin" else stat.S_IFREG) | 0o777) << 16
                whole.writestr(info, data)
        with pytest.raises(ProblemError) as caught:
            bundle.bring_in(other, file, NOW)
        assert caught.value.first.code == "bundle.refused"
    assert nothing_left(other, tmp_path)


def test_bring_in__bomb__then_refused_before_a_byte_is_unpacked(
    other: RunStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "_ALWAYS_ALLOWED", 1 << 16)

    def grow(manifest: dict[str, Any], entries: dict[str, bytes]) -> None:
        entries["local/output.bin"] = bytes(8 << 20)
        manifest["files"][-1]["size"] = 8 << 20

    changed(file, grow)
    with pytest.raises(ProblemError) as caught:
        bundle.bring_in(other, file, NOW)
    assert caught.value.first.code == "bundle.bomb"
    assert other.folders() == []


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip at all", b"PK\x05\x06" + bytes(18)])
def test_contents__no_bundle__then_refused(tmp_path: Path, data: bytes) -> None:
    place = tmp_path / "x"
    place.write_bytes(data)
    with pytest.raises(ProblemError) as caught:
        bundle.contents(place)
    assert caught.value.first.code == "bundle.refused"


def test_contents__missing_file_or_folder__then_unreadable(tmp_path: Path) -> None:
    for place in (tmp_path / "missing", tmp_path):
        with pytest.raises(ProblemError) as caught:
            bundle.contents(place)
        assert caught.value.first.code == "bundle.unreadable"


def test_bring_in__mutated_at_random__then_the_same_run_or_a_problem(
    other: RunStore, file: Path, tmp_path: Path
) -> None:
    whole = file.read_bytes()
    found = bundle.contents(file)
    chance = random.Random(4711)
    refused = 0
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        file.write_bytes(data)
        into = tmp_path / "into"
        into.mkdir(exist_ok=True)
        try:
            folder = bundle.unpack(file, into)
        except ProblemError:
            refused += 1
            assert list(into.iterdir()) == []
            continue
        # What was changed is no part of it, such as a time stamp: then every byte is as it was.
        assert folder.run_id == found.run
        for entry in found.files:
            assert bundle._measured(folder.path / entry.name) == (entry.size, entry.blake2b)
        shutil.rmtree(folder.path)
    assert refused > 150
