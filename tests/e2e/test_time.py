"""Tests that take too long: named with their stacks, ended alone, softly or hard; all others have their verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import PATIENCE, Done, Sandbox
from tests.support.until import until

HANGS = """
import pathlib, time
import pytest

@pytest.fixture
def resource():
    yield
    print("torn down", flush=True)

def waits():
    while True:
        time.sleep(0.05)

@pytest.mark.parametrize("number", range({before}))
def test_before(number): ...

def test_hangs(resource):
    print("last words", flush=True)
    waits()

@pytest.mark.parametrize("number", range({after}))
def test_after(number): ...
"""
HUNG = "pytest@it:test_it.py::test_hangs"
SPREAD = pytest.mark.parametrize("spread", [(), ("-n", "2")], ids=["plain", "xdist"])


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def project(sandbox: Sandbox, keys: str, before: int = 2, after: int = 2) -> Path:
    text = HANGS.format(before=before, after=after)
    return sandbox.project({"test_it.py": text, "tracekit.toml": f"[suite.it]\n{keys}\n"})


def ends_of(done: Done) -> dict[str, dict[str, Any]]:
    return {line["scenario"]: line for line in done.of("attempt.ended")}


def functions(stalled: dict[str, Any]) -> list[str]:
    """What runs in the thread that runs the test, innermost first."""
    return [frame["function"] for frame in stalled["stacks"][0]["frames"]]


SLOW = """
import pathlib, time

def test_quick(): ...

def test_slow():
    time.sleep(0.3)

def test_waits():
    gate = pathlib.Path(__file__).with_name("gate")
    while not gate.exists():
        time.sleep(0.01)
