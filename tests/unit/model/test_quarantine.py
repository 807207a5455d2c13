"""Who is in quarantine is a fact of the run: matched by id or pattern, and kept through checkpoints."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.model.journals import SUB, A, B, Journal
from tracekit.model.fold import Fold
from tracekit.model.quarantine import quarantine_of
from tracekit.model.selection import select
from tracekit.model.state import RunState


def held(scenario: str, *, expired: bool = False, owner: str = "ada") -> dict[str, Any]:
    return {
        "scenario": scenario,
        "owner": owner,
        "reason": "why",
        "since": "2026-01-01",
        "expires": "2026-01-15",
        "expired": expired,
    }


def folded(journal: Journal) -> RunState:
    fold = Fold()
    for line in journal.lines:
        fold.feed(line)
    return fold.state


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (A, True),
        (A.removeprefix("pytest:"), True),
        ("tests/test_a.py::test_*", True),
        ("pytest:*", True),
        ("test_a", False),
        ("tests/test_a.py", False),
        (f"{A}b", False),
    ],
)
def test_quarantine__an_id_or_a_pattern__then_exactly_what_it_names(written: str, meant: bool) -> None:
    found = quarantine_of([held(written)])
    assert (found.of(A) is not None) is meant
    assert (found.of(SUB) is not None) is meant


def test_quarantine__brackets_of_a_name__then_no_classes() -> None:
    assert quarantine_of([held("tests/test_a.py::TestB::test_b[*]")]).of(B) is not None
    assert quarantine_of([held("tests/test_a.py::TestB::test_[b]*")]).of(B) is None


def test_quarantine__expired_and_in_force_for_one_scenario__then_the_one_in_force() -> None:
    for order in (
        [held(A, expired=True), held("*a", owner="bob")],
        [held(A, owner="bob"), held("*a", expired=True)],
    ):
        for rows in (order, order[::-1]):
            entry = quarantine_of(rows).of(A)
            assert entry is not None
            assert (entry.owner, entry.expired) == ("bob", False)


@pytest.mark.parametrize("rows", [[{}], [{"scenario": 3, "expired": "yes"}], [{"scenario": "*" * 500}]])
def test_quarantine__anything_in_a_line__then_no_fault(rows: list[dict[str, Any]]) -> None:
    quarantine_of(rows).of(A)


def test_excused__red_in_force__then_it_and_not_the_expired_or_its_sub_tests() -> None:
    journal = Journal().add("run.started", quarantine=[held(A), held(B, expired=True)])
    journal.ran("failed", A).ran("failed", B).ran("failed", SUB, parent=A)
    state = folded(journal)
    assert [state.ids[i] for i in state.excused()] == [A]
    assert state.flags(state.index[A]) == {"quarantined"}
    assert state.flags(state.index[B]) == {"expired"}


def test_select__flags__then_the_scenarios_that_carry_them() -> None:
    journal = Journal().add("run.started", quarantine=[held(A)])
    journal.ran("failed", A).ran("failed", B).ran("passed", B, attempt=2)
    state = folded(journal)
    assert [state.ids[i] for i in select(state, ["flag:quarantined"])] == [A]
    assert [state.ids[i] for i in select(state, ["flag:flaky"])] == [B]
    assert [state.ids[i] for i in select(state, ["not flag:quarantined"])] == [B]
    assert select(state.facts, ["flag:flaky"]) == []


def test_checkpoint__a_run_with_a_quarantine__then_restored_with_it() -> None:
    fold = Fold()
    for line in Journal().add("run.started", quarantine=[held(A)]).ran("failed", A).lines:
        fold.feed(line)
    again = Fold.restore(fold.checkpoint()).state
    assert again.run.quarantine == fold.state.run.quarantine
    assert [again.ids[i] for i in again.excused()] == [A]
