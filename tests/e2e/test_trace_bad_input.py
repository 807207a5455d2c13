"""Whatever stands in the tracer's way, tests run as without it, and the journal says what is missing and why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_events import VERDICTS, events, project, scenario_of, verdicts
from tests.support.cli import Done, Sandbox

#: Only a process of tests has rings: what else is started with this Python is as ever.
TRACED = 'if [ -n "$TRACEKIT_RINGS" ]; then {}; fi'
THREADS = 420
#: So many rings of their own fit into what one process may have.
FITS = 384
MANY = f"""
import logging, threading

log = logging.getLogger("many")

def test_many():
    barrier = threading.Barrier({THREADS})

    def say():
        log.warning("here")
        barrier.wait(60)

    threads = [threading.Thread(target=say) for _ in range({THREADS})]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.warning("done")
"""
PROFILED = """
import logging, sys

log = logging.getLogger("profiled")
SEEN = []

def work(number):
    log.warning("line %d", number)
    return number + 1

def test_profiled():
    sys.setprofile(lambda frame, event, arg: SEEN.append((event, frame.f_code.co_name)))
    try:
        assert work(1) == 2
    finally:
        sys.setprofile(None)
    assert ("call", "work") in SEEN
    assert sys.getprofile() is None

def test_after():
    assert work(2) == 3
"""
FORKS = """
import logging, os, threading

log = logging.getLogger("forks")

def test_forks_in_a_thread():
    ended = []

    def fork():
        pid = os.fork()
        if not pid:
            log.warning("child")
            os._exit(7)
        ended.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    threads = [threading.Thread(target=fork) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.warning("parent")
    assert ended == [7] * 8
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def gaps(done: Done) -> list[str]:
    return [str(line["why"]) for line in done.of("gap") if line["what"] == "trace"]


def trace_of(done: Done) -> dict[str, Any]:
    (ended,) = done.of("trace.ended")
    return ended


def behind(sandbox: Sandbox, before: str) -> str:
    """The Python of these tests behind something that a shell does first, which knows where the rings will be."""
    program = sandbox.home / "python-behind-something"
    program.write_text(f'#!/bin/sh\n{TRACED.format(before)}\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    return str(program)


def test_rings__folder_that_cannot_be_made__then_same_verdicts_and_the_reason(sandbox: Sandbox) -> None:
    # What no mode forbids to root, a file in the place of the folder does.
    python = behind(sandbox, ': > "$TRACEKIT_RINGS"')
    done = sandbox.run("run", project(sandbox, python=f'"{python}"', trace='"calls"'), "--json")
    assert verdicts(done) == VERDICTS, done.err
    assert any("File exists" in why for why in gaps(done)), gaps(done)


def test_rings__no_room_for_any__then_same_verdicts_and_every_event_is_counted(sandbox: Sandbox) -> None:
    # Files of 32 KiB: enough for the lines of a journal, and for no ring.
    python = behind(sandbox, "ulimit -f 64")
    done = sandbox.run("run", project(sandbox, python=f'"{python}"', trace='"calls"'), "--json")
    assert verdicts(done) == VERDICTS, done.err
    told = trace_of(done)
    assert (told["records"], told["complete"]) == (0, False)
    assert told["why"] == {"disk full": told["lost"]}
    assert told["lost"] > len(VERDICTS)


def test_rings__more_threads_than_a_process_may_have__then_the_rest_is_counted(sandbox: Sandbox) -> None:
    root = project(sandbox, text=MANY)
    done = sandbox.run("run", root, "--json")
    assert verdicts(done) == {"test_many": "passed"}, done.err
    rows = events(sandbox, root, done.run_id(), "kind:log name:many text:here")
    told = trace_of(done)
    # The threads of the process itself have theirs, too.
    assert FITS - 16 <= len(rows) <= FITS
    assert len(rows) + told["lost"] >= THREADS
    assert told["complete"] is False
    assert told["why"] == {"no room for another ring in this process": told["lost"]}


@pytest.mark.parametrize("level", ["default", "calls"])
def test_events__beside_a_profiler_of_the_tests__then_both_see_what_they_want(
    sandbox: Sandbox, level: str
) -> None:
    root = project(sandbox, text=PROFILED)
    done = sandbox.run("run", root, "--trace", level, "--json")
    assert verdicts(done) == {"test_profiled": "passed", "test_after": "passed"}, done.err
    rows = events(sandbox, root, done.run_id(), "kind:log name:profiled")
    assert [(row["text"], scenario_of(row)) for row in rows] == [
        ("line 1", "test_profiled"),
        ("line 2", "test_after"),
    ]


def test_events__forked_in_threads__then_each_child_s_own(sandbox: Sandbox) -> None:
    root = project(sandbox, text=FORKS)
    done = sandbox.run("run", root, "--json")
    assert verdicts(done) == {"test_forks_in_a_thread": "passed"}, done.err
    rows = events(sandbox, root, done.run_id(), "kind:log name:forks")
    assert sorted(row["text"] for row in rows) == ["child"] * 8 + ["parent"]
    assert len({row["pid"] for row in rows}) == 9
    assert {scenario_of(row) for row in rows} == {"test_forks_in_a_thread"}


def test_python__older_than_the_tracer_knows__then_same_verdicts_and_the_reason(sandbox: Sandbox) -> None:
    done = sandbox.run("run", project(sandbox, "3.8"), "--json")
    assert {name: word for name, word in verdicts(done).items() if name != "test_tasks"} == {
        name: word for name, word in VERDICTS.items() if name != "test_tasks"
    }
    assert "Python 3.8 is older than the tracer knows" in gaps(done)
