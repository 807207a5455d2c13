"""A short list to choose from, painted line by line: answers, runs, actions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tracekit.ui.safe import NOTHING, Line
from tracekit.ui.theme import Palette


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
        self.at = 0

    def show(self, lines: Sequence[Line], at: int = 0) -> None:
        """Replace the lines."""
        self._lines = lines
        self.at = max(0, min(at, len(lines) - 1))
        self.virtual_size = Size(max(1, self.size.width), len(lines))
        self.move("")
        self.refresh()

    def on_resize(self) -> None:
        """Fit the lines to the width."""
        self.virtual_size = Size(max(1, self.size.width), len(self._lines))
        self.move("")

    def move(self, where: str) -> None:
        """Move the cursor by name."""
        page = max(1, self.size.height // 2)
        ends = {"top": -len(self._lines), "bottom": len(self._lines)}
        step = {"down": 1, "up": -1, "page_down": page, "page_up": -page, **ends}.get(where, 0)
        self.at = max(0, min(self.at + step, len(self._lines) - 1))
        top, height = self.scroll_offset.y, self.size.height
        if height and self.at < top:
            self.scroll_to(y=self.at, animate=False)
        elif height and self.at >= top + height:
            self.scroll_to(y=self.at - height + 1, animate=False)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Move the cursor; a click on it chooses."""
        at = self.scroll_offset.y + event.y
        if at == self.at:
            self.post_message(self.Chosen())
        elif at < len(self._lines):
            self.at = at
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Paint one line of the window."""
        row, width, base = self.scroll_offset.y + y, self.size.width, self.rich_style
        if row >= len(self._lines):
            return Strip.blank(width, base)
        over: Style = self._palette.cursor if row == self.at else NOTHING
        line = Line().own(self._palette.glyphs.cursor if row == self.at else " ", self._palette.accent).gap(1)
        return line.join(self._lines[row]).strip(width, base + over)
