"""Three hundred tests with threads, tasks and processes: each event that is told of a scenario is really of it.

Each test says its own name wherever its code runs; nothing else knows whose event it is.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.test_events import events, project, scenario_of
from tests.support.cli import Sandbox

MIXED = '''\
import asyncio
import concurrent.futures
import logging
import multiprocessing
import os
import threading

import pytest

log = logging.getLogger("mixed")
POOL = concurrent.futures.ThreadPoolExecutor(3)
FORK, SPAWN = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")


@pytest.fixture
def me(request):
    name = request.node.name
    log.warning("%s", name)
    yield name
    log.warning("%s", name)


def say(name):
    log.warning("%s", name)
    try:
        raise LookupError(name)
    except LookupError:
        pass


@pytest.mark.parametrize("number", range(60))
def test_threads_of_its_own(me, number):
    threads = [threading.Thread(target=say, args=(me,)) for _ in range(number % 4 + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("number", range(80))
def test_threads_of_all(me, number):
    """The same threads work for one test after another."""
    assert list(POOL.map(say, [me] * 4)) == [None] * 4


@pytest.mark.parametrize("number", range(100))
def test_tasks(me, number):
    async def part():
        await asyncio.sleep(0)
        say(me)
        await asyncio.to_thread(say, me)

    async def main():
        await asyncio.gather(*(part() for _ in range(3)))

    asyncio.run(main())


@pytest.mark.parametrize("number", range(56))
def test_forked(me, number):
    child = FORK.Process(target=say, args=(me,))
    child.start()
    child.join()
    assert child.exitcode == 0


@pytest.mark.parametrize("number", range(4))
def test_spawned(me, number):
    child = SPAWN.Process(target=say, args=(me,))
    child.start()
    child.join()
    assert child.exitcode == 0
'''
#: How often a test says its name, its fixture's two times apart.
SAID = {"threads_of_all": 4, "tasks": 6, "forked": 1, "spawned": 1}


def expected(*, spawned: bool) -> Counter[str]:
    found: Counter[str] = Counter()
    for kind, count in {
        "threads_of_own": 60,
        "threads_of_all": 80,
        "tasks": 100,
        "forked": 56,
        "spawned": 4,
    }.items():
        for number in range(count):
            if kind == "threads_of_own":
                found[f"test_threads_of_its_own[{number}]"] = 2 + number % 4 + 1
            else:
                found[f"test_{kind}[{number}]"] = 2 + (SAID[kind] if spawned or kind != "spawned" else 0)
    return found


@pytest.mark.parametrize("spread", [(), ("-n", "2")], ids=["plain", "xdist"])
@pytest.mark.parametrize("level", ["default", "calls"])
def test_events__three_hundred_tests_in_threads_tasks_and_processes__then_each_in_its_own_scenario(
    tmp_path: Path, spread: tuple[str, ...], level: str
) -> None:
    sandbox = Sandbox(tmp_path / "home")
    root = project(sandbox, text=MIXED)
    done = sandbox.run("run", root, "--trace", level, "--json", "--", *spread)
    assert Counter(done.verdicts().values()) == {"passed": 300}, done.err
    rows = events(sandbox, root, done.run_id(), "kind:log name:mixed")
    wrong = [(row["text"], scenario_of(row)) for row in rows if row["text"] != scenario_of(row)]
    assert wrong == []
    # A Python that was started anew is traced where calls are asked for.
    assert Counter(row["text"] for row in rows) == expected(spawned=level == "calls")
    (ended,) = done.of("trace.ended")
    assert (ended["lost"], ended["faults"]) == (0, []), ended
    if level == "calls":
        calls = events(sandbox, root, done.run_id(), "kind:enter name:*say")
        told = Counter(map(scenario_of, calls))
        assert told == {name: times - 2 for name, times in expected(spawned=True).items()}
