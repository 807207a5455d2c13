"""Suites that share a lock: of all runs on a box one at a time has it, whatever happens to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import PATIENCE, Sandbox, processes_with
from tests.support.until import until

PROFILE = """
[suite.free]
paths = ["test_free.py"]

[suite.db]
paths = ["test_db.py"]
locks = ["db", "cache"]
"""
FREE = "def test_free(): ...\n"
DB = """
import os, pathlib, time

HERE = pathlib.Path(__file__).parent

def test_db():
    name = os.environ["WHO"]
    mark = HERE / "inside"
    assert not mark.exists()
    mark.touch()
    (HERE / f"in-{name}").touch()
    while not (HERE / f"gate-{name}").exists():
        time.sleep(0.01)
    mark.unlink()
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


@pytest.fixture
def root(sandbox: Sandbox) -> Path:
    return sandbox.project({"tracekit.toml": PROFILE, "test_free.py": FREE, "test_db.py": DB})


def begin(sandbox: Sandbox, root: Path, who: str, *words: str) -> tuple[subprocess.Popen[bytes], Path]:
    """Start a run, and the file that it writes its words to."""
    out = sandbox.home / f"{who}.out"
    environ = {**sandbox.environ, "WHO": who}
    with out.open("wb") as file:
        return sandbox.start("run", root, *words, stdout=file, stderr=file, env=environ), out


def inside(root: Path, who: str) -> bool:
    return (root / f"in-{who}").exists()


def test_locks__another_run_has_it__then_the_second_waits_says_so_and_runs_behind(
    sandbox: Sandbox, root: Path
) -> None:
    first, _ = begin(sandbox, root, "one")
    until(lambda: inside(root, "one"))
    second, out = begin(sandbox, root, "two")
    until(lambda: "db waits for lock cache, held by run " in out.read_text())
    assert "passed" in out.read_text()  # what needs no lock has run
    assert not inside(root, "two")
    (root / "gate-two").touch()
    (root / "gate-one").touch()
    assert first.wait(PATIENCE) == 0
    assert second.wait(PATIENCE) == 0, out.read_text()


def test_locks__cancelled_while_it_waits__then_it_ends_at_once_and_the_other_goes_on(
    sandbox: Sandbox, root: Path
) -> None:
    first, _ = begin(sandbox, root, "one")
    until(lambda: inside(root, "one"))
    second, out = begin(sandbox, root, "two", "--json")
    until(lambda: "waits for lock" in out.read_text())
    second.send_signal(signal.SIGINT)
    assert second.wait(PATIENCE) == 128 + signal.SIGINT
    lines = [json.loads(line) for line in out.read_text().splitlines() if line.startswith("{")]
    ended = next(line for line in lines if line["e"] == "run.ended")
    assert (ended["reason"], ended["verdicts"]) == ("cancelled", {"passed": 1})
    (root / "gate-one").touch()
    assert first.wait(PATIENCE) == 0


def test_locks__the_holder_is_killed_whole__then_the_lock_is_free_again(sandbox: Sandbox, root: Path) -> None:
    first, _ = begin(sandbox, root, "one")
    until(lambda: inside(root, "one"))
    second, out = begin(sandbox, root, "two")
    until(lambda: "waits for lock" in out.read_text())
    (root / "inside").unlink()
    for pid in supervisors_of(processes_with("WHO=one")):
        os.kill(pid, signal.SIGKILL)
    until(lambda: inside(root, "two"))
    (root / "gate-two").touch()
    assert second.wait(PATIENCE) == 0, out.read_text()
    assert first.wait(PATIENCE) != 0


def test_locks__the_daemon_is_killed_meanwhile__then_nobody_gets_in(sandbox: Sandbox, root: Path) -> None:
    first, _ = begin(sandbox, root, "one")
    until(lambda: inside(root, "one"))
    second, out = begin(sandbox, root, "two")
    until(lambda: "waits for lock" in out.read_text())
    (before,) = until(sandbox.daemons)
    os.kill(before, signal.SIGKILL)
    until(lambda: [pid for pid in sandbox.daemons() if pid != before])
    assert not inside(root, "two")
    (root / "gate-one").touch()
    (root / "gate-two").touch()
    assert (first.wait(PATIENCE), second.wait(PATIENCE)) == (0, 0), out.read_text()


def supervisors_of(pids: list[int]) -> list[int]:
    """The parents of these processes that are supervisors."""
    found = set()
    for pid in pids:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if "superv" in Path(f"/proc/{parent}/comm").read_text():
            found.add(parent)
    return list(found)
