"""What belongs to a run and what does not: found by token, descent and session, and nobody else is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.until import until
from tracekit.agent import killing
from tracekit.agent.system import Processes, System

SLEEP = "import time\nwhile True: time.sleep(60)"


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def start(started: list[subprocess.Popen[bytes]], token: str, code: str = SLEEP) -> subprocess.Popen[bytes]:
    environ = {**os.environ, killing.TOKEN: token}
    process = subprocess.Popen([sys.executable, "-c", code], env=environ, start_new_session=True)
    started.append(process)
    needle = f"{killing.TOKEN}={token}".encode()
    until(lambda: needle in System().processes.environ(process.pid))
    return process


def test_members__another_run_whose_token_begins_alike__then_not_among_them(
    started: list[subprocess.Popen[bytes]],
) -> None:
    mine, other = start(started, "abc"), start(started, "abcd")
    assert killing.members(System(), "abc") == {mine.pid}
    assert killing.members(System(), "abcd") == {other.pid}
    assert killing.members(System(), "ab") == set()


def test_sweep__one_run__then_it_is_dead_and_the_other_lives(started: list[subprocess.Popen[bytes]]) -> None:
    mine, other = start(started, "mine-1"), start(started, "other-1")
    assert killing.sweep(System(), "mine-1") == 1
    assert mine.wait(10) == -9
    assert other.poll() is None


def test_members__child_that_dropped_its_environment__then_found_by_its_session(
    started: list[subprocess.Popen[bytes]],
) -> None:
    code = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {SLEEP!r}], env={{}})\n{SLEEP}"
    mine = start(started, "bare-1", code)
    until(lambda: len(killing.members(System(), "bare-1")) == 2)
    killing.sweep(System(), "bare-1")
    assert mine.wait(10) == -9
    assert killing.members(System(), "bare-1") == set()


def test_sweep__chain_of_processes_that_each_leave_their_session__then_all_are_dead(
    started: list[subprocess.Popen[bytes]],
) -> None:
    # Bounded on purpose: each process makes at most one, thirty in all, and each ends by itself.
    code = (
        "import os, time\nfor _ in range(30):\n    if os.fork(): break\n"
        "    os.setsid(); time.sleep(0.01)\ntime.sleep(30)"
    )
    start(started, "chain-1", code)
    until(lambda: len(killing.members(System(), "chain-1")) > 3)
    killing.sweep(System(), "chain-1")
    assert killing.members(System(), "chain-1") == set()


class Recycled(Processes):
    """A table whose pids are somebody else's by the time they are signalled."""

    def __init__(self) -> None:
        self.signalled: list[int] = []

    def started(self, pid: int) -> int:
        return super().started(pid) + 1

    def signal(self, pid: int, number: int) -> bool:
        self.signalled.append(pid)
        return True


def test_sweep__pid_belongs_to_somebody_else_by_now__then_it_is_not_signalled(
    started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(killing, "_ROUNDS", 2)
    mine = start(started, "old-1")
    processes = Recycled()
    assert killing.sweep(System(processes=processes), "old-1") == 0
    assert processes.signalled == []
    assert mine.poll() is None


def test_sweep_adopted__a_debugger_of_ours_among_them__then_it_alone_lives() -> None:
    # In a process of its own: it ends every child that it has.
    code = """
import subprocess, sys
from tracekit.agent import killing
from tracekit.agent.system import System
ours, other = (subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in range(2))
system = System()
system.processes.helpers.add(ours.pid)
killing.sweep_adopted(system, ())
print(other.wait(), ours.poll())
ours.kill()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["-9", "None"]


def test_sweep__empty_token__then_nobody_is_touched() -> None:
    assert killing.members(System(), "") == set()
    assert killing.sweep(System(), "") == 0


def test_control_group__none_delegated__then_none_is_made() -> None:
    assert killing.control_group("01K00000000000000000000000") == ""
