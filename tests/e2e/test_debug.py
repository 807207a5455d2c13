"""`tracekit debug`: one recorded scenario by hand, as its suite was launched, with the debugger of its runner."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.cli import PATIENCE, Sandbox

TESTS = """
import os, sys

def test_other():
    print("the other one ran")

def test_red():
    secret_of_the_test = os.environ.get("GREETING", "") + str(40 + 2)
    assert secret_of_the_test == "no"
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def debugged(sandbox: Sandbox, typed: str, *words: object) -> tuple[int, str]:
    process = sandbox.start("debug", *words, stdin=subprocess.PIPE)
    out, err = process.communicate(typed.encode(), timeout=PATIENCE)
    return process.returncode, (out + err).decode()


@pytest.mark.parametrize("spread", [(), ("-n", "2")])
def test_debug__red_test_of_pytest__then_its_debugger_stands_in_that_test_alone(
    sandbox: Sandbox, spread: tuple[str, ...]
) -> None:
    config = '[suite.unit]\nrunner = "pytest"\nenv = { GREETING = "hello" }\n'
    root = sandbox.project({"test_it.py": TESTS, "tracekit.toml": config})
    sandbox.run("run", root, "--", *spread)
    code, said = debugged(sandbox, "p secret_of_the_test\nq\n", "last", "test_red")
    assert "hello42" in said
    assert "the other one ran" not in said
    assert code not in {0, 3}


def test_debug__to_be_printed__then_the_command_and_nothing_is_run(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_it.py": TESTS})
    sandbox.run("run", root)
    done = sandbox.run("debug", "last", "test_red", "--print")
    assert done.out.strip().endswith("--pdb --capture=no test_it.py::test_red")
    (line,) = sandbox.run("debug", "last", "test_red", "--print", "--json").lines()
    assert line["command"][-3:] == ["--pdb", "--capture=no", "test_it.py::test_red"]


def test_debug__unittest__then_a_breakpoint_in_it_stops_there(sandbox: Sandbox) -> None:
    body = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        held = 40 + 2\n        {}\n"
    config = '[suite.u]\nrunner = "unittest"\n'
    root = sandbox.project({"test_it.py": body.format("pass"), "tracekit.toml": config})
    sandbox.run("run", root)
    (Path(root) / "test_it.py").write_text(body.format("breakpoint()"))
    code, said = debugged(sandbox, "p held\nc\n", "last", "test_a")
    assert "42" in said
    assert code == 0, said


def test_debug__variable_is_a_secret__then_it_is_there_though_no_recording_has_it(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "home", {"KEPT": "open-sesame"})
    config = '[suite.unit]\nenv = { GREETING = { secret = true, from = "env:KEPT" } }\n'
    root = sandbox.project({"test_it.py": TESTS, "tracekit.toml": config})
    sandbox.run("run", root)
    _, said = debugged(sandbox, "p secret_of_the_test\nq\n", "last", "test_red")
    assert "open-sesame42" in said
    sandbox.environ.pop("KEPT")
    _, said = debugged(sandbox, "p secret_of_the_test\nq\n", "last", "test_red")
    assert "KEPT" in said
    assert "redacted" not in said


def test_debug__run_of_a_stranger__then_nothing_that_it_names_is_run(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    root = sandbox.project({"test_it.py": TESTS})
    sandbox.run("run", root)
    bundle = tmp_path / "run.tkrun"
    assert sandbox.run("export", "--bundle", bundle, "last").code == 0
    other = Sandbox(tmp_path / "other")
    assert other.run("import", bundle).code == 0
    code, said = debugged(other, "q\n", "last", "test_red")
    assert "recorded elsewhere" in said
    assert "(Pdb)" not in said
    assert code not in {0, 1}


def test_debug__of_no_such_run_or_scenario__then_words(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_it.py": TESTS})
    assert sandbox.run("debug", "last", "x").code == 2
    sandbox.run("run", root)
    done = sandbox.run("debug", "last", "nosuch")
    assert done.code != 0
    assert "nosuch" in done.err
