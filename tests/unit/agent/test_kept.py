"""Runs that wait for their consoles: a late one is told of the end what an early one was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tracekit.agent.kept import COPIERS, Kept
from tracekit.agent.system import System

RUN = "01J00000000000000000000000"


def kept(state: Path, end: dict[str, Any] | None, behind: int = 0) -> Kept:
    """A state directory with one run, so many bytes of its journal behind its end."""
    place = state / "runs" / RUN / "box7"
    place.mkdir(parents=True)
    (place.parent / COPIERS).write_text('{"box":"box7","consoles":{"a":false}}')
    head = {"v": 1, "src": "box7/daemon/1-1", "run": RUN, "t": 1, "m": 1}
    lines = [
        {**head, "n": 1, "e": "run.started"},
        {**head, "n": 2, "e": "warning", "message": '"e":"run.ended"'},
    ]
    if end is not None:
        lines.append({**head, "n": 3, "e": "run.ended", **end})
    lines += [{**head, "n": 4 + at, "e": "ingested", "x": "y" * 999} for at in range(behind // 1000)]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    (place / "journal.ndjson").write_text(text)
    return Kept(System(), str(state))


@pytest.mark.parametrize("behind", [0, 300_000])
def test_info__recording_was_incomplete__then_a_late_console_is_told_with_reason_and_verdicts(
    tmp_path: Path, behind: int
) -> None:
    end = {"reason": "cancelled", "verdicts": {"passed": 3}, "recording": "incomplete"}
    found = kept(tmp_path, end, behind).find(RUN)
    assert found is not None
    told = found.info()
    assert (told["state"], told["reason"], told["verdicts"], told["incomplete"]) == (
        "ended",
        "cancelled",
        {"passed": 3},
        True,
    )


def test_info__journal_without_an_end__then_nothing_is_made_up(tmp_path: Path) -> None:
    found = kept(tmp_path, None).find(RUN)
    assert found is not None
    assert (found.info()["reason"], found.info()["incomplete"], "verdicts" in found.info()) == (
        "",
        False,
        False,
    )


def test_find__run_was_removed_since__then_it_is_not_there(tmp_path: Path) -> None:
    here = kept(tmp_path, {"reason": "finished"})
    assert here.find(RUN) is not None
    here.has(RUN, "a")
    assert (here.find(RUN), here.all()) == (None, [])
