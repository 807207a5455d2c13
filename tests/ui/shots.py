"""What a golden is made of: a console, the keys that are pressed, the sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support import journals
from tests.support.consoles import Before, Console, FakeView, press, showing

WIDER, WIDE, STACKED, SINGLE, SMALL, LINE = (160, 48), (120, 36), (80, 24), (60, 20), (40, 10), (39, 9)
#: The sizes that every state is designed for.
FOUR = (WIDER, WIDE, STACKED, SINGLE)


@dataclass(frozen=True)
class Shot:
    """One golden, at one or several sizes."""

    name: str
    make: Callable[[], Console]
    sizes: tuple[tuple[int, int], ...] = FOUR
    before: Before | None = None


def keys(*pressed: str) -> Before:
    """Press these; `tab` is the way into the pane beside the tree, where one pane alone is not there already."""

    async def before(pilot: Any, shown: Console) -> None:
        for key in pressed:
            if key != "tab" or shown.app.board_screen.scenarios.has_focus:
                await press(pilot, shown, key)

    return before


def opened(make: Callable[[], journals.Journal], **options: Any) -> Callable[[], Console]:
    """A console on a recorded or live run."""
    return lambda: showing(FakeView(make()), **options)
