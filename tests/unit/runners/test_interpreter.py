"""Which Python a suite gets, and how that is explained."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from tracekit.agent.runners.interpreter import find, install_pytest
from tracekit.wire.problems import ProblemError


def _python(place: Path) -> str:
    place.mkdir(parents=True, exist_ok=True)
    python = place / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    return str(python)


def _on_path(place: Path) -> dict[str, str]:
    python = _python(place / "path")
    Path(python).rename(f"{python}3")
    return {"PATH": str(place / "path"), "HOME": str(place / "home")}


def test_find__everything_there__then_the_suites_own_python_wins(tmp_path: Path) -> None:
    own = _python(tmp_path / "own")
    environ = {**_on_path(tmp_path), "VIRTUAL_ENV": str(tmp_path / "active")}
    _python(tmp_path / "active" / "bin")

    found = find(own, str(tmp_path), str(tmp_path), environ)

    assert (found.path, found.why) == (own, "`python` of the suite")


def test_find__own_python_is_relative_a_name_or_an_environment__then_each_is_understood(
    tmp_path: Path,
) -> None:
    inside = _python(tmp_path / "env" / "bin")
    environ = _on_path(tmp_path)

    assert find("env/bin/python", str(tmp_path), str(tmp_path), environ).path == inside
    assert find("env", str(tmp_path), str(tmp_path), environ).path == inside
    assert find("python3", str(tmp_path), str(tmp_path), environ).path == str(tmp_path / "path" / "python3")


def test_find__own_python_is_missing__then_a_problem_and_no_other_choice(tmp_path: Path) -> None:
    _python(tmp_path / ".venv" / "bin")

    with pytest.raises(ProblemError) as caught:
        find("/no/such/python", str(tmp_path), str(tmp_path), _on_path(tmp_path))

    problem = caught.value.first
    assert problem.code == "interpreter.missing"
    assert "/no/such/python" in problem.what
    assert problem.action


def test_find__active_environment__then_it_comes_before_the_projects(tmp_path: Path) -> None:
    active = _python(tmp_path / "active" / "bin")
    _python(tmp_path / ".venv" / "bin")

    found = find(
        None, str(tmp_path), str(tmp_path), {**_on_path(tmp_path), "VIRTUAL_ENV": str(tmp_path / "active")}
    )

    assert found.path == active
    assert "VIRTUAL_ENV" in found.why


@pytest.mark.parametrize("name", [".venv", "venv"])
def test_find__environment_in_a_parent_up_to_the_root__then_it_is_used(name: str, tmp_path: Path) -> None:
    root, cwd = tmp_path / "project", tmp_path / "project" / "service" / "api"
    cwd.mkdir(parents=True)
    python = _python(root / name / "bin")

    assert find(None, str(cwd), str(root), _on_path(tmp_path)).path == python


def test_find__environment_above_the_root__then_it_is_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    _python(tmp_path / ".venv" / "bin")

    assert find(None, str(root), str(root), _on_path(tmp_path)).why == "python3 on PATH"


def test_find__environment_whose_python_is_a_link_to_nothing__then_it_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(tmp_path / "removed")

    assert find(None, str(tmp_path), str(tmp_path), _on_path(tmp_path)).why == "python3 on PATH"
    with pytest.raises(ProblemError) as caught:
        find(None, str(tmp_path), str(tmp_path), {"PATH": str(tmp_path / "empty")})
    assert "a link to nothing" in caught.value.first.where


def test_find__file_that_names_an_environment__then_it_is_followed(tmp_path: Path) -> None:
    python = _python(tmp_path / "elsewhere" / "bin")
    (tmp_path / ".venv").write_text(f"{tmp_path / 'elsewhere'}\n")

    assert find(None, str(tmp_path), str(tmp_path), _on_path(tmp_path)).path == python


def test_find__poetry_project__then_its_environment_is_known_by_the_hash_of_its_path(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "poetry.lock").touch()
    mark = base64.urlsafe_b64encode(hashlib.sha256(str(project.resolve()).encode()).digest()).decode()[:8]
    home = tmp_path / "home" / ".cache" / "pypoetry" / "virtualenvs"
    _python(home / f"project-{mark}-py3.9" / "bin")
    newest = _python(home / f"project-{mark}-py3.12" / "bin")

    found = find(None, str(project), str(project), _on_path(tmp_path))

    assert found.path == newest
    assert "poetry" in found.why


def test_find__tox_environments__then_the_newest_that_holds_pytest(tmp_path: Path) -> None:
    for name, version, holds in (("py39", "3.9", True), ("py311", "3.11", True), ("py313", "3.13", False)):
        _python(tmp_path / ".tox" / name / "bin")
        packages = tmp_path / ".tox" / name / "lib" / f"python{version}" / "site-packages"
        (packages / ("pytest" if holds else "other")).mkdir(parents=True)

    found = find(None, str(tmp_path), str(tmp_path), _on_path(tmp_path))

    assert found.path == str(tmp_path / ".tox" / "py311" / "bin" / "python")
    assert found.why == "tox's environment py311"


def _environment(place: Path, *, pytest: bool = True) -> str:
    """An environment that says so itself, with pytest in it or without."""
    packages = place / "lib" / "python3.11" / "site-packages"
    (packages / ("pytest" if pytest else "other")).mkdir(parents=True)
    (place / "pyvenv.cfg").write_text("home = /usr/bin\n")
    return _python(place / "bin")


@pytest.mark.parametrize(
    "name", ["env", ".venv311", "tools/../env-3.11", ".direnv/python-3.11", ".hatch/test"]
)
def test_find__environment_of_another_name_in_the_project__then_it_is_used(name: str, tmp_path: Path) -> None:
    _environment(tmp_path / "docs-env", pytest=False)
    (tmp_path / "tools").mkdir()
    python = _environment((tmp_path / name).resolve())
    below = tmp_path / "below"
    below.mkdir()

    found = find(None, str(below), str(tmp_path), _on_path(tmp_path))

    assert found.path == python
    assert found.why == f"{(tmp_path / name).resolve().relative_to(tmp_path)} in {tmp_path}"


def test_find__environment_without_pytest__then_only_under_a_name_that_says_what_it_is(
    tmp_path: Path,
) -> None:
    _environment(tmp_path / "docs-env", pytest=False)
    assert find(None, str(tmp_path), str(tmp_path), _on_path(tmp_path)).why == "python3 on PATH"
    python = _environment(tmp_path / "env", pytest=False)
    assert find(None, str(tmp_path), str(tmp_path), _on_path(tmp_path / "other")).path == python


def test_find__hatch_project__then_its_environment_for_tests_by_the_hash_of_its_path(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").touch()
    mark = base64.urlsafe_b64encode(hashlib.sha256(str(project.resolve()).encode()).digest()).decode()[:8]
    home = tmp_path / "home" / ".local" / "share" / "hatch" / "env" / "virtual" / "my-app" / mark
    default = _environment(home / "my-app")
    _environment(home / "lint", pytest=False)
    _environment(home.parent / "another0" / "my-app")
    environ = _on_path(tmp_path)

    assert find(None, str(project), str(project), environ).path == default
    _environment(home / "hatch-test.py3.9")
    newest = _environment(home / "hatch-test.py3.12")
    found = find(None, str(project), str(project), environ)
    assert found.path == newest
    assert found.why == f"hatch's environment hatch-test.py3.12 of {project}"


def test_find__pipenv_project__then_its_environment_by_the_hash_of_its_file(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    file = project / "Pipfile"
    file.touch()
    digest = hashlib.sha256(str(file.resolve()).encode()).digest()[:6]
    mark = base64.urlsafe_b64encode(digest).decode()
    python = _environment(tmp_path / "home" / ".local" / "share" / "virtualenvs" / f"project-{mark}")

    found = find(None, str(project), str(project), _on_path(tmp_path))
    assert (found.path, found.why) == (python, f"pipenv's environment of {project}")


@pytest.mark.parametrize(("variable", "word"), [("UV_PROJECT_ENVIRONMENT", "uv"), ("CONDA_PREFIX", "conda")])
def test_find__environment_of_a_tool_named_by_a_variable__then_it_is_used(
    variable: str, word: str, tmp_path: Path
) -> None:
    python = _python(tmp_path / "made" / "bin")

    found = find(None, str(tmp_path), str(tmp_path), {**_on_path(tmp_path), variable: str(tmp_path / "made")})

    assert found.path == python
    assert word in found.why


def test_find__nothing_anywhere__then_the_problem_lists_what_was_tried(tmp_path: Path) -> None:
    with pytest.raises(ProblemError) as caught:
        find(
            None,
            str(tmp_path),
            str(tmp_path),
            {"PATH": str(tmp_path / "empty"), "VIRTUAL_ENV": str(tmp_path / "off")},
        )

    problem = caught.value.first
    assert problem.code == "interpreter.missing"
    for place in ("VIRTUAL_ENV", ".venv", "python3 on PATH"):
        assert place in problem.where
    assert "python3 -m venv .venv" in problem.action


def test_install_pytest__then_the_command_is_the_one_of_the_tool_that_made_the_environment(
    tmp_path: Path,
) -> None:
    python = _python(tmp_path / ".venv" / "bin")
    here = str(tmp_path)

    pip = tmp_path / ".venv" / "lib" / "python3.11" / "site-packages" / "pip"
    pip.mkdir(parents=True)
    assert install_pytest(python, here, here) == f"{python} -m pip install pytest"
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    pip.rmdir()
    without = f"{python} -m ensurepip && {python} -m pip install pytest"
    assert install_pytest(python, here, here) == without
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.9\n")
    assert install_pytest(python, here, here) == f"uv pip install --python {python} pytest"
    (tmp_path / "Pipfile").touch()
    assert install_pytest(python, here, here) == "pipenv install --dev pytest"
    (tmp_path / "pdm.lock").touch()
    assert install_pytest(python, here, here) == "pdm add -d pytest"
    (tmp_path / "poetry.lock").touch()
    assert install_pytest(python, here, here) == "poetry add --group dev pytest"
    (tmp_path / "uv.lock").touch()
    assert install_pytest(python, here, here) == "uv add --dev pytest"
