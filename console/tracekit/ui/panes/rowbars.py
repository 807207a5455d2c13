"""The tree's column of time: where in its run a row ran, and for how long. A wide screen has the room for it.

While a run goes on its scale grows in steps, so that nothing moves with every frame.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracekit.model.status import RED_STATUSES, Status
from tracekit.model.words import seconds
from tracekit.ui.board import Board
from tracekit.ui.panes.reported import by_report
from tracekit.ui.safe import Line
from tracekit.ui.theme import Palette

#: From this width of the terminal on.
_WIDE = 160
#: How many cells the column has, and how many are kept behind it for flags, durations and the bar that scrolls.
CELLS, _BEHIND = 12, 10
_SECOND = 1_000_000_000
_STEPS = tuple(
    _SECOND * each
    for each in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18_000, 36_000, 86_400)
)


@dataclass(frozen=True)
class Scale:
    """The time of one run, by its box's wall clock in nanoseconds."""

    begin: int
    length: int

    def cells(self, at: int, took: int) -> tuple[int, int]:
        """The first cell of a stretch, and the one behind its last; it has one at least."""
        first = min(max(0, at - self.begin) * CELLS // self.length, CELLS - 1)
        last = -(-max(0, at + took - self.begin) * CELLS // self.length)
        return first, max(first + 1, min(last, CELLS))


def scale(board: Board, place: int, now: int) -> Scale | None:
    """How long one of the board's runs is, as far as it goes on until `now`; None where nobody told."""
    view = board.sources[place].view
    run = view.state.run
    if run.mode == "discover" or not run.started_t:
        return None
    if run.ended_t:
        length = run.ended_t - run.started_t
        return Scale(run.started_t, max(1, length)) if length >= 0 else None
    if not view.live and view.link != "lost":
        return None
    elapsed = now - run.started_t
    if elapsed < 0:
        return None  # that clock and ours do not agree: nothing is known of how long it is
    step = next((step for step in _STEPS if step >= elapsed), -(-elapsed // _STEPS[-1]) * _STEPS[-1])
    return Scale(run.started_t, step)


def newest(board: Board) -> int:
    """The place of the run whose scale stands over the column; -1 without one."""
    for place in range(len(board.sources) - 1, -1, -1):
        if board.sources[place].view.state.run.mode != "discover":
            return place
    return -1


def start(terminal: int, tree: int) -> int:
    """The column's first cell in a tree of that width; 0 where the terminal has no room for it."""
    return max(0, tree - _BEHIND - CELLS) if terminal >= _WIDE else 0


def title(board: Board, now: int, look: Palette) -> Line | None:
    """What stands over the column: its two ends."""
    place = newest(board)
    found = scale(board, place, now) if place >= 0 else None
    if found is None:
        return None
    end = seconds(found.length)
    line = Line().own("0", look.faint).gap(1)
    line.own(look.glyphs.bar * (CELLS - len(end) - 3), look.rule)
    return line.gap(1).own(end, look.faint)


def bar(board: Board, row: int, now: int, look: Palette) -> Line | None:
    """A row's stretch of its run's time, faint where that is not the newest run."""
    place, ran = board.owner[row], board.ran(row)
    found = scale(board, place, now) if ran is not None else None
    # What a command's report tells of was heard of when that was read.
    if ran is None or found is None or (board.parent[row] >= 0 and by_report(board.ids[row])):
        return None
    at, took = ran
    status = board.status[row]
    if took is None:
        took = max(0, now - at) if status == Status.RUNNING else 0
    first, end = found.cells(at, took)
    # One that is much shorter than a cell is drawn so, in one: a block tells of real length.
    short = status != Status.RUNNING and took * CELLS * 2 < found.length
    style = look.accent if status == Status.RUNNING else look.failed if status in RED_STATUSES else look.dim
    if place != newest(board):
        style = look.faint
    glyphs = look.glyphs.sliver if short else look.glyphs.block * (end - first)
    return Line().gap(first).own(glyphs, style)
