"""Where a silent test was is printed once, however often and by whatever limit somebody asked."""

from __future__ import annotations

from tracekit.cli import summary
from tracekit.cli.painting import Paint
from tracekit.model.facts import Notice

STACK = "thread main, which runs the test\n  /p/src/lib.rs:6 in hangs"


def stalled(message: str, detail: str = STACK, scenario: str = "a") -> Notice:
    return Notice("stalled", "", message, detail, scenario=scenario, attempt=1)


def printed(*notices: Notice, told: tuple[Notice, ...] = ()) -> list[str]:
    return list(summary.stalls(notices, Paint(on=False), told={id(one) for one in told}))


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


def test_stalls__printed_while_it_ran__then_only_that_it_was_at_the_end() -> None:
    before = stalled("longer than 2s")
    assert printed(before, told=(before,)) == ["! a: longer than 2s"]
