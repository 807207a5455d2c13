"""Exceptions that a test handled and let go of before it failed: its trace knows them, and `show` tells them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import pytests
from tests.support.cli import Sandbox

pytestmark = pytest.mark.slow

TESTS = """\
def parse(word):
    raise ValueError(f"{word} is no colour")

def chosen(words):
    for word in words:
        try:
            return parse(word)
        except ValueError:
            continue
    return None

def test_colour():
    assert chosen(["up", "down", "left"]) == "red"

def test_other():
    assert chosen([]) is None
"""


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_show__red_on_a_python_whose_exceptions_are_traced__then_what_was_handled_stands_beneath(
    tmp_path: Path, version: str
) -> None:
    found = pytests.need(version, "9.0.2" if version == "3.13" else "8.4.2")
    profile = f"""\
[suite.app]
runner = "pytest"
python = "{found.python}"
[suite.app.env]
PYTHONPATH = "{found.packages}"
"""
    sandbox = Sandbox(tmp_path / "home")
    root = sandbox.project({"test_colours.py": TESTS, "tracekit.toml": profile})

    done = sandbox.run("run", root, "--json")
    assert done.code == 1, done.err
    (failure,) = done.of("failure")
    assert "handled" not in failure

    shown = sandbox.run("show", done.run_id(), "test_colour")
    assert "handled before: ValueError: left is no colour, 3 times" in shown.out
    assert "      test_colours.py:2\n" in shown.out
    (told,) = sandbox.run("show", done.run_id(), "test_colour", "--json").lines()
    (handled,) = told["attempts"][0]["failures"][0]["handled"]
    assert (handled["type"], handled["count"], handled["own"]) == ("ValueError", 3, True)

    off = sandbox.run("run", root, "--json", "--trace", "off")
    assert "handled before" not in sandbox.run("show", off.run_id(), "test_colour").out
