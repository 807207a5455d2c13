"""Trends: what the screen is asked for and leads to, and plots that say what the numbers say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.consoles import Console, Replay, press
from tests.support.journals import BEGAN, ROOT, SECOND
from tests.ui.conftest import drive
from tests.ui.past_screens import KEEPS, no_runs, past_runs, runs, trending, trends_unreadable
from tracekit.model.words import seconds
from tracekit.ui.plots import bars, bunched, curve
from tracekit.ui.theme import palette

LOOK, ASCII = palette(), palette(ascii_only=True)


@pytest.mark.parametrize(("size", "columns"), [(0, 10), (1, 10), (10, 10), (11, 10), (100, 7), (5, 0)])
def test_bunched__any_size__covers_every_value_once_in_at_most_so_many(size: int, columns: int) -> None:
    found = bunched(size, columns)
    assert [i for bunch in found for i in bunch] == list(range(size))
    assert len(found) <= max(1, columns)


def test_bars__one_red_among_many__is_seen_and_a_run_without_any_has_none() -> None:
    lines = bars([(1000, 0), (999, 1)], 20, 6, ASCII)
    assert lines[-1].text == "      0 ###xxx"
    assert lines[0].text == "  1,000 ######"
    assert not any("x" in line.text for line in lines[:-1])


def test_bars__nothing_ran__are_empty() -> None:
    assert [line.text.strip() for line in bars([(0, 0)], 20, 3, LOOK)] == ["1", "", "0"]


@pytest.mark.parametrize("look", [LOOK, ASCII])
def test_curve__values__stand_as_high_as_they_are_and_stay_in_their_room(look: Any) -> None:
    lines = curve([0, 50, 100] * 10, 40, 5, look, seconds, guides=(("median", 50),))
    assert len(lines) == 5
    assert all(line.columns <= 40 for line in lines)
    assert [line.text[:7].strip() for line in lines] == ["<1ms", "", "median", "", "0"]
    drawn = [line.text[8:].strip(" ┄.") for line in lines]
    assert [bool(text) for text in drawn] == [True, False, True, False, True]


def test_curve__what_is_over_the_usual__stands_out() -> None:
    lines = curve([100, 100, 100, 100, 900, 100], 30, 4, LOOK, seconds, over=400)
    loud = [segment.text for line in lines for segment in line.segments if segment.style == LOOK.warn]
    assert len(loud) == 1
    assert curve([], 30, 4, LOOK, seconds)[0].text.strip() == "nothing to draw"


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 20), (41, 11)])
def test_trends__at_every_size__plots_fit(size: tuple[int, int]) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "P", "tab", "escape", "g", "tab")
        assert all(line.columns <= max(24, size[0]) for line in shown.app.screen.lines._wrapped)  # type: ignore[attr-defined]
        assert "passed and red, by run" in shown.screen_text()

    drive(trending, story, size)


def test_trends_key__on_a_scenario__shows_it_and_enter_opens_its_last_run() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "P")
        assert shown.engine.shelf.done == [("trends", ROOT, "local")]
        assert "80 green, 20 red, 20 flaky (20%)" in shown.screen_text()
        await press(pilot, shown, "enter")
        assert shown.engine.asked[-1] == Replay(past_runs(1)[0].run_id)
        board = shown.app.board_screen
        assert board.board.ids[board.detail.row] == KEEPS

    drive(trending, story)


def test_trends_key__in_the_runs__is_of_that_run_s_project() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H", "G", "P")
        assert shown.engine.shelf.done == [("trends", "/srv/payments", "local")]
        assert "no whole run of this project" in shown.screen_text()
        assert "payments  another project" in shown.screen_text()
        await press(pilot, shown, "j", "enter", "l", "h", "escape", "escape")
        assert shown.app.screen is shown.app.board_screen

    drive(runs, story)


def test_trends_key__in_the_runs_where_another_project_ran_last__is_of_the_one_that_is_open() -> None:
    def make() -> Console:
        shown = runs()
        newest = replace(shown.engine.rows[-1], run_id="01KAH0C5M0DEMORVN0THER0000", started_t=BEGAN + SECOND)
        shown.engine.rows = [newest, *shown.engine.rows]
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "H")
        assert shown.app.screen.rows.at == 1  # type: ignore[attr-defined]
        await press(pilot, shown, "P")
        assert shown.engine.shelf.done == [("trends", ROOT, "box7")]
        assert "another project" not in shown.screen_text()
        await press(pilot, shown, "escape", "k", "P")
        assert shown.engine.shelf.done[-1] == ("trends", "/srv/payments", "local")
        assert "another project" in shown.screen_text()

    drive(make, story)


def test_lists__fold_and_unfold() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "P", "j", "h")
        assert "▶ RED NOW  1" in shown.screen_text()
        await press(pilot, shown, "enter")
        assert "▼ RED NOW  1" in shown.screen_text()

    drive(trending, story)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (trends_unreadable, "the runs cannot be read"),
        (no_runs, "no whole run of this project has ended here"),
    ],
)
def test_nothing_to_show__says_why(make: Any, said: str) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "P", "j", "enter", "l", "h", "tab")
        assert said in shown.screen_text()

    drive(make, story)


def test_scenario_that_never_ended__the_project_is_shown_and_that_is_said() -> None:
    def make() -> Console:
        shown = trending()
        shown.engine.shelf.stories.clear()
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "P")
        assert "no ended run knows this scenario" in shown.screen_text().splitlines()[-1]
        assert "passed and red, by run" in shown.screen_text()

    drive(make, story)
