"""Where the cursor rests until a person moves it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.consoles import Console, FakeView, press, settle, showing
from tests.support.journals import Journal, raised
from tests.ui.conftest import drive
from tracekit.engine.requests import Rerun


def half_collected(missing: int, reds: int) -> Journal:
    journal = Journal()
    journal.start()
    for number in range(missing):
        journal.line(
            "discover.failed", suite="", file=f"lost_{number}.py", message=f"could not import {number}"
        )
    for number in range(4):
        one = journal.found("test_shop.py", f"test_{number}")
        journal.begin(one)
        if number < reds:
            journal.fails(one, [raised("Refused", "no answer", [])])
        journal.end(one, "failed" if number < reds else "passed", 9)
    journal.finish()
    return journal


@pytest.mark.parametrize(
    ("missing", "reds", "rests"),
    [
        pytest.param(
            1, 1, "Refused: no answer", id="both: what is red, and the file that is missing in sight"
        ),
        pytest.param(1, 0, "lost_0.py", id="nothing red: the file that is missing"),
        pytest.param(90, 1, "lost_0.py", id="a screenful of missing files: the first of them"),
    ],
)
def test_cursor__not_moved_yet__then_on_what_matters_first(missing: int, reds: int, rests: str) -> None:
    async def story(_pilot: Any, shown: Console) -> None:
        lines = [line.split("▕")[0] for line in shown.screen_text().splitlines()]
        assert rests in next(line for line in lines if line.startswith("▌"))
        assert any("lost_0.py" in line for line in lines)

    drive(lambda: showing(FakeView(half_collected(missing, reds))), story)


def two_causes() -> tuple[Journal, FakeView]:
    """A run that is red by two causes, and a rerun of one of them that has told nothing yet of how it ended."""
    first = Journal()
    first.start()
    for name, words in (("a", "no answer"), ("b", "no answer"), ("c", "no money")):
        one = first.found("test_shop.py", f"test_{name}")
        first.begin(one)
        first.fails(one, [raised("Refused", words, [])])
        first.end(one, "failed", 9)
    first.finish()
    again = Journal(run="01KAH0C5M0DEMORVNREREVN000")
    again.start(parent=first.run)
    ids = [again.found("test_shop.py", f"test_{name}") for name in "ab"]
    for one in ids:
        again.begin(one)
    begun = len(again.lines)
    for one in ids:
        again.fails(one, [raised("Refused", "no answer", [])])
        again.end(one, "failed", 9)
    again.finish()
    return first, FakeView(again, fed=begun)


def under_cursor(shown: Console) -> str:
    lines = (line.split("▕")[0] for line in shown.screen_text().splitlines())
    return next(line for line in lines if line.startswith("▌"))


@pytest.mark.parametrize("key", ["r", "t", "u"])
def test_rerun__of_a_cause_that_stays_red__then_the_cursor_is_on_it_again(key: str) -> None:
    first, again = two_causes()

    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.answers["rerun"] = again
        await press(pilot, shown, "l", key)
        assert "no answer" not in under_cursor(shown)  # nothing is red by it while it runs
        again.feed(100)
        await settle(pilot, shown)
        assert "▼ ✗ Refused: no answer" in under_cursor(shown)
        await press(pilot, shown, key)
        for asked in shown.engine.asked[1:]:
            assert isinstance(asked, Rerun)
            assert asked.ids == ("pytest:test_shop.py::test_a", "pytest:test_shop.py::test_b")
        assert len(shown.engine.asked) == 3

    drive(lambda: showing(FakeView(first)), story)


def test_rerun__the_cursor_was_moved_meanwhile__then_it_stays() -> None:
    first, again = two_causes()

    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.answers["rerun"] = again
        await press(pilot, shown, "r", "G")
        assert "test_b" in under_cursor(shown)
        again.feed(100)
        await settle(pilot, shown)
        assert "test_b" in under_cursor(shown)

    drive(lambda: showing(FakeView(first)), story)
