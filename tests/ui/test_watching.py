"""`w`: a save starts what it concerns, a run that it made stale is stopped first, and everything is said."""

from __future__ import annotations

from typing import Any

from tests.support import journals
from tests.support.consoles import Cancel, Console, FakeView, FakeWatch, Launch, Rerun, press, settle, showing
from tests.support.journals import ROOT
from tests.ui.conftest import drive
from tracekit.engine.saves import Save
from tracekit.engine.watching import Choice
from tracekit.wire.problems import Problem, ProblemError

ONE = "pytest:chat/test_ws.py::test_ping_is_answered"


def recorded() -> Console:
    shown = showing(FakeView(journals.failing()))
    shown.engine.answers["launch"] = FakeView(journals.rerun_of(journals.failing(), ended=False))
    return shown


async def watching(pilot: Any, shown: Console) -> FakeWatch:
    await press(pilot, shown, "w")
    watch = shown.engine.watches[0]
    watch.choice = Choice("changed", "1 scenario of chat/test_ws.py", (ONE,))
    return watch


async def saved(pilot: Any, shown: Console, *files: str) -> None:
    shown.engine.watches[0].saves = [Save(file) for file in files]
    await settle(pilot, shown)
    await settle(pilot, shown)


def test_watch__save_while_nothing_runs__then_what_was_chosen_runs_and_why_is_said() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        watch = await watching(pilot, shown)
        assert "watching" in shown.screen_text().splitlines()[1]
        assert watch.launch.root == ROOT
        await saved(pilot, shown, "chat/test_ws.py")
        assert shown.engine.asked[-1] == Launch(ROOT, ids=(ONE,))
        assert "saved: chat/test_ws.py → 1 scenario of chat/test_ws.py" in shown.screen_text()
        # What had run before is what the choice learns from, once.
        assert watch.asked == [(["chat/test_ws.py"], [journals.RUN], [])]
        assert watch.told == ["begin"]

    drive(recorded, story)


def test_watch__save_while_a_run_goes_on__then_that_one_is_stopped_once_and_asked_again_after_it() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        watch = await watching(pilot, shown)
        await saved(pilot, shown, "chat/test_ws.py")
        first = shown.app.board_screen.board.newest
        assert isinstance(first, FakeView)
        await saved(pilot, shown, "chat/rooms.py", "chat/pool.py", "chat/links.py")
        await saved(pilot, shown, "chat/rooms.py")
        stops = [request for request in shown.engine.asked if isinstance(request, Cancel)]
        assert stops == [Cancel(first.run_id)]
        assert "chat/rooms.py, chat/pool.py and 1 more → stopping the run" in shown.screen_text()
        first.live, first.link = False, "ended"
        await settle(pilot, shown)
        await settle(pilot, shown)
        assert watch.asked[-1][0] == ["chat/test_ws.py", "chat/rooms.py", "chat/pool.py", "chat/links.py"]
        assert watch.told[:3] == ["begin", "end", "begin"][: len(watch.told)]
        assert shown.engine.asked[-1] == Launch(ROOT, ids=(ONE,))

    drive(recorded, story)


def test_watch__marks_and_files_of_the_tests__then_handed_over_and_named() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        watch = await watching(pilot, shown)
        watch.choice = Choice("nothing", "nothing to run: a is deleted", ())
        await press(pilot, shown, "J", "m")
        marked = sorted(shown.app.board_screen.scenarios.marks)
        asked = len(shown.engine.asked)
        await saved(pilot, shown, "a")
        assert watch.asked[-1] == (["a"], [journals.RUN], marked)
        assert len(shown.engine.asked) == asked
        assert "nothing to run: a is deleted" in shown.screen_text()
        watch.theirs = ["out/report.csv"]
        await settle(pilot, shown)
        assert "written by the tests, so not watched while they run: out/report.csv" in shown.screen_text()

    drive(recorded, story)


def test_watch__again_or_at_the_end__then_let_go() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        watch = await watching(pilot, shown)
        await press(pilot, shown, "w")
        assert watch.told == ["close"]
        assert "watching" not in shown.screen_text().splitlines()[1]
        await press(pilot, shown, "w")

    assert drive(recorded, story).engine.watches[1].told == ["close"]


def test_watch__cannot_be_watched__then_said_and_over() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "w")
        watch = shown.engine.watches[0]
        watch.ready = type(watch.ready)()
        watch.ready.set_exception(
            ProblemError(
                Problem("watch.remote", "files are watched on this machine", "box", "use --env local")
            )
        )
        await settle(pilot, shown)
        assert "files are watched on this machine · use --env local" in shown.screen_text()
        assert not shown.app.board_screen.watching

    drive(recorded, story)


def test_until_failure__row_of_a_run_and_of_an_inventory__then_asked_for_again_and_again() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "u")
        request = shown.engine.asked[-1]
        assert isinstance(request, Rerun)
        assert (request.run, request.which, len(request.ids), request.until_failure) == (
            journals.RUN,
            "ids",
            1,
            1000,
        )

    drive(recorded, story)

    async def fresh(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "j", "j", "u")
        request = shown.engine.asked[-1]
        assert isinstance(request, Launch)
        assert (request.until_failure, len(request.ids)) == (1000, 1)

    drive(lambda: showing(FakeView(journals.discovered())), fresh)
