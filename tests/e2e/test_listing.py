"""What a project holds, kept: only files that changed are collected again, and the list is as if all were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Sandbox
from tests.support.until import until
from tracekit.engine.engine import Engine
from tracekit.engine.places import Places
from tracekit.engine.requests import Discover

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import Done

# Each file notes that it was imported: who was collected is seen by what ran, not by what was asked.
HEAD = "import pathlib\n\nwith open({log!r}, 'a') as log:\n    log.write(pathlib.Path(__file__).name + '\\n')\n\n\n"


class Project:
    """A project whose files tell when they are collected."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.log = place.parent / "collected.log"
        self.log.write_text("")
        place.mkdir()
        (place / "pytest.ini").write_text("[pytest]\n")

    def write(self, name: str, *tests: str, more: str = "") -> None:
        body = "".join(f"def {test}():\n    pass\n\n\n" for test in tests)
        path = self.place / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(HEAD.format(log=str(self.log)) + body + more)

    def collected(self) -> list[str]:
        """Which files were collected since the last time."""
        names = self.log.read_text().splitlines()
        self.log.write_text("")
        return names


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project")
    made.write("tests/test_a.py", "test_one", "test_two")
    made.write("tests/test_b.py", "test_three")
    return made


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def listed(sandbox: Sandbox, project: Project, *, code: int = 0) -> list[str]:
    done = sandbox.run("list", str(project.place))
    assert done.code == code, done.err
    return [line.removeprefix("pytest:tests/") for line in done.out.splitlines()]


def as_json(done: Done) -> list[tuple[str, int]]:
    return [(row["id"], row["line"]) for row in done.lines()]


def test_list__one_file_changed__then_it_alone_is_collected_and_the_list_is_whole(
    sandbox: Sandbox, project: Project
) -> None:
    first = listed(sandbox, project)
    assert first == ["test_a.py::test_one", "test_a.py::test_two", "test_b.py::test_three"]
    assert project.collected() == ["test_a.py", "test_b.py"]
    assert listed(sandbox, project) == first
    assert project.collected() == []

    project.write("tests/test_a.py", "test_two", "test_four")
    assert listed(sandbox, project) == [
        "test_a.py::test_two",
        "test_a.py::test_four",
        "test_b.py::test_three",
    ]
    assert project.collected() == ["test_a.py"]
    kept = as_json(sandbox.run("list", "--json", str(project.place)))
    assert project.collected() == []
    assert kept == as_json(sandbox.run("list", "--json", "--refresh", str(project.place)))


def test_list__file_added_and_file_gone__then_only_the_new_one_is_collected(
    sandbox: Sandbox, project: Project
) -> None:
    listed(sandbox, project)
    project.collected()
    (project.place / "tests" / "test_b.py").unlink()
    assert listed(sandbox, project) == ["test_a.py::test_one", "test_a.py::test_two"]
    assert project.collected() == []
    project.write("tests/test_0.py", "test_zero")
    project.write("tests/helper.py", "test_of_no_test_file")
    assert listed(sandbox, project)[0] == "test_0.py::test_zero"
    assert project.collected() == ["test_0.py"]


def test_list__a_module_that_tests_import_changed__then_everything_is_collected_again(
    sandbox: Sandbox, project: Project
) -> None:
    project.write("tests/helper.py")
    listed(sandbox, project)
    project.collected()
    project.write("tests/helper.py", more="VALUES = [1]\n")
    listed(sandbox, project)
    assert project.collected() == ["test_a.py", "test_b.py"]
    project.write("tests/conftest.py")
    listed(sandbox, project)
    assert project.collected() == ["conftest.py", "test_a.py", "test_b.py"]


def test_list__a_file_breaks_and_is_mended__then_told_at_once_and_the_others_stay_listed(
    sandbox: Sandbox, project: Project
) -> None:
    listed(sandbox, project)
    project.collected()
    project.write("tests/test_a.py", "test_one", more="import nowhere_at_all\n")
    for _ in range(2):
        done = sandbox.run("list", str(project.place))
        assert (done.code, done.out) == (1, "pytest:tests/test_b.py::test_three\n")
        assert "tests/test_a.py" in done.err
        assert "nowhere_at_all" in done.err
        assert project.collected() == ["test_a.py"]
    project.write("tests/test_a.py", "test_one")
    assert listed(sandbox, project) == ["test_a.py::test_one", "test_b.py::test_three"]
    assert project.collected() == ["test_a.py"]


def test_list__suites_with_names_and_directories_of_their_own__then_each_keeps_its_files(
    sandbox: Sandbox, project: Project
) -> None:
    project.write("api/test_c.py", "test_five")
    (project.place / "tracekit.toml").write_text(
        '[suite.unit]\nrunner = "pytest"\npaths = ["tests"]\n\n[suite.api]\nrunner = "pytest"\ncwd = "api"\n'
    )
    done = sandbox.run("list", str(project.place))
    assert done.out.splitlines()[-1] == "pytest@api:test_c.py::test_five"
    project.collected()
    project.write("api/test_c.py", "test_six")
    done = sandbox.run("list", str(project.place))
    assert done.out.splitlines()[-1] == "pytest@api:test_c.py::test_six"
    assert len(done.out.splitlines()) == 4
    assert project.collected() == ["test_c.py"]


def test_console__opens_what_was_found_before__then_there_without_a_look_at_the_sources_and_judged_behind(
    sandbox: Sandbox, project: Project
) -> None:
    listed(sandbox, project)
    places = Places(sandbox.state, sandbox.home / "cache" / "tracekit", sandbox.environ, agent_idle=1.0)
    with Engine(places) as engine:
        request = Discover(str(project.place), at_once=True)
        view = engine.submit(request).result(60)
        assert sorted(view.state.ids) == [
            f"pytest:tests/test_{test}" for test in ("a.py::test_one", "a.py::test_two", "b.py::test_three")
        ]
        until(lambda: view.stale is not None)
        assert view.stale is False
        project.write("tests/test_b.py", "test_three", "test_four")
        view = engine.submit(request).result(60)
        until(lambda: view.stale is not None)
        assert view.stale is True
        assert len(view.state.ids) == 3
        assert len(engine.submit(Discover(str(project.place), wait=True)).result(60).state.ids) == 4


@pytest.mark.parametrize("command", ["list", "run"])
def test_selector__nobody_can_read_it__then_refused_before_anything_is_collected(
    sandbox: Sandbox, project: Project, command: str
) -> None:
    done = sandbox.run(command, project.place, "-s", "path:tests")
    assert (done.code, project.collected()) == (2, [])
    assert "unknown field 'path'" in done.err
