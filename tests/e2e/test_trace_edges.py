"""At the edges of what is traced: suites without it, calls too deep for it, and a machine whose counter is no clock."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.test_events import events, project, scenario_of, verdicts
from tests.support.cli import Sandbox

#: Deeper than half of a thread's stack is for a frame of the tracer in each call.
DEEP = """\
import sys, threading, unittest


def down(n):
    return 0 if n == 0 else 1 + down(n - 1)


def near():
    return down(50)


class Deep(unittest.TestCase):
    def test_deep(self):
        sys.setrecursionlimit(60_000)
        self.assertEqual(down(45_000), 45_000)

    def test_zz_near(self):
        self.assertEqual(near(), 50)
"""
#: Each line between two looks at the clock, and what the ring of this thread says of its times.
CLOCKS = """\
import glob, logging, os, struct, threading, time, unittest


def say(number):
    before = time.monotonic_ns()
    logging.getLogger("clock").warning("%d", number)
    return before, time.monotonic_ns()


class Clocks(unittest.TestCase):
    def test_times(self):
        told = [say(number) for number in range(100)]
        rings = glob.glob(os.environ["TRACEKIT_RINGS"] + f"/{os.getpid()}-*/{threading.get_native_id()}.*")
        counters = {struct.unpack_from("8Q", open(ring, "rb").read(64))[7] for ring in rings}
        logging.getLogger("told").warning("%r", (sorted(counters), told))
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


@pytest.mark.parametrize("other", ["off", "default"])
def test_events__with_tracing_off_in_suites__then_said_where_no_suite_is_traced(
    sandbox: Sandbox, other: str
) -> None:
    suites = "".join(
        f'[suite.{name}]\npaths = ["test_{name}.py"]\ntrace = "{level}"\n'
        for name, level in (("one", "off"), ("two", other))
    )
    files = {f"test_{name}.py": "def test_it(): ...\n" for name in ("one", "two")}
    root = sandbox.project({**files, "tracekit.toml": suites})
    done = sandbox.run("run", root, "--json")
    assert len(done.verdicts()) == 2, done.err
    shown = sandbox.run("events", done.run_id(), "kind:scenario.start", "--json", cwd=root)
    assert [scenario_of(row) for row in shown.lines()] == ([] if other == "off" else ["test_it"])
    assert ("tracing was off" in shown.err) == (other == "off"), shown.err


def test_events__of_calls_too_deep_for_the_evaluator__then_same_verdicts_and_counted(
    sandbox: Sandbox,
) -> None:
    root = project(sandbox, "3.11", DEEP)
    done = sandbox.run("run", root, "--trace", "calls", "--json")
    assert verdicts(done) == {"test_deep": "passed", "test_zz_near": "passed"}, done.err
    (ended,) = done.of("trace.ended")
    # One descent, however many calls lie below it: nobody looks at them.
    assert (ended["lost"], ended["complete"]) == (1, False), ended
    assert ended["why"] == {"descents too deep in the stack": 1}
    calls = Counter(
        scenario_of(row) for row in events(sandbox, root, done.run_id(), "kind:enter name:*.down")
    )
    assert 1_000 < calls["test_deep"] < 45_000
    assert calls["test_zz_near"] == 51, "what comes after the descent is recorded again"


@pytest.mark.parametrize("version", ["3.9", "3.11", "3.13"])
def test_events__where_the_counter_is_no_clock__then_nanoseconds_of_the_system_to_the_last_one(
    sandbox: Sandbox, version: str
) -> None:
    sandbox.environ["TRACEKIT_CLOCK"] = "system"
    root = project(sandbox, version, CLOCKS)
    done = sandbox.run("run", root, "--trace", "default" if version == "3.9" else "calls", "--json")
    assert verdicts(done) == {"test_times": "passed"}, done.err
    (ended,) = done.of("trace.ended")
    assert (ended["lost"], ended["complete"]) == (0, True), ended
    (row,) = events(sandbox, root, done.run_id(), "kind:log name:told")
    counters, told = ast.literal_eval(row["text"])
    assert counters == [0], "a ring whose times are no counter's"
    rows = events(sandbox, root, done.run_id(), "kind:log name:clock")
    assert [row["text"] for row in rows] == [str(number) for number in range(100)]
    assert [
        row for row, (before, after) in zip(rows, told, strict=True) if not before <= row["m"] <= after
    ] == []
