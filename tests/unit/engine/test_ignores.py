"""What nobody watches: by git's own rules, compared with git itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.model.journals import PROPERTY
from tracekit.engine.ignores import rules_of, walk

FILES = (
    "a.py",
    "b.log",
    "out/a.py",
    "out/deep/b.log",
    "src/out/a.py",
    "src/a.py",
    "src/keep.log",
    "src/x y.txt",
    "src/[z].txt",
    "docs/a/b/c.md",
    "docs/c.md",
)


def made(root: Path, ignore: dict[str, str]) -> Path:
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    for folder, text in ignore.items():
        (root / folder / ".gitignore").write_text(text)
    return root


def walked(root: Path) -> set[str]:
    return {path for path, _ in walk(str(root), {"HOME": str(root)})}


def by_git(root: Path) -> set[str]:
    env = {**os.environ, "HOME": str(root), "XDG_CONFIG_HOME": str(root / "none")}
    subprocess.run(["git", "init", "-q", root], check=True, env=env)
    listing = ["git", "-C", str(root), "ls-files", "-z", "--others", "--exclude-standard"]
    out = subprocess.run(listing, check=True, env=env, capture_output=True).stdout
    return {name for name in out.decode().split("\0") if name and not name.endswith(".gitignore")}


@pytest.mark.parametrize(
    "ignore",
    [
        {".": "*.log\n"},
        {".": "out/\n"},
        {".": "/out\n"},
        {".": "/out/\n!/out/a.py\n"},
        {".": "*.log\n!keep.log\n"},
        {".": "*\n!*.py\n!*/\n"},
        {".": "docs/**/c.md\n"},
        {".": "**/c.md\n"},
        {".": "docs/**\n"},
        {".": "docs/*\n!docs/c.md\n"},
        {".": "src/x\\ y.txt\n"},
        {".": "src/\\[z].txt\n"},
        {".": "src/[!a]*\n"},
        {".": "[ab].*\n"},
        {".": "# a comment\n\n   \n\\#no\na.py   \n"},
        {".": "a.py\n", "src": "!a.py\n"},
        {".": "!a.py\n", "src": "/a.py\nout\n"},
        {".": "src/out\n", "src/out": "!a.py\n"},
        {".": "s?c/a.py\nsrc*\n!src\n"},
        {".": "***.log\nout/***\n"},
    ],
)
def test_walk__ignore_files__then_what_git_itself_would_list(tmp_path: Path, ignore: dict[str, str]) -> None:
    root = made(tmp_path, ignore)
    assert walked(root) == by_git(root)


@PROPERTY
@given(st.text(alphabet="ab*?[]!/\\.# -^~&|(){}+$", max_size=12))
def test_rules__any_line__then_read_without_a_fault(line: str) -> None:
    for rule in rules_of(line):
        rule.fits("a/b", "b", folder=True)


def test_walk__caches_dots_and_what_editors_leave__then_nobodys(tmp_path: Path) -> None:
    for name in (
        "a.py",
        ".git/x.py",
        "__pycache__/x.py",
        ".cache/x.py",
        "v/pyvenv.cfg",
        "v/lib/x.py",
        "apart/x.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    for name in (".#a.py", "a.py~", ".a.py.swp", "#a.py#", "4913", "a.pyc"):
        (tmp_path / name).write_text("x")
    (tmp_path / "link").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.py")
    found = {path for path, _ in walk(str(tmp_path), {}, (str(tmp_path / "apart"),))}
    assert found == {"a.py"}


def test_walk__a_folder_below_the_repository__then_the_rules_above_count(tmp_path: Path) -> None:
    root = made(tmp_path / "r", {".": "src/*.txt\n"})
    (root / ".git" / "info").mkdir(parents=True)
    (root / ".git" / "info" / "exclude").write_text("keep.log\n")
    assert walked(root / "src") == {"a.py", "out/a.py"}
