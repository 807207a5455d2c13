"""Panes of prepared lines, wrapped to the width, scrolled by rows. Small texts only; output has a pane of its own.

Lines that stand for something a person can choose (a step, a run, another case) take the cursor in turn; between them
the text scrolls as any other.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from tracekit.ui.safe import NOTHING, Line, wrap
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.selecting import Selecting

MAX_LINES = 20_000


class LinesPane(Selecting, can_focus=True, inherit_bindings=False):
    """Shows prepared lines; keeps its place when the same text is shown again, a little longer."""

    DEFAULT_CSS = (
        "LinesPane { overflow-y: auto; overflow-x: hidden; scrollbar-size-vertical: 1; padding: 0; }"
    )
    ALLOW_SELECT = False

    class Chosen(Message):
        """A line that stands for something was chosen."""

        def __init__(self, pick: object) -> None:
            super().__init__()
            self.pick = pick

    def __init__(
        self, *, id: str | None = None, classes: str | None = None, palette: Palette | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._palette = palette
        self._lines: Sequence[Line] = ()
        self._wrapped: list[Line] = []
        self._picks: list[int] = []  # rows that can be chosen
        self._at = -1  # the row that the cursor stands on
        self._width = 0
        self._room = Size(0, 0)
        self._key: object = None

    def show(self, lines: Sequence[Line], key: object = None) -> None:
        """Replace the text; another `key` begins at the top."""
        self._lines = lines
        if key != self._key:
            self._key, self._at, self.began = key, -1, None
            self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self._lay_out()
        self.refresh()

    def on_resize(self) -> None:
        """Wrap anew where there is other room."""
        if self._room != self.size:
            self._lay_out()

    def _lay_out(self) -> None:
        before = self.picked
        self._room = self.size
        # Whether a bar will stand beside the text follows from the text alone: asking whether one stands there now
        # would wrap the same text in two ways.
        self._width = max(1, self.size.width)
        self._wrapped = wrap(self._lines, self._width, MAX_LINES)
        if len(self._wrapped) > self.size.height:
            self._width = max(1, self.size.width - self.styles.scrollbar_size_vertical)
            self._wrapped = wrap(self._lines, self._width, MAX_LINES)
        self._picks = [row for row, line in enumerate(self._wrapped) if line.pick is not None]
        if self._at >= 0:
            # The same thing may stand on another row by now.
            same = (row for row in self._picks if self._wrapped[row].pick == before)
            self._at = next(same, self._picks[0] if self._picks else -1)
        self.virtual_size = Size(self._width, len(self._wrapped))

    @property
    def picked(self) -> object:
        """What the cursor's line stands for; None where it stands on none."""
        return self._wrapped[self._at].pick if 0 <= self._at < len(self._wrapped) else None

    @property
    def text(self) -> str:
        """All of it, for tests and the inspector."""
        return "\n".join(line.text for line in self._lines)

    def begin_selection(self) -> None:
        """From the cursor's line, or the first in sight: these are read from their beginning."""
        if self._wrapped:
            self.began = self.end = self._at if self._at >= 0 else self.scroll_offset.y
            self.refresh()

    @property
    def row_count(self) -> int:
        """Rows as they are wrapped."""
        return len(self._wrapped)

    def copied_rows(self, first: int, last: int) -> list[str]:
        """The whole lines that these rows are pieces of: a wrapped command must not be broken by a copy."""
        texts, row = [], 0
        for line in self._lines:
            rows = len(wrap([line], self._width, MAX_LINES))
            if row <= last and row + rows > first:
                texts.append(line.text.rstrip())
            row += rows
            if row > last:
                break
        return texts

    def render_line(self, y: int) -> Strip:
        """Paint one line of the window."""
        row, width, base = self.scroll_offset.y + y, self.size.width, self.rich_style
        if row >= len(self._wrapped):
            return Strip.blank(width, base)
        look = self._palette
        over = NOTHING
        if look is not None and row == self._at:
            over = look.cursor if self.has_focus else look.cursor_off
        if look is not None and self.chosen(row):
            over = look.cursor
        return self._wrapped[row].strip(width, base + over)

    def on_focus(self) -> None:
        """The first thing that can be chosen, where nothing was."""
        if self._at < 0 and self._picks:
            top = self.scroll_offset.y
            sight = (row for row in self._picks if top <= row < top + max(1, self.size.height))
            self._at = next(sight, -1)

    def on_click(self, event: events.Click) -> None:
        """Choose with the mouse: the first click takes the cursor there."""
        row = self.scroll_offset.y + event.y
        if row not in self._picks:
            return
        if row == self._at:
            self.choose()
        self._at = row
        self.refresh()

    def choose(self) -> bool:
        """Choose the cursor's line; says whether it stands for anything."""
        if self.picked is None:
            return False
        self.post_message(self.Chosen(self.picked))
        return True

    def move(self, where: str) -> None:
        """Scroll by name, or go to the next line that can be chosen; the screen's movement keys come here."""
        if self.selecting:
            self.carry(where)
            return
        page = max(1, self.size.height // 2)
        step = {"down": 1, "up": -1, "page_down": page, "page_up": -page}
        if where == "top":
            self._to(self._picks[0] if self._picks else -1)
            self.scroll_to(y=0, animate=False)
        elif where == "bottom":
            self._to(self._picks[-1] if self._picks else -1)
            self.scroll_to(y=self.max_scroll_y, animate=False)
        elif not (where in {"down", "up"} and self._next_pick(step[where])):
            self.scroll_to(y=self.scroll_offset.y + step.get(where, 0), animate=False)

    def _next_pick(self, direction: int) -> bool:
        """Go to the next line that can be chosen, where it is in sight or the very next one below."""
        beyond = [row for row in self._picks if (row - self._at) * direction > 0]
        if not beyond:
            return False
        row = beyond[0] if direction > 0 else beyond[-1]
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if not top - 1 <= row <= top + height:
            return False
        self._to(row)
        return True

    def _to(self, row: int) -> None:
        self._at = row
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if 0 <= row < top:
            # What stands above the first of them is its heading.
            self.scroll_to(y=0 if row == self._picks[0] and row < height else row, animate=False)
        elif row >= top + height:
            self.scroll_to(y=row - height + 1, animate=False)
        self.refresh()
