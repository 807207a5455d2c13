"""What a save is to run: marked, else failed, else what it concerns; told in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.unit.model.journals import Journal
from tracekit.engine.requests import Discover, Launch, Request
from tracekit.engine.saves import Save
from tracekit.engine.view import RunView
from tracekit.engine.watching import Watching
from tracekit.wire import lines

A, B, C = (f"pytest:tests/test_{name}.py::test" for name in "abc")


def view_of(root: Path, journal: Journal) -> RunView:
    view = RunView("01RUN", str(root), root, link="attached")
    view.feed(b"".join(lines.encode(line) for line in journal.lines))
    view.mark("ended")
    return view


def started(root: Path, mode: str = "run") -> Journal:
    return Journal().add("run.started", mode=mode, root=str(root), suites=[{"name": "", "cwd": str(root)}])


class Project:
    """A project with three test files, and what discovery is to say of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.broken: list[str] = []
        self.files = ["tests/test_a.py", "tests/test_b.py", "tests/test_c.py", "pkg/mod.py", "pkg/loose.py"]
        for name in self.files:
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text("import pkg.mod\n" if name == "tests/test_b.py" else "")
        self.asked: list[Request] = []

    def submit(self, request: Request) -> RunView:
        self.asked.append(request)
        assert isinstance(request, Discover)
        journal = started(self.root, "discover")
        for scenario in (A, B, C):
            file = scenario.split(":")[1]
            if file not in self.broken:
                journal.found(scenario, file=file, path=[file, "test"], suite="", line=1)
        for file in self.broken:
            journal.add("discover.failed", suite="", file=file, message="invalid syntax")
        return view_of(self.root, journal.add("run.ended", reason="finished", verdicts={}))

    def watching(self, **launch: Any) -> Watching:
        return Watching(self.submit, Launch(str(self.root), **launch))

    def ran(self, *, reason: str = "finished", not_run: Sequence[str] = (), **verdicts: str) -> RunView:
        journal = started(self.root)
        for name, verdict in verdicts.items():
            scenario = f"pytest:tests/test_{name}.py::test"
            journal.found(
                scenario, file=f"tests/test_{name}.py", path=[f"tests/test_{name}.py", "test"], suite=""
            )
            journal.ran(verdict, scenario)
        return view_of(self.root, journal.add("run.ended", reason=reason, verdicts={}, not_run=list(not_run)))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_choose__marked_failed_and_changed__then_in_this_order(project: Project) -> None:
    save = [Save("tests/test_c.py")]
    plain = project.watching()
    plain.learn(project.ran(a="passed", b="failed", c="passed"), None)
    marked = plain.choose(save, project.files, [A])
    assert (marked.why, marked.ids) == ("marked", (A,))
    assert (plain.choose(save, project.files).why, plain.choose(save, project.files).ids) == ("failed", (B,))
    assert project.asked == []
    plain.learn(project.ran(b="passed"), [B])
    choice = plain.choose(save, project.files)
    assert (choice.why, choice.ids) == ("changed", (C,))
    assert "1 scenario of tests/test_c.py" in choice.words


def test_choose__something_is_red_and_a_test_was_written__then_it_runs_beside_what_is_red(
    project: Project,
) -> None:
    plain = project.watching()
    plain.learn(project.ran(a="passed", b="failed"), None)
    file = project.root / "tests/test_c.py"
    file.write_text("def test(): ...\n")
    # A name that is known has no new test under it, so nothing is collected for it.
    assert plain.choose([Save("tests/test_c.py")], project.files).ids == (B,)
    assert project.asked == []
    file.write_text("class TestIt:\n    async def test_more(self): ...\n")
    choice = plain.choose([Save("tests/test_c.py")], project.files)
    assert (choice.why, choice.ids) == ("failed", (B, C))
    assert choice.words == "1 scenario that failed and 1 new of tests/test_c.py"
    plain.learn(project.ran(b="failed", c="passed"), [B, C])
    assert plain.choose([Save("tests/test_c.py")], project.files).ids == (B,)
    narrow = project.watching(selectors=("test_b.py",))
    narrow.learn(project.ran(b="failed"), None)
    assert narrow.choose([Save("tests/test_c.py")], project.files).ids == (B,)


