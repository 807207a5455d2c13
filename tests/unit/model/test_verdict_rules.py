"""The verdict rules that others get wrong, each by name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.model.journals import SUB, SUBSUB, A, B, Journal, exception, fold
from tracekit.model.state import RunState, Status
from tracekit.model.status import final_verdict


def status(state: RunState, scenario: str = A) -> Status:
    return Status(state.status[state.index[scenario]])


@pytest.mark.parametrize("verdict", ["passed", "skipped", "xfailed", "xpassed"])
def test_teardown_error__after_a_green_test__then_error_and_says_so(verdict: str) -> None:
    journal = (
        Journal()
        .start()
        .add("step.ended", scenario=A, attempt=1, step="teardown", kind="teardown", verdict="error")
    )
    state = journal.end(verdict).state
    assert status(state) is Status.ERROR
    assert (state.attempts(0)[0].verdict, state.attempts(0)[0].cause) == ("error", "teardown")


def test_teardown_error__told_by_a_failure_line_after_the_end__then_error() -> None:
    state = Journal().ran("passed").fail(exception("OSError", "busy"), when="teardown").state
    assert status(state) is Status.ERROR
    assert state.causes()[0].cause == "teardown"


def test_teardown_error__kind_told_at_start_and_verdict_at_end__then_error() -> None:
    journal = (
        Journal()
        .start()
        .add("step.started", scenario=A, attempt=1, step="td", kind="teardown", name="teardown")
    )
    journal.add("step.ended", scenario=A, attempt=1, step="td", verdict="failed")
    assert status(journal.end("passed").state) is Status.ERROR


def test_teardown_error__after_a_failure__then_still_failed() -> None:
    state = (
        Journal()
        .start()
        .fail(exception("OSError", "busy"), when="teardown")
        .end("failed", cause="assertion")
        .state
    )
    assert status(state) is Status.FAILED
    assert state.attempts(0)[0].cause == "assertion"


def test_cleanup_step__that_fails__then_reported_apart_and_never_hides_the_verdict() -> None:
    journal = (
        Journal()
        .start()
        .add("step.ended", scenario=A, attempt=1, step="drop", kind="cleanup", verdict="failed")
    )
    state = journal.end("passed").state
    assert status(state) is Status.PASSED
    assert [(step.id, step.verdict) for step in state.attempts(0)[0].steps] == [("drop", "failed")]


def test_failing_subtest__of_a_passed_parent__then_parent_failed_and_a_row_of_its_own() -> None:
    journal = Journal().start().start(SUB, parent=A)
    journal.fail(exception("ValueError", "no"), scenario=SUB).end("failed", SUB, parent=A).end("passed")
    state = journal.state
    assert status(state) is status(state, SUB) is Status.FAILED
    assert state.facts[state.index[SUB]].parent == state.index[A]
    assert state.children_of(state.index[A]) == [state.index[SUB]]
    assert (state.counts["failed"], state.subtest_counts["failed"]) == (1, 1)
    assert [group.indices for group in state.causes()] == [[state.index[SUB]]]


def test_failing_subtest__told_only_by_its_parents_end__then_parent_failed() -> None:
    state = Journal().start().end("passed", subtests={"passed": 3, "failed": 1, "skipped": 0}).state
    assert status(state) is Status.FAILED


def test_failing_subtest__of_a_subtest__then_every_parent_failed() -> None:
    journal = Journal().ran("failed", SUBSUB, parent=SUB).ran("passed", SUB, parent=A).ran("passed")
    state = journal.state
    assert {status(state, scenario) for scenario in (A, SUB, SUBSUB)} == {Status.FAILED}


def test_failing_subtest__of_an_earlier_attempt__then_the_later_attempt_decides() -> None:
    journal = Journal().ran("failed", SUB, parent=A).ran("passed")
    journal.start(attempt=2).end("passed", SUB, 2, parent=A).end("passed", attempt=2)
    state = journal.state
    assert status(state) is Status.PASSED
    assert [attempt.verdict for attempt in state.attempts(state.index[A])] == ["failed", "passed"]


def test_failing_subtest__of_an_expected_failure__then_the_parent_stays_xfailed() -> None:
    assert status(Journal().ran("failed", SUB, parent=A).ran("xfailed").state) is Status.XFAILED


def test_rerun__adds_an_attempt__then_the_first_is_never_overwritten() -> None:
    journal = (
        Journal().red(A, exception("ValueError", "first")).start(attempt=2).end("passed", attempt=2, d=7)
    )
    state = journal.state
    first, second = state.attempts(0)
    assert (first.number, first.verdict, first.failures[0].chain[0].message) == (1, "failed", "first")
    assert (second.number, second.verdict, second.failures) == (2, "passed", [])
    assert (status(state), state.attempts_count[0], state.duration[0]) == (Status.PASSED, 2, 7)
    assert state.flaky(0)
    assert state.causes() == []


def test_rerun__while_it_runs__then_running_and_not_yet_flaky() -> None:
    state = Journal().ran("failed").start(attempt=2).state
    assert status(state) is Status.RUNNING
    assert not state.flaky(0)


def test_crash__of_the_process__then_only_the_running_test_is_crashed_with_its_signal() -> None:
    journal = (
        Journal()
        .ran("passed", B)
        .start()
        .end("crashed", cause="crash", signal=11, reason="killed by SIGSEGV")
    )
    state = journal.state
    assert (status(state), status(state, B)) == (Status.CRASHED, Status.PASSED)
    assert state.attempts(state.index[A])[0].signal == 11


def test_end_from_outside__beside_the_tests_own__then_its_own_stands_in_any_order() -> None:
    lines = (
        Journal()
        .ran("passed", d=5)
        .add("attempt.ended", src="local/daemon/9-1", scenario=A, attempt=1, verdict="crashed", signal=9)
        .lines
    )
    for order in (lines, [lines[2], *lines[:2]]):
        state = fold(order).state
        assert (status(state), state.duration[0]) == (Status.PASSED, 5)


def test_subtest__red_by_a_word_from_outside_and_then_green_by_its_own__then_the_parent_is_green_again() -> (
    None
):
    journal = Journal().ran("passed").start(SUB, parent=A)
    journal.add("attempt.ended", src="local/daemon/9-1", scenario=SUB, attempt=1, verdict="crashed", parent=A)
    assert status(journal.state) is Status.FAILED
    state = journal.end("passed", SUB, parent=A).state
    assert (status(state), state.subtest_counts["passed"], state.counts["passed"]) == (Status.PASSED, 1, 1)


def test_start__told_twice_by_two_sources__then_the_earlier_stands_in_any_order() -> None:
    lines = (
        Journal().start(pid=1).add("attempt.started", src="local/gw0/1", scenario=A, attempt=1, pid=2).lines
    )
    for order in (lines, reversed(lines)):
        attempt = fold(order).state.attempts(0)[0]
        assert (attempt.pid, attempt.started_t) == (1, 1000)


def test_end__told_twice_by_two_sources__then_the_later_stands_in_any_order() -> None:
    ended = {"scenario": A, "attempt": 1, "verdict": "failed", "d": 9}
    lines = Journal().end("passed", d=1).add("attempt.ended", src="local/gw0/1", **ended).lines
    for order in (lines, reversed(lines)):
        state = fold(order).state
        assert (status(state), state.duration[0]) == (Status.FAILED, 9)


def test_output__before_its_start__then_kept_and_running() -> None:
    journal = Journal().add(
        "output", scenario=A, attempt=1, stream="stdout", offset=9, length=3, attribution="inferred"
    )
    assert status(journal.state) is Status.RUNNING
    span = journal.ran("passed").state.attempts(0)[0].outputs[0]
    assert (span.offset, span.length, span.exact, span.stream, span.box) == (9, 3, False, "stdout", "local")


def test_verdict__not_known_here__then_error_and_the_word_is_kept() -> None:
    state = Journal().ran("of-tomorrow").state
    assert status(state) is Status.ERROR
    assert state.attempts(0)[0].verdict == "of-tomorrow"


@pytest.mark.parametrize(
    ("reason", "running"),
    [("cancelled", Status.CANCELLED), ("lease", Status.LOST), ("supervisor-died", Status.LOST)],
)
def test_run_ended__with_attempts_without_an_end__then_derived_in_the_view_only(
    reason: str, running: Status
) -> None:
    journal = Journal().found(B).start().add("run.started", mode="run").add("run.ended", reason=reason)
    state = journal.state
    assert (status(state), status(state, B)) == (running, Status.NOTRUN)
    assert state.attempts(state.index[A])[0].verdict is None
    assert state.counts[running.word] == state.counts["notrun"] == 1


def test_run_ended__before_a_late_end_arrives__then_the_end_is_shown() -> None:
    state = Journal().start().add("run.ended", src="local/daemon/9-1", reason="lease").end("passed").state
    assert status(state) is Status.PASSED
    assert state.counts["lost"] == 0


def test_discovery__that_ended__then_what_it_found_is_pending() -> None:
    state = Journal().add("run.started", mode="discover").found().add("run.ended", reason="finished").state
    assert status(state) is Status.PENDING


def test_run_on_two_boxes__of_which_one_has_ended__then_the_run_goes_on() -> None:
    journal = (
        Journal().add("run.started", mode="run").add("run.started", src="box7/daemon/1", mode="run").start()
    )
    first = journal.add("run.ended", reason="finished", not_run=[B]).state
    both = journal.add("run.ended", src="box7/daemon/1", reason="finished", not_run_count=4).state
    assert (first.run.ended, both.run.ended) == (False, True)
    assert (status(first), status(both)) == (Status.RUNNING, Status.LOST)
    assert both.run.not_run_count == 5


def test_mark_lost__and_back__then_running_is_shown_as_lost_only_meanwhile() -> None:
    folded = fold(Journal().found(B).start().lines)
    state = folded.state
    state.take_changed()
    generation = state.generation
    state.mark_lost()
    assert (status(state), status(state, B)) == (Status.LOST, Status.PENDING)
    assert state.generation > generation
    assert state.take_changed() == {state.index[A]}
    assert b"lost" not in folded.checkpoint()
    state.mark_lost(lost=False)
    assert status(state) is Status.RUNNING


def test_phases__without_events__then_made_from_the_durations() -> None:
    durations = {"setup": 3, "call": 20, "teardown": 2}
    journal = Journal().start().fail(exception("ValueError", "x")).end("failed", durations=durations, d=25)
    steps = journal.state.attempts(0)[0].steps
    assert [(step.kind, step.verdict, step.start_m, step.duration_ns) for step in steps] == [
        ("setup", "passed", 1000, 3),
        ("call", "failed", 1003, 20),
        ("teardown", "passed", 1023, 2),
    ]


def test_phases__the_runner_worked_for_itself_before_one__then_it_holds_what_was_told_in_it() -> None:
    journal = Journal().start()
    told: dict[str, Any] = {
        "scenario": A,
        "attempt": 1,
        "step": "cleanup:db#1",
        "kind": "cleanup",
        "name": "db",
    }
    journal.add("step.ended", **told, parent="teardown", verdict="passed", d=4, m0=9_000)
    steps = (
        journal.end("passed", durations={"setup": 3, "call": 20, "teardown": 7}).state.attempts(0)[0].steps
    )
    assert [(step.id, step.start_m, step.duration_ns) for step in steps] == [
        ("setup", 1000, 3),
        ("call", 1003, 20),
        ("teardown", 8_997, 7),
        ("cleanup:db#1", 9_000, 4),
    ]


def test_phases__told_as_events__then_not_made_twice() -> None:
    journal = (
        Journal().start().add("step.started", scenario=A, attempt=1, step="call", kind="call", name="call")
    )
    journal.add("step.ended", scenario=A, attempt=1, step="call", verdict="passed", d=20, m0=1003)
    steps = journal.end("passed", durations={"setup": 3, "call": 20}).state.attempts(0)[0].steps
    assert [(step.id, step.start_m, step.duration_ns) for step in steps] == [
        ("setup", 1000, 3),
        ("call", 1003, 20),
    ]


def test_setup_error__then_the_phase_that_broke_is_marked() -> None:
    journal = (
        Journal()
        .start()
        .fail(exception("OSError", "x"), when="setup")
        .end("error", cause="setup", durations={"setup": 3})
    )
    assert [(step.id, step.verdict) for step in journal.state.attempts(0)[0].steps] == [("setup", "error")]


@pytest.mark.parametrize("verdict", ["failed", "error", "timedout", "crashed", "cancelled", "notrun"])
def test_final_verdict__of_what_is_not_green__then_nothing_turns_it(verdict: str) -> None:
    assert final_verdict(verdict, "hang", teardown_failed=True, subtest_failed=True) == (verdict, "hang")
