"""The palette over actions, scenarios and runs, and help that is of the screen one is on and can be searched."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import Attach, Console, FakeRow, FakeView, Replay, press, showing
from tests.support.journals import BEGAN
from tests.ui.conftest import drive
from tracekit.ui import actions as registry
from tracekit.ui.safe import wrap
from tracekit.ui.screens.finding import MOST, Help, Names, PaletteScreen, action_line
from tracekit.ui.theme import palette
from tracekit.ui.widgets.box import Box
from tracekit.ui.widgets.choices import Choices

LIVE, OLD = "01KAH0C5M0DEMORVNL1VE00001", "01KAH0C5M0DEMORVNCANCE1ED0"


def failing() -> Console:
    shown = showing(FakeView(journals.failing()))
    shown.engine.rows = [
        FakeRow(LIVE, started_t=BEGAN, live=True, reason=""),
        FakeRow(OLD, started_t=BEGAN, reason="cancelled"),
    ]
    return shown


def test_palette__part_of_a_scenarios_name__goes_there_and_out_of_a_filter() -> None:
    async def found(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "slash", *"limit", "enter")
        await press(pilot, shown, "colon", *"HANDSHAKE ws", "enter")
        board = shown.app.board_screen
        assert board.board.ids[board.detail.row].endswith("test_handshake_with_a_bad_key_is_refused")
        assert board.filter_text == ""

    drive(failing, found)


@pytest.mark.parametrize(("words", "asked"), [("L1VE0", Attach(LIVE)), ("run cancelled", Replay(OLD))])
def test_palette__part_of_a_run__is_attached_to_or_replayed(words: str, asked: object) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "colon", *words)
        screen = shown.app.screen
        assert isinstance(screen, PaletteScreen)
        at = next(number for number, pick in enumerate(screen.picks) if pick.kind == "run")
        for _ in range(at):
            await press(pilot, shown, "down")
        await press(pilot, shown, "enter")
        assert shown.engine.asked[-1] == asked

    drive(failing, story)


def test_palette__action_by_a_word__is_done_as_by_its_key() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "colon", *"view.zoom", "enter")
        assert shown.app.board_screen.has_class("zoomed")

    drive(failing, story)


def test_palette__what_an_action_is_called__finds_that_one_first() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "colon")
        screen = shown.app.screen
        assert isinstance(screen, PaletteScreen)
        box = screen.query_one(Box)
        for label in {action.label for action in screen.actions if action.label}:
            box.value = label
            await pilot.pause()
            assert screen.found[0].label == label
        box.value = "why"  # the key that opens a row is called so as well
        await pilot.pause()
        assert screen.found[0].id == "look.why"

    drive(failing, story)


def test_names__sixty_thousand__finds_all_words_in_any_order_and_no_more_than_a_person_reads() -> None:
    ids = [
        f"pytest:shop/test_{number % 300:03d}.py::TestCart::test_case[{number}]" for number in range(60_000)
    ]
    names = Names(ids)
    assert names.find(["case[59999]"]) == [59_999]
    assert names.find(["[4711]", "cart", "test_211"]) == [4711]
    assert names.find(["no", "such"]) == []
    assert names.find(["test"]) == list(range(MOST))
    assert names.find(["testcart::test_case[0]", "shop"]) == [0]


@pytest.mark.parametrize("ids", [[], ["a\nb"], ["ÄÖ::ß"], [""]])
def test_names__odd_ones__neither_fail_nor_find_beyond_their_line(ids: list[str]) -> None:
    assert Names(ids).find(["äö"]) == ([0] if ids == ["ÄÖ::ß"] else [])
    assert Names([*ids, "c"]).find(["c"]) == [len(ids)]


def test_help__of_a_screen__has_its_keys_and_no_others() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "question_mark")
        screen = shown.app.screen
        assert isinstance(screen, Help)
        told = {line.text for line in screen.query_one("#choices")._lines}  # type: ignore[attr-defined]
        for action in registry.ACTIONS:
            line = action_line(action, shown.app.look, screen.room).text
            assert (line in told) is (registry.CONSOLE in action.context), action.id

    drive(failing, story)


def test_help__searched__shows_what_holds_the_words_on_all_screens_and_escape_goes_back_by_one() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "question_mark", "slash", *"env.check")
        text = shown.screen_text()
        assert "env.check" in text
        assert "move.down" not in text
        await press(pilot, shown, "escape")
        assert "move.down" in shown.screen_text()
        await press(pilot, shown, "slash", *"xyzzy")
        assert "no key does that" in shown.screen_text()
        await press(pilot, shown, "escape", "escape")
        assert not isinstance(shown.app.screen, Help)

    drive(failing, story)


@pytest.mark.parametrize("width", [24, 49, 68, 76, 120])
def test_help__little_room__then_no_word_is_lost_and_an_id_stands_only_beside_all_of_them(width: int) -> None:
    for action in registry.ACTIONS:
        line = action_line(action, palette(), width)
        rows = [piece.text for piece in wrap([line], width, 99)]
        assert max(map(len, rows)) <= width
        assert "".join(action.description.split()) in "".join("".join(rows).split())
        if action.id in line.text:
            assert len(rows) == 1
        assert all(row.startswith(" " * min(14, width // 2)) for row in rows[1:])


@pytest.mark.parametrize("size", [(200, 50), (120, 36), (80, 24), (60, 20)])
def test_help__gone_through_to_its_end__then_sentences_were_whole_and_the_last_row_in_sight(
    size: tuple[int, int],
) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "question_mark")
        longest = "scenario, setup, steps, assertions, cleanup, edge cases, code and command"
        if size[0] >= 120:
            assert longest in shown.screen_text()
        assert "by its id" in shown.screen_text()
        await press(pilot, shown, "G")
        assert "its box is gone, and nobody knows" in shown.screen_text()
        await press(pilot, shown, "g")
        assert "next row" in shown.screen_text()

    drive(failing, story, size)


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
def test_palette__small_screen__then_what_is_chosen_is_always_in_sight(size: tuple[int, int]) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "colon")
        screen = shown.app.screen
        assert isinstance(screen, PaletteScreen)
        cursor = shown.app.look.glyphs.cursor
        for _ in screen.found:
            at = screen.query_one("#choices", Choices).at
            words = screen.found[at].description.split()[:2]
            under = [line for line in shown.screen_text().splitlines() if f"{cursor} " in line]
            assert any(" ".join(words) in line for line in under), screen.found[at].id
            await press(pilot, shown, "down")

    drive(failing, story, size)
