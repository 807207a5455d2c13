"""Whether the record of a run is whole, for those to whom a run without its evidence is worth nothing.

It reads a view that has ended; a verdict that is red is never made any better by what is missing beside it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tracekit.cli import edge
from tracekit.engine.view import RunView
from tracekit.model.notices import BLOCKING
from tracekit.wire.names import RED

MOST = 3
#: What became of a copy of a run that another machine recorded.
_COPIES = ("store.copy", "box.quota")


def missing(view: RunView) -> list[str]:
    """What is not in the record, in words; nothing where it is whole."""
    return list(dict.fromkeys(_missing(view)))


def strictly(view: RunView, code: int) -> int:
    """The exit code of a run whose record has to be whole, and a word on standard error where it is not."""
    if code >= edge.SIGNAL or not view.done.is_set():
        return code
    found = missing(view)
    if not found:
        return code
    told = "; ".join(found[:MOST]) + (f"; and {len(found) - MOST} more" if len(found) > MOST else "")
    if code in {edge.OK, edge.NOTHING} or (code == edge.RED and _only_unknown(view)):
        edge.say_error(f"tracekit: exit {edge.INCOMPLETE}, because of --strict-recording: {told}")
        return edge.INCOMPLETE
    edge.say_error(f"tracekit: the recording is incomplete, too: {told}")
    return code


def _only_unknown(view: RunView) -> bool:
    """Whether nothing is against the run but that its agent could not write everything down."""
    if any(view.verdicts().get(word) for word in RED) or not view.end.get("incomplete"):
        return False
    with view.lock:
        blocking = any(notice.kind in BLOCKING for notice in view.state.notices)
        return not blocking and (view.state.run.reason or view.end.get("reason")) in {"finished", "", None}


def _missing(view: RunView) -> Iterator[str]:
    with view.lock:
        state = view.state
        yield from (notice.message for notice in state.notices if notice.kind == "gap")
        counts = (
            (state.damaged, "lines of the journal cannot be read"),
            (state.missing_total, "lines are missing"),
            *state.trace_losses,
        )
        yield from (f"{count:,} {what}" for count, what in counts if count)
        ended = state.run.ended
    if view.end.get("incomplete") or not ended:
        yield "the journal has not all that happened"
    if view.problem is not None and view.problem.code in _COPIES:
        yield view.problem.what
