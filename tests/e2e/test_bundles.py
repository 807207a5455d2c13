"""A run as one file: exported here, imported and replayed there, equal in every row, and never run again."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.support.cli import Done, Sandbox

SUITE = """
import os, pytest

def test_green():
    print("a line of output")

def test_red():
    raise ValueError("wrong " + os.environ["API_TOKEN"])

@pytest.mark.parametrize("value", [1, 2])
def test_sub(value): ...
"""
SECRET = "PASS-correct-horse-battery"
RED = "pytest:tests/test_it.py::test_red"


@pytest.fixture
def here(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "here", {"API_TOKEN": SECRET})


@pytest.fixture
def there(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "there")


@pytest.fixture
def file(here: Sandbox, tmp_path: Path) -> Path:
    root = here.project({"tests/test_it.py": SUITE})
    assert here.run("run", root).code == 1
    place = tmp_path / "run.bundle"
    done = here.run("export", "last", "--bundle", place)
    assert (done.code, done.out, done.err) == (0, "", "")
    return place


def said(done: Done) -> tuple[int, str]:
    """What is shown, but for how it would run again: that is said only where it was recorded."""
    again = ("rerun", "    rerun:", "  rerun:", "recorded elsewhere", "  recorded elsewhere")
    return done.code, "\n".join(line for line in done.out.splitlines() if not line.startswith(again))


def test_import__on_another_machine__then_shown_and_replayed_equal(
    here: Sandbox, there: Sandbox, file: Path
) -> None:
    done = there.run("import", file)
    assert done.code == 0, done.err
    assert done.out.startswith("imported ")
    for words in (
        ["show"],
        ["show", "last", "test_red"],
        ["replay", "--json"],
        ["show", "--json"],
        ["verify"],
    ):
        assert said(there.run(*words)) == said(here.run(*words))
    (row,) = there.run("runs", "--json").lines()
    assert (row["imported"], row["counts"]) == (True, {"failed": 1, "passed": 3})
    assert there.run("import", file, "--json").lines()[0]["new"] is False
    assert there.run("history", "test_red", "--json").lines()[0]["red"] == 1
    again = there.run("export", "last", "--bundle", file.with_name("again"))
    assert again.code == 0
    assert file.with_name("again").read_bytes() == file.read_bytes()


def test_replay__of_the_file_itself__then_the_same_and_nothing_is_kept(
    here: Sandbox, there: Sandbox, file: Path
) -> None:
    assert said(there.run("replay", file, "--json")) == said(here.run("replay", "--json"))
    assert there.run("runs", "--json").out == ""


def test_export__of_a_run_with_secrets__then_none_is_in_the_file(file: Path) -> None:
    with zipfile.ZipFile(file) as packed:
        text = b"".join(packed.read(name) for name in packed.namelist())
    assert SECRET.encode() not in text
    assert b"redacted:API_TOKEN" in text


def test_rerun__of_an_imported_run__then_refused_and_nothing_is_started(
    there: Sandbox, file: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    with zipfile.ZipFile(file) as packed:
        entries = {name: packed.read(name) for name in packed.namelist()}
    plan = json.loads(entries["run.json"])
    plan["box"] = {"name": "local", "host": "box.invalid"}
    plan["plan"]["suites"][0]["python"] = f"/usr/bin/touch {mark}"
    there.run("import", file)
    (folder,) = (there.state / "runs").glob("*")
    (folder / "run.json").write_text(json.dumps(plan))
    for words in (["rerun", "last", "--all"], ["rerun", "last", "--failed"], ["bisect", "last", RED]):
        done = there.run(*words)
        assert done.code == 2, done.out
        assert "recorded elsewhere" in done.err
    assert there.run("attach", "last").code == 1
    assert there.run("cancel", "last").code == 0
    assert not mark.exists()


def test_import__what_is_no_bundle__then_usage_with_a_reason(there: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no bundle")
    for name in ("text", "missing", ""):
        done = there.run("import", tmp_path / name)
        assert done.code == 2
        assert "bundle" in done.err or "cannot be read" in done.err
    assert there.run("runs", "--json").out == ""


def test_export__bundle_where_nothing_can_be_written__then_usage_and_no_part_is_left(
    here: Sandbox, file: Path, tmp_path: Path
) -> None:
    done = here.run("export", "last", "--bundle", tmp_path / "no" / "such" / "place")
    assert done.code == 2
    assert "cannot be written" in done.err
    full = here.run("export", "last", "--bundle", "/dev/full/x")
    assert full.code == 2
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []
