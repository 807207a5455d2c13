"""What a golden is made of: a console, the keys that are pressed, the sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support import journals
from tests.support.consoles import Before, Console, FakeView, press, showing

WIDE, STACKED, SINGLE, SMALL, LINE = (120, 36), (80, 24), (60, 20), (40, 10), (39, 9)
BOTH = (WIDE, STACKED)


@dataclass(frozen=True)
class Shot:
    """One golden, at one or several sizes."""

    name: str
    make: Callable[[], Console]
    sizes: tuple[tuple[int, int], ...] = BOTH
    before: Before | None = None


def keys(*pressed: str) -> Before:
    """Press these."""

    async def before(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, *pressed)

    return before


def opened(make: Callable[[], journals.Journal], **options: Any) -> Callable[[], Console]:
    """A console on a recorded or live run."""
    return lambda: showing(FakeView(make()), **options)
