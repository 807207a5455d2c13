"""The same promises on other Pythons and other pytests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import pytests
from tests.support.parity import plain_run, settled
from tests.support.probe_run import environ_without_us, fixture_project, run_suite

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

VERSIONS = [("3.8", "7.0.1"), ("3.9", "8.0.2"), ("3.11", "7.4.4"), ("3.12", "8.4.2"), ("3.13", "9.0.2")]
IDS = [f"python{python.replace('.', '')}-pytest{version}" for python, version in VERSIONS]
PROJECTS = [
    ("verdicts", []),
    ("exceptions", []),
    ("fixtures_as_steps", ["--setup-show"]),
    ("prints", ["-rA"]),
    ("reruns", []),
    ("import_error", []),
    ("import_error", ["--continue-on-collection-errors"]),
    ("conftest_raises", []),
    ("conftest_raises_below", []),
    ("packages", ["--ignore=broken"]),
    ("stops_early", []),
    ("forks", ["-W", "error"]),
]


@pytest.fixture(params=VERSIONS, ids=IDS)
def target(request: pytest.FixtureRequest) -> pytests.Pytest:
    return pytests.need(*request.param)


@pytest.mark.parametrize(
    ("project", "args"), PROJECTS, ids=[" ".join([name, *args]) for name, args in PROJECTS]
)
def test_probe__on_another_version__output_and_exit_are_those_of_plain_pytest(
    project: str, args: list[str], target: pytests.Pytest, tmp_path: Path
) -> None:
    place = fixture_project(project, tmp_path)
    environ = environ_without_us(PYTHONPATH=str(target.packages))
    options = ["-p", "no:cacheprovider", *args]
    plain = plain_run([str(target.python), "-m", "pytest", *options], place, tmp_path, environ)

    ran = run_suite(place, tmp_path / "spool", environ=environ, python=str(target.python), args=options)

    assert ran.exits[-1].code == plain.code
    assert len(ran.launches) == 1
    assert not [gap for gap in ran.events("gap") if gap["what"] == "probe"]
    if project != "forks":  # a child that goes on prints what it likes, when it likes
        assert settled((ran.spool / "L1.out").read_bytes()) == settled(plain.stdout)
        assert settled((ran.spool / "L1.err").read_bytes()) == settled(plain.stderr)


def test_probe__on_another_version__verdicts_output_and_crashes_are_told(
    target: pytests.Pytest, tmp_path: Path
) -> None:
    environ = environ_without_us(PYTHONPATH=str(target.packages))
    python = str(target.python)

    verdicts = run_suite(
        fixture_project("verdicts", tmp_path), tmp_path / "verdicts-spool", environ=environ, python=python
    )
    prints = run_suite(
        fixture_project("prints", tmp_path), tmp_path / "prints-spool", environ=environ, python=python
    )
    crash = run_suite(
        fixture_project("crash_signal", tmp_path), tmp_path / "crash-spool", environ=environ, python=python
    )

    told = {name.rpartition("::")[2]: verdict for name, verdict in verdicts.verdicts.items()}
    assert told["test_teardown_error"] == "error"
    assert told["test_setup_error"] == "error"
    assert told["test_xpasses_strictly"] == "failed"
    assert told["test_xfails_without_running"] == "xfailed"
    assert told["test_xpasses"] == "xpassed"
    phases = "pytest:test_prints.py::test_phases"
    assert prints.output(phases) == b"server up\nuser made\ncalling\n"
    assert prints.steps_output[(phases, "cleanup:user#3")] == b"user gone\n"
    assert sorted(crash.verdicts.values()) == ["crashed", "crashed", "passed", "passed", "passed"]


def test_probe__on_another_version__chosen_ids_run_alone(target: pytests.Pytest, tmp_path: Path) -> None:
    environ = environ_without_us(PYTHONPATH=str(target.packages))
    project = fixture_project("packages", tmp_path)
    only = ["pytest:pkg/sub/test_two.py::test_c", "pytest:pkg/test_one.py::test_b"]

    ran = run_suite(project, tmp_path / "spool", environ=environ, python=str(target.python), only=only)

    assert sorted(ran.verdicts) == sorted(only)
    assert ran.events("discover.failed") == []
