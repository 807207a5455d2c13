"""Nobody drains for a while, because whoever does it gets no processor: nothing is missing of the trace."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

from tests.e2e.test_events import events, project, scenario_of
from tests.support.cli import Done, Sandbox
from tests.support.until import until

#: Three times as many threads as their rings, whole, have room for in one process.
TESTS, THREADS, CALLS = 40, 6, 200
STARVED = f"""\
import logging
import pathlib
import threading
import time

import pytest

log = logging.getLogger("starved")
HERE = pathlib.Path(__file__).parent


def meet(said, wanted):
    (HERE / said).touch()
    while not (HERE / wanted).exists():
        time.sleep(0.01)


def called(number):
    return number


def work(name):
    for number in range({CALLS}):
        called(number)
    log.warning("%s", name)


def test_begins():
    meet("begun", "go")


@pytest.mark.parametrize("number", range({TESTS}))
def test_threads(request, number):
    for _ in range({THREADS}):
        thread = threading.Thread(target=work, args=(request.node.name,))
        thread.start()
        thread.join()


def test_ends():
    meet("done", "end")
"""


def test_drain__stopped_while_threads_come_and_go__then_no_record_is_lost(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "home")
    root = project(sandbox, text=STARVED)
    live = sandbox.start("run", root, "--trace", "calls", "--json")
    until((root / "begun").exists)
    drains = sandbox.daemons()
    assert drains
    for pid in drains:
        os.kill(pid, signal.SIGSTOP)
    try:
        (root / "go").touch()
        until((root / "done").exists)
    finally:
        for pid in drains:
            os.kill(pid, signal.SIGCONT)
        (root / "end").touch()
    out, err = live.communicate()
    done = Done(live.returncode, out.decode(), err.decode())
    assert Counter(done.verdicts().values()) == {"passed": TESTS + 2}, done.err
    (ended,) = done.of("trace.ended")
    assert (ended["lost"], ended["why"], ended["faults"]) == (0, {}, []), ended
    tests = [f"test_threads[{number}]" for number in range(TESTS)]
    logged = events(sandbox, root, done.run_id(), "kind:log name:starved")
    assert all(row["text"] == scenario_of(row) for row in logged)
    assert Counter(row["text"] for row in logged) == dict.fromkeys(tests, THREADS)
    calls = events(sandbox, root, done.run_id(), "kind:enter name:*called")
    assert Counter(map(scenario_of, calls)) == dict.fromkeys(tests, THREADS * CALLS)
