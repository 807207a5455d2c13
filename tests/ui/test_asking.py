"""What is asked before something happens: may the code run, a run that goes on here, another project; and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import (
    Attach,
    Cancel,
    Console,
    Discover,
    FakeEngine,
    FakeRow,
    FakeView,
    Launch,
    Replay,
    Rerun,
    console,
    press,
    settle,
    showing,
)
from tests.support.journals import ROOT
from tests.ui.conftest import drive
from tracekit.wire.problems import Problem

LIVE = "01KAH0C5M0DEMORVNL1VE00001"
THERE = "/srv/billing"


def untrusted(**answers: Any) -> Console:
    engine = FakeEngine(
        **{
            "discover": FakeView(journals.discovered()),
            "launch": FakeView(journals.running()),
            "rerun": FakeView(journals.rerun_of(journals.failing())),
            **answers,
        }
    )
    return console(Discover(ROOT), trusted=False, engine=engine, root=ROOT)


def live_here(**row: Any) -> Console:
    """A project in which a run goes on."""
    view = FakeView(journals.running())
    shown = console(
        Discover(ROOT),
        engine=FakeEngine(discover=FakeView(journals.discovered()), launch=view, attach=view),
        root=ROOT,
    )
    shown.engine.rows = [FakeRow(**{"run_id": LIVE, "live": True, "reason": "", **row})]
    return shown


def elsewhere() -> Console:
    """A recorded run of another project, in the list of runs."""
    shown = showing(FakeView(journals.failing()))
    other = journals.Journal(run="01KAH0C5M0DEMORVN0THER0000", root=THERE)
    other.start(environment="staging")
    other.passes(other.found("test_bill.py", "test_sum"), 10)
    other.finish()
    shown.engine.answers["replay"] = FakeView(other)
    shown.engine.rows = [FakeRow(other.run, root=THERE)]
    return shown


def asked(shown: Console) -> Any:
    return shown.engine.asked[-1]


# -- trust ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [True, False])
def test_trust__more_names_than_fit__says_how_many_more_and_whether_that_is_all(whole: bool) -> None:
    def make() -> Console:
        shown = untrusted()
        names = [f"chat/test_{number}.py  2 tests" for number in range(31)]
        shown.trust.preview = lambda root: (names, whole)  # type: ignore[method-assign]
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "ctrl+r")
        assert "chat/test_7.py  2 tests" in shown.screen_text()
        assert "chat/test_8.py" not in shown.screen_text()
        assert "23 more" in shown.screen_text()
        assert ("at least 23 more" in shown.screen_text()) is not whole

    drive(make, story)


def test_trust__not_now_and_then_run_all__asks_again_and_runs_nothing_without_a_yes() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "enter")
        assert "nothing was looked for" in shown.screen_text()
        await press(pilot, shown, "a")
        assert "First time here" in shown.screen_text()
        await press(pilot, shown, "enter")
        assert (shown.engine.asked, shown.trust.asked) == ([], [])
        assert "nothing was looked for" in shown.screen_text()

    drive(untrusted, story)


def test_trust__not_now_then_run_all_and_yes__fills_an_empty_tree() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "enter", "a", "j", "enter")
        assert shown.engine.asked == [Launch(ROOT, None, "local")]
        assert shown.trust.asked == [ROOT]
        assert "test_1000_clients" in shown.screen_text()

    drive(untrusted, story)


def test_trust__recorded_run_of_an_unknown_project__rerun_asks_first() -> None:
    def make() -> Console:
        shown = showing(FakeView(journals.failing()), trusted=False)
        shown.engine.answers["rerun"] = FakeView(journals.rerun_of(journals.failing()))
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "f")
        assert "First time here" in shown.screen_text()
        assert not any(isinstance(request, Rerun) for request in shown.engine.asked)
        await press(pilot, shown, "j", "enter")
        assert isinstance(shown.engine.asked[-1], Rerun)
        shown.trust.trusted = False
        await press(pilot, shown, "full_stop", "enter")
        assert sum(isinstance(request, Rerun) for request in shown.engine.asked) == 1

    drive(make, story)


def test_trust__preview_cannot_be_read__is_asked_all_the_same() -> None:
    def make() -> Console:
        shown = untrusted()

        def broken(root: str) -> tuple[tuple[str, ...], bool]:
            raise PermissionError(root)

        shown.trust.preview = broken  # type: ignore[method-assign]
        return shown

    async def story(_pilot: Any, shown: Console) -> None:
        assert "First time here" in shown.screen_text()

    drive(make, story)


def test_run_all__discovery_was_refused__then_the_run_fills_the_tree() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "j", "enter")
        assert "no suites here" in shown.screen_text()
        await press(pilot, shown, "a")
        assert "test_1000_clients" in shown.screen_text()

    drive(lambda: untrusted(discover=Problem("config.no_suites", "no suites here")), story)


# -- a run that goes on here ---------------------------------------------------------------------------------


def test_open__run_goes_on_here__is_offered_and_attached_over_the_tree() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        assert "A run is going on here" in shown.screen_text()
        rows = len(shown.app.board_screen.board.ids)
        await press(pilot, shown, "enter")
        assert shown.engine.asked[-1] == Attach(LIVE)
        board = shown.app.board_screen.board
        assert (len(board.ids), board.running) == (rows, 2)

    drive(live_here, story)


@pytest.mark.parametrize("row", [{"live": False}, {"root": THERE}])
def test_open__ended_or_elsewhere__nothing_is_offered(row: dict[str, Any]) -> None:
    async def story(_pilot: Any, shown: Console) -> None:
        assert "A run is going on here" not in shown.screen_text()
        assert "test_1000_clients" in shown.screen_text()

    drive(lambda: live_here(**row), story)


@pytest.mark.parametrize(
    ("answer", "request_made"),
    [
        (["enter"], Attach(LIVE)),
        (["j", "enter"], Launch(ROOT, None, "local")),
        (["j", "j", "enter"], Discover(ROOT)),
        (["escape"], Discover(ROOT)),
    ],
)
def test_run_all__run_goes_on_here__is_asked_before_a_second(answer: list[str], request_made: Any) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "j", "enter", "a")
        assert shown.engine.asked == [Discover(ROOT)]
        assert "start another one beside it" in shown.screen_text()
        await press(pilot, shown, *answer)
        assert asked(shown) == request_made

    drive(live_here, story)


def test_run_all__pressed_twice_before_the_answer__starts_one_run() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.answers["launch"] = None
        await press(pilot, shown, "a", "a")
        assert sum(isinstance(request, Launch) for request in shown.engine.asked) == 1
        assert "still being asked for" in shown.screen_text()

    drive(lambda: live_here(live=False), story)


def test_header__only_looked_for_and_runs_go_elsewhere__names_where_they_go() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        assert "env: box7" in shown.screen_text().splitlines()[0]
        await press(pilot, shown, "a")
        request = asked(shown)
        assert isinstance(request, Launch)
        assert request.environment == "box7"

    drive(lambda: showing(FakeView(journals.discovered()), environment="box7"), story)


# -- another project -----------------------------------------------------------------------------------------


def test_runs__run_of_another_project__console_goes_over_to_it() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H", "enter")
        assert asked(shown) == Replay("01KAH0C5M0DEMORVN0THER0000")
        header = shown.screen_text().splitlines()[0]
        assert "billing" in header
        assert "env: staging" in header
        await press(pilot, shown, "a")
        assert asked(shown) == Launch(THERE, None, "staging")

    drive(elsewhere, story)


def test_answer__run_of_another_root__replaces_the_rows_instead_of_mixing() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.answers["rerun"] = shown.engine.answers["replay"]
        await press(pilot, shown, "f")
        assert shown.app.board_screen.board.ids == ["pytest:test_bill.py::test_sum"]

    drive(elsewhere, story)


# -- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys", [["X", "j", "enter"], ["j", "j", "j", "j", "x", "j", "enter"], ["q", "j", "enter"]]
)
def test_cancel__refused__is_told_and_the_console_stays(keys: list[str]) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.answers["cancel"] = Problem("link.lost", "the box does not answer", "", "try again")
        await press(pilot, shown, *keys)
        assert isinstance(shown.engine.asked[-1], Cancel)
        assert "the box does not answer" in shown.screen_text()
        assert not shown.app._exit

    drive(lambda: showing(FakeView(journals.running())), story)


def test_answer__fault_of_the_engine__is_a_problem_on_the_screen_and_no_crash() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.answers["rerun"] = KeyError("suite\x1b[2J")
        await press(pilot, shown, "f")
        assert "the engine failed: KeyError" in shown.screen_text()
        assert shown.app.crash is None

    drive(lambda: showing(FakeView(journals.failing())), story)


def test_question__keys_before_it_is_there__decide_nothing_and_break_nothing() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        answers: list[str | None] = []
        shown.app.ask("Stop?", (), (("no", "no"), ("yes", "yes")), answers.append)
        for action in ("move('down')", "open", "back"):
            await shown.app.run_action(action, shown.app.screen)
        await settle(pilot, shown)
        assert answers == []
        await press(pilot, shown, "j", "enter")
        assert answers == ["yes"]

    drive(lambda: showing(FakeView(journals.failing())), story)


def test_trust__more_to_say_than_a_small_screen_has_rows__then_the_answers_are_in_sight() -> None:
    def make() -> Console:
        shown = untrusted()
        told = [(f"suite-{number}", "starts " + "words " * 30) for number in range(9)]
        shown.trust.starts = lambda root: told  # type: ignore[method-assign]
        return shown

    async def story(_pilot: Any, shown: Console) -> None:
        text = shown.screen_text()
        assert "suite-0  starts words" in text
        assert "▌ not now" in text
        assert "let it run" in text

    drive(make, story, size=(60, 20))


def test_trust__more_suites_than_are_shown__then_how_many_more() -> None:
    def make() -> Console:
        shown = untrusted()
        shown.trust.starts = lambda root: [(f"s{number}", "starts it") for number in range(9)]  # type: ignore[method-assign]
        return shown

    async def story(_pilot: Any, shown: Console) -> None:
        assert "s5  starts it" in shown.screen_text()
        assert "s6  starts it" not in shown.screen_text()
        assert "and 3 more" in shown.screen_text()

    drive(make, story)