"""


@SPREAD
def test_slow__over_its_mark__then_told_while_it_runs_and_in_the_end_and_nothing_else_happens(
    sandbox: Sandbox, spread: tuple[str, ...]
) -> None:
    profile = '[suite.it]\nslow = "250ms"\n'
    root = sandbox.project({"test_it.py": SLOW, "tracekit.toml": profile})
    out = root / "out"
    with out.open("wb") as file:
        process = sandbox.start("run", root, "--", *spread, stdout=file, stderr=file)
    until(lambda: "◷ slow" in out.read_text() and "test_waits" in out.read_text().rpartition("◷ slow")[2])
    assert "passed" not in out.read_text().rpartition("test_waits")[2]
    (root / "gate").touch()
    assert process.wait(PATIENCE) == 0
    assert "◷ 2 slow" in out.read_text()
    rows = {line["id"].rpartition("::")[2]: line for line in sandbox.run("show", "last", "--json").lines()}
    assert {name: row["slow"] for name, row in rows.items()} == {
        "test_quick": False,
        "test_slow": True,
        "test_waits": True,
    }
    assert rows["test_slow"]["attempts"][0]["slow"]
    assert "test_slow  slow" in sandbox.run("show").out


@SPREAD
def test_soft_timeout__test_hangs__then_it_is_timed_out_and_its_fixtures_are_torn_down(
    sandbox: Sandbox, spread: tuple[str, ...]
) -> None:
    done = sandbox.run("run", project(sandbox, 'soft_timeout = "1s"'), "--json", "--", *spread)
    ends = ends_of(done)
    assert (done.code, ends[HUNG]["verdict"], ends[HUNG]["cause"]) == (1, "timedout", "hang"), done.err
    assert [line["verdict"] for name, line in ends.items() if name != HUNG] == ["passed"] * 4
    texts = "".join(line.get("text", "") for line in done.of("output") if line.get("scenario") == HUNG)
    assert texts == "last words\ntorn down\n"
    frames = done.of("failure")[0]["chain"][0]["frames"]
    assert [frame["function"] for frame in frames if frame["own"]] == ["test_hangs", "waits"]


@SPREAD
def test_timeout__test_hangs__then_it_alone_is_killed_with_its_stacks_and_what_it_printed(
    sandbox: Sandbox, spread: tuple[str, ...]
) -> None:
    done = sandbox.run("run", project(sandbox, 'timeout = "1s"'), "--json", "--", *spread)
    assert done.code == 1, done.err
    run_ended = done.of("run.ended")[0]
    assert run_ended["verdicts"] == {"passed": 4, "timedout": 1}
    assert ends_of(done)[HUNG]["verdict"] == "timedout"
    assert ends_of(done)[HUNG]["reason"] == "ran longer than 1s, its timeout: in waits (test_it.py:12)"
    stalled = done.of("attempt.stalled")[0]
    assert (stalled["scenario"], stalled["limit"]) == (HUNG, "timeout")
    assert functions(stalled)[:2] == ["waits", "test_hangs"]
    texts = "".join(line.get("text", "") for line in done.of("output") if line.get("scenario") == HUNG)
    assert texts == "last words\n"
    shown = sandbox.run("show", done.run_id(), HUNG)
    assert "timedout" in shown.out
    assert "last words" in shown.out


@SPREAD
def test_stall__one_of_two_hundred_hangs__then_named_with_its_stack_and_cancelled_alone(
    sandbox: Sandbox, spread: tuple[str, ...]
) -> None:
    root = project(sandbox, 'stall = "1s"', before=100, after=99)
    process = sandbox.start("run", root, "--json", "--", *spread)
    assert process.stdout is not None
    stalled = next(
        line for line in map(json.loads, iter(process.stdout.readline, b"")) if line["e"] == "attempt.stalled"
    )
    assert (stalled["scenario"], stalled["limit"]) == (HUNG, "stall")
    assert functions(stalled)[:2] == ["waits", "test_hangs"]
    shown = sandbox.run("show", stalled["run"])
    assert "waits" in shown.out
    cancelled = sandbox.run("cancel", stalled["run"], HUNG)
    assert cancelled.code == 0, cancelled.err
    process.communicate(timeout=PATIENCE)
    done = sandbox.run("attach", stalled["run"], "--json")
    # Each has one end: a director of workers does not tell a crash first.
    assert len(done.of("attempt.ended")) == 200
    ends = ends_of(done)
    assert ends.pop(HUNG)["verdict"] == "cancelled"
    assert [line["verdict"] for line in ends.values()] == ["passed"] * 199
    # The step that was cut says so, and not that it is going on.
    shown = sandbox.run("show", stalled["run"], HUNG)
    assert "⊘ call" in shown.out
    assert "▶" not in shown.out


def test_stall__stuck_in_code_that_never_gives_up_the_interpreter__then_its_stack_is_told(
    sandbox: Sandbox,
) -> None:
    text = """
import ctypes

def test_stuck():
    # PyDLL keeps the interpreter's lock for the whole call, which any signal ends: here the one that asks for stacks.
    ctypes.PyDLL(None).sleep(120)
"""
    root = sandbox.project({"test_it.py": text, "tracekit.toml": '[suite.it]\nstall = "1s"\n'})
    done = sandbox.run("run", root, "--json")
    assert done.code == 0, done.err
    assert "test_stuck" in functions(done.of("attempt.stalled")[0])


SLOW_REPORT = """
import time
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
    if item.name == "test_reported_slowly" and call.when == PHASE:
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            time.sleep(0.05)
"""
QUICK = "test_reported_slowly(): ..."
HANGING = """test_reported_slowly():
    import time
    while True:
        time.sleep(0.05)
"""
REPORTED = """
def test_reported_slowly(): ...
def test_after(): ...
"""


@pytest.mark.parametrize(
    ("phase", "verdict"), [("setup", "timedout"), ("call", "passed"), ("teardown", "passed")]
)
def test_soft_timeout__time_is_over_between_two_phases__then_pytest_itself_is_not_ended(
    sandbox: Sandbox, phase: str, verdict: str
) -> None:
    files = {
        "conftest.py": SLOW_REPORT.replace("PHASE", repr(phase)),
        "test_it.py": REPORTED.replace(QUICK, HANGING) if phase == "setup" else REPORTED,
        "tracekit.toml": '[suite.it]\nsoft_timeout = "1s"\n',
    }
    done = sandbox.run("run", sandbox.project(files), "--json")
    assert {name.rpartition("::")[2]: line["verdict"] for name, line in ends_of(done).items()} == {
        "test_reported_slowly": verdict,
        "test_after": "passed",
    }, done.err
    assert done.of("runner.failed_to_start") == []


ASYNC = """
import asyncio, sys, unittest

