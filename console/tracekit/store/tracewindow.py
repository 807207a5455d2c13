"""A window into the events of one run, for a pane: its trace, or the journal's lines where nothing was traced.

Every look is bounded, so that whoever paints can call it: a filter over a long trace is counted in slices, one a frame.
It reads only; the native view decodes the rows that are asked for, and no others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracekit._native import TraceView
from tracekit.store.recorded import DamagedFileError
from tracekit.store.runs import damaged
from tracekit.store.tracing import rows_of_journal, why_untraced
from tracekit.wire.names import JOURNAL_FILE, TRACE_DIR
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from pathlib import Path

    from tracekit._native import Event, Safe

    Row = tuple[int, int | None, str, str, int, int, Safe, Safe, Safe]

#: Blocks of a trace, or pieces of a journal, that one look reads: some milliseconds.
SLICE = 12


@dataclass(frozen=True)
class About:
    """Which rows a pane is about, and what moments mean in them."""

    #: One of these; none of them is the whole run.
    scenarios: tuple[str, ...] = ()
    #: Not before and not after, in nanoseconds of the box's clock; 0 is no bound.
    since: int = 0
    until: int = 0
    #: Where relative times count from; 0 is the first row.
    begin: int = 0
    #: The moments of failures.
    failures: tuple[int, ...] = ()


@dataclass(frozen=True)
class Folded:
    """The calls and moments of a stretch of time, folded to the columns of a screen."""

    #: Lane, depth, from, to, name, how many, whether one broke, whether its end was not seen.
    calls: list[tuple[int, int, int, int, Safe, int, bool, bool]]
    #: Lane, when, how bad, kind, words, how many.
    moments: list[tuple[int, int, int, str, Safe, int]]
    #: Rows that were looked at.
    rows: int = 0


class Window:
    """Rows of one run; raises ProblemError where its files cannot be read."""

    def __init__(self, box_dir: Path, run_id: str, environment: str = "", root: str = "") -> None:
        self._box_dir, self._run_id = box_dir, run_id
        self._root = root.rstrip("/").encode("utf-8", "surrogateescape") if root.isprintable() else b""
        self._environment = environment.encode("utf-8", "replace").decode()
        self._about, self._text = About(), ""
        self._why: str | None = None
        self._unread = 0
        #: Whether the rows are those of a trace; else they are the journal's lines.
        self.traced, self._view = self._open()

    def _open(self) -> tuple[bool, TraceView]:
        try:
            if (self._box_dir / TRACE_DIR).is_dir():
                view = TraceView(self._box_dir)
                if len(view):
                    return True, view
                self._unread = view.unread
            return False, rows_of_journal(self._box_dir, self, most=0)
        except DamagedFileError as fault:
            raise ProblemError(fault.problem) from fault
        except OSError as fault:
            raise self._damaged(fault) from fault

    def _damaged(self, fault: OSError) -> ProblemError:
        what = f"its events cannot be read: {fault}"
        return ProblemError(damaged(self._run_id, what, str(self._box_dir)))

    def look(self, about: About, text: str) -> None:
        """Show other rows; raises ProblemError, and changes nothing, where the filter cannot be understood."""
        try:
            self._view.filter(
                text,
                failures=list(about.failures),
                env=self._environment,
                run=self._run_id,
                begin=about.begin,
                scenarios=[name.encode("utf-8", "surrogatepass") for name in about.scenarios],
                since=about.since or None,
                until=about.until or None,
                most=SLICE,
            )
        except ValueError as fault:
            what, _, drawing = str(fault).partition("\n")
            raise ProblemError(
                Problem("select.filter", what, drawing, "docs/filter.md has the fields and operators")
            ) from fault
        except OSError as fault:
            raise self._damaged(fault) from fault
        self._about, self._text = about, text

    def poll(self) -> bool:
        """Look for what came since; whether there is anything new."""
        if not self.traced and (self._box_dir / TRACE_DIR).is_dir():
            traced, view = self._open()
            if traced:
                self.traced, self._view = traced, view
                self.look(self._about, self._text)
                return True
        before = self._view.total
        try:
            self._view.poll(SLICE)
        except OSError as fault:
            raise self._damaged(fault) from fault
        return self._view.total != before

    def __len__(self) -> int:
        return len(self._view)

    @property
    def total(self) -> int:
        """How many rows were looked at."""
        return self._view.total

    @property
    def behind(self) -> bool:
        """Whether there is more to look at right now."""
        return self._view.behind

    @property
    def unread(self) -> int:
        """Bytes of the trace that gave no rows: of one that is over, and not behind, its damage."""
        return self._view.unread if self.traced else self._unread

    @property
    def begin(self) -> int:
        """The moment that relative times count from."""
        times = self._view.times
        return self._about.begin or (times[0] if times else 0)

    def shown(self, start: int, count: int, columns: int) -> list[Row]:
        """Rows from one on, as a screen shows them: safe text, cut to so many columns."""
        try:
            return self._view.shown(start, count, columns, self._root)
        except OSError as fault:
            raise self._damaged(fault) from fault

    def events(self, start: int, count: int) -> list[Event]:
        """Rows from one on, as they are: outside text."""
        try:
            return self._view.rows(start, count)
        except OSError as fault:
            raise self._damaged(fault) from fault

    def folded(self, since: int, until: int, columns: int, deepest: int) -> Folded:
        """What passes, folded to so many columns; reads all of it, so it is asked on another thread."""
        try:
            return Folded(*self._view.folded(max(0, since), max(0, until), columns, deepest))
        except OSError as fault:
            raise self._damaged(fault) from fault

    def threads(self) -> dict[int, tuple[int, int, str]]:
        """Process, thread and name of each lane; the name is outside text."""
        return {number: (pid, tid, name) for number, pid, tid, name, _ in self._view.lanes()}

    @property
    def why_untraced(self) -> str:
        """Why there is no trace, as far as the journal knows; read once."""
        if self._why is None:
            self._why = why_untraced(self._box_dir / JOURNAL_FILE)
        return self._why
