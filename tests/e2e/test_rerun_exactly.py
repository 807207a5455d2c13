"""Rerun of one failing test runs exactly that test: proved by what ran, for the runners of Python.

The others have a test of the same: cargo, go, vitest, jest, mocha, node:test and command, each in its own module.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Sandbox

PYTEST = """
import os
import pytest

def note(name):
    with open(os.environ["RAN"], "a") as file:
        file.write(name + "\\n")

def test_pays():
    note("pays")
    assert False

def test_pays_twice():
    note("pays twice")

@pytest.mark.parametrize("card", ["a", "a b", "a::b"])
def test_card(card):
    note(f"card {card}")
    assert card != "a b"

class TestShop:
    def test_pays(self):
        note("shop pays")
"""
UNITTEST = """
import os
import unittest

def note(name):
    with open(os.environ["RAN"], "a") as file:
        file.write(name + "\\n")

class Shop(unittest.TestCase):
    def test_pays(self):
        note("pays")
        self.fail("no card")

    def test_pays_twice(self):
        note("pays twice")

class Market(unittest.TestCase):
    def test_pays(self):
        note("market pays")
"""
CASES = [
    ("pytest", "::test_pays", "pays"),
    ("pytest", "::test_card[a b]", "card a b"),
    ("unittest", "::Shop::test_pays", "pays"),
]
#: The file of each runner, and how many tests are in it.
FILES = {"pytest": (PYTEST, 6), "unittest": (UNITTEST, 3)}


@pytest.mark.parametrize(("runner", "chosen", "ran"), CASES)
def test_rerun__one_failing_test__then_what_ran_is_that_one(
    tmp_path: Path, runner: str, chosen: str, ran: str
) -> None:
    text, count = FILES[runner]
    log = tmp_path / "ran"
    sandbox = Sandbox(tmp_path / "home", {"RAN": str(log)})
    profile = f'[suite.s]\nrunner = "{runner}"\n'
    root = sandbox.project({"tracekit.toml": profile, "test_shop.py": text})
    first = sandbox.run("run", root, "--json")
    assert len(log.read_text().splitlines()) == count, first.err
    log.unlink()
    scenario = f"{runner}@s:test_shop.py{chosen}"
    assert first.verdicts()[scenario] == "failed"
    again = sandbox.run("rerun", first.run_id(), "-s", scenario, "--json")
    assert again.verdicts() == {scenario: "failed"}
    assert log.read_text().splitlines() == [ran]


def test_rerun__run_that_is_red_by_a_file_that_did_not_load__then_told_which_and_what_to_do(
    tmp_path: Path,
) -> None:
    sandbox = Sandbox(tmp_path / "home")
    files = {
        "test_shop.py": "import no_such_package_of_anybody\n",
        "test_till.py": "def test_opens(): pass\n",
    }
    root = sandbox.project(files)
    first = sandbox.run("run", root, "--json")
    assert first.code == 1
    again = sandbox.run("rerun", first.run_id())
    assert again.code == 4
    assert "what held tests back is test_shop.py" in again.err
    assert f"tracekit rerun --all {first.run_id()}" in again.err