async def inner(gate):
    await gate.wait()

async def worker(gate):
    await inner(gate)

class Loop(unittest.IsolatedAsyncioTestCase):
    async def test_hangs(self):
        gate = asyncio.Event()
        task = asyncio.ensure_future(worker(gate))
        task.set_name("the worker")
        await asyncio.wait_for(task, 3)
"""


@pytest.mark.parametrize(
    ("words", "keys"),
    [((), ""), (("-n", "2"), ""), ((), 'runner = "unittest"\n')],
    ids=["plain", "xdist", "unittest"],
)
def test_stall__in_an_event_loop__then_every_task_is_named_with_where_it_waits(
    sandbox: Sandbox, words: tuple[str, ...], keys: str
) -> None:
    profile = f'[suite.it]\nstall = "500ms"\n{keys}'
    root = sandbox.project({"test_it.py": ASYNC, "tracekit.toml": profile})
    done = sandbox.run("run", root, "--json", *(("--", *words) if words else ()))
    stacks = done.of("attempt.stalled")[0]["stacks"]
    assert stacks[0]["current"]
    tasks = {stack["task"]: stack for stack in stacks if "task" in stack}
    assert tasks["the worker"]["coroutine"] == "worker"
    assert [frame["function"] for frame in tasks["the worker"]["frames"]] == ["wait", "inner", "worker"]
    assert "task the worker, worker" in sandbox.run("show", done.run_id()).out


WAITS = """
import os, sys

def ask():
    return input("name? ")

def test_asks():
    ours, theirs = os.openpty()
    sys.stdin = os.fdopen(theirs)
    if os.environ.get("HOW") == "pdb":
        import pdb
        pdb.Pdb(stdin=sys.stdin, stdout=sys.stdout).set_trace()
    ask()
"""


@SPREAD
@pytest.mark.parametrize(("how", "waits"), [("input", "input"), ("pdb", "debugger")])
def test_stall__waits_for_a_person__then_it_is_said_in_words(
    sandbox: Sandbox, spread: tuple[str, ...], how: str, waits: str
) -> None:
    keys = f'stall = "500ms"\ntimeout = "3s"\nargs = ["-s"]\nenv = {{ HOW = "{how}" }}'
    root = sandbox.project({"test_it.py": WAITS, "tracekit.toml": f"[suite.it]\n{keys}\n"})
    done = sandbox.run("run", root, "--json", "--", *spread)
    assert done.of("attempt.stalled")[0].get("waits") == waits
    assert "waits for input" in sandbox.run("show", done.run_id()).out


COLLECTED = """
import time
def test_a(): ...
time.sleep(8)
"""
AROUND = """
import time, unittest

class TestFirst(unittest.TestCase):
    def test_a(self): ...

