"""Output reaches the right test and step, byte for byte, while pytest's own capturing stays as it is."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.probe_run import (
    context_of,
    environ_without_us,
    fixture_project,
    run_suite,
    suite_of,
)
from tracekit.agent.runners.base import adapter

if TYPE_CHECKING:
    from pathlib import Path

PRINTS = "pytest:test_prints.py::"


def test_captured_output__every_phase_and_fixture__then_each_byte_is_the_right_steps(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("prints", tmp_path), tmp_path / "spool")

    phases = f"{PRINTS}test_phases"
    assert ran.output(phases) == b"server up\nuser made\ncalling\n"
    assert ran.output(phases, "stderr") == b"user gone\n"
    steps = {step: data for (scenario, step), data in ran.steps_output.items() if scenario == phases}
    assert steps == {
        "fixture:server#1": b"server up\n",
        "fixture:user#2": b"user made\n",
        "call": b"calling\n",
        "cleanup:user#3": b"user gone\n",
    }
    assert ran.output(f"{PRINTS}test_children") == b"user made\nparent first\nfrom the child\n"
    assert ran.output(f"{PRINTS}test_children", "stderr") == b"straight to two\nuser gone\n"
    assert ran.output(f"{PRINTS}test_silent") == b""
    assert ran.output(f"{PRINTS}test_fails_printing") == b"the last words\nserver down\n"


def test_captured_output__binary_and_very_long_lines__then_nothing_is_changed(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("prints", tmp_path), tmp_path / "spool", args=["-k", "binary or long"])

    assert ran.output(f"{PRINTS}test_binary") == bytes(range(256))
    assert ran.output(f"{PRINTS}test_long_line") == b"x" * 200_000 + b"\n"


def test_captured_output__test_captures_for_itself__then_only_what_it_left_is_told(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("prints", tmp_path), tmp_path / "spool", args=["-k", "capfd"])

    assert ran.verdicts[f"{PRINTS}test_capfd"] == "passed"
    assert ran.output(f"{PRINTS}test_capfd") == b"left over\n"


def test_logged_lines__then_they_are_output_of_the_log_stream(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("prints", tmp_path), tmp_path / "spool", args=["-k", "logs"])

    assert b"disk nearly full" in ran.output(f"{PRINTS}test_logs", "log")


@pytest.mark.parametrize("capture", ["sys", "tee-sys"])
def test_captured_in_memory__then_what_python_printed_is_told(capture: str, tmp_path: Path) -> None:
    project = fixture_project("prints", tmp_path)
    ran = run_suite(project, tmp_path / "spool", args=[f"--capture={capture}"])

    assert ran.output(f"{PRINTS}test_phases") == b"server up\nuser made\ncalling\n"
    assert ran.output(f"{PRINTS}test_long_line") == b"x" * 200_000 + b"\n"


def test_not_captured__own_stdout_is_a_file__then_the_growth_during_a_test_is_its_output(
    tmp_path: Path,
) -> None:
    project = fixture_project("prints", tmp_path)
    ran = run_suite(project, tmp_path / "spool", args=["-s", "-k", "phases or children or binary"])

    assert ran.output(f"{PRINTS}test_phases") == b"server up\nuser made\ncalling\n"
    assert ran.output(f"{PRINTS}test_children") == b"user made\nparent first\nfrom the child\n"
    assert ran.output(f"{PRINTS}test_binary") == bytes(range(256)) + b"server down\n"


def test_live_output__a_test_prints_and_waits__then_the_line_is_told_before_the_test_goes_on(
    tmp_path: Path,
) -> None:
    heard, spool = tmp_path / "heard", tmp_path / "spool"
    spool.mkdir()
    project = fixture_project("slow_prints", tmp_path)
    environ = environ_without_us(HEARD=str(heard))
    spec = adapter("pytest").start(suite_of(project), context_of(project, spool, environ), 1)
    with subprocess.Popen(
        spec.command, cwd=spec.cwd, env={**environ, **spec.env}, stdout=subprocess.DEVNULL
    ) as process:
        while not any(b"the first line" in path.read_bytes() for path in spool.glob("*.cap")):
            assert process.poll() is None, "the test ended unheard"
            time.sleep(0.002)  # poll: a file of another process has no event
        lines = b"".join(path.read_bytes() for path in spool.glob("*.ndjson"))
        assert b'"e":"attempt.ended"' not in lines
        heard.touch()
        assert process.wait(timeout=60) == 0


def test_capture_files_are_not_where_they_were__then_output_comes_from_the_reports(tmp_path: Path) -> None:
    project = fixture_project("prints", tmp_path)
    (project / "renaming.py").write_text(
        "from _pytest import capture\ncapture.FDCapture.__name__ = 'Renamed'\n"
    )
    ran = run_suite(project, tmp_path / "spool", args=["-p", "renaming", "-k", "phases or children"])

    assert ran.output(f"{PRINTS}test_phases") == b"server up\nuser made\ncalling\n"
    assert b"from the child" in ran.output(f"{PRINTS}test_children")
