"""The end of a long run that a person watched begin: told once, by the way that they have chosen, if any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracekit.model.status import RED_STATUSES, Status
from tracekit.ui.board import Board
from tracekit.ui.ports import Ports
from tracekit.ui.widgets.header import Footer

if TYPE_CHECKING:
    from textual.screen import Screen

    from tracekit.ui.app import ConsoleApp

    _Base = Screen[None]
else:
    _Base = object


class Noticing(_Base):
    """The console screen's side that tells."""

    owner: ConsoleApp
    ports: Ports
    board: Board
    _went_on = ""  # the run that was seen to go on

    def notice_end(self) -> None:
        """Look whether the newest run has just come to its end."""
        view = self.board.newest
        if view is None or view.state.run.mode == "discover":
            return
        if view.live:
            self._went_on = view.run_id
            return
        if self._went_on != view.run_id:
            return
        self._went_on = ""
        self.query_one("#footer", Footer).over("run")
        run = view.state.run
        if not run.ended_t or (run.ended_t - run.started_t) / 1e9 < self.ports.notice.after:
            return
        tally = self.board.progress()
        red = sum(tally[status] for status in RED_STATUSES) - self.board.apart.excused
        passed = tally[Status.PASSED] + tally[Status.XPASSED]
        name = view.root.rstrip("/").rpartition("/")[2]
        self.ports.notice.tell(f"tracekit {name}", f"{red} red, {passed} passed", self.owner.to_terminal)