def test_choose__a_module__then_the_tests_that_import_it_or_everything_and_why(project: Project) -> None:
    choice = project.watching().choose([Save("pkg/mod.py")], project.files)
    assert (choice.why, choice.ids) == ("importers", (B,))
    assert "1 file that import pkg/mod.py" in choice.words
    choice = project.watching().choose([Save("pkg/loose.py")], project.files)
    assert (choice.why, choice.ids) == ("everything", None)
    assert "no test is seen to import pkg/loose.py" in choice.words
    choice = project.watching().choose([Save("pkg/mod.py"), Save("tests/test_c.py")], project.files)
    assert choice.ids == (C, B)


@pytest.mark.parametrize(
    ("name", "why"),
    [("data.json", "is not known"), ("pytest.ini", "is about all"), ("tracekit.toml", "all of them")],
)
def test_choose__what_no_test_is_known_to_read__then_everything(
    project: Project, name: str, why: str
) -> None:
    choice = project.watching().choose([Save(name), Save("tests/test_a.py")], project.files)
    assert (choice.why, choice.ids) == ("everything", None)
    assert why in choice.words
    assert project.watching(args=("-x",)).request(choice).args == ("-x",)


def test_choose__a_file_with_a_fault__then_nothing_runs_and_it_is_told(project: Project) -> None:
    project.broken = ["tests/test_c.py"]
    choice = project.watching().choose([Save("tests/test_c.py")], project.files)
    assert (choice.why, choice.ids) == ("nothing", ())
    assert [notice.message for notice in choice.notices] == ["invalid syntax"]
    # Beside one that is whole: that one runs, and the fault is told all the same.
    choice = project.watching().choose([Save("tests/test_c.py"), Save("tests/test_a.py")], project.files)
    assert choice.ids == (A,)
    assert len(choice.notices) == 1


def test_choose__only_deleted__then_nothing(project: Project) -> None:
    watching = project.watching()
    watching.learn(project.ran(c="failed"), None)
    choice = watching.choose([Save("tests/test_x.py", deleted=True)], project.files)
    assert choice.why == "failed"
    project.broken = []
    choice = watching.choose(
        [Save("tests/test_c.py", deleted=True), Save("tests/test_x.py", deleted=True)], []
    )
    assert watching.red == []
    assert choice.why in {"changed", "nothing"}


def test_choose__a_narrow_watch__then_never_more_than_was_asked_for(project: Project) -> None:
    watching = project.watching(selectors=("test_a.py",))
    choice = watching.choose([Save("tests/test_c.py")], project.files)
    assert (choice.why, choice.ids) == ("nothing", ())
    everything = watching.request(watching.choose([Save("data.json")], project.files))
    assert everything.selectors == ("test_a.py",)


def test_learn__cancelled_and_skipped__then_red_stays_red(project: Project) -> None:
    watching = project.watching()
    watching.learn(project.ran(a="failed", b="failed"), None)
    watching.learn(project.ran(a="skipped", b="cancelled", reason="cancelled"), [A, B])
    assert watching.red == [A, B]
    watching.learn(project.ran(a="passed"), [A, B])
    assert watching.red == [B]


def test_learn__asked_for_and_not_there_any_more__then_forgotten(project: Project) -> None:
    watching = project.watching()
    watching.learn(project.ran(a="failed", b="failed"), None)
    watching.learn(project.ran(a="failed", not_run=[B]), [A, B])
    assert watching.red == [A]
    # Unless something could not be collected: then nobody knows.
    broken = started(project.root).add("discover.failed", suite="", file="tests/test_a.py", message="x")
    broken.add("run.ended", reason="finished", verdicts={}, not_run=[A])
    watching.learn(view_of(project.root, broken), [A])
    assert watching.red == [A]
