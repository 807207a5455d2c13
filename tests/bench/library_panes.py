"""The screen library's own panes at the rates at which they give out: `library_panes RichLog 2000`.

Rows come thirty times a second, as many as are due; each key counts up in the first line.
"""

from __future__ import annotations

import sys
import time
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, RichLog, Static

HERTZ = 30
WORDS = ("+12.345678", "call", "29104", "shop.cart.price", "21ns")


class Panes(App[None]):
    """A line that answers to keys, over a pane that grows."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("j", "count", priority=True)]

    def __init__(self, kind: str, rate: int) -> None:
        super().__init__()
        self._kind, self._rate = kind, rate
        self._keys = self._fed = 0
        self._began = 0.0

    def compose(self) -> ComposeResult:
        yield Static("keys 0", id="keys")
        yield RichLog(id="pane") if self._kind == "RichLog" else DataTable(id="pane")

    def on_mount(self) -> None:
        if self._kind == "DataTable":
            self.query_one(DataTable).add_columns("when", "what", "thread", "name", "took")
        self._began = time.monotonic()
        self.set_interval(1 / HERTZ, self._feed)

    def _feed(self) -> None:
        due = int((time.monotonic() - self._began) * self._rate) - self._fed
        self._fed += due
        if self._kind == "RichLog":
            log = self.query_one(RichLog)
            for _ in range(due):
                log.write(" ".join(WORDS))
        else:
            table = self.query_one(DataTable)
            for _ in range(due):
                table.add_row(*WORDS)
            table.move_cursor(row=table.row_count - 1)

    def action_count(self) -> None:
        """A key was pressed."""
        self._keys += 1
        self.query_one("#keys", Static).update(f"keys {self._keys}")


if __name__ == "__main__":
    Panes(sys.argv[1], int(sys.argv[2])).run()
