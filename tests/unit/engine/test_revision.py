"""Commit, branch, dirt and fingerprint of a project's sources: told where known, never a reason not to run."""

from __future__ import annotations

import os
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from tracekit.engine.places import Places
from tracekit.engine.revision import GitState, revision
from tracekit.store.sources import Changed, SourceStore

NOW = 2_000_000_000 * 10**9


def git(where: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=trunk"]
    done = subprocess.run(["git", *who, *words], cwd=where, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "tests").mkdir(parents=True)
    (root / "tests" / "test_a.py").write_text("def test_a(): ...\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_git_state__clean_then_changed__then_commit_branch_and_dirty(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert GitState(str(repository / "tests"), os.environ).told() == {
        "commit": commit,
        "branch": "trunk",
        "dirty": False,
    }
    (repository / "tests" / "test_a.py").write_text("def test_b(): ...\n")
    assert GitState(str(repository), os.environ).told()["dirty"] is True


def test_git_state__packed_detached_and_linked__then_the_commit_is_found(
    repository: Path, tmp_path: Path
) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "pack-refs", "--all")
    assert GitState(str(repository), os.environ).told()["commit"] == commit
    git(repository, "worktree", "add", "-q", "-b", "feature/x", str(tmp_path / "linked"))
    linked = GitState(str(tmp_path / "linked"), os.environ).told()
    assert (linked["commit"], linked["branch"]) == (commit, "feature/x")
    git(repository, "checkout", "-q", "--detach")
    assert GitState(str(repository), os.environ).told() == {"commit": commit, "dirty": False}


def test_git_state__no_git_to_ask__then_commit_and_branch_without_dirty(
    repository: Path, tmp_path: Path
) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    shutil.rmtree(repository / ".git" / "hooks", ignore_errors=True)
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "git").write_text("#!/bin/sh\nexit 128\n")
    (broken / "git").chmod(0o755)
    environ = {"PATH": str(broken)}
    assert GitState(str(repository), environ).told() == {"commit": commit, "branch": "trunk"}


def test_git_state__inside_a_hook_of_another_repository__then_our_own_is_asked(repository: Path) -> None:
    (repository / "tests" / "test_a.py").write_text("changed = 1\n")
    environ = {**os.environ, "GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere/index"}
    assert GitState(str(repository), environ).told()["dirty"] is True


@pytest.mark.parametrize("head", [b"", b"ref: ../../../../etc/passwd", b"\xff\0", b"ref: refs/heads/none"])
def test_git_state__damaged_repository__then_no_commit_and_no_fault(tmp_path: Path, head: bytes) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_bytes(head)
    assert "commit" not in GitState(str(tmp_path), os.environ).told()


def test_revision__no_repository__then_a_fingerprint_alone(tmp_path: Path) -> None:
    root = tmp_path / "bare"
    root.mkdir()
    (root / "test_a.py").write_text("")
    told = revision(str(root), Places(tmp_path / "state", tmp_path / "cache"))
    assert list(told) == ["fingerprint"]
    assert told["fingerprint"]


def test_fingerprint__same_content_elsewhere_and_later__then_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "tests").mkdir(parents=True)
        (tmp_path / name / "tests" / "test_a.py").write_text("x = 1\n")
    os.utime(tmp_path / "two" / "tests" / "test_a.py", (1, 1))
    store = SourceStore(tmp_path / "cache")
    first = store.fingerprint(str(tmp_path / "one"), NOW)
    assert first == store.fingerprint(str(tmp_path / "two"), NOW)
    (tmp_path / "one" / "written-by-a-test.log").write_text("noise")
    assert first == store.fingerprint(str(tmp_path / "one"), NOW)


def test_fingerprint__content_name_or_number_of_files_changes__then_another(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    store = SourceStore(tmp_path / "cache")
    seen = {store.fingerprint(str(root), NOW)}
    for name, text in (("a.py", "1"), ("a.py", "22"), ("b.py", "1"), ("pytest.ini", "[pytest]")):
        (root / name).write_text(text)
        seen.add(store.fingerprint(str(root), NOW))
    (root / "b.py").rename(root / "c.py")
    seen.add(store.fingerprint(str(root), NOW))
    assert len(seen) == 6


def test_fingerprint__file_changed_just_before_it_was_read__then_it_is_read_again(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    file = root / "a.py"
    file.write_text("a")
    stamp = file.stat().st_mtime_ns
    store = SourceStore(tmp_path / "cache")
    first = store.fingerprint(str(root), stamp)
    file.write_text("b")
    os.utime(file, ns=(stamp, stamp))
    assert store.fingerprint(str(root), stamp) != first


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"schema":"tracekit.sources/1"}', b"\xff"])
def test_fingerprint__kept_hashes_damaged__then_the_same_as_without(tmp_path: Path, damage: bytes) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.py").write_text("a")
    store = SourceStore(tmp_path / "cache")
    first = store.fingerprint(str(root), NOW)
    for file in (tmp_path / "cache" / "sources").glob("*.json"):
        file.write_bytes(damage)
    assert store.fingerprint(str(root), NOW) == first


def test_between__two_states_of_the_sources__then_which_files_are_different(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name in ("a.py", "b.py", "c.py"):
        (root / name).write_text(name)
    store = SourceStore(tmp_path / "cache")
    before = store.fingerprint(str(root), NOW)
    (root / "a.py").write_text("other")
    (root / "b.py").unlink()
    (root / "d.py").write_text("new")
    after = store.fingerprint(str(root), NOW)
    found = SourceStore(tmp_path / "cache").between(before, after)
    assert found == [Changed("a.py", "changed"), Changed("b.py", "gone"), Changed("d.py", "new")]
    assert store.between(before, before) == []


@pytest.mark.parametrize("damage", [b"", b"not packed", zlib.compress(b"[]"), zlib.compress(b'{"files": 1}')])
def test_between__one_is_not_remembered_or_damaged__then_nothing_is_claimed(
    tmp_path: Path, damage: bytes
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.py").write_text("a")
    store = SourceStore(tmp_path / "cache")
    known = store.fingerprint(str(root), NOW)
    assert store.between(known, "0" * 32) is None
    assert store.between(known, "../../etc/passwd") is None
    (tmp_path / "cache" / "sources" / "of" / known).write_bytes(damage)
    assert store.between(known, known) is None


def test_fingerprint__more_than_are_kept__then_the_oldest_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracekit.store.sources._FINGERPRINTS", 3)
    root = tmp_path / "root"
    root.mkdir()
    store = SourceStore(tmp_path / "cache")
    for number in range(6):
        (root / "a.py").write_text(str(number) * (number + 1))
        store.fingerprint(str(root), NOW)
    assert len(list((tmp_path / "cache" / "sources" / "of").iterdir())) == 3
