"""Retries and runs until a failure: attempts are added, never overwritten, whatever dies in between."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.cli import PATIENCE, Sandbox
from tests.support.until import until

UNSTEADY = """
import os, pathlib

def times(name):
    file = pathlib.Path(__file__).with_name(name)
    count = int(file.read_text()) if file.exists() else 0
    file.write_text(str(count + 1))
    return count

def test_steady():
    times("steady")

def test_third_time():
    assert times("third") % 3 == 2

def test_dies_first():
    if times("dies") == 0:
        os._exit(3)

def test_never():
    times("never")
    assert False
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


@pytest.mark.parametrize("spread", [(), ("-n", "2")])
def test_retries__unsteady_tests__then_each_has_its_attempts_and_only_the_red_ran_again(
    sandbox: Sandbox, spread: tuple[str, ...]
) -> None:
    root = sandbox.project({"test_it.py": UNSTEADY})
    done = sandbox.run("run", root, "--retries", "3", "--json", "--", *spread)
    assert done.code == 1, done.err
    attempts: dict[str, list[tuple[int, str]]] = {}
    for line in done.of("attempt.ended"):
        attempts.setdefault(line["scenario"].rpartition("::")[2], []).append(
            (line["attempt"], line["verdict"])
        )
    assert {name: sorted(found) for name, found in attempts.items()} == {
        "test_steady": [(1, "passed")],
        "test_third_time": [(1, "failed"), (2, "failed"), (3, "passed")],
        "test_dies_first": [(1, "crashed"), (2, "passed")],
        "test_never": [(number, "failed") for number in (1, 2, 3, 4)],
    }
    assert [(root / name).read_text() for name in ("steady", "third", "dies", "never")] == [
        "1",
        "3",
        "2",
        "4",
    ]
    assert done.of("run.ended")[0]["verdicts"] == {"failed": 1, "passed": 3}
    shown = sandbox.run("show", done.run_id())
    assert "2 flaky" in shown.out
    assert "failed, failed, passed" in shown.out


@pytest.mark.parametrize(("words", "code"), [((), 0), (("--fail-on-flaky",), 1)])
def test_retries__green_in_the_end__then_the_exit_code_is_as_asked(
    sandbox: Sandbox, words: tuple[str, ...], code: int
) -> None:
    root = sandbox.project({"test_it.py": UNSTEADY})
    done = sandbox.run("run", root, "--retries", "3", "-s", "test_it.py::test_third_time", *words)
    assert (done.code, "1 flaky" in done.out) == (code, True), done.out
    assert ("because of --fail-on-flaky" in done.err) == (code == 1), done.err


def test_until_failure__fails_the_third_time__then_it_stops_there_and_says_so(sandbox: Sandbox) -> None:
    text = UNSTEADY.replace("% 3 == 2", "% 3 != 2")
    root = sandbox.project({"test_it.py": text})
    first = sandbox.run("run", root, "-s", "test_it.py::test_third_time", "--json")
    assert first.code == 0
    again = sandbox.run("rerun", first.run_id(), "--until-failure", "9", "--json")
    assert again.code == 1
    assert [(line["attempt"], line["verdict"]) for line in again.of("attempt.ended")] == [
        (1, "passed"),
        (2, "failed"),
    ]
    assert (root / "third").read_text() == "3"


def test_until_failure__never_fails__then_it_ends_green_after_so_many(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_it.py": UNSTEADY})
    first = sandbox.run("run", root, "-s", "test_it.py::test_steady", "--json")
    again = sandbox.run("rerun", first.run_id(), "--until-failure", "4", "--json")
    assert (again.code, [line["attempt"] for line in again.of("attempt.ended")]) == (0, [1, 2, 3, 4])


def test_retries__daemon_is_killed_between_two_attempts__then_none_is_lost_or_doubled(
    sandbox: Sandbox,
) -> None:
    text = """
import pathlib, time

def test_waits():
    seen = pathlib.Path(__file__).with_name("seen")
    count = int(seen.read_text()) if seen.exists() else 0
    seen.write_text(str(count + 1))
    while not pathlib.Path(__file__).with_name(f"gate{count}").exists():
        time.sleep(0.01)
    assert count == 2
"""
    root = sandbox.project({"test_it.py": text})
    process = sandbox.start("run", root, "--retries", "5", "--json")
    seen = root / "seen"
    for number in range(3):
        until(lambda number=number: seen.exists() and seen.read_text() == str(number + 1))  # type: ignore[misc]
        os.kill(until(sandbox.daemons)[0], signal.SIGKILL)
        (root / f"gate{number}").touch()
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert out.count(b'"e":"attempt.ended"') == 3
    assert seen.read_text() == "3"


VICTIM = """
import os

def test_first(): pass
def test_pollutes(): os.environ["POLLUTED"] = "1"
def test_victim(): assert "POLLUTED" not in os.environ
"""


def test_retries__failed_behind_others_and_passed_alone__then_the_search_that_is_told_finds_the_one(
    sandbox: Sandbox,
) -> None:
    root = sandbox.project({"test_it.py": VICTIM})
    done = sandbox.run("run", root, "--retries", "1")
    assert (done.code, "1 flaky" in done.out) == (0, True), done.out
    told = done.out.rpartition(": tracekit bisect ")[2].splitlines()[0].split()
    found = sandbox.run("bisect", *told)
    assert "test_victim fails behind:\n    pytest:test_it.py::test_pollutes" in found.out, found.out


def test_retries__unsteady_and_alone__then_no_search_is_told(sandbox: Sandbox) -> None:
    text = "import os\n\ndef test_it():\n    with open('n', 'a+') as n: assert n.tell() or not n.write('x')\n"
    root = sandbox.project({"test_it.py": text})
    done = sandbox.run("run", root, "--retries", "1")
    assert ("1 flaky" in done.out, "bisect" in done.out) == (True, False), done.out
