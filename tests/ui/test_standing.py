"""What comes late to a screen: work, timers, messages and keys find it standing, or are let go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import Console, FakeView, press, settle, showing
from tests.ui.conftest import drive
from tests.ui.screens import asked
from tracekit.link.login import Question
from tracekit.ui.screens.asked import Refused
from tracekit.ui.screens.past import PastScreen
from tracekit.ui.widgets.flatlist import FlatList
from tracekit.wire.problems import Problem, ProblemError

WRONG = Problem("ssh.host_key_changed", "the host key has changed", "ci@box7.lab:22", "look at it")


def failing() -> Console:
    return showing(FakeView(journals.failing()))


def waits(future: asyncio.Future[None], done: list[str]) -> Callable[[], Any]:
    async def work() -> None:
        try:
            await future
            done.append("went on")
        finally:
            done.append("ended")

    return work


@pytest.mark.parametrize("leave", [True, False])
def test_work__its_screen_was_left_meanwhile__then_it_does_not_go_on(leave: bool) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H")
        screen, done = shown.app.screen, list[str]()
        assert isinstance(screen, PastScreen)
        future = asyncio.get_running_loop().create_future()
        screen.run_worker(waits(future, done))
        await pilot.pause()
        if leave:
            screen.dismiss(None)
        future.set_result(None)
        await settle(pilot, shown)
        assert done == (["ended"] if leave else ["went on", "ended"])

    drive(failing, story)


def test_work__what_it_waited_for_failed_after_its_screen_was_left__then_the_console_goes_on() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H")
        screen, done = shown.app.screen, list[str]()
        assert isinstance(screen, PastScreen)
        future = asyncio.get_running_loop().create_future()
        screen.run_worker(waits(future, done))
        await pilot.pause()
        screen.dismiss(None)
        future.set_exception(ProblemError((WRONG,)))
        await settle(pilot, shown)
        assert done == ["ended"]
        assert shown.app._exception is None

    drive(failing, story)


def test_question__asked_while_the_console_ends__then_it_ends_as_it_was_to() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        shown.app.exit(0, return_code=0)
        shown.app.ask("Stop it?", (), (("no", "no"),), lambda _: None)
        assert shown.app._task is not None
        await asyncio.wait({shown.app._task})
        assert shown.app._exception is None
        assert shown.app.return_code == 0

    drive(failing, story)


def test_work__never_began_before_its_screen_was_left__then_it_does_not_begin() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H")
        screen, done = shown.app.screen, list[str]()
        assert isinstance(screen, PastScreen)
        screen.run_worker(waits(asyncio.get_running_loop().create_future(), done))
        screen.dismiss(None)
        await settle(pilot, shown)
        assert done == []

    drive(failing, story)


def test_callback__its_screen_has_gone__then_it_is_nothing() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H")
        screen, done = shown.app.screen, list[int]()
        assert isinstance(screen, PastScreen)
        later = screen.if_standing(done.append, 1)
        later()
        screen.dismiss(None)
        later()
        assert done == [1]

    drive(failing, story)


def test_message__of_a_part_that_is_being_taken_away__then_nobody_of_ours_hears_it() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H")
        screen, heard = shown.app.screen, list[str]()
        assert isinstance(screen, PastScreen)
        screen.show_selected = lambda: heard.append("moved")  # type: ignore[method-assign]
        screen.rows.post_message(FlatList.Moved())
        await pilot.pause()
        assert heard == ["moved"]
        screen.post_message(FlatList.Moved())
        screen.dismiss(None)
        await settle(pilot, shown)
        assert heard == ["moved"]

    drive(failing, story)


def test_key__before_the_parts_of_a_screen_are_there__then_it_decides_nothing() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        shown.app.show_refused(WRONG)
        screen = shown.app.screen
        assert isinstance(screen, Refused)
        assert not screen.is_mounted
        await shown.app.run_action("move('down')", screen)
        await settle(pilot, shown)
        assert shown.app.screen is screen

    drive(failing, story)


def test_key__the_console_is_to_end__then_it_does_nothing() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H")
        screen = shown.app.screen
        assert isinstance(screen, PastScreen)
        assert screen.check_action("move", ("down",))
        # Screens still come, and are said to be there, of which no part ever is.
        shown.app.exit(0, return_code=0)
        assert not screen.check_action("move", ("down",))

    drive(failing, story)


def test_question__withdrawn_beneath_another_screen__then_that_one_stays_and_both_go() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        new = Question("host-key", "ci@box7.lab:22", "box7.lab shows it", fingerprint="SHA256:x")
        await asked(new)(pilot, shown)
        shown.app.show_refused(WRONG)
        await settle(pilot, shown)
        shown.waiting[-1].cancel()
        await settle(pilot, shown)
        above: object = shown.app.screen
        assert isinstance(above, Refused)
        await press(pilot, shown, "escape")
        await settle(pilot, shown)
        assert shown.app.screen is shown.app.board_screen
        await press(pilot, shown, "question_mark")
        assert "KEYS" in shown.screen_text()

    drive(failing, story)


@pytest.mark.parametrize("typed", [(), ("c", "o", "r")])
def test_secret__withdrawn_while_it_is_typed__then_its_rest_acts_on_nothing(typed: tuple[str, ...]) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await asked(Question("password", "ci@box7.lab:22", "Password:"), *typed)(pilot, shown)
        shown.waiting[-1].cancel()
        await settle(pilot, shown)
        if typed:
            assert "The login is over" in shown.screen_text()
            assert "ci@box7.lab:22" in shown.screen_text()
            # Each of these would begin something.
            await press(pilot, shown, "r", "R", "a", "H", "enter")
        assert shown.app.screen is shown.app.board_screen
        assert not shown.engine.asked[1:]

    drive(failing, story)


def test_why__its_run_ends_while_it_is_shown__then_the_past_is_asked_again() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "2")
        view, before = shown.app.board_screen.board.newest, len(shown.engine.before.asked)
        assert isinstance(view, FakeView)
        view.live, view.link = False, "ended"  # nothing of what is folded changes with that
        await settle(pilot, shown)
        assert len(shown.engine.before.asked) == before + 1

    drive(lambda: showing(FakeView(journals.failing(), live=True)), story)
