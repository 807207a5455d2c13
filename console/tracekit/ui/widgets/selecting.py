"""Whole lines of a pane, chosen by keys or with the mouse, for a copy that a person asks for; nothing is copied here.

`v` begins where the pane is looked at, movement carries the end along, and what is chosen stays while lines come.
"""

from __future__ import annotations

from textual import events

from tracekit.ui.widgets.rolling import Rolling

MOST_LINES = 20_000


class Selecting(Rolling):
    """A pane of rows that can be chosen; its maker says how many there are and what each says."""

    began: int | None = None
    end = 0
    _drag: int | None = None

    @property
    def row_count(self) -> int:
        """Rows there are."""
        raise NotImplementedError

    def copied_rows(self, first: int, last: int) -> list[str]:
        """What these rows say, without what only the screen adds."""
        raise NotImplementedError

    @property
    def selecting(self) -> bool:
        """Whether lines are being chosen."""
        return self.began is not None

    def chosen(self, row: int) -> bool:
        """Whether a row is one of them."""
        return self.began is not None and min(self.began, self.end) <= row <= max(self.began, self.end)

    def begin_selection(self) -> None:
        """From the last row in sight that there is: what came last is what is looked at."""
        if self.row_count:
            self.began = self.end = min(self.row_count, self.scroll_offset.y + max(1, self.size.height)) - 1
            self.refresh()

    def end_selection(self) -> None:
        """Choose nothing any more."""
        self.began = self._drag = None
        self.refresh()

    def carry(self, where: str) -> None:
        """Take the end of what is chosen along."""
        page = max(1, self.size.height // 2)
        ends = {"top": -self.row_count, "bottom": self.row_count}
        self._carry_to(
            self.end + {"down": 1, "up": -1, "page_down": page, "page_up": -page, **ends}.get(where, 0)
        )

    def _carry_to(self, row: int) -> None:
        if self.began is None:
            return
        row = max(0, min(row, self.row_count - 1))
        self.end = max(self.began - MOST_LINES + 1, min(row, self.began + MOST_LINES - 1))
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if self.end < top:
            self.scroll_to(y=self.end, animate=False)
        elif self.end >= top + height:
            self.scroll_to(y=self.end - height + 1, animate=False)
        self.refresh()

    def selected_text(self) -> str:
        """What was chosen, line by line."""
        if self.began is None:
            return ""
        first, last = sorted((self.began, min(self.end, self.row_count - 1)))
        return "\n".join(self.copied_rows(first, last))

    # -- the mouse, where it is on -----------------------------------------------------------------------------------

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A row to begin with, if it is dragged."""
        row = self.scroll_offset.y + event.y
        if event.button == 1 and event.x < self.scrollable_content_region.width and row < self.row_count:
            self._drag = row
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag the end along."""
        if self._drag is None:
            return
        row = self.scroll_offset.y + event.y
        if self.began is None and row == self._drag:
            return
        if self.began is None:
            self.began = self.end = self._drag
        self._carry_to(row)

    def on_mouse_up(self) -> None:
        """What was dragged over stays chosen; a click alone lets it go."""
        if self._drag is not None:
            self.release_mouse()
            if self.began is not None and self.end == self.began == self._drag:
                self.end_selection()
        self._drag = None
