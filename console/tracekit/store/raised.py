"""The exceptions that a trace saw raised during an attempt, the last ones, in the order of their moments.

It reads through a window of its own, so it is asked on another thread, and gives up after so many looks: a trace may be
longer than anybody waits. Nothing is said where nothing was traced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracekit.model.facts import Handled

if TYPE_CHECKING:
    from tracekit._native import Event
    from tracekit.store.tracewindow import About, Window

LOOKS = 500
#: A loop that retries for ever has raised without end: its last words are enough.
MOST = 400
#: What ends a loop or a generator is no failure of anything.
PLAIN = frozenset({"StopIteration", "StopAsyncIteration", "GeneratorExit"})


def raised(window: Window, about: About, root: str) -> list[Handled]:
    """Read them; raises ProblemError where the files cannot be read."""
    if not window.traced:
        return []
    window.look(about, "kind:exception")
    looks = 0
    while window.behind and looks < LOOKS:
        window.poll()
        looks += 1
    below = root.rstrip("/") + "/" if root else ""
    first = max(0, len(window) - MOST)
    return [_handled(row, below) for row in window.events(first, MOST) if row.name not in PLAIN]


def _handled(row: Event, below: str) -> Handled:
    own = bool(below) and row.file.startswith(below) and "/site-packages/" not in row.file
    file = row.file[len(below) :] if own else row.file
    return Handled(row.name, row.text, file=file, line=row.line, own=own)
