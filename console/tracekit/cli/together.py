"""The events of several runs, as of several boxes, in one order: on this machine's clock, with how far that may be off.

Every row is placed by its box's monotonic clock and what consoles noted of it. Two rows of different boxes that are
nearer than their bounds may have happened the other way round, and nothing here says otherwise.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracekit.cli import edge, project
from tracekit.cli.clockwords import clock
from tracekit.cli.commands.events_command import SCHEMA, fact, line
from tracekit.cli.painting import Paint
from tracekit.store.clocks import Clocks, clocks_of
from tracekit.store.runs import RunFolder, RunStore
from tracekit.store.tracing import Trace
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit._native import Event

_WINDOW = 2048


@dataclass(frozen=True)
class _Part:
    """One run of them."""

    box: str
    trace: Trace
    clocks: Clocks

    def rows(self) -> Iterator[tuple[int, str, int, int, Event]]:
        """Its rows with their places, the earliest first."""
        start, last = 0, 0
        while rows := self.trace.rows.rows(start, _WINDOW):
            for at, row in enumerate(rows, start):
                placed = self.clocks.place(row.time)
                # Between two notes a box's own order stays.
                last = max(last, placed.t)
                yield last, self.trace.run_id, at, placed.bound, row
            start += len(rows)


def together(names: Sequence[str], args: argparse.Namespace) -> int:
    """Show the rows of several runs; exit 4 when there are none."""
    if args.follow or args.count:
        what = "--follow and --count are for one run"
        raise ProblemError(Problem("cli.several", what, args.run, "name one, or leave it out"))
    store = RunStore(project.places().state)
    parts = [_part(store.find(name), args.filter) for name in names]
    paint = Paint(on=edge.colours())
    shown, begin = 0, 0
    if not args.json:
        for part in parts:
            edge.write(paint.dim(f"# {part.box}: {clock(part.clocks)}; run {part.trace.run_id}"))
    width = max(len(part.box) for part in parts)
    boxes = {part.trace.run_id: part.box for part in parts}
    for when, run, _, bound, row in heapq.merge(*(part.rows() for part in parts), key=lambda each: each[:3]):
        begin = begin or when
        shown += 1
        if args.json:
            edge.say_json(SCHEMA, {**fact(run, row), "box": boxes[run], "t": when, "bound": bound})
        else:
            edge.write(f"{boxes[run]:{width}} {line(row, begin + row.time - when, paint)}")
    if not shown:
        from tracekit.model.meaning import perhaps_meant

        action = perhaps_meant(args.filter) or "try another"
        raise ProblemError(Problem("select.nothing", "no row passes the filter", args.filter, action))
    return edge.OK


def _part(folder: RunFolder, text: str) -> _Part:
    trace = Trace(folder)
    trace.filter(text)
    box = folder.box_dir.name
    clocks = clocks_of(folder.path, box)
    if not clocks.readings:
        what = "no console has noted how the clock of its box stands"
        action = "look at this run alone; a run is asked for its clock while a console follows it"
        raise ProblemError(Problem("events.no_clock", what, folder.run_id, action))
    return _Part(box, trace, clocks)
