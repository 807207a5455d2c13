"""Leaving a screen, or the console, with keys typed ahead and frames under way."""

from __future__ import annotations

from typing import Any

import pytest

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
