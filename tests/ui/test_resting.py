"""Where the cursor rests until a person moves it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.consoles import Console, FakeView, showing
from tests.support.journals import Journal, raised
from tests.ui.conftest import drive


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
        pytest.param(1, 1, "Refused: no answer", id="both: what is red, and the file that is missing in sight"),
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
