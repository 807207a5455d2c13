"""Programs that are asked what they hold: one that gives no answer is not waited for twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.probe_run import context_of
from tracekit.agent.hosts import cargo_list
from tracekit.agent.hosts.cargo_reader import Target
from tracekit.agent.runners.base import Exit, LaunchSpec, Progress
from tracekit.agent.runners.hosted import CargoAdapter


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """A program that hangs when it is asked, and keeps count of that."""
    monkeypatch.setattr(cargo_list, "PATIENCE", 0.5)
    program = tmp_path / "silent"
    program.write_text('#!/bin/sh\necho asked >> "$0.asked"\nexec sleep 60\n', encoding="utf-8")
    program.chmod(0o755)
    package = {"manifest_path": str(tmp_path / "Cargo.toml")}
    return Target(package, "test", "silent", "tests/silent.rs", str(program), dict(os.environ))


def _asked(target: Target, known: list[str]) -> tuple[list[cargo_list.Listed], bool]:
    """What it is listed as, and whether it was asked for that."""
    kept = Path(f"{target.program}.asked")
    kept.unlink(missing_ok=True)
    return cargo_list.listed([target], 2, lambda: False, known), kept.exists()


def test_listed__a_program_that_hangs__then_asked_once_until_it_is_built_anew(silent: Target) -> None:
    (first,), asked = _asked(silent, [])
    assert (first.whole, first.silent, asked) == (True, True, True)

    known = [cargo_list.mark(silent.program)]
    (again,), asked = _asked(silent, known)
    assert (again.whole, again.silent, asked) == (True, True, False)
    assert again.why.startswith("it did not list its tests within")

    with Path(silent.program).open("a", encoding="utf-8") as file:
        file.write("# built anew\n")
    assert _asked(silent, known)[1]


def test_listed__beside_one_that_is_known__then_each_has_its_own_list(silent: Target, tmp_path: Path) -> None:
    program = tmp_path / "speaks"
    program.write_text("#!/bin/sh\necho 'one: test'\n", encoding="utf-8")
    program.chmod(0o755)
    speaks = Target(silent.package, "test", "speaks", "tests/speaks.rs", str(program), dict(os.environ))
    known = [cargo_list.mark(silent.program)]
    found = cargo_list.listed([silent, speaks, silent], 2, lambda: False, known)
    assert [(one.whole, one.names) for one in found] == [(True, ()), (False, ("one",)), (True, ())]


def test_adapter__a_host_told_of_silent_programs__then_the_next_launch_knows_of_them(tmp_path: Path) -> None:
    adapter = CargoAdapter()
    cargo = tmp_path / "cargo"
    cargo.write_text("#!/bin/sh\n", encoding="utf-8")
    cargo.chmod(0o755)
    environ = {"PATH": str(tmp_path)}
    launch = LaunchSpec("L1", "", (), str(tmp_path), {}, (), {}, "all scenarios")
    told = {"exitstatus": 0, "silent": ["a mark of this test"]}
    progress = Progress({}, launch, session_ended=told)
    context = context_of(tmp_path, tmp_path / "spool", environ)
    adapter.finished(progress, Exit(0, None, b"", b""), context, 2)
    assert "a mark of this test" in CargoAdapter().more({}, environ)["silent"]


def test_adapter__so_many_at_once__then_only_cargo_is_told_by_its_own_variable(tmp_path: Path) -> None:
    found = {"cargo": str(tmp_path / "cargo")}
    environ = {"PATH": str(tmp_path)}
    assert CargoAdapter().environ({"at_once": 3}, environ, found) == {"RUST_TEST_THREADS": "3"}
    assert CargoAdapter().environ({}, environ, found) == {}
