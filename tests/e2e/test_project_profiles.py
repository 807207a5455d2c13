"""Profiles that are for a project elsewhere: run in a checkout of it, refused in words anywhere else."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

import tracekit
from tests.support import rust
from tests.support.cli import Sandbox
from tools.tasks.common import ROOT

FAULTS = Path(tracekit.__file__).parent / "profiles" / "tracer" / "faults.toml"
#: What of the tracer's own tests is fast, and of which each fault must turn red what its table says and nothing else.
LOOKED_AT = "tracer_backend/src or tracer_backend/tests/registry.rs or tracer_backend/tests/told.rs"
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


def copy_of_this_checkout() -> Path:
    """The Rust sources beside the others; always the same place, so that little is built again."""
    copy = ROOT / "target" / "faults"
    copy.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", copy], check=True)
    names = {
        str(path.relative_to(ROOT))
        for top in (ROOT / "native").iterdir()
        if top.name != "target"
        for path in (top.rglob("*") if top.is_dir() else [top])
        if path.is_file()
    }
    for old in [path for path in copy.glob("native/**/*") if path.is_file()]:
        if str(old.relative_to(copy)) not in names:
            old.unlink()
    for name in names:
        source, place = ROOT / name, copy / name
        if not place.exists() or place.read_bytes() != source.read_bytes():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
    return copy


def test_tracer__each_fault_of_its_table__then_those_scenarios_are_red_and_the_cause_is_told(
    sandbox: Sandbox,
) -> None:
    root = copy_of_this_checkout()
    environ = {**sandbox.environ, "CARGO_TARGET_DIR": str(ROOT / "native" / "target")}
    for fault in tomllib.loads(FAULTS.read_text(encoding="utf-8"))["fault"]:
        place = root / fault["file"]
        sound = place.read_text(encoding="utf-8")
        assert sound.count(fault["from"]) == 1, fault["name"]
        place.write_text(sound.replace(fault["from"], fault["to"]), encoding="utf-8")
        try:
            done = sandbox.run("run", root, "--profile", "tracer", "-s", LOOKED_AT, env=environ)
        finally:
            place.write_text(sound, encoding="utf-8")
        assert done.code == 1, done.out + done.err
        assert fault["root"] in done.out
        seen = (root / "native" / fault["place"]).read_text(encoding="utf-8").splitlines()
        number = [line.strip() for line in seen].index(fault["line"]) + 1
        assert f"{fault['place']}:{number} " in done.out
        reds = {line.split()[-1] for line in done.out.splitlines() if re.match(r"✗ \w+ +[\d.]+m?s ", line)}
        assert reds == {f"cargo@tracer:{scenario}" for scenario in fault["scenarios"]}
