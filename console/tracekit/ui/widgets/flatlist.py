"""A list of any length, painted line by line: it knows how many rows there are and asks for those in sight.

What a row says is the matter of whoever shows it; here are the cursor, the window and the movement.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tracekit.ui.safe import NOTHING, Line
from tracekit.ui.theme import Palette

#: Makes the line of a row for so many columns.
Painter = Callable[[int, int], Line]


class FlatList(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows by number, one of them under the cursor."""

    DEFAULT_CSS = "FlatList { overflow-y: auto; overflow-x: hidden; scrollbar-size-vertical: 1; }"
    ALLOW_SELECT = False

    class Moved(Message):
        """The cursor stands on another row."""

    class Chosen(Message):
        """A row was clicked twice."""

    def __init__(self, palette: Palette, paint: Painter, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._palette, self._paint = palette, paint
        self.count = 0
        self.at = 0

    def show(self, count: int, at: int | None = None) -> None:
        """There are so many rows now, and perhaps others."""
        self.count = count
        self.virtual_size = Size(max(1, self.size.width), count)
        self._place(self.at if at is None else at, told=False)
        self.refresh()

    def move(self, where: str) -> None:
        """Move the cursor by name."""
        page = max(1, self.size.height // 2)
        ends = {"top": -self.count, "bottom": self.count}
        self._place(
            self.at + {"down": 1, "up": -1, "page_down": page, "page_up": -page, **ends}.get(where, 0)
        )

    def _place(self, at: int, *, told: bool = True) -> None:
        before, self.at = self.at, max(0, min(at, self.count - 1))
        self._keep_visible()
        if before != self.at:
            self.refresh_line(before)
            self.refresh_line(self.at)
            if told:
                self.post_message(self.Moved())

    def _keep_visible(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if height and self.at < top:
            self.scroll_to(y=self.at, animate=False)
        elif height and self.at >= top + height:
            self.scroll_to(y=self.at - height + 1, animate=False)

    @property
    def seen(self) -> range:
        """The rows in sight."""
        top = self.scroll_offset.y
        return range(top, min(self.count, top + max(1, self.size.height)))

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.virtual_size = Size(max(1, self.size.width), self.count)
        self._keep_visible()

    def on_click(self, event: events.Click) -> None:
        """Move the cursor; a click on it chooses."""
        at = self.scroll_offset.y + event.y
        if at == self.at and at < self.count:
            self.post_message(self.Chosen())
        elif at < self.count:
            self._place(at)

    def render_line(self, y: int) -> Strip:
        """Paint one line of the window."""
        row, width, base = self.scroll_offset.y + y, self.size.width, self.rich_style
        if row >= self.count:
            return Strip.blank(width, base)
        over: Style = NOTHING
        if row == self.at:
            over = self._palette.cursor if self.has_focus else self._palette.cursor_off
        line = Line().own(self._palette.glyphs.cursor if row == self.at else " ", self._palette.accent)
        room = max(1, self.scrollable_content_region.width - 1)
        return line.join(self._paint(row, room)).strip(width, base + over)
