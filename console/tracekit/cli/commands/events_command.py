"""`tracekit events`: what happened inside the processes of a run, row by row, through a filter."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from tracekit.cli import edge, project
from tracekit.cli.painting import Paint
from tracekit.store.runs import RunStore
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit._native import Event
    from tracekit.store.tracing import Trace

SCHEMA = "tracekit.event/1"
_WINDOW = 2048
_FOLLOW_EVERY = 0.1


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "run",
        nargs="?",
        default="last",
        metavar="RUN",
        help="a run id, a part of it, or `last`; several with commas: on one clock",
    )
    parser.add_argument(
        "filter",
        nargs="?",
        default="",
        metavar="FILTER",
        help="which rows, in the filter language; all of them otherwise",
    )
    parser.add_argument("--follow", action="store_true", help="go on until the run has ended")
    parser.add_argument(
        "--count",
        action="store_true",
        help="only how many rows there are, by kind; with --follow, in the end",
    )
    parser.add_argument("--json", action="store_true", help="one JSON line a row")


def run(args: argparse.Namespace) -> int:
    """Show the rows; exit 4 when there are none."""
    from tracekit.store.tracing import Trace

    if "," in args.run:
        from tracekit.cli.together import together

        return together(args.run.split(","), args)
    trace = Trace(RunStore(project.places().state).find(args.run), waits=args.follow)
    trace.filter(args.filter)
    if not trace.traced:
        _say_untraced(trace)
    shown = 0 if args.count else _show(trace, 0, as_json=args.json)
    while args.follow:
        over = trace.over()
        trace.poll()
        shown = 0 if args.count else _show(trace, shown, as_json=args.json)
        if over:
            break
        edge.flush()
        time.sleep(_FOLLOW_EVERY)
    if args.count:
        return _counts(trace, args.filter, as_json=args.json)
    if trace.traced and not len(trace.whole):
        trace.fall_back()
        _say_untraced(trace)
        shown = _show(trace, 0, as_json=args.json)
    _say_unread(trace)
    if not shown:
        raise ProblemError(_nothing(args.filter))
    return edge.OK


def _say_untraced(trace: Trace) -> None:
    edge.say_error(f"tracekit: nothing was traced: {trace.why_empty()}; these are the lines of the journal")


def _say_unread(trace: Trace) -> None:
    """After the rows, since some damage is only found while they are read."""
    unread = trace.unread()
    if unread:
        edge.say_error(
            f"tracekit: {unread:,} bytes of the trace are damaged, and their rows are missing here"
        )
        edge.say_error(f"  → `tracekit verify {trace.run_id}` shows what is left")


def _nothing(text: str) -> Problem:
    from tracekit.model.meaning import perhaps_meant

    action = perhaps_meant(text) or "`tracekit events RUN --count` shows what there is"
    return Problem("select.nothing", "no row passes the filter", text, action)


def _counts(trace: Trace, text: str, *, as_json: bool) -> int:
    counts = trace.rows.kinds()
    if as_json:
        edge.say_json(
            "tracekit.event_counts/1",
            {
                "run": trace.run_id,
                "kinds": dict(counts),
                "damaged": trace.rows.damaged,
                "unread": trace.unread(),
            },
        )
    for kind, count in () if as_json else counts:
        edge.say(f"{count:>10}  {kind}")
    _say_unread(trace)
    if not counts:
        raise ProblemError(_nothing(text))
    return edge.OK


def _show(trace: Trace, start: int, *, as_json: bool) -> int:
    """Print the rows from one on; gives how many there have been."""
    paint = Paint(on=edge.colours())
    begin = (trace.rows.times or (0, 0))[0]
    while True:
        rows = trace.rows.rows(start, _WINDOW)
        for row in rows:
            if as_json:
                edge.say_json(SCHEMA, fact(trace.run_id, row))
            else:
                edge.write(line(row, begin, paint))
        start += len(rows)
        if len(rows) < _WINDOW:
            return start


def fact(run_id: str, row: Event) -> dict[str, Any]:
    """A row as scripts get it; what it does not have is left out."""
    told: dict[str, Any] = {
        "run": run_id,
        "m": row.time,
        "kind": row.kind,
        "level": row.level if row.level != "none" else None,
        "scenario": row.scenario or None,
        "name": row.name or None,
        "text": row.text or None,
        "file": row.file or None,
        "line": row.line or None,
        "value": row.value,
        "d": row.duration,
        "depth": row.depth if row.kind in {"enter", "exit", "unwind"} else None,
        "pid": row.pid,
        "tid": row.tid,
        "thread": row.thread or None,
        "lane": row.lane,
        "n": row.sequence,
    }
    return {key: value for key, value in told.items() if value is not None}


def line(row: Event, begin: int, paint: Paint) -> str:
    """A row as a person reads it, with its time from `begin` on."""
    when = f"{(row.time - begin) / 1e9:+12.6f}s"
    lane = f"{row.pid}" if row.tid == row.pid else f"{row.pid}/{row.tid}"
    words = [paint.dim(f"{when} {lane:>15}"), f"{row.kind:14}"]
    if row.level != "none":
        words.append(row.level)
    indent = "  " * min(row.depth, 40) if row.kind in {"enter", "exit", "unwind"} else ""
    words.append(indent + edge.clean(row.name))
    if row.text:
        words.append(edge.clean(row.text))
    if row.value is not None:
        words.append(str(row.value))
    if row.duration is not None:
        words.append(paint.dim(f"{row.duration / 1e6:.3f}ms"))
    if row.file:
        words.append(paint.dim(edge.clean(f"{row.file}:{row.line}" if row.line else row.file)))
    return " ".join(words)
