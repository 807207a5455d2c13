"""Every `tracekit` command in README and docs does what the page says: it is executed, its exit code compared.

The commands of one page run in order, in one small project of their own, so that a page may build on its own lines.
`make`, `pip` and `uvx` lines are executed by .ci/run, the page of real suites by tools/real-suites.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tools.tasks.documents import Command, fenced

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {"real-suites.md"}
FOREIGN = ("make", "pip", "uvx", "git", "cd", "cp", "export", "tools/", ".ci/", "ssh")
PAGES = sorted(
    [ROOT / "README.md", *(page for page in (ROOT / "docs").glob("*.md") if page.name not in ELSEWHERE)]
)
TEST = '''\
"""Two sums, one of them wrong."""

import pytest


@pytest.mark.parametrize("left", [1, 2])
def test_sum__small_numbers__then_right(left: int) -> None:
    """Adding is what it was."""
    print(f"adding to {left}")
    assert left + 1 == {1: 2, 2: 3}[left]


def test_sum__large_numbers__then_right() -> None:
    """A wrong expectation, so that there is a red row to look at."""
    assert 10**3 + 1 == 1000
'''


def commands(page: Path) -> list[Command]:
    """The product's commands of a page."""
    return [one for one in fenced(page) if one.line.split()[0] in {"tracekit", "tracekit-tui"}]


def test_pages__every_line_of_a_shell_block__then_somebody_executes_it() -> None:
    strange = [
        f"{one.document}:{one.number}: {one.line}"
        for page in PAGES
        for one in fenced(page)
        if not one.line.startswith(("tracekit", *FOREIGN))
    ]
    assert strange == []


def test_pages__looked_through__then_there_are_commands() -> None:
    assert sum(len(commands(page)) for page in PAGES) >= 12


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two green scenarios and a red one."""
    folder = tmp_path / "project"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "test_sum.py").write_text(TEST, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n", encoding="utf-8")
    return folder


def filled(line: str, last_run: str, scenario: str) -> list[str]:
    """The words of a command, with names in capitals filled in as the page means them."""
    line = re.sub(r"\bRUN\b", last_run, line)
    return [scenario if word == "SCENARIO" else word for word in shlex.split(line)]


def newest_run(env: dict[str, str]) -> str:
    """The id of the run that was made last, from the place where runs are kept."""
    runs = Path(env["XDG_STATE_HOME"]) / "tracekit" / "runs"
    return max((path.name for path in runs.iterdir()), default="") if runs.is_dir() else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page__each_command__then_the_documented_exit_code(page: Path, project: Path, tmp_path: Path) -> None:
    found = commands(page)
    env = {
        **os.environ,
        "NO_COLOR": "1",
        "VIRTUAL_ENV": sys.prefix,
        "TERM": "dumb",
        "TRACEKIT_AGENT_IDLE": "1",
    }
    for name in ("STATE", "CACHE", "CONFIG"):
        env[f"XDG_{name}_HOME"] = str(tmp_path / name.lower())
    tools = Path(sys.executable).parent
    wrong = []
    for one in found:
        words = filled(
            one.line, newest_run(env), "pytest:tests/test_sum.py::test_sum__large_numbers__then_right"
        )
        done = subprocess.run(
            [str(tools / words[0]), *words[1:]],
            cwd=project,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode != one.exit:
            told = (done.stdout + done.stderr).decode(errors="replace")
            wrong.append(
                f"{one.document}:{one.number}: {one.line}: exit {done.returncode}, not {one.exit}\n{told}"
            )
    assert wrong == []
