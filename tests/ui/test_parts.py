"""A test with red parts: what its Why says, where the keys lead, and what is counted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.consoles import Console, FakeView, press, showing
from tests.support.journal import Journal, raised
from tests.ui.conftest import drive
from tracekit.ui.board import Board
from tracekit.ui.panes.story import TOOK_ENDS, case_lines
from tracekit.ui.sections import cause_section, file_section
from tracekit.ui.theme import palette
from tracekit.ui.widgets.detail import counted


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
        await press(pilot, shown, "J", "h", "2")
        text = shown.screen_text()
        assert "2 parts of it red" in text
        assert "Refused: connection 0 refused" in text
        assert "Refused: connection 1 refused" in text
        assert text.count("answer 1") == 2  # in the tree and in Why
        assert text.count("answer 2") == 1

    drive(lambda: showing(FakeView(smoke(2))), story)


def test_why__a_red_part_itself__then_nothing_of_parts() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "2")
        assert "connection 0 refused" in shown.screen_text()
        assert "of it red" not in shown.screen_text()

    drive(lambda: showing(FakeView(smoke(1))), story)


def words_of_row(shown: Console) -> str:
    """The name of the test that the cursor stands on."""
    tree = shown.app.board_screen.scenarios
    assert tree.selected is not None
    section, node = tree.selected
    return tree.board.facts[section.ref[node]].name


def test_next_failure__a_test_that_only_holds_red_parts__then_the_parts_alone() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        told = []
        for _ in range(3):
            await press(pilot, shown, "J")
            told.append(words_of_row(shown))
        assert told == ["answer 0", "answer 1", "answer 0"]

    drive(lambda: showing(FakeView(smoke(2))), story)


def test_next_failure__a_test_that_failed_itself_beside_its_parts__then_it_too() -> None:
    def both() -> Journal:
        journal = Journal()
        journal.start()
        whole = journal.found("smoke.sh", "smoke")
        journal.begin(whole)
        part = f"{whole} ▸ answer"
        journal.begin(part, parent=whole)
        journal.fails(part, [raised("Refused", "no answer", [])])
        journal.end(part, "failed", 9, parent=whole)
        journal.fails(whole, [raised("Late", "and then no bye", [])])
        journal.end(whole, "failed", 61)
        journal.finish()
        return journal

    async def story(pilot: Any, shown: Console) -> None:
        told = []
        for _ in range(2):
            await press(pilot, shown, "J")
            told.append(words_of_row(shown))
        assert told == ["smoke", "answer"]

    drive(lambda: showing(FakeView(both())), story)


def test_file__a_test_with_parts__then_the_test_is_counted_as_in_the_header() -> None:
    async def story(_pilot: Any, shown: Console) -> None:
        head = next(line for line in shown.screen_text().splitlines() if "▼ smoke.sh" in line)
        assert head.split("▕")[0].split()[-2:] == ["✗1", "1"]
        assert "✗1 " in shown.screen_text().splitlines()[0]

    drive(lambda: showing(FakeView(smoke(2))), story)


def test_steps__a_test_with_parts__then_its_reason_stands_once() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "h", "1")
        assert shown.screen_text().count("a part of it failed") == 1

    drive(lambda: showing(FakeView(smoke(2))), story)


def test_title__a_file_with_parts__then_tests_are_counted_and_parts_told_apart() -> None:
    board = Board()
    board.push(FakeView(smoke(2)))
    board.look()
    section = file_section(board.file[0], board, failed_first=True)
    causes = cause_section(board, (), ())
    assert counted(section, 0) == "1 test with 4 parts"
    assert causes is not None
    assert counted(causes, 0) == str(len(board.causes()))


@pytest.mark.parametrize("long", [10, 41, 60, 300])
def test_parts__names_of_any_length__then_durations_end_in_one_column(long: int) -> None:
    journal = Journal()
    journal.start()
    whole = journal.found("smoke.sh", "smoke")
    journal.begin(whole)
    for number, name in enumerate(("short", "n" * long)):
        part = f"{whole} ▸ {name}"
        journal.begin(part, parent=whole)
        journal.end(part, "passed", 9 + 3210 * number, parent=whole)
    journal.end(whole, "passed", 61)
    journal.finish()
    board = Board()
    board.push(FakeView(journal))
    board.look()
    lines = case_lines(board, board.index[whole], palette(), 0)
    timed = [line for line in lines if line.pick is not None]
    assert [line.columns for line in timed] == [TOOK_ENDS] * 2
