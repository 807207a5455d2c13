"""Why it is red: what went wrong, what else did by the same cause, what is different since it was green.

Only what was recorded is said; where evidence is missing, the pane says which, and the key that brings it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracekit.model.facts import Attempt, Handled
from tracekit.model.status import RED_STATUSES, Status
from tracekit.model.words import ago, count
from tracekit.ui.board import Board
from tracekit.ui.panes.failure import failure_lines, type_of
from tracekit.ui.panes.past import commit
from tracekit.ui.panes.picks import GoTo, Place
from tracekit.ui.panes.story import stall_lines, title
from tracekit.ui.ports import ViewFace
from tracekit.ui.safe import Line, clean, shorten
from tracekit.ui.theme import Palette
from tracekit.wire.ids import in_python
from tracekit.wire.names import CUT_SHORT, RED

if TYPE_CHECKING:
    from tracekit.engine.past import Before, Difference
    from tracekit.store.sources import Changed

# A seed is another one each time, unless somebody asks for one.
UNTOLD = frozenset({"seed"})
MOST_SHARED = 12
MOST_APART = 12
MOST_FILES = 12


def why_lines(
    board: Board,
    row: int,
    shown: tuple[ViewFace, Attempt],
    before: Before | None,
    look: Palette,
    *,
    now: int,
    raised: Sequence[Handled] = (),
) -> list[Line]:
    """All of it, the most telling first; `raised` is what its trace knows of exceptions."""
    view, attempt = shown
    root = view.state.run.root or view.root
    if attempt.verdict is None and board.status[row] == Status.LOST and not attempt.failures:
        lines = [Line(2).gap(2).own(_lost(view), look.warn), Line()]
    else:
        lines = failure_lines(attempt, look, root, raised)
    lines += _parts(board, row, look)
    lines += stall_lines(view.state.notices, board.facts[row], attempt, look, root)
    if attempt.verdict is None or board.status[row] not in RED_STATUSES:
        return lines
    lines += _shared(board, row, look)
    lines += since_lines(before, look, now)
    return lines + _more(view, board.ids[row], before, look)


def _lost(view: ViewFace) -> str:
    """Why nobody knows how it ended."""
    if view.state.run.reason == CUT_SHORT:
        return "no end in the report: how it ended is not known"
    return "its end was not recorded: how it ended is not known"


def headline(attempt: Attempt) -> str:
    """What went wrong in one line: for panes that show something else meanwhile."""
    for failure in attempt.failures:
        for exception in failure.chain[:1]:
            said = (exception.message.strip().splitlines() or [""])[0]
            named = type_of(exception)
            return f"{named}: {said}" if said else named
        for text in failure.text.splitlines():
            if text.strip():
                return text.strip()
    return attempt.reason or ""


def _parts(board: Board, row: int, look: Palette) -> list[Line]:
    """The red rows right below it, with what went wrong in each: a test that only holds them says nothing itself."""
    below = board.files.get(board.file[row], ())
    reds = [one for one in below if board.parent[one] == row and board.status[one] in RED_STATUSES]
    lines = title(f"{count(len(reds), 'part')} of it red", look) if reds else []
    for one in reds[:MOST_SHARED]:
        status = board.status[one]
        line = Line(6).gap(4).own(look.glyphs.of(status), look.of(status)).gap(1)
        line.put(shorten(clean(board.facts[one].name), 60, look.glyphs.dots), look.text)
        line.pick = GoTo(board.ids[one])
        said = next((headline(attempt) for _, attempt in reversed(board.attempts(one))), "")
        lines += [line, Line(8).gap(6).name(said, look.failure)] if said else [line]
    if len(reds) > MOST_SHARED:
        lines.append(Line().gap(4).own(f"{len(reds) - MOST_SHARED:,} more", look.faint))
    return lines


def _shared(board: Board, row: int, look: Palette) -> list[Line]:
    """Which other rows are red by the same cause."""
    rows = next((rows for _, rows in board.causes() if row in rows), [])
    others = [other for other in rows if other != row]
    if not others:
        return []
    lines = title(f"{count(len(others), 'other test')} red by the same cause", look)
    for other in others[:MOST_SHARED]:
        status = board.status[other]
        line = Line(6).gap(4).own(look.glyphs.of(status), look.of(status)).gap(1)
        line.put(shorten(clean(board.facts[other].name), 60, look.glyphs.dots), look.text)
        line.pick = GoTo(board.ids[other])
        lines.append(line)
    if len(others) > MOST_SHARED:
        lines.append(Line().gap(4).own(f"{len(others) - MOST_SHARED:,} more", look.faint))
    return lines


def since_lines(before: Before | None, look: Palette, now: int) -> list[Line]:
    """When it was green last, and which facts of that run are others now."""
    if before is None or before.story is None:
        return []
    green = before.green
    lines = title("since it was green", look)
    if green is None:
        ran = count(before.story.tally.runs, "recorded run")
        return [*lines, Line(4).gap(4).own(f"never: not green in {ran}", look.text)]
    line = Line(4).gap(4).own(look.glyphs.passed, look.passed).gap(1)
    line.own(f"{ago(green.run.started_t, now)}", look.text)
    if at := commit(green.run.facts):
        line.own(" at ", look.dim).name(at, look.text)
    line.own(" in run ", look.dim).name(green.run.run_id[-8:], look.text)
    reds = sum(told.verdict in RED for told in before.story.verdicts if told.run.run_id > green.run.run_id)
    if reds > 1:
        line.own(f", red {reds:,} times since", look.dim)
    # The files say what their hash only hints at.
    hidden = UNTOLD | {"sources"} if before.files else UNTOLD
    return [*lines, line, *_files(before.files, look), *_apart(before.apart, hidden, look)]


def _apart(apart: Sequence[Difference], hidden: frozenset[str], look: Palette) -> list[Line]:
    told = [one for one in apart if one.name not in hidden]
    if not told:
        return [
            Line(4).gap(4).own("no recorded fact is different: same sources, place and options", look.dim)
        ]
    lines = []
    for one in told[:MOST_APART]:
        line = Line(18).gap(4).put(shorten(clean(one.name), 13, look.glyphs.dots), look.dim)
        line.gap(max(1, 18 - line.columns)).name(one.before or "none", look.text)
        lines.append(line.own(f" {look.glyphs.arrow} ", look.accent).name(one.after or "none", look.strong))
    return lines


def _files(files: Sequence[Changed] | None, look: Palette) -> list[Line]:
    """Which sources are different: where a person looks first."""
    lines = []
    for one in (files or ())[:MOST_FILES]:
        line = Line(18).gap(4).own(f"{one.how:<13}", look.warn).gap(1).name(one.name, look.strong)
        line.pick = Place(one.name, 1) if one.how != "gone" else None
        lines.append(line)
    if files is not None and len(files) > MOST_FILES:
        lines.append(Line().gap(4).own(f"{len(files) - MOST_FILES:,} more files", look.faint))
    return lines


def _more(view: ViewFace, scenario: str, before: Before | None, look: Palette) -> list[Line]:
    """What is not known, and what brings it."""
    missing: list[tuple[str, str, str]] = []
    trace = view.state.run.trace
    if trace != "calls" and in_python(scenario):
        missing.append(("t", "each call of its own functions, with times", "its calls were not recorded"))
    if before is not None and before.story is not None and before.green is None:
        missing.append(("", "what is different where it is green", "no green run of it is recorded"))
    if before is not None and before.story is not None and before.story.tally.runs < 3:
        missing.append(("u", "whether it is always red", f"it ran {count(before.story.tally.runs, 'time')}"))
    if not missing:
        return []
    lines = title("what would say more", look)
    for key, brings, why in missing:
        line = Line(8).gap(4).own(f"{key:<4}", look.accent).own(brings, look.text)
        lines.append(line.own(f"  {why}", look.faint))
    return lines
