"""Where a silent test was is printed once, however often and by whatever limit somebody asked."""

from __future__ import annotations

from tracekit.cli import summary
from tracekit.cli.painting import Paint
from tracekit.model.facts import Notice

STACK = "thread main, which runs the test\n  /p/src/lib.rs:6 in hangs"


def stalled(message: str, detail: str = STACK, scenario: str = "a") -> Notice:
    return Notice("stalled", "", message, detail, scenario=scenario, attempt=1)


def printed(*notices: Notice) -> list[str]:
    return list(summary.stalls(notices, Paint(on=False)))


def test_stalls__the_same_place_by_two_limits__then_its_stack_once() -> None:
    found = printed(
        stalled("no sign of life for 1s"), stalled("longer than 2s"), stalled("longer than 3s", "other")
    )
    assert found == [
        "! a: no sign of life for 1s",
        "    thread main, which runs the test",
        "      /p/src/lib.rs:6 in hangs",
        "! a: longer than 2s",
        "    where it was before",
        "! a: longer than 3s",
        "    other",
    ]


def test_stalls__another_test_at_the_same_place__then_its_own_stack() -> None:
    found = printed(stalled("longer than 2s"), stalled("longer than 2s", scenario="b"))
    assert len(found) == 6
