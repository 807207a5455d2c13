"""The order of tests: shuffled by a seed, given, and searched for the one that makes another fail."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.support.cli import Done, Sandbox

MANY = """
import os, pathlib
import pytest

STATE = []

@pytest.mark.parametrize("number", range(250))
def test_before(number): ...

def test_pollutes():
    {pollute}

@pytest.mark.parametrize("number", range(248))
def test_between(number): ...

def test_victim():
    assert not STATE
"""
VICTIM = "pytest:test_it.py::test_victim"
POLLUTER = "pytest:test_it.py::test_pollutes"
NOW_AND_THEN = """file = pathlib.Path(__file__).with_name("count")
    count = int(file.read_text()) if file.exists() else 0
    file.write_text(str(count + 1))
    # red, green, green, red, red, green, green, …
    if count % 4 in (0, 3):
        STATE.append(1)"""
#: Fails half the time, by no pattern that a search could fall in step with; the first run is red.
BY_CHANCE = """file = pathlib.Path(__file__).with_name("count")
    count = int(file.read_text()) if file.exists() else 0
    file.write_text(str(count + 1))
    import random
    if not count or random.Random(count).random() < 0.5:
        STATE.append(1)"""
FEW = """
import pytest

class TestA:
    def test_one(self): ...
    def test_two(self): ...

class TestB:
    @pytest.mark.parametrize("value", ["a::b", "c d", "é"])
    def test_three(self, value): ...
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def started(done: Done) -> list[str]:
    return [line["scenario"] for line in done.of("attempt.started")]


def test_shuffle__same_seed__then_the_same_order_and_classes_stay_together(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_a.py": FEW, "test_b.py": FEW, "test_c.py": FEW})
    runs = [sandbox.run("run", root, "--shuffle", "--seed", seed, "--json") for seed in ("7", "7", "8")]
    orders = [started(done) for done in runs]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) != orders[2]
    for order in orders:
        groups = ["::".join(name.split("::")[:2]) for name in order]
        assert len([1 for left, right in itertools.pairwise(groups) if left != right]) == 5
    again = sandbox.run("rerun", runs[2].run_id(), "--all", "--json")
    assert started(again) == orders[2]
    spread = sandbox.run("run", root, "--shuffle", "--seed", "7", "--json", "--", "-n", "2")
    assert sorted(started(spread)) == sorted(orders[0]), spread.err


def test_in_order__given_the_other_way_round__then_run_that_way(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_a.py": FEW, "test_b.py": FEW})
    first = sandbox.run("run", root, "--json")
    chosen = started(first)[::-1]
    words = [word for name in chosen for word in ("-s", name)]
    assert started(sandbox.run("rerun", first.run_id(), "--in-order", *words, "--json")) == chosen


def test_bisect__planted_polluter_among_500__then_found_in_at_most_15_runs(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_it.py": MANY.format(pollute="STATE.append(1)")})
    first = sandbox.run("run", root, "--json")
    assert first.verdicts()[VICTIM] == "failed"
    done = sandbox.run("bisect", first.run_id(), VICTIM, "--json")
    found = done.lines()[-1]
    assert (done.code, found["found"], found["polluters"]) == (0, "found", [POLLUTER]), done.err
    assert found["runs"] == len(found["children"]) <= 15
    for child in found["children"]:
        assert sandbox.run("verify", child).code == 0
    words = sandbox.run("rerun", first.run_id(), "--in-order", "-s", POLLUTER, "-s", VICTIM, "--json")
    assert [*words.verdicts().values()] == ["passed", "failed"]


def test_bisect__pollutes_now_and_then__then_found_with_the_repeats_it_needed(sandbox: Sandbox) -> None:
    text = (
        MANY.format(pollute=NOW_AND_THEN)
        .replace("range(250)", "range(12)")
        .replace("range(248)", "range(12)")
    )
    root = sandbox.project({"test_it.py": text})
    first = sandbox.run("run", root, "--json")
    assert first.verdicts()[VICTIM] == "failed"
    done = sandbox.run("bisect", first.run_id(), VICTIM)
    assert done.code == 0, done.err
    assert POLLUTER in done.out
    assert "now and then" in done.out
    # What the search asked is no run of its own: neither the last one, nor a verdict in a history.
    assert first.run_id() in sandbox.run("show", "last").out
    told = sandbox.run("history", VICTIM, "--json").lines()
    assert [line["run"] for line in told if "run" in line] == [first.run_id()]


def test_bisect__pollutes_by_chance_among_500__then_found_and_the_repeats_are_told(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_it.py": MANY.format(pollute=BY_CHANCE)})
    first = sandbox.run("run", root, "--json")
    assert first.verdicts()[VICTIM] == "failed"
    done = sandbox.run("bisect", first.run_id(), VICTIM, "--json")
    *steps, found = done.lines()
    assert (done.code, found["found"], found["polluters"]) == (0, "found", [POLLUTER]), done.err
    assert found["runs"] == len(steps) <= 15
    assert max(step["repeats"] for step in steps) > 1
    assert found["passes"] > found["runs"]


def test_bisect__one_stood_before_it__then_one_candidate_is_told(sandbox: Sandbox) -> None:
    text = "S = []\ndef test_a(): S.append(1)\ndef test_b(): assert not S\n"
    first = sandbox.run("run", sandbox.project({"test_it.py": text}), "--json")
    done = sandbox.run("bisect", first.run_id(), "test_b")
    assert (done.code, "1 candidates" in done.out) == (0, False), done.out
    assert ", among 1 candidate\n" in done.out


@pytest.mark.parametrize(
    ("pollute", "victim", "words"),
    [
        ("pass", "assert False", "fails alone"),
        ("pass", "assert pathlib.Path(__file__).with_name('gone').exists()", "not reproduced"),
    ],
)
def test_bisect__it_is_not_the_order__then_it_says_so(
    sandbox: Sandbox, pollute: str, victim: str, words: str
) -> None:
    text = MANY.format(pollute=pollute).replace("assert not STATE", victim)
    root = sandbox.project(
        {"test_it.py": text.replace("range(250)", "range(3)").replace("range(248)", "range(3)")}
    )
    first = sandbox.run("run", root, "--json")
    (root / "gone").touch()
    done = sandbox.run("bisect", first.run_id(), VICTIM)
    assert (done.code, words in done.out) == (1, True), done.out + done.err


def test_bisect__scenario_that_is_not_in_the_run__then_it_says_so(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_a.py": FEW})
    first = sandbox.run("run", root, "--json")
    done = sandbox.run("bisect", first.run_id(), "pytest:test_a.py::test_nothing")
    assert (done.code, "no such scenario in this run" in done.err) == (4, True), done.err


def test_bisect__scenario_that_passed_in_the_run__then_nothing_is_run_and_it_says_so(
    sandbox: Sandbox,
) -> None:
    root = sandbox.project({"test_it.py": "def test_a(): pass\ndef test_b(): pass\n"})
    first = sandbox.run("run", root, "--json")
    done = sandbox.run("bisect", first.run_id(), "pytest:test_it.py::test_b")
    assert (done.code, "did not fail in that run: it ended passed" in done.err) == (1, True), done.err
    assert "tracekit history" in done.err
