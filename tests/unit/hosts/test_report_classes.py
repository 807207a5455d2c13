"""What kind of failure a report tells of: the class of its cause by whatever its tool says of it."""

from __future__ import annotations

import pytest

from tracekit.agent.reports.classes import cause_of, named


@pytest.mark.parametrize(
    ("verdict", "said", "name", "cause"),
    [
        ("failed", ("AssertionError", "1 != 2", ""), "AssertionError", "assertion"),
        (
            "failed",
            ("org.opentest4j.AssertionFailedError", "no", ""),
            "org.opentest4j.AssertionFailedError",
            "assertion",
        ),
        ("failed", ("", "assert 1 == 2", "a.py:3: AssertionError"), "AssertionError", "assertion"),
        ("failed", ("", "ValueError: boom", ""), "ValueError", "exception"),
        (
            "failed",
            ("", "cannot pay", "cannot pay\nTypeError: cannot pay\n    at x"),
            "TypeError",
            "exception",
        ),
        ("failed", ("java.lang.NullPointerException", "", ""), "java.lang.NullPointerException", "exception"),
        ("failed", ("panic", "boom", ""), "panic", "exception"),
        ("failed", ("panic", "assertion `left == right` failed", ""), "panic", "assertion"),
        ("crashed", ("fatal error", "concurrent map writes", ""), "fatal error", "crash"),
        ("error", ("exit status", "exit status 3", ""), "exit status", "crash"),
        ("timedout", ("panic", "test timed out after 1s", ""), "panic", "hang"),
        ("failed", ("Error", "Test timed out in 60ms.", ""), "Error", "hang"),
        ("failed", ("TestTimeout", "over", ""), "TestTimeout", "hang"),
        ("failed", ("Error", "the connection timed out", ""), "Error", "assertion"),
        ("error", ("", 'failed on setup with "RuntimeError: x"', ""), "", "setup"),
        ("error", ("", 'failed on teardown with "RuntimeError: x"', ""), "", "teardown"),
        ("failed", ("", "got 1, want 2", ""), "", "assertion"),
        ("error", ("", "", ""), "", "exception"),
    ],
)
def test_cause__as_tools_tell_it__then_its_class_and_the_name_of_the_error(
    verdict: str, said: tuple[str, str, str], name: str, cause: str
) -> None:
    found, left = named(*said)
    assert (found, cause_of(verdict, found, left)) == (name, cause)
