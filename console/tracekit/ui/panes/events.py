"""What the events pane says: which rows an attempt has, one row as a line, the head, and why there is nothing.

Rows come as safe text from the native view; nothing is decoded here, and nothing is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tracekit.model.facts import Attempt
from tracekit.model.meaning import perhaps_meant
from tracekit.store.tracewindow import About
from tracekit.ui.board import Board
from tracekit.ui.panes.picks import Stretch
from tracekit.ui.ports import ViewFace
from tracekit.ui.safe import Line, clean, shorten
from tracekit.ui.theme import Palette
from tracekit.wire.names import RED
from tracekit.wire.problems import Problem

if TYPE_CHECKING:
    from rich.style import Style

    from tracekit.store.tracewindow import Row, Window

#: Kinds of a trace as a narrow column says them.
WORDS = {
    "enter": "call",
    "exit": "return",
    "unwind": "raised",
    "event": "event",
    "point": "point",
    "scenario.start": "begin",
    "scenario.end": "end",
    "step.start": "step",
    "step.end": "done",
    "log": "log",
    "exception": "raise",
    "process": "process",
    "output": "output",
    "audit": "audit",
    "task": "task",
    "attribute": "with",
    "gap": "LOST",
    "lane.end": "closed",
}
LEVELS = {
    "trace": "trace",
    "debug": "debug",
    "info": "info",
    "warning": "WARN",
    "error": "ERROR",
    "critical": "FATAL",
}
CALLS = frozenset({"enter", "exit", "unwind"})
MARKS = frozenset({"scenario.start", "scenario.end"})
NUMBER_FIRST = MARKS | {"gap"}
QUIETER = CALLS | MARKS
TIME, WORD = 12, 8
DEEPEST = 12  # columns of indent


def about(
    board: Board, row: int, shown: tuple[ViewFace, Attempt] | None, stretch: Stretch | None = None
) -> About:
    """The rows of an attempt, or of a stretch of it; without a row, those of the whole run. A run that is shown at a
    moment has none behind that.
    """
    if row < 0 or shown is None:
        return About(until=board.newest.cut if board.newest is not None else 0)
    view, attempt = shown
    scenarios = [board.ids[row]]
    above = board.parent[row]
    began = max(0, attempt.started_m)
    over = began + max(0, attempt.duration_ns)
    since = until = 0
    if above >= 0:
        # A sub-test runs inside its test: what the process recorded meanwhile belongs to both.
        scenarios.append(board.ids[above])
        since, until = began, 0 if attempt.verdict is None else over
    else:
        others = sorted(one.started_m for other, one in board.attempts(row) if other is view)
        later = [start for start in others if start > began]
        since = began if others and others[0] < began else 0
        until = later[0] - 1 if later else 0
    failures = (over,) if attempt.verdict in RED else ()
    if stretch is not None:
        since, until = max(since, stretch.since), min(until or stretch.until, stretch.until or until)
    if view.cut:
        until = min(until or view.cut, view.cut)
    return About(tuple(scenarios), since, until, began, failures)


def row_line(
    row: Row,
    begin: int,
    threads: Mapping[int, tuple[int, int, str]],
    look: Palette,
    *,
    alone: bool,
    earlier: int = 0,
) -> Line:
    """One row: when, what, which thread, name, message, how long, where.

    `alone`: of a scenario, which is not named again; `earlier` attempts of it in other runs are counted before these.
    """
    time, duration, kind, level, depth, lane, name, text, place = row
    line = Line().own(f"{(time - begin) / 1e9:+{TIME - 1}.6f} ", look.faint)
    style = _style(kind, level, text.text, look)
    word = LEVELS.get(level, "log") if kind == "log" else WORDS.get(kind)
    if word is None:
        line.name(kind, look.dim).gap(1)
    else:
        line.own(f"{word:<{WORD}}", style if level != "none" or kind == "gap" else look.dim)
    pid, tid, thread = threads.get(lane, (0, 0, ""))
    if tid != pid:
        line.put(shorten(clean(thread or str(tid)), 16, look.glyphs.dots), look.accent).gap(1)
    if kind in CALLS:
        line.gap(min(depth, DEEPEST))
    if kind in NUMBER_FIRST:
        # What it came to stands before what is long.
        name, text = text, name
        if kind == "scenario.start":
            line.own("attempt ", style)
            if earlier and name.text.isdecimal():
                name = clean(str(int(name.text) + earlier))
    line.put(name, style)
    if text.columns and text.text != name.text and not (alone and kind in MARKS):
        line.gap(1 if name.columns else 0).put(text, look.dim if kind in QUIETER else look.text)
    if duration is not None:
        line.gap(2).own(took(duration), look.dim)
    if place.columns:
        line.gap(2).put(place, look.faint)
    return line


def _style(kind: str, level: str, text: str, look: Palette) -> Style:
    if level in {"error", "critical"} or kind == "unwind":
        return look.failed
    if kind == "exception":
        return look.dim  # raised, and perhaps handled; what ended a test is told as an error
    if level == "warning" or kind == "gap":
        return look.warn
    if kind in {"scenario.end", "step.end"} and text in RED:
        return look.failed
    return look.dim if kind in {"lane.end", "attribute"} or level in {"trace", "debug"} else look.text


def took(nanoseconds: int) -> str:
    """A duration as calls have them: `312ns`, `41.0us`, `12.3ms`, `2.10s`."""
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)):
        if nanoseconds >= size:
            value = nanoseconds / size
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}{unit}"
    return f"{nanoseconds}ns"


def asked_line(text: str, room: int, look: Palette, *, calls: bool) -> Line:
    """The filter; without one, what the keys could do here."""
    if text:
        return Line().own("/", look.accent).put(shorten(clean(text), room, look.glyphs.dots), look.accent)
    return Line().own("/ filter" if calls else "/ filter   t run it with its calls", look.faint)


def head_line(
    window: Window | None, text: str, follow: Line, width: int, look: Palette, *, calls: bool
) -> Line:
    """The filter on the left; how many rows there are, and whether they are followed, on the right."""
    right = Line()
    if window is not None:
        of = f" of {window.total:,}" if len(window) != window.total else ""
        right.own(look.glyphs.dots if window.behind else "", look.accent).own(
            f"{len(window):,}{of}", look.dim
        )
    if follow.columns:
        right.gap(2).join(follow)
    line = Line().gap(1).join(asked_line(text, width - right.columns - 5, look, calls=calls))
    return line.gap(max(1, width - 1 - line.columns - right.columns)).join(right)


def note_line(window: Window, look: Palette, *, live: bool) -> Line | None:
    """What has to be known of the rows: some cannot be read; without a trace they are the journal's lines."""
    line = Line().gap(1)
    if window.unread and not live and not window.behind:
        line.own("damaged: ", look.failed)
        line.own(f"{window.unread:,} bytes of the trace cannot be read · tracekit verify", look.text)
    elif not window.traced:
        line.own("not traced: ", look.warn).name(window.why_untraced, look.text)
    if not window.traced:
        line.own(" · the journal's lines:", look.dim)
    return line if line.columns > 1 else None


