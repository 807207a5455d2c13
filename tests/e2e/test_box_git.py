"""A project that goes to a box by its commits: with its history, a patch of what is not committed, and words for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import sshd
from tests.support.brought import Here, launches, outputs
from tracekit.engine.commits import commits

TEST = """
import os, pathlib, subprocess

def git(*words):
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()

def test_tree():
    print("log:", git("log", "--format=%s"))
    print("branch:", git("symbolic-ref", "--short", "HEAD"))
    print("described:", git("describe", "--tags", "--always"))
    print("changed:", git("status", "--porcelain", "--untracked-files=no"))
    print("word:", pathlib.Path("word").read_text().strip())
    print("files:", " ".join(sorted(os.listdir("."))))
"""


@pytest.fixture
def here(served: tuple[sshd.Box, str, Path], tmp_path: Path) -> Here:
    made = Here(*served, tmp_path / re.sub(r"\W", "", tmp_path.name))
    made.files(test_it_dot_py=TEST, word="one\n")
    made.profile('how = "git"', 'keep = [".venv"]', 'prepare = ["mkdir .venv && echo kept > .venv/word"]')
    return made


def git(place: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=trunk")
    return subprocess.run(["git", *who, *words], cwd=place, check=True, capture_output=True, text=True).stdout


def committed(place: Path, message: str) -> None:
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", message)


def told(text: str, name: str) -> str:
    (found,) = re.findall(rf"{name}: (.*)", text)
    return str(found)


def bundles(here: Here) -> list[int]:
    """The sizes of what this machine has made of the project's history, the oldest first."""
    chain = next((here.sandbox.home / "cache").glob("tracekit/bundles/*/chain.json"))
    names = re.findall(r'"bundle": "(\w+)"', chain.read_text())
    return [(chain.parent / name).stat().st_size for name in names]


def test_git__commits_a_patch_and_strangers__then_there_as_git_has_them_and_the_rest_is_named(
    here: Here,
) -> None:
    git(here.root, "init", "-q")
    here.files(big="".join(f"{number * 7919}\n" for number in range(50_000)))
    committed(here.root, "first")
    git(here.root, "tag", "v1.0")
    committed_word = here.root / "word"
    committed_word.write_text("two\n")
    here.files(stranger="not in git\n", _dot_env="TOKEN=1\n")
    done = here.run()
    text = outputs(done)
    assert done.code == 0, text + done.err
    assert (told(text, "log"), told(text, "branch"), told(text, "described")) == ("first", "trunk", "v1.0")
    assert (told(text, "word"), told(text, "changed")) == ("two", "M word")
    assert "stranger" not in told(text, "files")
    warnings = [line["message"] for line in done.of("warning") if line["category"] == "sync"]
    assert warnings == [
        "not committed, and brought along as a patch: word",
        "not in git, and not brought to the box: .env, stranger",
    ]
    # The next commit is a bundle of its own, and of what is big nothing goes again; what is kept stays.
    committed(here.root, "second")
    again = here.run()
    assert (again.code, told(outputs(again), "described")[:7]) == (0, "v1.0-1-"), outputs(again)
    assert re.search(r"log: second\nfirst\n", outputs(again))
    assert launches(again) == ["sync", "all scenarios"]
    first, second = bundles(here)
    assert second < 3000 < first
    said = [line["message"] for line in again.of("warning") if line["category"] == "sync"]
    assert [message for message in said if "it goes with the commits" not in message] == []
    # An older commit is in what is there already.
    git(here.root, "checkout", "-q", "v1.0")
    detached = here.sandbox.run("run", here.root, "--env", "box7", "--json")
    assert detached.code == 1
    assert len(bundles(here)) == 2


def test_git__secret_is_changed_and_not_committed__then_the_change_stays_here(here: Here) -> None:
    git(here.root, "init", "-q")
    here.files(server_dot_pem="old\n")
    committed(here.root, "first")
    here.files(server_dot_pem="the new key\n")
    done = here.run()
    assert done.code == 0, outputs(done)
    assert told(outputs(done), "changed") == ""
    messages = [line["message"] for line in done.of("warning")]
    assert any("looks like a secret: server.pem" in message for message in messages), messages
    # What is committed cannot be left out: that it goes is said.
    assert any("it goes with the commits: server.pem" in message for message in messages), messages


def test_git__project_below_the_repository_and_a_clone_that_is_cut_short__then_it_stands_there_likewise(
    here: Here, tmp_path: Path
) -> None:
    top = tmp_path / "whole"
    shutil.copytree(here.root, top / "part")
    git(top, "init", "-q")
    committed(top, "first")
    (top / "part" / "word").write_text("later\n")
    committed(top, "second")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{top}", str(tmp_path / "clone"))
    here.root = tmp_path / "clone" / "part"
    done = here.run()
    text = outputs(done)
    assert done.code == 0, text + done.err
    assert (told(text, "log"), told(text, "word")) == ("second", "later")
    assert launches(here.run()) == ["sync", "all scenarios"]


def test_git__no_repository_or_no_commit__then_said_with_the_other_way(here: Here) -> None:
    for begun in (False, True):
        if begun:
            git(here.root, "init", "-q")
        done = here.run()
        assert (done.code, 'how = "sync"' in done.err) == (2, True), done.err


def test_git__history_was_rewritten_again_and_again__then_what_it_was_goes_after_a_day(here: Here) -> None:
    git(here.root, "init", "-q")
    committed(here.root, "first")
    cache = here.sandbox.home / "bundles"
    for number in range(3):
        (here.root / "word").write_text(f"{number}\n")
        git(here.root, "commit", "-q", "--amend", "-a", "-m", f"anew {number}")
        git(here.root, "reflog", "expire", "--expire=now", "--all")
        git(here.root, "gc", "-q", "--prune=now")
        commits(str(here.root), cache)
        for file in cache.iterdir():
            if file.name != "chain.json":
                os.utime(file, (1, 1))
    commits(str(here.root), cache)
    assert len([file for file in cache.iterdir() if len(file.name) == 64]) == 1
