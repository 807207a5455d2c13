"""What a rerun takes, over one run and over a tree of them."""

from __future__ import annotations

from tests.unit.model.journals import SUB, A, B, Journal
from tracekit.model.rerun import failed, outstanding, runnable

C = "pytest:tests/test_c.py::test_c"


def test_failed__every_red_verdict_and_nothing_else__then_in_the_order_of_the_run() -> None:
    journal = Journal()
    verdicts = [
        "failed",
        "passed",
        "error",
        "skipped",
        "timedout",
        "xfailed",
        "crashed",
        "xpassed",
        "cancelled",
        "notrun",
    ]
    for verdict in verdicts:
        journal.ran(verdict, f"pytest:t.py::{verdict}")
    assert failed(journal.state) == [
        f"pytest:t.py::{word}" for word in ("failed", "error", "timedout", "crashed")
    ]


def test_failed__subtest__then_its_parent_is_what_runs() -> None:
    assert failed(Journal().ran("failed", SUB, parent=A).ran("passed").state) == [A]


def test_failed__green_in_a_later_attempt__then_not_failed() -> None:
    assert failed(Journal().ran("failed").ran("passed", attempt=2).state) == []


def test_outstanding__red_and_not_green_since__then_waits() -> None:
    first = Journal().ran("failed").ran("failed", B).ran("passed", C).state
    second = Journal().ran("passed").ran("failed", C).state
    assert outstanding([first]) == [A, B]
    assert outstanding([first, second]) == [B, C]


def test_outstanding__red_then_skipped__then_still_waits() -> None:
    assert outstanding([Journal().ran("failed").state, Journal().ran("skipped").state]) == [A]
    assert outstanding([Journal().ran("skipped").state]) == []


def test_outstanding__what_was_not_run_cancelled_or_lost__then_waits() -> None:
    journal = Journal().add("run.started", mode="run").found().start(B).ran("cancelled", C)
    journal.add("run.ended", reason="cancelled", not_run=[A, "pytest:t.py::never_found"])
    assert outstanding([journal.state]) == [A, B, C, "pytest:t.py::never_found"]


def test_outstanding__named_as_not_run_though_it_passed__then_its_row_knows_better() -> None:
    assert outstanding([Journal().ran("passed").add("run.ended", reason="finished", not_run=[A]).state]) == []


def test_outstanding__while_a_rerun_is_going_on__then_nothing_is_answered_yet() -> None:
    assert outstanding([Journal().ran("failed").state, Journal().start().state]) == [A]


def test_outstanding__discovery_among_the_runs__then_it_says_nothing() -> None:
    discovery = (
        Journal()
        .add("run.started", mode="discover")
        .found(B)
        .add("run.ended", reason="finished", not_run=[C])
    )
    assert outstanding([Journal().ran("failed").state, discovery.state]) == [A]


def test_runnable__fixture_of_a_class__then_all_that_it_stands_around() -> None:
    group = "unittest:test_u.py::Broken"
    journal = Journal()
    for name in ("test_a", "test_b"):
        journal.add("scenario.found", scenario=f"{group}::{name}", runner="unittest", file="test_u.py")
    journal.ran("passed", "unittest:test_u.py::BrokenToo::test_c", runner="unittest")
    journal.add("scenario.found", scenario=f"{group}::setUpClass", runner="unittest", file="test_u.py")
    journal.ran("error", f"{group}::setUpClass")
    state = journal.state
    assert failed(state) == [f"{group}::setUpClass"]
    assert runnable(state, failed(state)) == [f"{group}::test_a", f"{group}::test_b"]
    assert runnable(state, ["unittest:test_u.py::setUpModule"]) == [
        f"{group}::test_a",
        f"{group}::test_b",
        "unittest:test_u.py::BrokenToo::test_c",
    ]


def test_runnable__subtest_and_a_test_of_that_name__then_the_test() -> None:
    named = "pytest:t.py::setUpClass"
    state = Journal().ran("failed", SUB, parent=A).ran("failed", named).state
    state.facts[state.index[named]].runner = "pytest"
    assert runnable(state, [SUB, named]) == [A, named]
