"""Saves for a screen: seen on a thread of their own, taken without waiting, judged by what ran; over with `close`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.support.until import until
from tests.unit.engine.test_watching import A, B, Project
from tracekit.engine.requests import Launch, Request
from tracekit.engine.savefeed import SaveFeed
from tracekit.engine.saves import Save
from tracekit.engine.view import RunView
from tracekit.wire.problems import ProblemError


class Desk:
    """A feed over a project, and what it was asked."""

    def __init__(self, root: Path, environment: str = "local") -> None:
        self.project = Project(root)
        self.feed = SaveFeed(self.submit, Launch(str(root), None, environment), {})
        self.saves: list[Save] = []
        self.theirs: list[str] = []

    def submit(self, request: Request) -> Future[RunView]:
        future: Future[RunView] = Future()
        future.set_result(self.project.submit(request))
        return future

    def names(self) -> list[str]:
        saves, theirs = self.feed.take()
        self.saves += saves
        self.theirs += theirs
        return [save.path for save in self.saves]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    assert desk.feed.ready.result(60) is not None
    yield desk
    desk.feed.close()


def test_take__a_file_was_saved__then_there_soon_and_once(desk: Desk) -> None:
    assert desk.names() == []
    (desk.project.root / "tests/test_a.py").write_text("changed = 1\n")
    until(lambda: desk.names() == ["tests/test_a.py"])
    assert desk.feed.take() == ([], [])


def test_take__what_a_run_writes__then_the_tests_own_and_a_source_is_a_save(desk: Desk) -> None:
    desk.feed.begin()
    (desk.project.root / "out.csv").write_text("1")
    until(lambda: desk.names() == [] and desk.theirs == ["out.csv"])
    (desk.project.root / "pkg/mod.py").write_text("changed = 1\n")
    desk.feed.end()
    until(lambda: desk.names() == ["pkg/mod.py"])


def test_choose__after_runs__then_what_failed_else_what_it_concerns(desk: Desk) -> None:
    red = desk.project.ran(a="passed", b="failed")
    choice, launch = desk.feed.choose([Save("tests/test_a.py")], [(red, None)], ()).result(60)
    assert (choice.why, choice.ids, launch.ids) == ("failed", (B,), (B,))
    green = desk.project.ran(b="passed")
    choice, launch = desk.feed.choose([Save("tests/test_a.py")], [(green, (B,))], ()).result(60)
    assert (choice.why, launch.ids) == ("changed", (A,))


def test_choose__fault_of_the_engine__then_the_future_tells_it_and_the_feed_goes_on(desk: Desk) -> None:
    desk.feed._submit_soon = lambda _: 1 // 0  # type: ignore[assignment, return-value]
    with pytest.raises(ZeroDivisionError):
        desk.feed.choose([Save("tests/test_a.py")], [], ()).result(60)
    (desk.project.root / "tests/test_a.py").write_text("changed = 1\n")
    until(lambda: desk.names() == ["tests/test_a.py"])


def test_close__while_the_engine_never_answers__then_its_thread_is_gone(desk: Desk) -> None:
    desk.feed._submit_soon = lambda _: Future()
    waiting = desk.feed.choose([Save("tests/test_a.py")], [], ())
    desk.feed.close()
    with pytest.raises(ProblemError, match="not watched any more"):
        waiting.result(60)
    until(lambda: not any(thread.name == "tracekit-saves" for thread in threading.enumerate()))


def test_ready__runs_are_on_another_machine__then_refused(tmp_path: Path) -> None:
    (tmp_path / "tracekit.toml").write_text('[env.box]\nhost = "box"\n')
    desk = Desk(tmp_path, "box")
    with pytest.raises(ProblemError, match="files are watched on this machine"):
        desk.feed.ready.result(60)
