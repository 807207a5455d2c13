"""A test that only holds red parts: its Why says what went wrong in each, and leads there."""

from __future__ import annotations

from typing import Any

from tests.support.consoles import Console, FakeView, press, showing
from tests.support.journal import Journal, raised
from tests.ui.conftest import drive


def smoke(reds: int) -> Journal:
    journal = Journal()
    journal.start()
    whole = journal.found("smoke.sh", "smoke")
    journal.begin(whole)
    for number in range(4):
        part = f"{whole} ▸ answer {number}"
        journal.begin(part, parent=whole)
        red = number < reds
        if red:
            journal.fails(part, [raised("Refused", f"connection {number} refused", [])])
        journal.end(part, "failed" if red else "passed", 9, parent=whole)
    journal.end(whole, "failed" if reds else "passed", 61, reason="a part of it failed" if reds else "")
    journal.finish()
    return journal


def test_why__a_test_whose_parts_are_red__then_each_of_them_with_its_words() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "2")
        text = shown.screen_text()
        assert "2 parts of it red" in text
        assert "Refused: connection 0 refused" in text
        assert "Refused: connection 1 refused" in text
        assert text.count("answer 1") == 2  # in the tree and in Why
        assert text.count("answer 2") == 1

    drive(lambda: showing(FakeView(smoke(2))), story)


def test_why__a_red_part_itself__then_nothing_of_parts() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "J", "2")
        assert "connection 0 refused" in shown.screen_text()
        assert "of it red" not in shown.screen_text()

    drive(lambda: showing(FakeView(smoke(1))), story)
