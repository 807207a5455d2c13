"""A trace as slices and moments on the tracks of threads, for timelines of other tools.

Begins and ends are paired here, once: what was open when something was lost is closed there, what was open when its
process died stays open, and an end whose beginning nobody saw is a moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from tracekit._native import Event, TraceView
from tracekit.engine.view import RunView
from tracekit.wire.problems import Problem, ProblemError

_WINDOW = 4096

_BEGINS = frozenset({"scenario.start", "step.start"})
_ENDS = frozenset({"scenario.end", "step.end"})


class Track(NamedTuple):
    """A thread, or what the tests of a process are doing (`marks`)."""

    pid: int
    tid: int
    marks: bool
    name: str


class Mark(NamedTuple):
    """The beginning or end of a slice, or a moment."""

    track: Track
    what: Literal["begin", "end", "moment"]
    time: int
    name: str
    category: str
    facts: dict[str, str]


@dataclass
class _Lanes:
    """What is open on each track."""

    open: dict[Track, list[str]] = field(default_factory=dict)

    def begin(self, track: Track, name: str) -> None:
        self.open.setdefault(track, []).append(name)

    def end(self, track: Track, name: str) -> int:
        """How many slices end with this one: those that it holds, too; 0 when it never began."""
        names = self.open.get(track, [])
        for at in range(len(names) - 1, -1, -1):
            if names[at] == name:
                count = len(names) - at
                del names[at:]
                return count
        return 0


def marks(view: RunView) -> Iterator[Mark]:
    """Everything in the trace of a run; raises ProblemError when there is none, before anything is told of it."""
    try:
        rows = TraceView(view.box_dir)
    except OSError as fault:
        raise ProblemError(_unreadable(view.run_id, str(fault))) from fault
    if not len(rows):
        what, action = "nothing was traced", "run it once more with `--trace calls`"
        raise ProblemError(Problem("select.nothing", what, view.run_id, action))
    return _all(rows)


def _all(rows: TraceView) -> Iterator[Mark]:
    lanes = _Lanes()
    for start in range(0, len(rows), _WINDOW):
        for row in rows.rows(start, _WINDOW):
            yield from _of(row, lanes)


def _of(row: Event, lanes: _Lanes) -> Iterator[Mark]:
    track = Track(row.pid, row.tid, False, row.thread)
    if row.kind == "enter":
        lanes.begin(track, row.name)
        yield Mark(track, "begin", row.time, row.name, "call", _facts(row))
    elif row.kind in {"exit", "unwind"}:
        count = lanes.end(track, row.name)
        for _ in range(count):
            yield Mark(track, "end", row.time, row.name, "call", {})
        if not count:
            yield Mark(track, "moment", row.time, f"{row.kind} {row.name}", "call", _facts(row))
    elif row.kind in _BEGINS | _ENDS:
        track = Track(row.pid, row.tid, True, "tests")
        category = row.kind.partition(".")[0]
        if row.kind in _BEGINS:
            lanes.begin(track, row.name)
            yield Mark(track, "begin", row.time, row.name, category, _facts(row))
        else:
            for _ in range(lanes.end(track, row.name)):
                yield Mark(track, "end", row.time, row.name, category, {})
    elif row.kind == "gap":
        for open_track in (track, track._replace(marks=True, name="tests")):
            for name in reversed(lanes.open.pop(open_track, [])):
                yield Mark(open_track, "end", row.time, name, "call", {})
        yield Mark(track, "moment", row.time, f"lost: {row.name}", "gap", _facts(row))
    elif row.kind != "lane.end":
        yield Mark(track, "moment", row.time, _words(row), row.kind, _facts(row))


def _words(row: Event) -> str:
    return f"{row.name}: {row.text}" if row.text else row.name or row.kind


def _facts(row: Event) -> dict[str, str]:
    told = {
        "scenario": row.scenario,
        "level": "" if row.level == "none" else row.level,
        "text": row.text,
        "file": f"{row.file}:{row.line}" if row.file else "",
        "value": "" if row.value is None else str(row.value),
    }
    return {name: text for name, text in told.items() if text}


def _unreadable(run: str, why: str) -> Problem:
    return Problem("store.damaged_run", f"its trace cannot be read: {why}", run, f"`tracekit verify {run}`")
