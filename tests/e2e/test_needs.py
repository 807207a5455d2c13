"""Suites that need each other: in their order, and not run at all when what they need did not pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Sandbox

PROFILE = """
[suite.api]
paths = ["test_api.py"]
needs = ["db"]

[suite.db]
paths = ["test_db.py"]
"""
API = "def test_api(): ...\n"


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def test_needs__the_needed_suite_passes__then_it_ran_first_and_the_other_too(sandbox: Sandbox) -> None:
    files = {"tracekit.toml": PROFILE, "test_api.py": API, "test_db.py": "def test_db(): ...\n"}
    done = sandbox.run("run", sandbox.project(files), "--json")
    assert done.code == 0, done.err
    assert [line["scenario"] for line in done.of("attempt.ended")] == [
        "pytest@db:test_db.py::test_db",
        "pytest@api:test_api.py::test_api",
    ]


def test_needs__the_needed_suite_is_red__then_the_other_is_not_run_and_the_summary_says_why(
    sandbox: Sandbox,
) -> None:
    files = {"tracekit.toml": PROFILE, "test_api.py": API, "test_db.py": "def test_db(): assert 0\n"}
    done = sandbox.run("run", sandbox.project(files))
    assert done.code == 1, done.err
    assert "it needs db, which did not pass" in done.out
    assert "test_api" not in done.out
