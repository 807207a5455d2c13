"""What earlier runs say: by the commands, over real runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import Sandbox

SUITE = """
import os, pytest

def test_flips():
    assert os.environ.get("FLIP") != "1"

@pytest.mark.parametrize("value", ["a", "b"])
def test_sum(value): ...
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def run(sandbox: Sandbox, root: Path, *, flip: bool) -> str:
    done = sandbox.run("run", root, "--json", env={**sandbox.environ, "FLIP": "1" if flip else "0"})
    assert done.code == int(flip), done.err
    return done.run_id()


def test_history__red_and_green_on_the_same_sources__then_flaky_until_the_sources_change(
    sandbox: Sandbox,
) -> None:
    root = sandbox.project({"tests/test_it.py": SUITE})
    ids = [run(sandbox, root, flip=False), run(sandbox, root, flip=True)]
    done = sandbox.run("history", "test_flips", "--json")
    head, *rows = done.lines()
    assert head["schema"] == "tracekit.history/1"
    assert (head["green"], head["red"], head["flaky"], head["flaky_rate"]) == (1, 1, 1, 0.5)
    assert [(row["run"], row["verdict"], row["flaky"]) for row in rows] == [
        (ids[1], "failed", True),
        (ids[0], "passed", False),
    ]
    assert rows[0]["fingerprint"] == rows[1]["fingerprint"] != ""
    (root / "tests" / "test_it.py").write_text(SUITE + "\n# changed\n")
    run(sandbox, root, flip=True)
    assert [row["flaky"] for row in sandbox.run("history", "test_flips", "--json").lines()[1:]] == [
        False,
        True,
        False,
    ]


def test_history__on_a_screen_for_people__then_strip_sum_and_rows(sandbox: Sandbox) -> None:
    root = sandbox.project({"tests/test_it.py": SUITE})
    ids = [run(sandbox, root, flip=flip) for flip in (False, True, False)]
    done = sandbox.run("history", "pytest:tests/test_it.py::test_flips")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "pytest:tests/test_it.py::test_flips"
    assert lines[1] == str(root)
    assert lines[3] == "  ✓↻✓"
    assert lines[4].startswith("  3 runs, 2 green, 1 red, 1 flaky (33%), green in ")
    assert [line.split()[0] for line in lines[6:]] == ["✓", "✗", "✓"]
    assert [run_id in line for run_id, line in zip(ids[::-1], lines[6:], strict=True)] == [True] * 3
    many = sandbox.run("history", "test_sum")
    assert many.code == 2
    assert "test_sum[a]" in many.err
    assert sandbox.run("history", "test_nothing").code == 4


def test_compare__two_runs__then_what_broke_and_what_they_differ_in(sandbox: Sandbox) -> None:
    root = sandbox.project({"tests/test_it.py": SUITE})
    subprocess.run(["git", "init", "-q", root], check=True)
    before, after = run(sandbox, root, flip=False), run(sandbox, root, flip=True)
    done = sandbox.run("compare", before, after)
    assert done.code == 0, done.err
    assert "✗ 1 newly red" in done.out
    assert "test_flips  passed → failed" in done.out
    assert "2 scenarios with the same verdict" in done.out
    head, change = sandbox.run("compare", before, after, "--json").lines()
    assert (head["schema"], head["new_red"], head["same"]) == ("tracekit.comparison/1", 1, 2)
    assert [fact["name"] for fact in head["facts"]] == ["seed"]
    assert (change["kind"], change["id"]) == ("new_red", "pytest:tests/test_it.py::test_flips")
    back = sandbox.run("compare", after, before, "--json").lines()[1]
    assert back["kind"] == "fixed"


def test_run__in_a_repository__then_the_journal_tells_branch_and_fingerprint(sandbox: Sandbox) -> None:
    root = sandbox.project({"tests/test_it.py": SUITE})
    subprocess.run(["git", "-c", "init.defaultBranch=trunk", "init", "-q", root], check=True)
    done = sandbox.run("run", root, "--json")
    (started,) = done.of("run.started")
    assert started["git"]["branch"] == "trunk"
    assert len(started["fingerprint"]) == 32
    row = json.loads(sandbox.run("runs", "--json").out)
    assert (row["fingerprint"], row["git"]) == (started["fingerprint"], started["git"])
