"""Which pass of a suite follows: retries of what is red, and runs until a failure."""

from __future__ import annotations

import pytest

from tracekit.agent.passes import Pass, following, partial

GREEN = {"a": "passed", "b": "skipped", "c": "xfailed"}


def test_retry__something_is_red__then_exactly_that_runs_again() -> None:
    verdicts = {**GREEN, "d": "failed", "e": "crashed", "f": "timedout", "g": "error"}
    assert following({"retries": 2}, None, 0, verdicts) == Pass(["d", "e", "f", "g"], "retry 1 of 2")
    assert following({"retries": 2}, None, 1, verdicts) == Pass(["d", "e", "f", "g"], "retry 2 of 2")
    assert following({"retries": 2}, None, 2, verdicts) is None


@pytest.mark.parametrize("plan", [{}, {"retries": 0}, {"retries": None}, {"retries": True}, {"retries": -1}])
def test_retry__nobody_asked__then_there_is_none(plan: dict[str, object]) -> None:
    assert following(plan, None, 0, {"a": "failed"}) is None


def test_retry__nothing_is_red__then_there_is_none() -> None:
    assert following({"retries": 5}, None, 0, GREEN) is None


def test_until_failure__all_green__then_the_whole_again_and_counted() -> None:
    assert following({"until_failure": 3}, ["a"], 0, GREEN) == Pass(["a"], "pass 2 of 3")
    assert following({"until_failure": 3}, None, 1, GREEN) == Pass(None, "pass 3 of 3")
    assert following({"until_failure": 3}, None, 2, GREEN) is None


def test_until_failure__something_is_red__then_that_was_it_and_nothing_is_retried() -> None:
    assert following({"until_failure": 9, "retries": 9}, None, 3, {**GREEN, "d": "failed"}) is None


def test_until_failure__only_some_are_watched__then_another_red_does_not_end_it() -> None:
    red = {**GREEN, "d": "failed"}
    assert following({"until_failure": 9, "watch": ["a"]}, None, 0, red) == Pass(None, "pass 2 of 9")
    assert following({"until_failure": 9, "watch": ["d"]}, None, 0, red) is None
    assert following({"until_failure": 9, "watch": []}, None, 0, red) == Pass(None, "pass 2 of 9")


def test_until_failure__nothing_ran_at_all__then_it_does_not_go_on() -> None:
    assert following({"until_failure": 9}, None, 0, {}) is None


def test_partial__resumed_and_retried__then_what_is_not_in_them_is_not_missing() -> None:
    assert [
        partial(reason) for reason in ("resumes after a", "retry 1 of 2", "pass 2 of 3", "all scenarios")
    ] == [
        True,
        True,
        False,
        False,
    ]
