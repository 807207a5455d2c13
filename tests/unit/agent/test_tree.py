"""Trees out of manifests: all stays inside, what is kept moves over, and blobs are what their names say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tracekit.agent import tree
from tracekit.agent.blobs import Blob, Blobs, blobs_of
from tracekit.agent.slots import Slots
from tracekit.agent.system import Files, System

DATA = b"some bytes"
NAME = hashlib.blake2b(DATA, digest_size=32).hexdigest()
OTHER = hashlib.blake2b(b"others", digest_size=32).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    store = Blobs(Files(), str(tmp_path / "files"))
    incoming = store.receive([Blob(NAME, len(DATA))])
    assert incoming.feed(0, DATA)
    assert incoming.done
    return store


def built(blobs: Blobs, folder: Path, entries: list[dict[str, Any]], *keep: str) -> int:
    manifest = folder / "manifest"
    manifest.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return tree.main([str(manifest), blobs.directory, str(folder / "tree"), *keep])


@pytest.mark.parametrize(
    "path", ["../out", "/etc/out", "a/../../out", "./a", "a//b", "", "a\0b", None, 7, "..", "a/.."]
)
def test_tree__path_leads_out_of_it__then_refused_and_the_old_one_stands(
    blobs: Blobs, tmp_path: Path, path: object
) -> None:
    assert built(blobs, tmp_path, [{"p": "good", "h": NAME}]) == 0
    assert built(blobs, tmp_path, [{"p": path, "h": NAME}]) == 1
    assert (tmp_path / "tree" / "good").read_bytes() == DATA
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["/etc", "../..", "a/../../.."])
def test_tree__link_leads_out_of_it__then_refused(blobs: Blobs, tmp_path: Path, text: str) -> None:
    assert built(blobs, tmp_path, [{"p": "link", "l": text}]) == 1


def test_tree__file_behind_a_link__then_the_link_is_never_followed(blobs: Blobs, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    assert built(blobs, tmp_path, [{"p": "d", "l": "outside"}, {"p": "d/x", "h": NAME}]) == 1
    assert not [*outside.iterdir()]


def test_tree__the_same_path_twice__then_refused(blobs: Blobs, tmp_path: Path) -> None:
    assert built(blobs, tmp_path, [{"p": "a", "h": NAME}, {"p": "a", "h": NAME}]) == 1


def test_tree__blob_is_missing__then_refused_in_words(
    blobs: Blobs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert built(blobs, tmp_path, [{"p": "a", "h": OTHER}]) == 1
    assert "cannot be put in place" in capsys.readouterr().err


def test_tree__what_is_kept__then_moves_over_and_survives_a_death_in_between(
    blobs: Blobs, tmp_path: Path
) -> None:
    assert built(blobs, tmp_path, [{"p": "a", "h": NAME, "x": True}], ".venv", "deep/er") == 0
    place = tmp_path / "tree"
    assert (place / "a").stat().st_mode & 0o777 == 0o755
    (place / ".venv").mkdir()
    (place / ".venv" / "word").write_text("kept")
    (place / "deep" / "er").mkdir(parents=True)
    (place / "litter").write_text("of a test")
    # Killed behind the move: what is kept lies in the tree that was never finished.
    new = tmp_path / "tree.new"
    new.mkdir()
    (place / ".venv").rename(new / ".venv")
    assert built(blobs, tmp_path, [{"p": "b", "h": NAME}], ".venv", "deep/er") == 0
    assert sorted(entry.name for entry in place.iterdir()) == [".venv", "b", "deep"]
    assert (place / ".venv" / "word").read_text() == "kept"


def test_blobs__bytes_are_not_what_the_name_says__then_thrown_away(tmp_path: Path) -> None:
    store = Blobs(Files(), str(tmp_path))
    incoming = store.receive([Blob(OTHER, len(DATA)), Blob(NAME, len(DATA))])
    assert incoming.feed(0, DATA[:4])
    assert incoming.feed(4, DATA[4:] + DATA)
    assert (incoming.done, incoming.wrong) == (True, [OTHER])
    assert store.missing([Blob(NAME, 1), Blob(OTHER, 1)]) == [Blob(OTHER, 1)]
    assert not [*tmp_path.rglob("*.part")]


def test_blobs__bytes_out_of_place_or_too_many__then_refused(tmp_path: Path) -> None:
    incoming = Blobs(Files(), str(tmp_path)).receive([Blob(NAME, len(DATA))])
    assert not incoming.feed(3, DATA)
    assert not incoming.feed(0, DATA + b"x")


def test_blobs__console_goes_in_the_middle__then_nothing_is_left(tmp_path: Path) -> None:
    incoming = Blobs(Files(), str(tmp_path)).receive([Blob(NAME, len(DATA))])
    assert incoming.feed(0, DATA[:3])
    incoming.drop()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "found", [None, {}, [1], [["x", 1]], [["../" + "a" * 61, 1]], [[NAME, -1]], [[NAME, 1 << 50]], [[NAME]]]
)
def test_offer__is_no_list_of_files__then_refused(found: object) -> None:
    assert blobs_of(found) is None


def test_slots__one_project__then_one_for_each_run_and_the_first_free_one(tmp_path: Path) -> None:
    slots = Slots(System(), str(tmp_path))
    first, second = slots.reserve("a", "p", ()), slots.reserve("b", "p", ())
    assert (Path(first).name, Path(second).name) == ("1", "2")
    assert slots.take("a", "p", ()) == first
    assert slots.take("b", "p", [first]) == second
    assert slots.reserve("c", "p", [second]) == first


def by_git(blobs: Blobs, folder: Path, **told: Any) -> int:
    facts = {"commit": "a" * 40, "branch": "", "bundles": [], "shallow": [], "patch": None, **told}
    manifest = folder / "manifest"
    manifest.write_text(json.dumps({"git": facts}) + "\n")
    return tree.main([str(manifest), blobs.directory, str(folder / "p" / "1" / "tree")])


@pytest.mark.parametrize(
    "odd",
    [
        {"commit": "--upload-pack=x"},
        {"commit": None},
        {"bundles": ["../x"]},
        {"patch": "/etc/passwd"},
        {"shallow": ["x"]},
    ],
)
def test_git__names_are_none_of_ours__then_refused_before_git_hears_of_them(
    blobs: Blobs, tmp_path: Path, capsys: pytest.CaptureFixture[str], odd: dict[str, Any]
) -> None:
    assert by_git(blobs, tmp_path, **odd) == 1
    assert "called" in capsys.readouterr().err
    assert not (tmp_path / "p" / "git").exists()


def test_git__it_is_not_installed_on_the_box__then_said_with_the_other_way(
    blobs: Blobs, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p" / "1").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert by_git(blobs, tmp_path) == 1
    assert 'install it there, or set how = "sync"' in capsys.readouterr().err


def test_git__commit_is_in_no_bundle__then_the_old_tree_stands(
    blobs: Blobs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "p" / "1" / "tree"
    place.mkdir(parents=True)
    (place / "old").touch()
    assert by_git(blobs, tmp_path) == 1
    assert "git" in capsys.readouterr().err
    assert (place / "old").exists()
