"""Profiles that are for a project elsewhere: run in a checkout of it, refused in words anywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import rust
from tests.support.cli import Sandbox
from tools.tasks.common import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = 'project = ["native/Cargo.toml"]\n[suite.t]\nrunner = "pytest"\ncwd = "native"\n'


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return rust.sandbox(tmp_path / "home")


def test_profile__for_a_project_above__then_its_paths_are_there_and_not_beside_the_profile(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    place = tmp_path / "elsewhere" / "profile.toml"
    place.write_text(PROFILE)
    root = sandbox.project({"native/Cargo.toml": "", "native/deep/test_a.py": "def test_a(): ...\n"})
    for directory in (root, root / "native" / "deep"):
        done = sandbox.run("run", directory, "--profile", place, "--json")
        assert done.verdicts() == {"pytest@t:deep/test_a.py::test_a": "passed"}, done.err
        again = sandbox.run("rerun", done.run_id(), "--all", "--json")
        assert again.verdicts() == done.verdicts(), again.err


def test_profile__not_in_its_project__then_refused_with_what_is_missing(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    root = sandbox.project({"test_a.py": "def test_a(): ...\n"})
    (root / ".git").mkdir()
    (tmp_path / "native").mkdir()
    (tmp_path / "native" / "Cargo.toml").write_text("")
    done = sandbox.run("run", root, "--profile", "tracer")
    assert (done.code, done.out) == (2, "")
    assert "this profile is for a project with native/Cargo.toml" in done.err
    assert "go to a checkout of that project" in done.err


def test_tracer__in_this_checkout__then_its_own_rust_tests_run(sandbox: Sandbox) -> None:
    chosen = "mcp_server/tests/server.rs or name:record__*"
    done = sandbox.run("run", ROOT / "native" / "tracer", "--profile", "tracer", "-s", chosen, "--json")
    told = done.verdicts()
    assert set(told.values()) == {"passed"}, done.err
    assert {name.partition("/")[0] for name in told} >= {"cargo@tracer:mcp_server"}
    assert len(told) >= 3
