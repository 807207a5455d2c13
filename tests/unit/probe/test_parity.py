"""With the probe or without it, pytest gives the same verdicts, prints the same, and exits the same."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.parity import plain_run, settled, verdicts_of
from tests.support.probe_run import environ_without_us, fixture_project, run_suite

if TYPE_CHECKING:
    from pathlib import Path

# Projects whose process reaches its end by itself, with the arguments they are run with.
PROJECTS = [
    ("verdicts", []),
    ("verdicts", ["-x"]),
    ("verdicts", ["--capture=sys"]),
    ("verdicts", ["-s"]),
    ("verdicts", ["-p", "no:terminal"]),
    ("verdicts", ["--import-mode=importlib", "--strict-config", "-W", "error"]),
    ("verdicts", ["--runxfail"]),
    ("subtests", []),
    ("subtests", ["-W", "error"]),
    ("import_error", []),
    ("import_error", ["--continue-on-collection-errors"]),
    ("conftest_raises_below", []),
    ("conftest_raises_below", ["--continue-on-collection-errors"]),
    ("no_tests", []),
    ("internal_error", []),
    ("stops_early", []),
    ("stops_early", ["--maxfail=1"]),
    ("stops_early", ["-k", "not politely"]),
    ("prints", []),
    ("prints", ["-rA"]),
    ("prints", ["--capture=sys", "-rA"]),
    ("prints", ["--capture=tee-sys"]),
    ("hostile", ["-W", "error"]),
    ("exceptions", []),
    ("fixtures_as_steps", []),
    ("fixtures_as_steps", ["--setup-show"]),
    ("reruns", []),
    ("own_hooks", []),
    ("packages", ["--ignore=broken"]),
    ("rootdir_above", []),
]


@pytest.mark.parametrize(
    ("project", "args"), PROJECTS, ids=[" ".join([name, *args]) for name, args in PROJECTS]
)
def test_probe__any_suite__verdicts_output_and_exit_are_those_of_plain_pytest(
    project: str, args: list[str], tmp_path: Path
) -> None:
    place = fixture_project(project, tmp_path)
    log = tmp_path / "log.jsonl"
    reporting = ["-p", "pytest_reportlog.plugin", f"--report-log={log}"]
    command = [sys.executable, "-m", "pytest", *reporting, "-p", "no:cacheprovider", *args]
    plain = plain_run(command, place, tmp_path, environ_without_us())
    verdicts = verdicts_of(log)
    ran = run_suite(place, tmp_path / "spool", args=["-p", "no:cacheprovider", *args])

    assert ran.exits[-1].code == plain.code
    told = {name: verdict for name, verdict in ran.verdicts.items() if " ▸ " not in name}
    assert {name: told.get(name) for name in verdicts} == verdicts
    # A test in whose middle the session ended has no verdict of pytest's at all; it is never told as passed.
    assert {verdict for name, verdict in told.items() if name not in verdicts} <= {"cancelled", "error"}
    assert len(ran.launches) == 1
    assert settled((ran.spool / "L1.out").read_bytes()) == settled(plain.stdout)
    assert settled((ran.spool / "L1.err").read_bytes()) == settled(plain.stderr)
    assert not [gap for gap in ran.events("gap") if gap["what"] == "probe"]
