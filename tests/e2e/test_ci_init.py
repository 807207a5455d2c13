"""`ci init`: writes one file, once, and what the file says to run does run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cli import Sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


@pytest.fixture
def root(sandbox: Sandbox) -> Path:
    return sandbox.project({"tests/test_it.py": "def test_a(): assert 1 == 2\n", ".git/HEAD": "ref: x\n"})


def place(root: Path) -> Path:
    return root / ".github" / "workflows" / "tracekit.yml"


def steps(text: str) -> dict[str, Any]:
    return {step.get("name", ""): step for step in yaml.safe_load(text)["jobs"]["tests"]["steps"]}


def test_init__a_project__then_its_commands_run_and_the_failed_run_can_be_replayed(
    sandbox: Sandbox, root: Path, tmp_path: Path
) -> None:
    done = sandbox.run("ci", "init", root)
    assert done.code == 0, done.err
    text = place(root).read_text()
    sandbox.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{sandbox.environ['PATH']}"

    def step(name: str) -> int:
        command = ["bash", "-e", "-c", steps(text)[name]["run"]]
        ran = subprocess.run(command, cwd=root, env=sandbox.environ, check=False, capture_output=True)
        return ran.returncode

    assert (step("Run the tests"), step("Pack the failed run")) == (1, 0)
    assert (root / steps(text)["Keep the report"]["with"]["path"]).is_file()
    packed = root / steps(text)["Keep the failed run"]["with"]["path"]
    elsewhere = Sandbox(tmp_path / "elsewhere")
    shown = elsewhere.run("replay", packed.rename(tmp_path / "downloaded"), "--headless")
    assert shown.code == 1, shown.err
    assert "test_a" in shown.out


def test_init__one_is_there__then_refused_until_forced(sandbox: Sandbox, root: Path) -> None:
    place(root).parent.mkdir(parents=True)
    place(root).write_text("mine\n")
    done = sandbox.run("ci", "init", root)
    assert done.code == 2
    assert "--force" in done.err
    assert place(root).read_text() == "mine\n"
    assert sandbox.run("ci", "init", root, "--force").code == 0
    assert place(root).read_text().startswith("# Runs the tests")
    assert sorted(file.name for file in place(root).parent.iterdir()) == ["tracekit.yml"]


def test_init__a_link_to_nothing__then_refused_as_well(sandbox: Sandbox, root: Path) -> None:
    place(root).parent.mkdir(parents=True)
    place(root).symlink_to("nowhere.yml")
    assert sandbox.run("ci", "init", root).code == 2
    assert place(root).is_symlink()


def test_init__stdout__then_the_text_alone_and_nothing_written(sandbox: Sandbox, root: Path) -> None:
    done = sandbox.run("ci", "init", root, "--stdout")
    assert "Run the tests" in steps(done.out)
    assert not (root / ".github").exists()
    (line,) = sandbox.run("ci", "init", root, "--stdout", "--json").lines()
    assert (line["schema"], line["file"], line["text"]) == ("tracekit.ci/1", None, done.out)


def test_init__a_project_below_its_checkout__then_written_at_the_top(sandbox: Sandbox) -> None:
    (sandbox.home / ".git").mkdir()
    root = sandbox.project({"tests/test_it.py": "def test_a(): ...\n"}, "services/api")
    assert sandbox.run("ci", "init", root).code == 0
    job = yaml.safe_load(place(sandbox.home).read_text())["jobs"]["tests"]
    assert job["defaults"]["run"]["working-directory"] == "services/api"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("init", "--provider", "other"), 2, "invalid choice"),
        (("init", "--stdout", "--force"), 2, "not allowed"),
        ((), 2, "required"),
    ],
)
def test_ci__what_cannot_be__then_2(
    sandbox: Sandbox, root: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    done = sandbox.run("ci", *words, cwd=root)
    assert done.code == code
    assert told in done.err


def test_init__no_tests_anywhere__then_4_and_nothing_written(sandbox: Sandbox) -> None:
    root = sandbox.home / "empty"
    root.mkdir()
    done = sandbox.run("ci", "init", root)
    assert done.code == 4
    assert list(root.iterdir()) == []
