"""The trace of a run in Chrome's trace event format, which `chrome://tracing`, Perfetto and speedscope open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tracekit.engine.view import RunView
from tracekit.report.timeline import Track, marks

_PHASES = {"begin": "B", "end": "E", "moment": "i"}
#: Marks of tests stand on a track of their own beside that of their thread.
_BESIDE = 1 << 22


def chrome(view: RunView) -> Iterator[str]:
    """The events, one a line, inside one object."""
    seen: set[Track] = set()
    told = marks(view)
    yield f'{{"otherData":{{"run":{json.dumps(view.run_id)}}},"displayTimeUnit":"ns","traceEvents":[\n'
    comma = ""
    for mark in told:
        track = mark.track
        if track not in seen:
            seen.add(track)
            for fact in _names(track):
                yield comma + _line(fact)
                comma = ",\n"
        event: dict[str, Any] = {
            "ph": _PHASES[mark.what],
            "ts": mark.time / 1000,
            "pid": track.pid,
            "tid": _number(track),
            "name": mark.name,
            "cat": mark.category,
        }
        if mark.what == "moment":
            event["s"] = "t"
        if mark.facts:
            event["args"] = mark.facts
        yield comma + _line(event)
        comma = ",\n"
    yield "\n]}\n"


def _number(track: Track) -> int:
    return track.tid + _BESIDE if track.marks else track.tid


def _names(track: Track) -> Iterator[dict[str, Any]]:
    name = track.name or ("main thread" if track.pid == track.tid else f"thread {track.tid}")
    yield {
        "ph": "M",
        "name": "thread_name",
        "pid": track.pid,
        "tid": _number(track),
        "args": {"name": name},
    }
    yield {"ph": "M", "name": "process_name", "pid": track.pid, "args": {"name": f"process {track.pid}"}}


def _line(fact: dict[str, Any]) -> str:
    return json.dumps(fact, separators=(",", ":"))
