"""A short list to choose from, painted line by line: answers, runs, actions.

A line that is wider than the list goes on below, as part of the same choice.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tracekit.ui.safe import NOTHING, Line, wrap
from tracekit.ui.theme import Palette

#: What stands before a line: the cursor and a space.
BEFORE = 2
_MOST = 64  # rows of one line


class Choices(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines with a cursor."""

    DEFAULT_CSS = "Choices { overflow-y: auto; overflow-x: hidden; scrollbar-size-vertical: 1; }"
    ALLOW_SELECT = False

    class Chosen(Message):
        """A line was clicked twice, or chosen with enter by its screen."""

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._palette = palette
        self._lines: Sequence[Line] = ()
        self._rows: list[tuple[int, Line]] = []  # by row: whose it is, and what it shows of that
        self._first: list[int] = []  # by line: its first row
        self.at = 0

    def show(self, lines: Sequence[Line], at: int = 0) -> None:
        """Replace the lines."""
        self._lines = lines
        self.at = max(0, min(at, len(lines) - 1))
        self._lay_out()

    def on_resize(self) -> None:
        """Fit the lines to the width."""
        self._lay_out()

    def _lay_out(self) -> None:
        room = self.size.width - BEFORE
        self._rows, self._first = [], []
        for number, line in enumerate(self._lines):
            self._first.append(len(self._rows))
            self._rows += [(number, piece) for piece in wrap([line], room, _MOST)]
        self.virtual_size = Size(max(1, self.size.width), len(self._rows))
        self.move("")

    def move(self, where: str) -> None:
        """Move the cursor by name."""
        page = max(1, self.size.height // 2)
        ends = {"top": -len(self._lines), "bottom": len(self._lines)}
        step = {"down": 1, "up": -1, "page_down": page, "page_up": -page, **ends}.get(where, 0)
        self.at = max(0, min(self.at + step, len(self._lines) - 1))
        top, height = self.scroll_offset.y, self.size.height
        if height and self._first:
            first = self._first[self.at]
            last = (self._first[self.at + 1] if self.at + 1 < len(self._first) else len(self._rows)) - 1
            if first < top:
                self.scroll_to(y=first, animate=False)
            elif last >= top + height:
                self.scroll_to(y=min(first, last - height + 1), animate=False)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Move the cursor; a click on it chooses."""
        row = self.scroll_offset.y + event.y
        at = self._rows[row][0] if row < len(self._rows) else -1
        if at == self.at:
            self.post_message(self.Chosen())
        elif at >= 0:
            self.at = at
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Paint one line of the window."""
        row, width, base = self.scroll_offset.y + y, self.size.width, self.rich_style
        if row >= len(self._rows):
            return Strip.blank(width, base)
        at, piece = self._rows[row]
        over: Style = self._palette.cursor if at == self.at else NOTHING
        line = Line().own(self._palette.glyphs.cursor if at == self.at else " ", self._palette.accent).gap(1)
        return line.join(piece).strip(width, base + over)
