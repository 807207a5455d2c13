"""A test that only its command's report tells of: each pane says what such a report lacks, and where to look."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.consoles import Console, FakeView, press, settle, showing
from tests.support.journal import Journal
from tests.ui.conftest import drive
from tracekit.ui.widgets.tree import ScenarioTree


def reported(*, printed: str = "", loose: str = "", times: bool = False) -> Journal:
    """A command of one part that failed: what it printed as a whole, what its runner did, and whether it told times."""
    journal = Journal()
    journal.start(suites=("smoke",))
    whole = journal.found("smoke", suite="smoke", runner="command")
    if loose:
        journal.prints(loose)
    journal.begin(whole)
    if printed:
        journal.prints(printed, whole)
    below = f"{whole} \N{BLACK RIGHT-POINTING SMALL TRIANGLE} cache answers"
    journal.begin(below, parent=whole)
    took: dict[str, Any] = {"d": 40_000_000, "durations": {"call": 40_000_000}} if times else {"d": 0}
    end = {"verdict": "failed", "cause": "assertion", "parent": whole, "durations": {}, **took}
    journal.line("attempt.ended", scenario=below, attempt=1, **end)
    journal.end(whole, "failed", 900, cause="assertion", reason="a part of it failed")
    journal.finish()
    return journal


async def _on_the_part(pilot: Any, shown: Console, *keys: str) -> str:
    tree = shown.app.board_screen.query_one(ScenarioTree)
    at = next(
        row for row, name in enumerate(shown.app.board_screen.board.ids) if name.endswith("cache answers")
    )
    tree.go(at)
    await press(pilot, shown, *keys)
    return shown.screen_text()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"printed": "connecting\n"}, "3 of the row above shows it"),
        ({"loose": "make: smoke\n"}, "is on 3 of the file's row"),
        ({}, "its command printed nothing else"),
    ],
)
def test_output__report_tells_none__then_says_so_and_where_it_is(facts: dict[str, Any], said: str) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        told = await _on_the_part(pilot, shown, "3")
        assert "no output of its own" in told
        assert said in told

    drive(lambda: showing(FakeView(reported(**facts))), story, (160, 36))


@pytest.mark.parametrize(
    ("times", "said"), [(False, "not how long it took"), (True, "nothing of what happened inside")]
)
def test_timeline__report_tells_no_more__then_says_what_it_lacks(times: bool, said: str) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        told = await _on_the_part(pilot, shown, "5")
        assert said in told
        assert ("+0.000" in told) is times

    drive(lambda: showing(FakeView(reported(times=times))), story, (160, 36))


def test_output__of_a_test_that_said_why__then_the_next_silent_one_has_its_own_word() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        assert "no output of its own" in await _on_the_part(pilot, shown, "3")
        tree = shown.app.board_screen.query_one(ScenarioTree)
        tree.go(0)
        await settle(pilot, shown)
        told = shown.screen_text()
        assert "no output" in told
        assert "no output of its own" not in told

    drive(lambda: showing(FakeView(_with_a_quiet_one())), story)


def _with_a_quiet_one() -> Journal:
    journal = Journal()
    journal.start()
    quiet = journal.found("test_quiet.py", "test_quiet")
    whole = journal.found("cache answers", suite="smoke", runner="command")
    for scenario in (quiet, whole):
        journal.passes(scenario)
    journal.finish()
    return journal
