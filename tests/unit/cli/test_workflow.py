"""The workflow of `ci init`: a YAML parser reads it as it was meant, whatever the project is called or holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tracekit.cli.workflow import NEWEST, look, workflow
from tracekit.config.profile import Suite


def read(root: Path, *suites: Suite, repository: Path | None = None) -> dict[Any, Any]:
    text = workflow(look(root, repository or root, suites or (Suite(""),)))
    read: dict[Any, Any] = yaml.safe_load(text)
    return read


def steps(read: dict[Any, Any]) -> dict[str, Any]:
    return {
        step.get("name") or step["uses"].partition("@")[0]: step for step in read["jobs"]["tests"]["steps"]
    }


def test_workflow__a_project_that_says_nothing__then_whole_and_with_least_rights(tmp_path: Path) -> None:
    found = read(tmp_path)
    # The key `on` is a truth value to this parser.
    assert set(found[True]) == {"push", "pull_request"}
    assert found["permissions"] == {"contents": "read"}
    assert steps(found)["actions/setup-python"]["with"] == {"python-version": NEWEST}
    assert steps(found)["Run the tests"]["run"] == "tracekit run --junit junit.xml"
    assert steps(found)["Install the project"]["run"].splitlines() == [
        "python -m venv .venv",
        ".venv/bin/python -m pip install pytest",
    ]
    assert "failure()" in steps(found)["Keep the failed run"]["if"]
    assert steps(found)["Run the tests"]["id"] == "tests"
    assert steps(found)["Keep the report"]["with"]["path"] == "junit.xml"


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({".python-version": "3.12.1\n"}, "3.12.1"),
        ({".python-version": "$(evil)\n"}, NEWEST),
        ({"pyproject.toml": "[project]\nrequires-python = '>=3.10,<4'\n"}, "3.10"),
        ({"pyproject.toml": "[tool.poetry.dependencies]\npython = '^3.9'\n"}, "3.9"),
        ({"pyproject.toml": "[project]\nrequires-python = 3\n"}, NEWEST),
        ({"pyproject.toml": "not toml"}, NEWEST),
    ],
)
def test_workflow__what_the_project_says_of_its_python__then_that_one(
    tmp_path: Path, files: dict[str, str], version: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert steps(read(tmp_path))["actions/setup-python"]["with"]["python-version"] == version


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"uv.lock": ""}, ["pipx install uv", "uv sync"]),
        ({"poetry.lock": ""}, ["pipx install poetry", "POETRY_VIRTUALENVS_IN_PROJECT=1 poetry install"]),
        (
            {"requirements.txt": "", "requirements-dev.txt": ""},
            ["-r requirements.txt", "-r requirements-dev.txt"],
        ),
        (
            {
                "pyproject.toml": "[build-system]\nrequires = []\n[project]\nname = 'x'\n"
                "[project.optional-dependencies]\ntests = []\n[dependency-groups]\ndev = []\n"
            },
            ["-e '.[tests]'", "--group dev"],
        ),
    ],
)
def test_workflow__how_the_project_is_installed__then_by_that_tool(
    tmp_path: Path, files: dict[str, str], wanted: list[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    told = steps(read(tmp_path))["Install the project"]["run"]
    assert all(part in told for part in wanted), told


def test_workflow__several_suites__then_a_job_each(tmp_path: Path) -> None:
    found = read(tmp_path, Suite("api"), Suite("web/ui"))
    assert found["jobs"]["tests"]["strategy"]["matrix"]["suite"] == ["api", "web/ui"]
    step = steps(found)["Run the tests"]
    assert step["env"] == {"SUITE": "${{ matrix.suite }}"}
    assert '-s "suite:$SUITE"' in step["run"]
    names = {each["with"]["name"] for each in steps(found).values() if "artifact" in each.get("uses", "")}
    assert names == {"junit-${{ strategy.job-index }}", "tracekit-run-${{ strategy.job-index }}"}


def test_workflow__suites_that_need_one_another__then_one_job(tmp_path: Path) -> None:
    found = read(tmp_path, Suite("migrate"), Suite("api", needs=("migrate",)))
    assert "strategy" not in found["jobs"]["tests"]
    assert steps(found)["Run the tests"]["run"] == "tracekit run --junit junit.xml"


@pytest.mark.parametrize("name", ["services/api", "it's: #odd", 'a "b"\n- run: evil', "x\u2028y"])
def test_workflow__a_project_below_its_repository__then_its_folder_and_no_other_step(
    tmp_path: Path, name: str
) -> None:
    root = tmp_path / name
    root.mkdir(parents=True)
    found = read(root, Suite("a\nb"), repository=tmp_path)
    assert found["jobs"]["tests"]["defaults"]["run"]["working-directory"] == name
    assert steps(found)["Keep the report"]["with"]["path"] == f"{name}/junit.xml"
    assert len(steps(found)) == 8


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        ({}, [".venv/bin/python -m pip install -e '.[test]'"]),
        ({"requirements.txt": "x\n"}, [".venv/bin/python -m pip install -r requirements.txt"]),
    ],
)
def test_workflow__project_without_a_build_system__then_pip_builds_it_all_the_same(
    tmp_path: Path, files: dict[str, str], commands: list[str]
) -> None:
    text = "[project]\nname = 'it'\nversion = '1'\n[project.optional-dependencies]\ntest = ['pytest']\n"
    for name, content in {"pyproject.toml": text, **files}.items():
        (tmp_path / name).write_text(content)
    assert steps(read(tmp_path))["Install the project"]["run"].splitlines()[1:-1] == commands
