"""Going back and forth in a run: everything on the screen is the run at that moment, and the run is not touched."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import Cancel, Console, FakeView, Rerun, press, settle, showing
from tests.ui.conftest import drive
from tracekit.engine.journey import Moment
from tracekit.model.status import Status
from tracekit.ui.board import Board

KEEPS = "pytest:chat/test_ws.py::test_reconnect_keeps_history"


def failing() -> Console:
    return showing(FakeView(journals.failing()))


def running() -> Console:
    return showing(FakeView(journals.running()))


def rerun() -> Console:
    shown = failing()
    shown.engine.answers["rerun"] = FakeView(journals.rerun_of(journals.failing()))
    return shown


def rows(board: Board) -> dict[str, tuple[int, int, str, int]]:
    return {
        scenario: (board.status[row], board.duration[row], board.file[row], board.parent[row])
        for row, scenario in enumerate(board.ids)
    }


def same_as_fresh(shown: Console) -> None:
    """What was led here step by step is what a board says that sees this moment first."""
    board, fresh = shown.app.board_screen.board, Board()
    for view in board.views:
        view.state.all_changed()
        fresh.push(view)
    while fresh.look().any or fresh.behind:
        pass
    assert rows(board) == rows(fresh)
    assert +board.tally == +fresh.tally
    assert board.running == fresh.running
    assert board.trouble == fresh.trouble
    assert [(group.key, sorted(found)) for group, found in board.causes()] == [
        (group.key, sorted(found)) for group, found in fresh.causes()
    ]


@pytest.mark.parametrize("make", [failing, running, rerun])
def test_scrub__back_to_the_beginning_and_on_again__shows_each_moment_and_then_the_run(make: Any) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        if make is rerun:
            await press(pilot, shown, "f")
        board_screen = shown.app.board_screen
        itself, before = board_screen.board.newest, rows(board_screen.board)
        seen = []
        for key in ("[", "[", "[", "{", "(", "]", "]", "]", "}"):
            await press(pilot, shown, key)
            if board_screen.travelling:
                assert isinstance(board_screen.board.newest, Moment)
                same_as_fresh(shown)
                seen.append(board_screen.now())
        assert len(set(seen)) > 3
        await press(pilot, shown, ")")
        assert board_screen.board.newest is itself
        assert rows(board_screen.board) == before
        same_as_fresh(shown)
        assert "THEN" not in shown.screen_text()

    drive(make, story)


def test_step_past_the_end__is_the_run_itself_again() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "[", "]", "]")
        assert not shown.app.board_screen.travelling
        assert "the run as it is" in shown.screen_text().splitlines()[-1]
        await press(pilot, shown, "]", ")")
        assert not shown.app.board_screen.travelling

    drive(failing, story)


def test_moment__header_tree_and_output__are_cut_there() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        board_screen = shown.app.board_screen
        board_screen.scenarios.go(board_screen.board.index[KEEPS])
        await press(pilot, shown, "3", "tab")
        whole = shown.screen_text()
        assert "sent 1000, waiting for acks" in whole
        for _ in range(40):
            await press(pilot, shown, "[")
            if "sent 1000" not in shown.screen_text():
                break
        text = shown.screen_text()
        assert "connecting to 127.0.0.1:8431" in text
        assert "00:00 of 00:27" in text
        assert text.splitlines()[0].split()[4:5] == ["0/13"]
        assert board_screen.board.status[board_screen.board.index[KEEPS]] == Status.RUNNING
        await press(pilot, shown, "]", "]", "]")
        assert "sent 1000" in shown.screen_text()

    drive(failing, story)


def test_live_run__goes_on_while_one_is_in_its_past__and_now_shows_it() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        view = shown.app.board_screen.board.newest
        assert isinstance(view, FakeView)
        await press(pilot, shown, "[", "[")
        then = rows(shown.app.board_screen.board)
        view.journal.passes("pytest:auth/test_tokens.py::test_clock_skew", 5)
        view.feed(2)
        await settle(pilot, shown)
        assert rows(shown.app.board_screen.board) == then
        await press(pilot, shown, ")")
        board = shown.app.board_screen.board
        assert board.status[board.index["pytest:auth/test_tokens.py::test_clock_skew"]] == Status.PASSED

    drive(running, story)


def test_keys_that_act__in_the_past__act_on_the_run_as_it_is() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "[", "X", "j", "enter")
        assert shown.engine.asked[-1] == Cancel(journals.RUN)

    drive(running, story)


def test_rerun__in_the_past__stands_over_the_run_itself() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        itself = shown.app.board_screen.board.newest
        await press(pilot, shown, "[", "[", "f")
        assert isinstance(shown.engine.asked[-1], Rerun)
        assert not shown.app.board_screen.travelling
        assert shown.app.board_screen.board.views[0] is itself
        assert len(shown.app.board_screen.board.views) == 2

    drive(rerun, story)


def test_journal_that_cannot_be_read__is_told_and_the_run_stays() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        view = shown.app.board_screen.board.newest
        assert isinstance(view, FakeView)
        view.unreadable = OSError(5, "Input/output error", "/srv/runs/journal.ndjson")
        await press(pilot, shown, "[")
        assert "Input/output error" in shown.screen_text().splitlines()[-1]
        assert shown.app.board_screen.board.newest is view
        view.unreadable = None
        await press(pilot, shown, "[")
        assert shown.app.board_screen.travelling
        view.unreadable = OSError(5, "Input/output error", "/srv/runs/journal.ndjson")
        await press(pilot, shown, "{")
        assert shown.app.board_screen.board.newest is view

    drive(failing, story)


def test_inventory__has_no_past() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "[", "(", "{", "]", "}", ")")
        assert not shown.app.board_screen.travelling

    drive(lambda: showing(FakeView(journals.discovered())), story)
