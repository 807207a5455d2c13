"""What goes to the clipboard, and only when a key asks for it: a command, chosen lines, the evidence of a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracekit.model.runfacts import ELSEWHERE
from tracekit.model.words import count
from tracekit.ui.board import Board
from tracekit.ui.panes.evidence import evidence
from tracekit.ui.ports import Ports
from tracekit.ui.widgets.selecting import Selecting

if TYPE_CHECKING:
    from tracekit.ui.app import ConsoleApp
    from tracekit.ui.widgets.detail import Detail


class Copying:
    """The console screen's side that copies."""

    owner: ConsoleApp
    ports: Ports
    board: Board
    detail: Detail

    if TYPE_CHECKING:

        def say(self, text: str, *, warn: bool = False) -> None: ...
        def to_detail(self) -> None: ...

    def action_select(self) -> None:
        """Choose lines from here on, or let them go."""
        if not isinstance(self.owner.focused, Selecting):
            self.to_detail()
        pane = self.owner.focused
        if not isinstance(pane, Selecting) or not pane.row_count:
            self.say("there are no lines to choose here")
        elif pane.selecting:
            pane.end_selection()
        else:
            pane.begin_selection()
            self.say("movement chooses lines · y copies them · esc lets go")

    def action_copy(self) -> None:
        """Copy the chosen lines; else the exact command."""
        pane = self.owner.focused
        if isinstance(pane, Selecting) and pane.selecting:
            text = pane.selected_text()
            pane.end_selection()
            self._copy(text, count(len(text.splitlines()), "line"))
            return
        command = self.detail.command()
        if not command:
            newest = self.board.newest
            elsewhere = newest is not None and newest.imported
            self.say(ELSEWHERE if elsewhere else "there is no command for this row")
            return
        self._copy(command, command)

    def action_copy_evidence(self) -> None:
        """Copy what supports the failure, as Markdown, for an issue or a colleague."""
        shown = self.detail.attempt
        if self.detail.row < 0 or shown is None:
            self.say("there is no attempt on this row to copy the evidence of")
            return
        view, attempt = shown
        facts = self.board.facts[self.detail.row]
        with view.lock:
            text = evidence(view, facts, attempt, self.detail.command())
        text = self.ports.mask(text)
        self._copy(text, f"the evidence, {count(len(text.splitlines()), 'line')} of Markdown")

    def _copy(self, text: str, what: str) -> None:
        clipboard = self.ports.clipboard
        problem = clipboard.copy(text)
        if problem is not None:
            self.say(f"{problem.what}: {problem.action}", warn=True)
        else:
            self.say(f"copied{clipboard.how}: {what}")