def empty_lines(window: Window, text: str, about: About, *, live: bool, look: Palette) -> list[Line]:
    """Why there are no rows, and what to do."""
    if window.behind:
        return [Line().gap(2).own("looking", look.dim).own(look.glyphs.dots, look.accent)]
    if text:
        passing = Line().gap(2).own("no row passes ", look.text).name(text, look.accent)
        meant = [Line().gap(2).name(near, look.warn)] if (near := perhaps_meant(text)) else []
        return [passing, *meant, Line().gap(2).own("/ changes the filter; esc there takes it away", look.dim)]
    if live:
        return [Line().gap(2).own("nothing yet: rows come as they are recorded", look.dim)]
    if about.scenarios and window.total:
        rest = f"the run itself has {window.total:,} rows: 4 on a file, or on the run"
        return [
            Line().gap(2).own("nothing was recorded in this scenario", look.text),
            Line().gap(2).own(rest, look.dim),
        ]
    return [Line().gap(2).own("nothing was recorded", look.text)]


def problem_lines(problem: Problem, look: Palette) -> list[Line]:
    """What is wrong, where, and what to do; of a filter, the place is under it."""
    lines = [Line().gap(1).name(problem.what, look.warn)]
    lines += [Line().gap(1).name(part, look.text) for part in problem.where.split("\n") if part.strip()]
    if not problem.action or problem.code == "select.filter":
        return lines
    return [*lines, Line().gap(1).name(problem.action, look.dim)]
