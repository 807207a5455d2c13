"""A window over lines that may still come: it follows the end, until a person scrolls up.

It knows how many lines there are and asks for those in sight; what they are is the matter of whoever is made of it.
"""

from __future__ import annotations

from textual.geometry import Size
from textual.reactive import var
from textual.strip import Strip

from tracekit.ui.safe import Line
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.selecting import Selecting

MAX_COLUMNS = 4096


class FollowingPane(Selecting, can_focus=True, inherit_bindings=False):
    """Lines by number; the newest is the last."""

    DEFAULT_CSS = "FollowingPane { overflow-y: auto; overflow-x: hidden; scrollbar-size-vertical: 1; }"
    ALLOW_SELECT = False
    follow = var(True)

    def __init__(self, palette: Palette, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._palette = palette
        self._seen = 0  # lines there when following stopped
        self._left = 0  # columns scrolled to the right
        self._setting = False

    @property
    def line_count(self) -> int:
        """Lines known so far."""
        raise NotImplementedError

    def line_at(self, row: int) -> Line | None:
        """One of them; None for one that cannot be had."""
        raise NotImplementedError

    def stand_in(self, y: int) -> Line | None:
        """What stands where there are no lines."""
        raise NotImplementedError

    @property
    def row_count(self) -> int:
        """Every line can be chosen."""
        return self.line_count

    def copied_rows(self, first: int, last: int) -> list[str]:
        """Their text, as it is shown."""
        return [
            line.text.rstrip() for row in range(first, last + 1) if (line := self.line_at(row)) is not None
        ]

    def begin_selection(self) -> None:
        """What is chosen from must not run away."""
        self.release()
        super().begin_selection()

    def paint_anew(self) -> None:
        """Forget the lines that were painted."""
        self.refresh()

    def lay_out(self) -> None:
        """There are more lines, or others."""
        lines = self.line_count
        self._setting = True
        try:
            self.hold(Size(max(1, self.size.width), lines))
            if self.follow:
                self._seen = lines
                # At once: what waits for the next message is painted twice, here and there.
                self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)
        finally:
            self._setting = False

    def begin_again(self, *, follow: bool = True) -> None:
        """Other lines altogether: from their end, or from their beginning."""
        self._left = 0
        self.began = None
        self.follow = follow
        self._seen = self.line_count
        self._setting = True
        try:
            self.scroll_to(y=0, animate=False, force=True, immediate=True)
        finally:
            self._setting = False
        self.lay_out()
        self.refresh()

    def on_resize(self) -> None:
        """Stay at the end while following."""
        self.lay_out()

    @property
    def new_lines(self) -> int:
        """Lines that came since a person scrolled up."""
        return 0 if self.follow else max(0, self.line_count - self._seen)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Any scroll upwards lets go; reaching the end again does not follow by itself, `G` does.

        Where the end itself has moved up, because there is more room, nobody has scrolled.
        """
        super().watch_scroll_y(old_value, new_value)
        if self.max_scroll_y > new_value < old_value and not self._setting and self.follow:
            self.release()

    def release(self) -> None:
        """Stop following."""
        if self.follow:
            self._seen = self.line_count
            self.follow = False

    def resume(self) -> None:
        """Follow again, at the end."""
        self.follow = True
        self.lay_out()
        self.refresh()

    def move(self, where: str) -> None:
        """Scroll by name."""
        if self.selecting:
            self.carry(where)
            return
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
        if row < self.line_count:
            line = self.line_at(row)
        else:
            line = None if self.line_count else self.stand_in(y)
        if line is None:
            return Strip.blank(width, base)
        if self.chosen(row):
            base += self._palette.cursor
        if self._left:
            return line.strip(line.columns, base).crop(self._left, None).adjust_cell_length(width, base)
        return line.strip(width, base)
