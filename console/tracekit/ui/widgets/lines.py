"""Panes of prepared lines, wrapped to the width, scrolled by rows. Small texts only; output has a pane of its own."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tracekit.ui.safe import Line, wrap

MAX_LINES = 20_000


class LinesPane(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows prepared lines; keeps its place when the same text is shown again, a little longer."""

    DEFAULT_CSS = (
        "LinesPane { overflow-y: auto; overflow-x: hidden; scrollbar-size-vertical: 1; padding: 0; }"
    )
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: Sequence[Line] = ()
        self._wrapped: list[Line] = []
        self._width = 0
        self._key: object = None

    def show(self, lines: Sequence[Line], key: object = None) -> None:
        """Replace the text; another `key` begins at the top."""
        self._lines = lines
        if key != self._key:
            self._key = key
            self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self._lay_out()
        self.refresh()

    def on_resize(self) -> None:
        """Wrap anew where the width is another one."""
        if self._width != self.scrollable_content_region.width:
            self._lay_out()

    def _lay_out(self) -> None:
        self._width = max(1, self.scrollable_content_region.width or self.size.width)
        self._wrapped = wrap(self._lines, self._width, MAX_LINES)
        self.virtual_size = Size(self._width, len(self._wrapped))

    @property
    def text(self) -> str:
        """All of it, for tests and the inspector."""
        return "\n".join(line.text for line in self._lines)

    def render_line(self, y: int) -> Strip:
        """Paint one line of the window."""
        row, width, base = self.scroll_offset.y + y, self.size.width, self.rich_style
        if row >= len(self._wrapped):
            return Strip.blank(width, base)
        return self._wrapped[row].strip(width, base + Style())

    def move(self, where: str) -> None:
        """Scroll by name; the screen's movement keys come here."""
        page = max(1, self.size.height // 2)
        step = {"down": 1, "up": -1, "page_down": page, "page_up": -page}
        if where == "top":
            self.scroll_to(y=0, animate=False)
        elif where == "bottom":
            self.scroll_to(y=self.max_scroll_y, animate=False)
        else:
            self.scroll_to(y=self.scroll_offset.y + step.get(where, 0), animate=False)
