"""The output pane: a window over recorded output that follows what comes, until a person scrolls up.

It fetches the lines in sight and keeps a few painted ones; a million lines cost an index of their beginnings.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.cache import LRUCache

from tracekit.model.facts import OutputSpan
from tracekit.ui.panes.output import OutputIndex
from tracekit.ui.ports import ViewFace
from tracekit.ui.safe import Line, safe
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.following import MAX_COLUMNS, FollowingPane

GUTTER = {"stdout": " ", "stderr": "e", "log": "l"}


class OutputPane(FollowingPane, can_focus=True, inherit_bindings=False):
    """Output of one attempt, or of the runner itself."""

    def __init__(self, palette: Palette, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(palette, id=id, classes=classes)
        self._index: OutputIndex | None = None
        self._key: object = None
        self._painted: LRUCache[int, Line] = LRUCache(1024)
        self._missing: list[Line] = []

    def show(
        self, view: ViewFace, spans: list[OutputSpan], key: object, missing: Sequence[Line] = ()
    ) -> None:
        """Show these spans, or why there are none; the same key goes on where it was."""
        if missing or self._missing:
            # Why there was nothing was so before; what is shown now may have no output either.
            self._missing = list(missing)
            self.refresh()
        if key != self._key or self._index is None or not self._index.extend(spans):
            self._key, self._index, self._left = key, OutputIndex(view), 0
            self._index.extend(spans)
            self._painted.clear()
            self.began, self.follow = None, True
            self.lay_out()
            self.refresh()
        self.pump()

    def clear(self, missing: Sequence[Line] = ()) -> None:
        """Show nothing but why."""
        self._missing = list(missing)
        self.refresh()
        if self._index is not None:
            self._index, self._key = None, None
            self.lay_out()
            self.refresh()

    def pump(self) -> bool:
        """Read on where output is waiting; the frame pump calls this. Says whether there is more."""
        index = self._index
        if index is None or not index.behind:
            return False
        before = len(index)
        if index.read():
            self._painted.discard(before - 1)
            self.lay_out()
            if self.follow or before <= self.scroll_offset.y + self.size.height:
                self.refresh()
        return index.behind

    def paint_anew(self) -> None:
        """Forget the lines that were painted."""
        self._painted.clear()
        self.refresh()

    @property
    def line_count(self) -> int:
        """Lines known so far."""
        return len(self._index) if self._index is not None else 0

    @property
    def byte_count(self) -> int:
        """Bytes recorded so far."""
        return self._index.total if self._index is not None else 0

    def stand_in(self, y: int) -> Line | None:
        """Say that there is nothing, and why where that is known."""
        if self._missing:
            return self._missing[y] if y < len(self._missing) else None
        return Line().own("  no output", self._palette.dim) if y == 0 else None

    def line_at(self, row: int) -> Line | None:
        """A painted line."""
        if row not in self._painted:
            self._fetch(row)
        return self._painted.get(row)

    def copied_rows(self, first: int, last: int) -> list[str]:
        """What was printed, without the column that names the stream; read at once and never kept."""
        if self._index is None:
            return []
        shown = self._index.window(first, last - first + 1)
        return [safe(data, MAX_COLUMNS).text.rstrip() for data, _ in shown]

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
