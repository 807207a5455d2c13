"""The trace of a recorded or live run, as the native view gives it: rows through a filter, and what became of it.

It reads only, decodes no row itself, and holds none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracekit._native import TraceView
from tracekit.store import recorded
from tracekit.store.runs import RunFolder, damaged
from tracekit.wire.lines import LineError, decode
from tracekit.wire.names import JOURNAL_FILE, RED, RINGS_DIR, SPOOL_DIR, E
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_END = b'"e":"' + E.RUN_ENDED.encode() + b'"'
_TAIL = 1 << 16


class Trace:
    """One run's trace; raises ProblemError where its files cannot be read."""

    def __init__(self, folder: RunFolder, *, waits: bool = False) -> None:
        self._folder = folder
        self.run_id = folder.run_id
        self._text = ""
        try:
            self.whole = TraceView(folder.box_dir)
            #: Whether there is a trace; else the rows are the journal's lines.
            self.traced = len(self.whole) > 0 or (waits and not self.over())
            self.rows = (
                TraceView(folder.box_dir) if self.traced else rows_of_journal(self._folder.box_dir, self)
            )
        except recorded.DamagedFileError as fault:
            raise ProblemError(fault.problem) from fault
        except OSError as fault:
            raise ProblemError(self._damaged(fault)) from fault

    def _damaged(self, fault: OSError) -> Problem:
        return damaged(self.run_id, f"its trace cannot be read: {fault}", str(self._folder.box_dir))

    def fall_back(self) -> None:
        """Nothing was traced after all: the rows are the journal's lines."""
        self.traced = False
        try:
            self.rows = rows_of_journal(self._folder.box_dir, self)
        except OSError as fault:
            raise ProblemError(self._damaged(fault)) from fault
        self.filter(self._text)

    def filter(self, text: str) -> None:
        """Look through a filter; raises ProblemError with a caret where it cannot be understood."""
        self._text = text
        failures = list(self._failures()) if "@" in text else []
        plan = self._folder.facts().get("plan")
        environment = str(plan.get("environment", "")) if isinstance(plan, dict) else ""
        try:
            self.rows.filter(text, failures=failures, env=environment, run=self.run_id)
        except ValueError as fault:
            what, _, drawing = str(fault).partition("\n")
            action = "docs/filter.md has the fields and operators"
            raise ProblemError(Problem("select.filter", what, f"in the filter\n{drawing}", action)) from fault
        except OSError as fault:
            raise ProblemError(self._damaged(fault)) from fault

    def poll(self) -> int:
        """Look for what came since; how many rows that pass are new."""
        try:
            self.whole.poll()
            return self.rows.poll()
        except OSError as fault:
            raise ProblemError(self._damaged(fault)) from fault

    def over(self) -> bool:
        """Whether the run has ended, or nobody is left who could end it."""
        box = self._folder.box_dir
        try:
            with recorded.opened(self._folder.journal) as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _TAIL))
                if _END in file.read():
                    return True
        except OSError:
            return True
        return not (box / SPOOL_DIR).is_dir() and not (box / RINGS_DIR).is_dir()

    def ended(self) -> dict[str, Any]:
        """What the journal says became of the trace; empty where it says nothing."""
        told: dict[str, Any] = {}
        for line in self._lines(E.TRACE_ENDED):
            told = line
        return told

    def unread(self) -> int:
        """How many bytes of a trace that is over gave no rows, because they are damaged; as far as was looked."""
        return max(self.whole.unread, self.rows.unread) if self.over() else 0

    def why_empty(self) -> str:
        """Why there are no rows, as far as the journal knows."""
        if self.unread():
            return "its trace is damaged"
        return why_untraced(self._folder.journal)

    def _failures(self) -> Iterator[int]:
        for line in self._lines(E.ATTEMPT_ENDED):
            if line.get("verdict") in RED and isinstance(line.get("m"), int):
                yield line["m"]

    def _lines(self, event: str) -> Iterator[dict[str, Any]]:
        return _lines_of(self._folder.journal, event)


def rows_of_journal(box_dir: Path, owner: object, most: int | None = None) -> TraceView:
    """The lines of a journal as rows, packed or not; what was unpacked for it goes with its owner. Raises OSError."""
    journal = box_dir / JOURNAL_FILE
    while True:
        folder = recorded.plain_folder(journal, owner)
        rows = TraceView(folder, journal=True, most=most)
        # The view keeps open what it has found, whatever becomes of it. It has found nothing where the journal was
        # packed after we looked.
        missed = folder == box_dir and not journal.exists()
        if len(rows) or not (missed and recorded.packed(journal).exists()):
            return rows


def why_untraced(journal: Path) -> str:
    """Why a run has no trace, as far as its journal knows."""
    gaps: list[str] = []
    off = False
    for line in _lines_of(journal, E.BOX_FACTS, E.GAP, E.RUN_STARTED):
        for missing in line.get("unavailable") or ():
            if isinstance(missing, dict) and missing.get("what") == "tracer":
                return str(missing.get("why"))
        if line.get("e") == E.GAP and line.get("what") == "trace":
            gaps.append(str(line.get("why")))
        off = off or _is_off(line)
    if gaps:
        return gaps[0]
    return "tracing was off" if off else "no test process recorded anything"


def _is_off(started: Mapping[str, Any]) -> bool:
    """Whether a run was begun without tracing: each of its suites, whose own word is above the run's."""
    suites = started.get("suites")
    rows = [suite for suite in suites if isinstance(suite, dict)] if isinstance(suites, list) else []
    wanted = started.get("trace")
    levels = [suite.get("trace") or wanted for suite in rows] or [wanted]
    return all(level == "off" for level in levels)


def _lines_of(journal: Path, *events: str) -> Iterator[dict[str, Any]]:
    markers = [b'"e":"' + event.encode() + b'"' for event in events]
    try:
        with recorded.opened(journal) as file:
            for line in file:
                if any(marker in line for marker in markers):
                    try:
                        yield decode(line)
                    except LineError:
                        continue
    except recorded.DamagedFileError as fault:
        raise ProblemError(fault.problem) from fault
    except OSError:
        return
