"""Pins, deletions and retention by the commands, over real runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Sandbox
from tests.support.until import until

SLOW = """
import pathlib, time
def test_waits():
    while not (pathlib.Path(__file__).parent / "go").exists():
        time.sleep(0.02)
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def runs(sandbox: Sandbox) -> list[str]:
    return [row["run"] for row in sandbox.run("runs", "--json").lines()]


def test_run__over_the_limit__then_the_oldest_unpinned_goes_as_a_run_ends(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_it.py": "def test_it(): ...\n"})
    sandbox.environ["TRACEKIT_KEEP_RUNS"] = "2"
    made = [sandbox.run("run", root, "--json").run_id()]
    pinned = sandbox.run("pin", "last", "--reason", "the first of all")
    assert (pinned.code, pinned.out) == (0, f"{made[0]} is pinned: the first of all\n")
    made += [sandbox.run("run", root, "--json").run_id() for _ in range(3)]
    assert runs(sandbox) == [made[3], made[2], made[0]]
    assert "pinned: the first of all" in sandbox.run("runs").out


def test_delete__live_run__then_refused_and_it_goes_on(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_it.py": SLOW})
    live = sandbox.start("run", root, "--json")
    try:
        until(lambda: runs(sandbox))
        (run,) = runs(sandbox)
        refused = sandbox.run("delete", run)
        assert refused.code == 2
        assert "live" in refused.err
        assert f"tracekit cancel {run}" in refused.err
        assert sandbox.run("gc", env={**sandbox.environ, "TRACEKIT_KEEP_FOR": "1h"}).code == 0
    finally:
        (root / "go").write_text("")
    out, _ = live.communicate(timeout=60)
    assert live.returncode == 0, out
    assert sandbox.run("verify", run).code == 0
    done = sandbox.run("delete", run)
    assert done.code == 0
    assert done.out.startswith("deleted 1 run, ")
    assert runs(sandbox) == []


def test_delete__one_of_two_is_pinned__then_none_is_deleted(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_it.py": "def test_it(): ...\n"})
    made = [sandbox.run("run", root, "--json").run_id() for _ in range(2)]
    sandbox.run("pin", made[0])
    done = sandbox.run("delete", *made)
    assert done.code == 2
    assert f"tracekit pin {made[0]} --remove" in done.err
    assert runs(sandbox) == made[::-1]
    assert sandbox.run("delete", *made, "--pinned", "--json").lines()[0]["runs"] == made


def test_gc__dry_and_for_good__then_said_and_done(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_it.py": "def test_it(): ...\n"})
    made = [sandbox.run("run", root, "--json").run_id() for _ in range(3)]
    tight = {**sandbox.environ, "TRACEKIT_KEEP_RUNS": "1"}
    dry = sandbox.run("gc", "--dry-run", env=tight)
    assert dry.code == 0
    assert dry.out.startswith("would remove 2 runs, ")
    assert runs(sandbox) == made[::-1]
    *gone, whole = sandbox.run("gc", "--json", env=tight).lines()
    assert [row["run"] for row in gone] == made[:2]
    assert (whole["removed"], whole["kept"]) == (2, 1)
    assert runs(sandbox) == [made[2]]
    assert sandbox.run("gc", "--rebuild").out.startswith("read 1 run again\nremoved nothing\n")


def test_gc__limits_that_do_not_read__then_usage_and_nothing_is_removed(sandbox: Sandbox) -> None:
    root = sandbox.project(
        {"test_it.py": "def test_it(): ...\n", "tracekit.toml": "[settings]\nkeep_runs = 1\n"}
    )
    refused = sandbox.run("run", root)
    assert refused.code == 2
    assert "keep_runs" in refused.err
    done = sandbox.run("gc", env={**sandbox.environ, "TRACEKIT_KEEP_SIZE": "lots"})
    assert done.code == 2
    assert "TRACEKIT_KEEP_SIZE" in done.err
