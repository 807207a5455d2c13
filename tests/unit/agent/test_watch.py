"""What is noticed of a launch in which nothing runs; clocks are given, so nothing here waits."""

from __future__ import annotations

from typing import Any

import pytest

from tracekit.agent.ingest import Spool
from tracekit.agent.progress import Facts
from tracekit.agent.watch import AROUND, Alarm, Watch

LIMITS = {"stall": 30.0, "timeout": 60.0}


def told(
    collected: list[str], ended: dict[str, str], *, workers: bool = False, until: float = AROUND
) -> list[Alarm]:
    """All alarms of a launch whose spools stopped growing at 0, looked at once a second."""
    names = ["main-10-1.ndjson", *(["gw0-11-2.ndjson"] if workers else [])]
    spools = [Spool(name, f"/nowhere/{name}", "L1", "", grown=0.0) for name in names]
    facts = Facts(collected=collected, ended=ended, any_line=True)
    watch, found = Watch(), []
    for second in range(1, int(until) + 10):
        found += watch.look(float(second), second * 10**9, dict[str, Any](LIMITS), spools, lambda: facts)
    return found


@pytest.mark.parametrize(
    ("collected", "ended", "workers", "when", "ends_after"),
    [
        ([], {}, False, "while collecting", AROUND),
        (["a"], {}, False, "before the first test", 60.0),
        (["a"], {}, True, "before the first test", AROUND),
        (["a", "b"], {"a": "passed"}, False, "between two tests", 60.0),
        (["a", "b"], {"a": "passed"}, True, "between two tests", 60.0),
        (["a"], {"a": "passed"}, False, "after the last test", AROUND),
    ],
)
def test_watch__nothing_runs_and_nobody_says_anything__then_named_once_and_ended_later(
    collected: list[str], ended: dict[str, str], workers: bool, when: str, ends_after: float
) -> None:
    found = told(collected, ended, workers=workers)
    assert [(alarm.limit, alarm.when, alarm.seconds) for alarm in found] == [
        ("stall", when, 30.0),
        ("timeout", when, ends_after),
    ]


def test_watch__it_grew_between_two_looks__then_what_was_quiet_before_does_not_count() -> None:
    spool = Spool("main-10-1.ndjson", "/nowhere/main-10-1.ndjson", "L1", "", grown=0.0)
    known = [Facts(any_line=True), Facts(collected=["a"], any_line=True)]
    watch = Watch()
    assert watch.look(100.0, 0, dict[str, Any](LIMITS), [spool], lambda: known[0]) == []
    # Collected a moment ago, and not taken in yet.
    assert watch.look(200.0, 0, dict[str, Any](LIMITS), [spool], lambda: known[1]) == []
    spool.grown = 200.0
    assert watch.look(210.0, 0, dict[str, Any](LIMITS), [spool], lambda: known[1]) == []


def test_watch__tests_are_being_built__then_a_compiler_may_be_silent() -> None:
    spool = Spool("main-10-1.ndjson", "/nowhere/main-10-1.ndjson", "L1", "", grown=0.0)
    watch, found = Watch(), []
    for second in range(1, int(AROUND) + 10):
        limits, known = dict[str, Any](LIMITS), Facts(any_line=True)
        found += watch.look(float(second), second * 10**9, limits, [spool], lambda: known, builds=True)  # noqa: B023
    assert found == []


def test_watch__tests_beside_each_other__then_only_the_quiet_ones_worker_counts() -> None:
    spools = [
        Spool(f"slot{n}-10-1.ndjson", "/nowhere", "L1", "", grown=grown) for n, grown in ((1, 0.0), (2, 99.0))
    ]
    started = {
        (name, 1): f'{{"e":"attempt.started","m":0,"t":0,"pid":{pid},"worker":"{worker}"}}\n'.encode()
        for name, pid, worker in (("hangs", 77, "slot1"), ("speaks", 78, "slot2"))
    }
    known = Facts(collected=["hangs", "speaks"], started=started, any_line=True)
    limits = {**LIMITS, "timeout": None}
    found = Watch().look(100.0, 100 * 10**9, limits, spools, lambda: known)
    assert [(alarm.limit, alarm.scenario) for alarm in found] == [("stall", "hangs")]
