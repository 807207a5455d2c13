"""A run as a step of GitHub Actions: commands at the end and nowhere else, and a page without secrets or markup."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Done, Sandbox

SECRET = "PASS-correct-horse-battery"
SUITE = """
import os
import pytest

@pytest.mark.parametrize("name", ["::error::injected", "##[error]injected", "<b>|x"])
def test_hostile(name):
    print("::set-output name=a::b")
    assert os.environ["API_TOKEN"] == name, f"::error file=x::{name}\\n::error::second line"

def test_green(): ...
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    page = tmp_path / "page.md"
    page.write_text("before\n")
    return Sandbox(
        tmp_path / "home",
        {"API_TOKEN": SECRET, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)},
    )


def commands(lines: list[str]) -> list[str]:
    """What GitHub would obey of these lines."""
    token, found = "", []
    for line in lines:
        word = line.lstrip()
        if token:
            token = "" if word == f"::{token}::" else token
        elif word.startswith("::stop-commands::"):
            token = word.removeprefix("::stop-commands::")
        elif word.startswith("::") or "##[" in word:
            found.append(line)
    assert token == "", "commands stay stopped"
    return found


def checked(done: Done, lines: list[str], sandbox: Sandbox) -> None:
    found = commands(lines)
    assert [line.partition(" ")[0] for line in found] == ["::error"] * 3 + ["::notice"]
    assert all("file=project/tests/test_it.py,line=8," in line for line in found[:3])
    page = Path(sandbox.environ["GITHUB_STEP_SUMMARY"]).read_text()
    assert page.startswith("before\n### tracekit: 1 passed, 3 failed\n")
    assert SECRET not in page + done.out + done.err
    assert "<b>" not in page


def test_run__in_actions__then_ten_errors_at_most_one_notice_and_a_page(sandbox: Sandbox) -> None:
    root = sandbox.project({"tests/test_it.py": SUITE})
    (sandbox.home / ".git").mkdir()
    done = sandbox.run("run", root)
    assert done.code == 1
    checked(done, done.out.splitlines(), sandbox)
    again = sandbox.run("rerun", "--failed")
    assert len(commands(again.out.splitlines())) == 4


def test_run__json_in_actions__then_the_journal_alone_on_standard_output(sandbox: Sandbox) -> None:
    root = sandbox.project({"tests/test_it.py": SUITE})
    sandbox.environ["GITHUB_WORKSPACE"] = str(sandbox.home)
    done = sandbox.run("run", root, "--json")
    assert len(done.verdicts()) == 4
    checked(done, done.err.splitlines(), sandbox)


def test_run__a_page_that_cannot_be_written__then_said_and_the_verdict_stands(sandbox: Sandbox) -> None:
    root = sandbox.project({"tests/test_it.py": "def test_a(): ...\n"})
    sandbox.environ["GITHUB_STEP_SUMMARY"] = str(sandbox.home / "gone" / "page.md")
    done = sandbox.run("run", root)
    assert done.code == 0
    assert "summary cannot be written" in done.err


def test_run__a_page_that_is_full__then_left_as_it_is(sandbox: Sandbox) -> None:
    root = sandbox.project({"tests/test_it.py": "def test_a(): ...\n"})
    page = Path(sandbox.environ["GITHUB_STEP_SUMMARY"])
    page.write_bytes(b"x" * (1024 * 1024 - 10))
    done = sandbox.run("run", root)
    assert done.code == 0
    assert "no room" in done.err
    assert page.stat().st_size == 1024 * 1024 - 10


def test_run__not_in_actions__then_no_command_at_all(sandbox: Sandbox) -> None:
    root = sandbox.project({"tests/test_it.py": "def test_a(): ...\n"})
    del sandbox.environ["GITHUB_ACTIONS"]
    done = sandbox.run("run", root)
    assert "::" not in done.out.replace("test_it.py::test_a", "")
    assert Path(sandbox.environ["GITHUB_STEP_SUMMARY"]).read_text() == "before\n"
