"""What a trace loses is told while the run goes on, and no oftener than somebody looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tracekit.agent import tracing

PLAN = {"suites": [{"name": "one", "trace": "calls"}], "trace": "calls"}


class Box:
    """A library whose passes lose so many records."""

    def __init__(self, *lost: int) -> None:
        self.lost = list(lost)

    def drain_open(self, *_: Any) -> int:
        return 1

    def drain_pass(self, _drain: int, _write: bool) -> list[Any]:
        return [0, self.lost.pop(0), 1, 0]


def test_step__passes_lose_records__then_the_sum_once_a_second_and_nothing_where_nothing_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box(0, 3, 4, 0, 5, 0)
    monkeypatch.setattr(tracing, "load", lambda _library: box)
    trace = tracing.Trace(str(tmp_path / "box"), str(tmp_path), PLAN, str(tmp_path), [])
    assert trace.wanted
    Path(trace.rings).mkdir(parents=True)
    told = [trace.step(now, watched=False) for now in (10.0, 11.0, 11.5, 12.0, 12.5, 14.0)]
    assert [[line["lost"] for line in lines] for lines in told] == [[], [3], [], [7], [], [12]]
    assert {line["e"] for lines in told for line in lines} == {"trace.lost"}
