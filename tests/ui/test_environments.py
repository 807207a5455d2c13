"""Several environments chosen at once: a run begins on each, one is shown, and of the others the end is told."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import Console, FakeEngine, FakeView, press, settle
from tests.support.journals import ROOT
from tests.ui.conftest import drive
from tests.ui.screens import environments
from tracekit.engine.requests import Cancel, Launch
from tracekit.wire.problems import Problem, ProblemError


async def choose(pilot: Any, shown: Console, *names: str) -> None:
    await press(pilot, shown, "e")
    rows = ["local", "box7", "lab2", "lab3"]
    await press(pilot, shown, "g")
    for name in rows:
        await press(pilot, shown, "space" if name in names else "j")
    await press(pilot, shown, "enter")


def test_environments__several_are_marked__then_a_run_begins_on_each_and_each_end_is_told() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.answers["launch"] = FakeView(journals.failing())
        await choose(pilot, shown, "box7", "lab2")
        assert "runs begin on box7 and lab2 from now on" in shown.screen_text()
        await press(pilot, shown, "a")
        await settle(pilot, shown)
        asked = [each for each in shown.engine.asked if isinstance(each, Launch)][-2:]
        assert asked == [Launch(ROOT, None, "box7"), Launch(ROOT, None, "lab2")]
        assert "lab2: " in shown.screen_text()
        assert "H shows it" in shown.screen_text()

    drive(environments, story)


def test_environments__one_of_several_refuses__then_it_is_said_whose_and_the_other_goes_on() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        engine, submit = shown.engine, shown.engine.submit
        dead = Problem("ssh.refused", "nothing listens there", "lab3", "start sshd there")
        running = FakeView(journals.running())
        running.run_id = "01K00000000000000000000001"

        def refuse(request: Any) -> Any:
            if isinstance(request, Launch):
                engine.answers["launch"] = dead if request.environment == "lab3" else running
            return submit(request)

        engine.submit = refuse  # type: ignore[method-assign]
        await choose(pilot, shown, "box7", "lab3")
        await press(pilot, shown, "a")
        await settle(pilot, shown)
        assert "lab3: nothing listens there" in shown.screen_text()
        assert shown.app.board_screen.board.newest is not None
        assert shown.app.board_screen.board.newest.live

    drive(environments, story)


def each_begins(engine: FakeEngine, views: list[FakeView]) -> None:
    """Each launch is a live run of its own, which stands in `views` from then on."""
    submit = engine.submit

    def begin(request: Any) -> Any:
        if isinstance(request, Launch):
            view = FakeView(journals.running())
            view.run_id = f"01K0000000000000000000000{len(views)}"
            views.append(view)
            engine.answers["launch"] = view
        return submit(request)

    engine.submit = begin  # type: ignore[method-assign]


def test_cancel__runs_go_on_on_several__then_all_of_them_are_stopped() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        engine, views = shown.engine, list[FakeView]()
        each_begins(engine, views)
        await choose(pilot, shown, "box7", "lab2")
        await press(pilot, shown, "a")
        await settle(pilot, shown)
        await press(pilot, shown, "X")
        assert "Stop this run, and the ones on lab2?" in shown.screen_text()
        await press(pilot, shown, "j", "enter")
        stopped = [each.run for each in engine.asked if isinstance(each, Cancel)]
        assert stopped == [view.run_id for view in views]

    drive(environments, story)


@pytest.mark.parametrize("ended", [0, 1])
@pytest.mark.parametrize("key", ["X", "q"])
def test_leaving_and_stopping__runs_go_on_elsewhere__then_none_is_forgotten(key: str, ended: int) -> None:
    views: list[FakeView] = []

    async def story(pilot: Any, shown: Console) -> None:
        engine = shown.engine
        each_begins(engine, views)
        await choose(pilot, shown, "box7", "lab2")
        await press(pilot, shown, "a")
        await settle(pilot, shown)
        if ended:
            views[0].live = False
        going = [view.run_id for view in views[ended:]]
        await press(pilot, shown, key)
        text = shown.screen_text()
        assert {
            "X": "Stop the runs on lab2?" if ended else "Stop this run, and the ones on lab2?",
            "q": "A run is live" if ended else "2 runs are live",
        }[key] in text
        await press(pilot, shown, "j", "enter")
        assert [each.run for each in engine.asked if isinstance(each, Cancel)] == going

    drive(environments, story)
    assert len(views) == 2


def test_environments__none_is_marked__then_the_one_under_the_cursor_is_taken() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await choose(pilot, shown)
        assert (shown.app.environment, shown.app.beside) == ("lab3", ())

    drive(environments, story)


@pytest.mark.parametrize("comes", ["begins", "fails"])
@pytest.mark.parametrize("key", ["X", "q"])
def test_leaving_and_stopping__a_launch_has_not_begun__then_it_is_stopped_as_soon_as_it_has(
    key: str, comes: str
) -> None:
    """One run has begun, the one on the other box is still on its way: none of both is left behind."""
    views: list[FakeView] = []
    late: list[Future[Any]] = []

    async def story(pilot: Any, shown: Console) -> None:
        engine = shown.engine
        each_begins(engine, views)
        begin = engine.submit

        def submit(request: Any) -> Any:
            if isinstance(request, Launch) and request.environment == "lab2":
                late.append(Future())
                return late[-1]
            return begin(request)

        engine.submit = submit  # type: ignore[method-assign]
        await choose(pilot, shown, "box7", "lab2")
        await press(pilot, shown, "a")
        await press(pilot, shown, key)
        text = shown.screen_text()
        assert {"X": "Stop this run, and the ones on lab2?", "q": "2 runs are live"}[key] in text
        await press(pilot, shown, "j", "enter")
        stopped = [each.run for each in engine.asked if isinstance(each, Cancel)]
        assert stopped == [views[0].run_id]
        assert shown.app.is_running
        assert not shown.app._exit  # who leaves now leaves a run that nobody stops
        if comes == "fails":
            late[0].set_exception(ProblemError(Problem("ssh.refused", "lab2 refuses", "", "")))
        else:
            later = FakeView(journals.running())
            later.run_id = "01K00000000000000000000009"
            views.append(later)
            late[0].set_result(later)
        for _ in range(2):
            shown.app.pump.tick()
        stopped = [each.run for each in engine.asked if isinstance(each, Cancel)]
        assert stopped == [view.run_id for view in views]
        assert bool(shown.app._exit) == (key == "q")

    drive(environments, story)


@pytest.mark.parametrize("answer", ["leave", "stop"])
def test_quit__own_launch_has_not_begun__then_it_waits_for_it_and_q_again_does_not(answer: str) -> None:
    late: Future[Any] = Future()

    async def story(pilot: Any, shown: Console) -> None:
        engine = shown.engine
        submit = engine.submit
        engine.submit = lambda request: late if isinstance(request, Launch) else submit(request)  # type: ignore[method-assign]
        await press(pilot, shown, "a", "q")
        assert "A run is live" in shown.screen_text()
        await press(pilot, shown, *(["enter"] if answer == "leave" else ["j", "enter"]))
        assert not shown.app._exit
        await pilot.press("q")
        await pilot.pause()
        assert shown.app._exit

    drive(environments, story)


def test_quit__own_launch_is_refused__then_the_refusal_is_read_and_q_asks_again() -> None:
    begun: list[Future[Any]] = []

    async def story(pilot: Any, shown: Console) -> None:
        engine = shown.engine
        before = engine.submit

        def submit(request: Any) -> Any:
            if not isinstance(request, Launch):
                return before(request)
            begun.append(Future())
            return begun[-1]

        engine.submit = submit  # type: ignore[method-assign]
        await press(pilot, shown, "a", "q", "enter")
        begun[0].set_exception(ProblemError(Problem("launch.full", "its disk is full", "", "make room")))
        shown.app.pump.tick()
        await pilot.pause()
        assert "its disk is full · make room" in shown.screen_text()
        assert not shown.app._exit
        # What is asked for next is none of that: it is asked about again.
        await press(pilot, shown, "a", "q")
        assert "A run is live" in shown.screen_text()

    drive(environments, story)


def test_stop__a_launch_is_only_being_prepared__then_it_never_begins_and_the_next_one_does() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        engine, app = shown.engine, shown.app
        asked: list[Any] = []
        app.find_live = lambda root, found: asked.append(found)  # type: ignore[method-assign]
        await press(pilot, shown, "a", "X")
        assert "stopping" in shown.screen_text()
        asked.pop()(None)
        await pilot.pause()
        assert not [each for each in engine.asked if isinstance(each, Launch)]
        await press(pilot, shown, "a")
        asked.pop()(None)
        await pilot.pause()
        assert [each for each in engine.asked if isinstance(each, Launch)]

    drive(environments, story)
