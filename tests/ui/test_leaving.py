"""Leaving a screen, or the console, with keys typed ahead and frames under way."""

from __future__ import annotations

from typing import Any

import pytest
from textual import events
from textual.geometry import Size

from tests.support import journals
from tests.support.consoles import Console, FakeView, press, showing
from tests.ui.conftest import drive


@pytest.mark.parametrize("key", ["H", "question_mark", "colon", "e"])
def test_back__twice_before_the_screen_has_gone__leaves_it_once(key: str) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, key)
        above = shown.app.screen
        assert above is not shown.app.board_screen
        above.dismiss(None)
        above.dismiss(None)
        await press(pilot, shown, "0")
        assert shown.app.screen is shown.app.board_screen

    drive(lambda: showing(FakeView(journals.failing())), story)


def test_frame__the_screen_is_being_taken_apart__is_none() -> None:
    async def story(_pilot: Any, shown: Console) -> None:
        shown.app.leave(0)
        await shown.app.board_screen.query_one("#footer").remove()
        before = shown.app.pump.frames
        shown.app.frame()
        assert shown.app.pump.frames == before

    shown = drive(lambda: showing(FakeView(journals.failing())), story)
    assert shown.app.return_code == 0


@pytest.mark.parametrize("event", [events.Key("escape", None), events.Paste("text")], ids=["key", "paste"])
def test_key__comes_up_from_a_widget_when_no_screen_is_there_any_more__then_it_is_nothing(
    event: events.Event,
) -> None:
    async def story(_pilot: Any, shown: Console) -> None:
        screens = shown.app._screen_stack
        held = screens[:]
        screens.clear()
        if isinstance(event, events.Key):
            event._set_forwarded()
        try:
            await shown.app.on_event(event)
            shown.app._resize_event = events.Resize(Size(80, 24), Size(80, 24))
            shown.app._check_resize()
        finally:
            screens[:] = held

    drive(lambda: showing(FakeView(journals.failing())), story)
