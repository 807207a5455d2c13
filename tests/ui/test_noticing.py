"""The end of a long run is told once, and only of one that was seen to go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import Console, FakeView, settle, showing
from tests.ui.conftest import drive


class Told:
    """Takes notes."""

    def __init__(self, after: float) -> None:
        self.after = after
        self.told: list[tuple[str, str]] = []

    def tell(self, title: str, text: str, write: Callable[[str], None]) -> None:
        self.told.append((title, text))


@pytest.mark.parametrize(
    ("after", "fed", "told"),
    [
        (1.0, 5, [("tracekit chat-server", "3 red, 8 passed")]),
        (1000.0, 5, []),
        (1.0, None, []),  # recorded: nobody waited for it
    ],
)
def test_notice__run_ends__told_once_where_it_was_long_and_live(
    after: float, fed: int | None, told: list[tuple[str, str]]
) -> None:
    notice = Told(after)
    view = FakeView(journals.failing(), fed=fed)

    def make() -> Console:
        shown = showing(view)
        object.__setattr__(shown.app.board_screen.ports, "notice", notice)
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        shown.app.board_screen.tick(shown.clock[0])
        view.feed(10_000)
        for _ in range(3):
            await settle(pilot, shown)
            shown.app.board_screen.tick(shown.clock[0])
        assert notice.told == told

    drive(make, story)
