"""Tests that break what a recorder stands on: everything is still told, and nothing changes for them."""

from __future__ import annotations

import resource
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.probe_run import (
    Ran,
    context_of,
    environ_without_us,
    fixture_project,
    run_suite,
    start,
    suite_of,
)
from tracekit.agent.runners.base import adapter

if TYPE_CHECKING:
    from pathlib import Path

MODULE = "pytest:test_hostile.py::"


WAYS = [
    pytest.param([], id="plain"),
    # xdist itself ends when a worker's report holds half of a surrogate pair.
    pytest.param(["-p", "xdist.plugin", "-n", "2", "-k", "not ud800"], id="n2"),
]


@pytest.fixture(scope="module", params=WAYS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    place = tmp_path_factory.mktemp("hostile")
    args = ["-p", "no:cacheprovider", "-W", "error", *request.param]
    return run_suite(fixture_project("hostile", place), place / "spool", args=args)


def test_hostile_suite__then_every_test_has_its_end_and_nothing_of_ours_failed(ran: Ran) -> None:
    assert len(ran.launches) == 1
    assert set(ran.found) == set(ran.verdicts)
    assert [gap for gap in ran.events("gap") if gap["what"] == "probe"] == []
    for test in (
        "clears_environ",
        "deletes_working_directory",
        "fakes_time_and_os",
        "closes_descriptors_of_ours",
        "last",
    ):
        assert ran.verdicts[f"{MODULE}test_{test}"] == "passed", test


def test_output__after_the_working_directory_and_stdout_are_gone__then_it_still_arrives(ran: Ran) -> None:
    assert ran.output(f"{MODULE}test_deletes_working_directory") == b"nowhere\n"
    assert ran.output(f"{MODULE}test_after_working_directory") == b"still nowhere\n"
    assert ran.output(f"{MODULE}test_after_closed_stdout") == b"said by python\n"
    assert ran.output(f"{MODULE}test_after_closed_descriptors") == b"written again\n"


def test_locals__whose_repr_raises_leaves_or_never_ends__then_the_text_is_bounded(ran: Ran) -> None:
    (failure,) = ran.of(f"{MODULE}test_hostile_locals", "failure")
    told = failure["chain"][0]["frames"][-1]["locals"]

    assert "whose repr raised RuntimeError" in told["raises"]
    assert "whose repr raised SystemExit" in told["leaves"]
    assert "whose repr raised TypeError" in told["not_text"]
    assert all(len(text) < 1000 for text in told.values())
    assert told["endless"] == "[[...]]" or "..." in told["endless"]


def test_exception__whose_message_cannot_be_made__then_the_failure_is_still_told(ran: Ran) -> None:
    (failure,) = ran.of(f"{MODULE}test_raises_base_exception", "failure")

    assert failure["chain"][0]["message"].startswith("<message unavailable")


def test_ids__with_controls_and_surrogates__then_found_and_ended_agree(ran: Ran) -> None:
    odd = [name for name in ran.found if "test_odd_values" in name]

    assert len(odd) == (3 if "-n" in ran.launches[0].command else 4)
    assert all(ran.verdicts[name] == "failed" for name in odd)


def test_spool_full__then_lines_are_counted_as_lost_and_verdicts_stay(tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    project = fixture_project("verdicts", tmp_path)
    (project / "test_flood.py").write_text(
        "def test_flood():\n    print('x' * 30_000)\n    print('y' * 30_000)\n"
    )
    ran = run_suite(project, tmp_path / "spool", preexec=small_files, args=["--capture=sys", "-q"])

    out = (tmp_path / "spool" / "L1.out").read_text()
    assert "failed" in out
    assert "passed" in out
    assert ran.exits[0].code == 1


def test_spool_that_cannot_be_written__then_the_suite_runs_as_ever(tmp_path: Path) -> None:
    project = fixture_project("verdicts", tmp_path)
    seen = run_suite(project, tmp_path / "spool", args=["-q"])
    blind = tmp_path / "blind"
    blind.mkdir()
    environ = environ_without_us()
    spec = adapter("pytest").start(suite_of(project, args=["-q"]), context_of(project, blind, environ), 1)

    exit = start(replace(spec, env={**spec.env, "TRACEKIT_SPOOL": "/dev/null/nothing"}), blind, environ)

    assert exit.code == seen.exits[0].code
    assert (
        exit.stdout_tail.splitlines()[-1].split(b" in ")[0]
        == seen.exits[0].stdout_tail.splitlines()[-1].split(b" in ")[0]
    )


def test_environment__then_python_children_start_as_without_us(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_children.py").write_text(
        "import os, subprocess, sys\n"
        "def test_child():\n"
        "    assert os.environ.get('PYTHONPATH') == '/theirs'\n"
        "    code = 'import sys; print([name for name in sys.modules if \"tkprobe\" in name])'\n"
        "    assert subprocess.check_output([sys.executable, '-c', code]) == b'[]\\n'\n"
    )
    ran = run_suite(project, tmp_path / "spool", environ=environ_without_us(PYTHONPATH="/theirs"))

    assert ran.verdicts == {"pytest:test_children.py::test_child": "passed"}
