"""Two workers on every Python and every pytest that targets may have: verdicts, live output, deaths, isolation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import pytests
from tests.support.probe_run import environ_without_us, fixture_project, run_suite

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

VERSIONS = [
    ("3.8", "7.0.1"),
    ("3.9", "8.0.2"),
    ("3.10", "7.2.2"),
    ("3.11", "7.4.4"),
    ("3.12", "8.4.2"),
    ("3.13", "9.0.2"),
]
IDS = [f"python{python.replace('.', '')}-pytest{version}" for python, version in VERSIONS]
WORKERS = ["-p", "no:cacheprovider", "-n", "2"]
MORE = """
import os

import pytest


@pytest.fixture
def torn():
    yield
    raise OSError("in teardown")


def test_teardown_error(torn): ...


def test_dies():
    os.abort()


def test_never_here(): ...


@pytest.mark.parametrize("number", range(6))
def test_says(number):
    print("line of", number)
"""


@pytest.fixture(params=VERSIONS, ids=IDS)
def target(request: pytest.FixtureRequest) -> pytests.Pytest:
    return pytests.need(*request.param)


def test_two_workers__on_another_version__then_verdicts_deaths_and_output_are_the_right_tests(
    target: pytests.Pytest, tmp_path: Path
) -> None:
    environ = environ_without_us(PYTHONPATH=str(target.packages))
    # Their plugins are what is tried here: workers, and sub-tests before pytest had them.
    del environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
    project = fixture_project("subtests", tmp_path)
    (project / "test_more.py").write_text(MORE)

    ran = run_suite(
        project,
        tmp_path / "spool",
        environ=environ,
        python=str(target.python),
        args=WORKERS,
        isolate=["test_more.py::test_never_here"],
    )

    told = {name.rpartition("::")[2]: word for name, word in ran.verdicts.items() if "▸" not in name}
    assert told["test_teardown_error"] == "error"
    assert told["test_dies"] == "crashed"
    assert ran.end("pytest:test_more.py::test_dies")["signal"] == 6
    assert told["test_one_fails"] == "failed"
    assert ran.verdicts["pytest:test_subtests.py::TestCase::test_by_unittest ▸ (number=2)"] == "failed"
    for number in range(6):
        assert ran.output(f"pytest:test_more.py::test_says[{number}]") == f"line of {number}\n".encode()
    assert "pytest:test_more.py::test_never_here" in ran.found
    assert "test_never_here" not in told
    assert len(ran.launches) == 1
    assert not [gap for gap in ran.events("gap") if gap["what"] == "probe"]