class TestSecond(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        waits()

    def test_b(self): ...

def waits():
    while True:
        time.sleep(0.05)
"""
WHEN = ("between two tests", "before the first test")
BEHIND = """
import threading, time

def waits():
    while True:
        time.sleep(0.05)

def test_a():
    threading.Thread(target=waits, name="forgotten").start()
"""


@SPREAD
def test_stall__while_collecting__then_named_with_its_stack_and_nothing_is_ended(
    sandbox: Sandbox, spread: tuple[str, ...]
) -> None:
    files = {"test_it.py": COLLECTED, "tracekit.toml": '[suite.it]\nstall = "4s"\ntimeout = "1s"\n'}
    root = sandbox.project(files)
    done = sandbox.run("run", root, "--json", "--", *spread)
    assert done.code == 0, done.err
    stalled = done.of("launch.stalled")[0]
    assert (stalled["when"], stalled["limit"]) == ("while collecting", "stall")
    assert "<module>" in functions(stalled)
    shown = sandbox.run("show", done.run_id())
    assert "it: no sign of life while collecting" in shown.out


def test_timeout__class_fixture_hangs__then_its_launch_is_ended_and_says_where_it_was(
    sandbox: Sandbox,
) -> None:
    table = '[suite.it]\nrunner = "unittest"\nstall = "1s"\ntimeout = "2s"\n'
    root = sandbox.project({"test_it.py": AROUND, "tracekit.toml": table})
    done = sandbox.run("run", root, "--json")
    assert done.code != 0
    assert ends_of(done)["unittest@it:test_it.py::TestFirst::test_a"]["verdict"] == "passed"
    stalled = done.of("launch.stalled")[0]
    assert (stalled["when"], stalled["limit"]) == ("between two tests", "stall")
    assert functions(stalled)[:2] == ["waits", "setUpClass"]
    failed = [line["why"] for line in done.of("runner.failed_to_start")]
    # What was left is tried once more, in another process.
    assert failed == [f"unittest said nothing for 2 s {when}" for when in WHEN]
    assert done.of("run.ended")[-1]["not_run"] == ["unittest@it:test_it.py::TestSecond::test_b"]


def test_stall__thread_keeps_the_process_behind_its_last_test__then_named_and_ended_by_a_key(
    sandbox: Sandbox,
) -> None:
    files = {"test_it.py": BEHIND, "tracekit.toml": '[suite.it]\nstall = "1s"\n'}
    process = sandbox.start("run", sandbox.project(files), "--json")
    assert process.stdout is not None
    lines = (json.loads(line) for line in iter(process.stdout.readline, b""))
    stalled = next(line for line in lines if line["e"] == "launch.stalled")
    assert stalled["when"] == "after the last test"
    assert any(thread.get("name") == "forgotten" or "waits" in str(thread) for thread in stalled["stacks"])
    assert sandbox.run("cancel", stalled["run"]).code == 0
    out, _ = process.communicate(timeout=PATIENCE)
    ended = [line for line in map(json.loads, out.splitlines()) if line["e"] == "run.ended"]
    assert ended[0]["verdicts"] == {"passed": 1}


AT_THE_END = """
import pathlib, time
import pytest

def waits():
    while not pathlib.Path(__file__).with_name("gate").exists():
        time.sleep(0.05)

def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):
        waits()
"""


def test_stall__workers_hang_behind_their_last_tests__then_each_is_named_with_its_test_and_its_stack(
    sandbox: Sandbox,
) -> None:
    files = {
        "conftest.py": AT_THE_END,
        "test_it.py": "def test_a(): ...\ndef test_b(): ...\n",
        "tracekit.toml": '[suite.it]\nstall = "1s"\n',
    }
    root = sandbox.project(files)
    process = sandbox.start("run", root, "--json", "--", "-n", "2")
    assert process.stdout is not None
    lines = (json.loads(line) for line in iter(process.stdout.readline, b""))
    # A busy machine may be silent for as long before there is any worker.
    late = (line for line in lines if line["e"] == "launch.stalled" and line["when"] == "after the last test")
    stalled = [next(late) for _ in range(2)]
    assert sorted(line["worker"] for line in stalled) == ["gw0", "gw1"]
    assert len({line["pid"] for line in stalled}) == 2
    assert sorted(line["last"] for line in stalled) == [
        "pytest@it:test_it.py::test_a",
        "pytest@it:test_it.py::test_b",
    ]
    assert all("waits" in functions(line) for line in stalled)
    shown = sandbox.run("show", stalled[0]["run"]).out
    for line in stalled:
        assert f"of {line['worker']} (process {line['pid']}), its last test was {line['last']}" in shown
    (root / "gate").touch()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
