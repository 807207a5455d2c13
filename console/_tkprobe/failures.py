"""Failures as lines: the comparison that failed, the chain of exceptions, and pytest's own text.

Called only when a phase failed, so it may take its time, within limits; a passing suite never comes here.
"""

from __future__ import annotations

from types import CodeType
from typing import Any, Dict, List, Optional, Tuple

from _tkprobe.compare import Comparison, asserting_frame
from _tkprobe.facts import TEXT_LIMIT, Frames, cut, message_of
from _tkprobe.handled import handled
from _tkprobe.spool import Spool, fields

COMPARISONS_KEPT = 8


class Failures:
    """What is known about the failures of the running attempt."""

    def __init__(self, spool: Spool, frames: Frames) -> None:
        self.spool = spool
        self.frames = frames
        self.compared_at: List[Tuple[CodeType, int, Comparison]] = []
        self.cause = ""

    def reset(self) -> None:
        self.compared_at.clear()
        self.cause = ""

    def compared(self, op: str, left: object, right: object) -> None:
        frame = asserting_frame()
        if frame is None:
            return
        compared = Comparison(op, left, right, frame)
        compared.file = self.frames.place(compared.file)
        self.compared_at.append((frame.f_code, frame.f_lineno, compared))
        del self.compared_at[:-COMPARISONS_KEPT]

    def record(self, head: str, error: BaseException, report: Any) -> str:
        """Write the failure of one phase; `head` names the scenario and attempt. Returns the cause class."""
        when = str(report.when)
        cause = self.cause = {"setup": "setup", "teardown": "teardown"}.get(when) or cause_of(error)
        where = f'{head},"step":"{when}"'
        comparison = self._comparison(error)
        if comparison is not None:
            self.spool.add(f'"assertion",{where},{fields(comparison.fields())}')
        told: Dict[str, object] = {
            "when": when,
            "cause": cause,
            "chain": self.frames.chain(error),
            "text": report_text(report),
        }
        before = handled(self.frames, error)
        if before:
            told["handled"] = before
        self.spool.add(f'"failure",{where},{fields(told)}')
        return cause

    def _comparison(self, error: BaseException) -> Optional[Comparison]:
        """The comparison that raised `error`, if it was one: it stands on the very line the exception left from."""
        traceback = error.__traceback__
        if traceback is None or not isinstance(error, AssertionError):
            return None
        while traceback.tb_next is not None:
            traceback = traceback.tb_next
        for code, line, comparison in reversed(self.compared_at):
            if code is traceback.tb_frame.f_code and line == traceback.tb_lineno:
                return comparison
        return None


def cause_of(error: BaseException) -> str:
    name = type(error).__name__
    if name == "Failed" and type(error).__module__ in ("Failed", "builtins", "_pytest.outcomes"):
        # What `pytest.fail` raises; a timeout plugin says so through it.
        return "hang" if message_of(error).startswith("Timeout ") else "assertion"
    return "assertion" if isinstance(error, AssertionError) else "exception"


def report_text(report: Any) -> str:
    """The long representation of a report that pytest itself made."""
    try:
        return cut(str(report.longreprtext), TEXT_LIMIT)
    except Exception as error:
        return f"(no text: {type(error).__name__})"
