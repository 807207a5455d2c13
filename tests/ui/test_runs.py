"""The screen of recorded runs: what its keys do, what it costs, and what it says where something is wrong."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import Attach, Console, FakeRow, FakeView, Replay, press, settle, showing
from tests.support.journals import BEGAN, SECOND
from tests.ui.conftest import drive
from tests.ui.past_screens import (
    AGAIN,
    BEFORE,
    FIRST,
    SECOND_TIME,
    compared,
    held,
    no_runs,
    runs,
    unreadable_runs,
)
from tracekit.engine.archive import Digest
from tracekit.ui.runtree import arrange, matching
from tracekit.ui.screens.runs import RunsScreen

LIVE = "01KAH0C5M0DEMORVNL1VE00001"


def many(count: int = 2000) -> Console:
    shown = showing(FakeView(journals.failing()))
    shown.engine.rows = [
        FakeRow(
            f"01KAH0C5M0DEMORVN{number:09d}", started_t=BEGAN - number * SECOND, counts={"passed": number}
        )
        for number in range(count)
    ]
    return shown


def screen(shown: Console) -> RunsScreen:
    assert isinstance(shown.app.screen, RunsScreen)
    return shown.app.screen


def selected(shown: Console) -> str:
    found = screen(shown).selected
    return found.row.run_id if found else ""


@pytest.mark.parametrize(("downs", "request_"), [(0, Attach(LIVE)), (4, Replay(FIRST))])
def test_enter__on_a_run__attaches_to_a_live_one_and_replays_another(downs: int, request_: object) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H", *"j" * downs, "enter")
        assert shown.engine.asked[-1] == request_
        assert shown.app.screen is shown.app.board_screen

    drive(runs, story)


def test_tree__reruns_stand_below_their_parent_and_newest_tree_first() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H")
        listed = [(each.row.run_id, each.depth) for each in screen(shown).shown]
        assert listed == [(LIVE, 0), (journals.RUN, 0), (AGAIN, 1), (SECOND_TIME, 2), (FIRST, 0)]

    drive(runs, story)


def test_tree__parents_that_name_each_other__cost_no_row() -> None:
    rows = [
        FakeRow("A", parent="B"),
        FakeRow("B", parent="A"),
        FakeRow("C", parent="C"),
        FakeRow("D", parent="?"),
    ]
    assert sorted((each.row.run_id, each.depth) for each in arrange(rows)) == [(name, 0) for name in "ABCD"]


def test_filter__every_word_must_stand__and_a_rerun_without_its_parent_stands_alone() -> None:
    placed = arrange(runs().engine.rows)
    assert [each.row.run_id for each in matching(placed, "CHAT red")] == [journals.RUN, AGAIN]
    assert [(each.row.run_id, each.depth) for each in matching(placed, "rerun")] == [
        (AGAIN, 0),
        (SECOND_TIME, 1),
    ]
    assert [each.row.run_id for each in matching(placed, "pinned report")] == [journals.RUN]
    assert [each.row.run_id for each in matching(placed, "box7 load live")] == [LIVE]
    assert matching(placed, "nowhere") == []


def test_filter__typed_and_left__keeps_and_escape_brings_all_back() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H", "slash", *"payments", "enter")
        assert selected(shown) == FIRST
        assert "1 of 5" in shown.screen_text()
        await press(pilot, shown, "escape")
        assert len(screen(shown).shown) == 5
        assert selected(shown) == FIRST
        await press(pilot, shown, "escape")
        assert shown.app.screen is shown.app.board_screen

    drive(runs, story)


def test_summary__of_the_selected_run__causes_what_is_left_and_what_was_not_run() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H", "j")
        text = shown.screen_text()
        for words in (
            "PoolExhausted: no connection",
            "over 3 runs",
            "test_limit[1000]",
            "1 scenario not run",
        ):
            assert words in text

    drive(runs, story)


def test_pin__and_again__pins_and_leaves_it_to_the_limits() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H", "G", "p")
        assert "pinned" in shown.screen_text().splitlines()[-1]
        await press(pilot, shown, "p")
        assert shown.engine.shelf.done == [("pin", FIRST), ("unpin", FIRST)]
        assert selected(shown) == FIRST

    drive(runs, story)


@pytest.mark.parametrize(
    ("answer", "done"), [(["enter"], []), (["escape"], []), (["j", "enter"], [("delete", FIRST, False)])]
)
def test_delete__asks_and_only_the_second_answer_deletes(answer: list[str], done: list[Any]) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H", "G", "D", *answer)
        assert shown.engine.shelf.done == done
        assert (FIRST in {each.row.run_id for each in screen(shown).shown}) == (not done)
        if done:
            assert "4.0 MiB are free" in shown.screen_text()

    drive(runs, story)


def test_delete__of_a_pinned_run__says_so_and_of_a_live_one_refuses() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H", "D")
        assert "attach to it and stop it first" in shown.screen_text()
        await press(pilot, shown, "j", "D")
        assert "pinned: for the report" in shown.screen_text()
        assert "1 rerun of it stays" in shown.screen_text()
        await press(pilot, shown, "j", "enter")
        assert shown.engine.shelf.done == [("delete", journals.RUN, True)]

    drive(runs, story)


def test_run_deleted_meanwhile__is_told_where_its_summary_would_stand_and_by_a_key() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.shelf.digests.clear()
        await press(pilot, shown, "H")
        shown.engine.shelf.gone.add(FIRST)
        await press(pilot, shown, "G")
        assert "no run is called so" in shown.screen_text()
        await press(pilot, shown, "p")
        assert "no run is called so" in shown.screen_text().splitlines()[-1]
        assert FIRST not in {each.row.run_id for each in screen(shown).shown}

    drive(runs, story)


@pytest.mark.parametrize("fault", [None, OSError(5, "Input/output error")])
def test_store_that_cannot_be_read__is_told_and_read_again(fault: Exception | None) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.shelf.broken = fault or shown.engine.shelf.broken
        await press(pilot, shown, "H", "j", "enter", "p", "D", "space", "slash", "escape")
        assert ("Input/output error" if fault else "permission denied") in shown.screen_text()
        shown.engine.shelf.broken = None
        await press(pilot, shown, "ctrl+r")
        assert "1VE00001" in shown.screen_text()

    drive(unreadable_runs, story)


def test_no_runs__says_what_makes_one() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H", "j", "enter", "p", "D", "space", "ctrl+d")
        assert "nothing was recorded" in shown.screen_text()

    drive(no_runs, story)


def test_two_thousand_runs__only_rows_in_sight_are_painted_and_the_disk_is_read_elsewhere() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H")
        found, painted = screen(shown), set()
        paint = found.rows._paint
        found.rows._paint = lambda row, width: (painted.add(row), paint(row, width))[1]  # type: ignore[func-returns-value]
        await press(pilot, shown, "G")
        assert selected(shown).endswith("1999")
        await press(pilot, shown, "g")
        assert len(painted) <= 4 * 36
        assert threading.main_thread().name not in shown.engine.shelf.threads

    drive(many, story)


def test_cursor_that_moves_on__what_is_read_last_is_what_is_shown() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        for row in shown.engine.rows:
            shown.engine.shelf.digests[row.run_id] = Digest(row.run_id, ((f"cause of {row.run_id}", 1),))
        await pilot.press("H", *"j" * 30)
        await settle(pilot, shown)
        assert f"cause of {selected(shown)}" in shown.screen_text()
        assert selected(shown).endswith("0030")

    drive(lambda: many(40), story)


def test_size__runs_of_one_project__have_a_column_for_the_commit_and_none_for_it() -> None:
    def make() -> Console:
        shown = many(3)
        git = {"git": {"commit": "0123456789", "dirty": True}}
        shown.engine.rows = [replace(row, facts=git) for row in shown.engine.rows]
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H")
        rows = [line.partition("▕")[0] for line in shown.screen_text().splitlines()[2:5]]
        assert all("0123456*" in row and "chat-server" not in row for row in rows)

    drive(make, story)


def test_diff_key__of_the_shown_run__compares_it_with_the_one_before() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "d")
        assert shown.engine.shelf.done == [("compare", BEFORE, journals.RUN)]
        assert "RED BY ANOTHER CAUSE  2" in shown.screen_text()
        await press(pilot, shown, "escape")
        assert shown.app.screen is shown.app.board_screen

    drive(compared, story)


@pytest.mark.parametrize(("key", "run"), [("enter", journals.RUN), ("less_than_sign", BEFORE)])
def test_drill__into_either_run__opens_it_at_the_test_and_diff_leads_back(key: str, run: str) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "d", "j", key)
        assert shown.engine.asked[-1] == Replay(run)
        board = shown.app.board_screen
        assert board.board.ids[board.detail.row] == "pytest:chat/test_rooms.py::TestLimits::test_limit[100]"
        shown.engine.shelf.done.clear()
        await press(pilot, shown, "d")
        assert shown.engine.shelf.done == [("compare", BEFORE, journals.RUN)]
        assert shown.app.screen.selected.pair.scenario.endswith("test_limit[100]")  # type: ignore[attr-defined]

    drive(compared, story)


def test_drill__into_a_run_that_does_not_have_it__says_so() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        asked = len(shown.engine.asked)
        await press(pilot, shown, "d", "G", "less_than_sign")
        assert "it is not in the first run" in shown.screen_text()
        assert len(shown.engine.asked) == asked

    drive(compared, story)


def test_fold__of_a_kind__hides_its_rows_and_keeps_the_place() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "d", "h")
        assert "▶ RED BY ANOTHER CAUSE  2" in shown.screen_text()
        assert "test_limit[100]" not in shown.screen_text()
        await press(pilot, shown, "l")
        assert "test_limit[100]" in shown.screen_text()

    drive(compared, story)


def test_compare_key__marked_and_selected__the_earlier_is_the_first() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.shelf.held = held()
        await press(pilot, shown, "H", "j", "m", "j", "c")
        assert shown.engine.shelf.done == [("compare", journals.RUN, AGAIN)]
        await press(pilot, shown, "escape", "m", "c")
        assert shown.engine.shelf.done[1:] == [("compare", BEFORE, AGAIN)]

    drive(runs, story)


def test_compare_key__nothing_to_compare_with__says_so() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "d")
        assert "there is no earlier run" in shown.screen_text().splitlines()[-1]
        await press(pilot, shown, "H", "j", "c")
        assert "there is no earlier run" in shown.screen_text().splitlines()[-1]

    drive(runs, story)
