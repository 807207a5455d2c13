"""What a look for scenarios starts, as it is said before anybody has agreed to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracekit.config.starts import starts
from tracekit.config.tables import RUNNERS
from tracekit.wire.problems import ProblemError


def written(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


def test_starts__several_languages__then_each_runner_once_with_what_it_does(tmp_path: Path) -> None:
    root = written(
        tmp_path,
        {
            "tracekit.toml": (
                '[suite.a]\nrunner = "cargo"\ncwd = "a"\n[suite.b]\nrunner = "cargo"\ncwd = "b"\n'
                '[suite.web]\nrunner = "vitest"\n'
                '[suite.smoke]\nrunner = "command"\nrun = ["smoke.sh", "-v"]\nreport = { tap = "-" }\n'
                '[suite.deep]\nrunner = "command"\nrun = ["deep.sh"]\nlist = ["deep.sh", "--names"]\n'
                'only = ["deep.sh", "{name}"]\nreport = { tap = "-" }\n'
            ),
            "a/Cargo.toml": "",
            "b/Cargo.toml": "",
        },
    )
    told = dict(starts(root, {}))
    assert list(told) == ["cargo", "vitest", "smoke", "deep"]
    assert "build scripts" in told["cargo"]
    assert "configuration" in told["vitest"]
    assert told["smoke"] == "nothing before a run, which starts smoke.sh -v"
    assert told["deep"] == "starts deep.sh --names"


def test_starts__no_configuration__then_what_is_found_by_its_files(tmp_path: Path) -> None:
    root = written(
        tmp_path,
        {
            "go.mod": "module a\n",
            "a_test.go": "package a\n",
            "py/pytest.ini": "[pytest]\n",
            "py/test_a.py": "",
        },
    )
    assert {who for who, _ in starts(root, {})} == {"go", "pytest"}


def test_starts__an_interpreter_of_the_project__then_it_is_not_started(tmp_path: Path) -> None:
    place = tmp_path / ".venv" / "bin" / "python"
    root = written(
        tmp_path, {"test_a.py": "import unittest\n", str(place): f"#!/bin/sh\ntouch {tmp_path}/ran\n"}
    )
    place.chmod(0o755)
    assert starts(root, {"VIRTUAL_ENV": str(tmp_path / ".venv"), "PATH": str(place.parent)})
    assert not (tmp_path / "ran").exists()


def test_starts__nothing_that_looks_like_tests__then_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProblemError):
        starts(str(tmp_path), {})


def test_starts__every_runner_there_is__has_words_of_its_own() -> None:
    from tracekit.config.starts import _DOES

    assert {*RUNNERS} == {*_DOES, "command"}
