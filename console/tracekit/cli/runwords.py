"""Words for runs in lists: when, how long, which commit, and as much of a run's name as the terminal has room for."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

from tracekit.cli import edge
from tracekit.model.words import seconds
from tracekit.store.catalogue import RunSummary

# A run is found by the end of its name as well as by its beginning, and the ends differ.
_SHORT = 8
_ROOMY = 100


def columns() -> int:
    """How wide the terminal is; 0 where nobody looks and nothing is to be cut."""
    return shutil.get_terminal_size((80, 24)).columns if edge.is_terminal(sys.stdout) else 0


def run_name(run_id: str) -> str:
    """A run's name, or the end of it on a narrow terminal: commands take either."""
    return run_id[-_SHORT:] if 0 < columns() < _ROOMY else run_id


def when(started_t: int) -> str:
    """A moment to the minute, in local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(started_t / 1e9)) if started_t else "?"


def took(row: RunSummary) -> str:
    """How long a run took, or why that is not known."""
    return seconds(max(0, row.ended_t - row.started_t)) if row.ended else row.reason or "not ended"


def commit(facts: dict[str, Any]) -> str:
    """The short commit of a run, with a star where tracked files differed from it."""
    git = facts.get("git") or {}
    return edge.clean(str(git.get("commit", ""))[:7]) + ("*" if git.get("dirty") else "")


def reading(number: int, total: int) -> None:
    """Say that a list takes longer this once, where somebody looks."""
    if total >= 50 and edge.is_terminal(sys.stderr):
        sys.stderr.write(f"\rreading runs … {number}/{total} " + ("\r\x1b[K" if number == total else ""))
        sys.stderr.flush()
