"""Where the program of a runner is looked for, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracekit.agent.runners.programs import find
from tracekit.wire.problems import ProblemError


def program(place: Path) -> str:
    place.parent.mkdir(parents=True)
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)
    return str(place)


def test_find__on_path_or_where_its_installer_puts_it__then_that_one(tmp_path: Path) -> None:
    installed = program(tmp_path / ".cargo" / "bin" / "cargo")
    environ = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    assert find("cargo", environ) == installed
    chosen = program(tmp_path / "elsewhere" / "bin" / "cargo")
    assert find("cargo", {**environ, "CARGO_HOME": str(tmp_path / "elsewhere")}) == chosen
    first = program(tmp_path / "bin" / "cargo")
    assert find("cargo", environ) == first


def test_find__nowhere__then_unavailable_and_what_would_fix_it(tmp_path: Path) -> None:
    with pytest.raises(ProblemError) as fault:
        find("cargo", {"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert fault.value.first.what == "unavailable: cargo was not found"
    assert "install Rust" in fault.value.first.action
