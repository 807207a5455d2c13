"""The output pane: a window over recorded output that follows what comes, until a person scrolls up.

It fetches the lines in sight and keeps a few painted ones; a million lines cost an index of their beginnings.
"""

from __future__ import annotations

from textual.cache import LRUCache
from textual.geometry import Size
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tracekit.model.facts import OutputSpan
from tracekit.ui.panes.output import OutputIndex
from tracekit.ui.ports import ViewFace
from tracekit.ui.safe import Line, safe
from tracekit.ui.theme import Palette

MAX_COLUMNS = 4096
GUTTER = {"stdout": " ", "stderr": "e", "log": "l"}


class OutputPane(ScrollView, can_focus=True, inherit_bindings=False):
    """Output of one attempt, or of the runner itself."""

    DEFAULT_CSS = "OutputPane { overflow-y: auto; overflow-x: hidden; scrollbar-size-vertical: 1; }"
    ALLOW_SELECT = False
    follow = var(True)

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._palette = palette
        self._index: OutputIndex | None = None
        self._key: object = None
        self._painted: LRUCache[int, Line] = LRUCache(1024)
        self._seen = 0  # lines there when following stopped
        self._left = 0  # columns scrolled to the right
        self._setting = False

    def show(self, view: ViewFace, spans: list[OutputSpan], key: object) -> None:
        """Show these spans; the same key goes on where it was."""
        if key != self._key or self._index is None or not self._index.extend(spans):
            self._key, self._index, self._left = key, OutputIndex(view), 0
            self._index.extend(spans)
            self._painted.clear()
            self.follow = True
            self._lay_out()
            self.refresh()
        self.pump()

    def clear(self) -> None:
        """Show nothing."""
        if self._index is not None:
            self._index, self._key = None, None
            self._lay_out()
            self.refresh()

    def pump(self) -> bool:
        """Read on where output is waiting; the frame pump calls this. Says whether there is more."""
        index = self._index
        if index is None or not index.behind:
            return False
        before = len(index)
        if index.read():
            self._painted.discard(before - 1)
            self._lay_out()
            if self.follow or before <= self.scroll_offset.y + self.size.height:
                self.refresh()
        return index.behind

    def _lay_out(self) -> None:
        lines = len(self._index) if self._index is not None else 0
        self._setting = True
        try:
            self.virtual_size = Size(max(1, self.size.width), lines)
            if self.follow:
                self._seen = lines
                self.scroll_to(y=self.max_scroll_y, animate=False)
        finally:
            self._setting = False

    def on_resize(self) -> None:
        """Stay at the end while following."""
        self._lay_out()

    @property
    def new_lines(self) -> int:
        """Lines that came since a person scrolled up."""
        return 0 if self.follow or self._index is None else max(0, len(self._index) - self._seen)

    @property
    def line_count(self) -> int:
        """Lines known so far."""
        return len(self._index) if self._index is not None else 0

    @property
    def byte_count(self) -> int:
        """Bytes recorded so far."""
        return self._index.total if self._index is not None else 0

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Any scroll upwards lets go; reaching the end again does not follow by itself, `G` does."""
        super().watch_scroll_y(old_value, new_value)
        if new_value < old_value and not self._setting and self.follow:
            self.release()

    def release(self) -> None:
        """Stop following."""
        if self.follow:
            self._seen = self.line_count
            self.follow = False

    def resume(self) -> None:
        """Follow again, at the end."""
        self.follow = True
        self._lay_out()
        self.refresh()

    def move(self, where: str) -> None:
        """Scroll by name."""
        page = max(1, self.size.height // 2)
        step = {"down": 1, "up": -1, "page_down": page, "page_up": -page}
        if where == "bottom":
            self.resume()
        elif where == "top":
            self.release()
            self.scroll_to(y=0, animate=False)
        else:
            if step.get(where, 0) < 0:
                self.release()
            self.scroll_to(y=self.scroll_offset.y + step.get(where, 0), animate=False)

    def sideways(self, columns: int) -> bool:
        """Scroll long lines; says whether there was somewhere to go."""
        left = max(0, min(MAX_COLUMNS, self._left + columns))
        moved, self._left = left != self._left, left
        self.refresh()
        return moved

    def render_line(self, y: int) -> Strip:
        """Paint one line of the window."""
        row, width, base = self.scroll_offset.y + y, self.size.width, self.rich_style
        if self._index is None or row >= len(self._index):
            if y == 0 and not self.line_count:
                return Line().own("  no output", self._palette.dim).strip(width, base)
            return Strip.blank(width, base)
        if row not in self._painted:
            self._fetch(row)
        line = self._painted.get(row)
        if line is None:
            return Strip.blank(width, base)
        if self._left:
            return line.strip(line.columns, base).crop(self._left, None).adjust_cell_length(width, base)
        return line.strip(width, base)

    def _fetch(self, row: int) -> None:
        """Make the lines around a row: one read for the whole window."""
        if self._index is None:
            return
        look = self._palette
        first = max(0, min(row, self.scroll_offset.y))
        if row - first > 256:
            first = row
        for number, (data, span) in enumerate(self._index.window(first, max(1, self.size.height))):
            gutter = GUTTER.get(span.stream, "?") if span.exact else "~"
            line = Line().own(gutter, look.faint).gap(1)
            self._painted[first + number] = line.put(safe(data, MAX_COLUMNS), look.text)
