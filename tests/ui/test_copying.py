"""Copying: what a key asks for goes to the clipboard, whole, clean and masked; nothing goes there by itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import Console, FakeView, press, settle, showing
from tests.support.journals import Journal
from tests.ui.conftest import drive
from tracekit.ui.widgets.lines import LinesPane
from tracekit.ui.widgets.output import OutputPane
from tracekit.ui.widgets.selecting import Selecting

FENCE = "```"


def failing(**options: Any) -> Console:
    return showing(FakeView(journals.failing()), **options)


def printing(lines: int, text: str = "line {0}") -> Console:
    journal = Journal()
    journal.start()
    scenario = journal.found("test_a.py", "test_prints")
    journal.begin(scenario)
    journal.prints("".join(text.format(number) + "\n" for number in range(lines)), scenario)
    journal.end(scenario, "failed")
    journal.finish()
    return showing(FakeView(journal))


def focused(shown: Console) -> Selecting:
    pane = shown.app.focused
    assert isinstance(pane, Selecting)
    return pane


def test_select__keys_in_the_output__y_copies_those_lines_and_nothing_is_chosen_any_more() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "3", "tab", "v", "k", "k", "y")
        assert shown.clipboard.copied == ["line 197\nline 198\nline 199"]
        assert not focused(shown).selecting
        assert "copied: 3 lines" in shown.screen_text()
        await press(pilot, shown, "y")
        assert shown.clipboard.copied[1].startswith("tracekit run ")

    drive(lambda: printing(200), story)


def test_select__to_the_very_top__everything_above_is_copied_though_it_was_never_in_sight() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "3", "tab", "v", "g", "y")
        assert shown.clipboard.copied == ["\n".join(f"line {number}" for number in range(3000))]

    drive(lambda: printing(3000), story)


def test_select__escape__lets_go_and_stays_in_the_pane() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "3", "tab", "v", "k", "escape")
        assert isinstance(shown.app.focused, OutputPane)
        assert not focused(shown).selecting
        assert shown.clipboard.copied == []

    drive(lambda: printing(50), story)


def test_select__wrapped_line__is_copied_whole() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "8")
        pane = focused(shown)
        assert isinstance(pane, LinesPane)
        long = next(number for number, row in enumerate(pane._wrapped) if "tracekit run" in row.text)
        pane.began = pane.end = long
        await press(pilot, shown, "y")
        (copied,) = shown.clipboard.copied
        assert copied.strip().startswith("tracekit run")
        assert "test_reconnect_keeps_history" in copied
        assert "\n" not in copied

    drive(failing, story, (60, 20))


def test_select__rows__are_seen_to_be_chosen() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "3", "tab", "v", "k")
        ground = shown.app.look.cursor.bgcolor
        marked = [
            "".join(segment.text for segment in strip)
            for strip in shown.strips()
            if any(s.style and s.style.bgcolor == ground and "line" in s.text for s in strip)
        ]
        assert ["line 198" in marked[0], "line 199" in marked[1], len(marked)] == [True, True, 2]

    drive(lambda: printing(200), story)


def test_select__dragged_with_the_mouse__y_copies_and_the_mouse_alone_copies_nothing() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "3", "tab")
        await pilot.mouse_down("#output", offset=(5, 2))
        await pilot.hover("#output", offset=(5, 4))
        await pilot.mouse_up("#output", offset=(5, 4))
        await settle(pilot, shown)
        assert shown.clipboard.copied == []
        top = focused(shown).scroll_offset.y
        await press(pilot, shown, "y")
        assert shown.clipboard.copied == ["\n".join(f"line {top + row}" for row in (2, 3, 4))]

    drive(lambda: printing(200), story)


def test_evidence__red_row__has_failure_locals_output_command_and_run() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "Y")
        (text,) = shown.clipboard.copied
        for part in (
            "### test\\_reconnect\\_keeps\\_history: failed",
            f"- run: `{journals.RUN}`, attempt 1",
            f"{FENCE}sh\ntracekit run ",
            "assert 997 == 1000",
            "chat/test_ws.py:58  in test_reconnect_keeps_history",
            "received = 997",
            "What it printed",
        ):
            assert part in text, text
        assert "the evidence" in shown.screen_text()

    drive(failing, story)


@pytest.mark.parametrize("hostile", ["\x1b]52;c;eA==\x07", "````\n# not a heading", "\u202eabc"])
def test_evidence__hostile_output__neither_obeyed_nor_out_of_its_block(hostile: str) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "Y")
        (text,) = shown.clipboard.copied
        assert all(line.isprintable() for line in text.splitlines())
        opening = next(line for line in text.splitlines() if line.endswith("text"))
        assert len(opening) >= 7 or "````" not in hostile

    drive(lambda: printing(3, hostile + " {0}"), story)


def test_evidence__secret_of_this_machine__goes_through_the_mask() -> None:
    def make() -> Console:
        shown = failing()
        ports = shown.app.board_screen.ports
        object.__setattr__(ports, "mask", lambda text: text.replace("997", "(masked)"))
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "Y")
        (text,) = shown.clipboard.copied
        assert "997" not in text
        assert "received = (masked)" in text

    drive(make, story)


def test_evidence__row_that_never_ran__says_so() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "g", "Y")
        assert shown.clipboard.copied == [] or "###" in shown.clipboard.copied[0]

    drive(lambda: showing(FakeView(journals.launch_failure())), story)
