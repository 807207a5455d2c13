"""A scenario without an attempt: whether it is still to come, was left out, or was never reached, and why.

Only what the run itself says is told. Every pane of such a scenario says it in the same words.
"""

from __future__ import annotations

from tracekit.model.status import Status
from tracekit.ui.board import Board
from tracekit.ui.ports import ViewFace
from tracekit.ui.safe import Line
from tracekit.ui.theme import Palette

CANCELLED = "cancelled"
FINISHED = "finished"
RUN_IT = "r runs it"


def unrun_lines(board: Board, row: int, look: Palette) -> list[Line]:
    """What is so, why, and what a person can do."""
    what, why, action = why_unrun(board, row)
    lines = [Line(2).gap(2).own(what, look.strong)]
    if why:
        lines.append(Line(2).gap(2).own("because ", look.dim).name(why, look.text))
    if action:
        lines.append(Line(2).gap(2).own(action, look.dim))
    return lines


def why_unrun(board: Board, row: int) -> tuple[str, str, str]:
    """What is so, the reason that the run gives for it, and the next action; any of the last two may be empty."""
    view = _speaks(board, row)
    if view is None:
        return "not run yet", "", RUN_IT
    with view.lock:
        run, lost = view.state.run, board.status[row] == Status.LOST or view.link == "lost"
        scenario = board.ids[row]
        left_out = scenario in run.not_run or run.not_run_count > len(run.not_run)
        ended, reason, why = run.ended, run.reason, run.why_of(scenario) if left_out else ""
    if run.mode == "discover":
        return "not run yet", "", RUN_IT
    if view.cut:
        return "not reached at this moment", "", ""
    if lost:
        return "whether it ran is not known: its box is lost", "", RUN_IT
    if view.live and not ended:
        return "not reached yet: the run goes on", "", ""
    if not ended:
        return "not reached: the recording ends before it", "", RUN_IT
    if reason == FINISHED:
        what = "left out of this run" if left_out else "not run: its runner ended without it"
        return what, why, RUN_IT
    what = "not reached: the run was cancelled before it" if reason == CANCELLED else _before(reason)
    return what, "" if why == reason else why, RUN_IT


def _before(reason: str) -> str:
    words = {
        "failed-to-start": "not run: nothing of its suite could start",
        "lease": "not reached: nobody came back to the run in time",
        "supervisor-died": "not reached: what ran its suite died before it",
        "agent-died": "not reached: the agent died before it",
        "rebooted": "not reached: its machine started anew before it",
    }
    return words.get(reason, "not reached: the run ended before it")


def _speaks(board: Board, row: int) -> ViewFace | None:
    """The run whose word the row has; where none has spoken, the newest."""
    views, owner = board.views, board.owner[row]
    return views[owner] if 0 <= owner < len(views) else board.newest
