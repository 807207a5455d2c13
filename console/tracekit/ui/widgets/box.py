"""A box to type one line in. What is pasted is outside text too: it loses what a terminal would obey."""

from __future__ import annotations

from textual.widgets import Input

from tracekit.ui.safe import UNSAFE

LONGEST = 2000


class Box(Input):
    """An input without borders, blinking or control characters."""

    def __init__(self, placeholder: str, *, id: str, hidden: bool = False) -> None:
        super().__init__(id=id, placeholder=placeholder, select_on_focus=False, password=hidden)
        self.cursor_blink = False

    def validate_value(self, value: str) -> str:
        """Keep what can be shown as it is."""
        return UNSAFE.sub("", value)[:LONGEST]
