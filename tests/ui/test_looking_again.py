"""What was found earlier is on the screen at once; what has changed since takes its place without moving anybody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import Console, FakeEngine, FakeView, console, press, settle
from tests.support.journals import ROOT, Journal
from tests.ui.conftest import drive
from tracekit.engine.requests import Discover
from tracekit.ui.safe import Line
from tracekit.ui.widgets.detail import Detail
from tracekit.wire.problems import Problem, ProblemError


def project(*names: str) -> Journal:
    journal = Journal()
    journal.start(mode="discover")
    for name in names:
        file, _, test = name.partition("::")
        journal.found(file, test)
    journal.finish()
    return journal


def remembered(*names: str) -> Console:
    view = FakeView(project(*names))
    view.stale, view.run_id = True, ""
    return console(Discover(ROOT, at_once=True), engine=FakeEngine(discover=view), root=ROOT)


def cursor(shown: Console) -> str:
    screen = shown.app.board_screen
    found = screen.scenarios.selected
    assert found is not None
    section, node = found
    return screen.board.ids[section.ref[node]]


def test_stale_inventory__shown_at_once_and_replaced__then_the_cursor_stays_on_its_scenario() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        text = shown.screen_text()
        assert "test_two" in text
        assert "looking again" in text
        assert shown.engine.asked[-1] == Discover(ROOT, wait=True)
        await press(pilot, shown, "j", "j", "j", "j")
        here = cursor(shown)
        assert here.endswith("b.py::test_two")

        newer = FakeView(project("a.py::test_new", "a.py::test_one", "b.py::test_zero", "b.py::test_two"))
        shown.engine.waiting.set_result(newer)
        await settle(pilot, shown)
        text = shown.screen_text()
        assert "test_new" in text
        assert "test_gone" not in text
        assert "looking again" not in text
        assert cursor(shown) == here

    drive(lambda: remembered("a.py::test_gone", "a.py::test_one", "b.py::test_two"), story)


def test_stale_inventory__a_run_was_begun_meanwhile__then_the_run_stays() -> None:
    def make() -> Console:
        shown = remembered("test_a.py::test_one")
        shown.engine.answers["launch"] = FakeView(journals.failing())
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "r")
        run = shown.app.board_screen.board.newest
        shown.engine.waiting.set_result(FakeView(project("z.py::test_other")))
        await settle(pilot, shown)
        assert shown.app.board_screen.board.newest is run
        assert "test_other" not in shown.screen_text()

    drive(make, story)


def test_stale_inventory__looking_again_fails__then_told_and_what_was_remembered_stays() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        fault = Problem("config.unknown_key", "unknown key 'sutes'", "tracekit.toml:3:1 sutes", "mend it")
        shown.engine.waiting.set_exception(ProblemError(fault))
        await settle(pilot, shown)
        text = shown.screen_text()
        assert "unknown key" in text
        assert "test_one" in text
        assert "looking again" not in text

    drive(lambda: remembered("a.py::test_one"), story)


@pytest.mark.parametrize("size", [(160, 48), (120, 36), (101, 30), (80, 24), (60, 20)])
def test_first_frame__before_anything_is_laid_out__then_bars_are_cut_to_the_width_that_comes(
    size: tuple[int, int],
) -> None:
    cut: list[int] = []

    class Seen(Detail):
        def _title(self, shown: Any, width: int) -> Line:
            cut.append(width)
            return super()._title(shown, width)

    async def story(_pilot: Any, shown: Console) -> None:
        detail = shown.app.board_screen.detail
        if detail.size.width:
            assert set(cut) == {detail.size.width}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracekit.ui.screens.console.Detail", Seen)
        drive(lambda: remembered("a.py::test_one", "a.py::test_two"), story, size)
    assert cut
