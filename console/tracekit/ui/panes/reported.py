"""A test that is known from its command's report alone: what such a report cannot tell, and where to look instead.

Only what was recorded decides: a report that tells output or times needs no such words.
"""

from __future__ import annotations

from tracekit.model.facts import Attempt
from tracekit.ui.board import Board
from tracekit.ui.ports import ViewFace
from tracekit.ui.safe import Line
from tracekit.ui.theme import Palette
from tracekit.wire.ids import split_scenario_id


def by_report(scenario: str) -> bool:
    """Whether a command ran it, of which nothing is seen but its output and its report."""
    return split_scenario_id(scenario)[0] == "command"


def silent_lines(board: Board, row: int, shown: tuple[ViewFace, Attempt], look: Palette) -> list[Line]:
    """Why nothing was printed by one that has no output; nothing where "no output" is the whole truth."""
    view, attempt = shown
    if attempt.outputs or attempt.verdict is None or not by_report(board.ids[row]):
        return []
    lines = [Line().gap(2).own("no output of its own", look.dim)]
    above = board.parent[row]
    if above >= 0 and any(one.outputs for other, one in board.attempts(above) if other is view):
        said = "what its command printed belongs to all its tests: 3 of the row above shows it"
    elif view.state.runner_output:
        said = "its report tells none; what the runner printed is on 3 of the file's row"
    else:
        said = "its report tells none, and its command printed nothing else"
    return [*lines, Line(2).gap(2).own(said, look.dim)]


def untimed_lines(scenario: str, attempt: Attempt | None, look: Palette) -> list[Line]:
    """What the timeline of one lacks."""
    if attempt is None or attempt.verdict is None or not by_report(scenario):
        return []
    if attempt.duration_ns:
        said = "its report tells how long it took, and nothing of what happened inside"
    else:
        said = "its report tells how it ended, not how long it took: JUnit, CTRF and TAP's duration_ms do"
    return [Line(1).gap(1).own(said, look.dim)]
