"""Events a second in the header: only what was counted, over the time of the console's own clock."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import Console, FakeView, press, settle, showing
from tests.ui.conftest import drive
from tracekit.ui.rate import SECOND, Rate
from tracekit.ui.theme import palette
from tracekit.ui.widgets.header import Header, HeaderFacts

MANY = "pytest:chat/test_ws.py::test_1000_clients"


def test_rate__counts_over_seconds__then_a_new_figure_each_second() -> None:
    rate, said = Rate(), []
    for now, total in (
        (0, 100),
        (SECOND // 2, 900),
        (2 * SECOND, 8_100),
        (5 * SECOND // 2, 9_000),
        (3 * SECOND, 8_000),
    ):
        rate.look("run", total, now)
        said.append(rate.a_second)
    assert said == [None, None, 4_000, 4_000, None]  # the count of the last one is of something else


@pytest.mark.parametrize("other", ["another run", None])
def test_rate__another_source_or_none__then_nothing_until_it_was_measured(other: str | None) -> None:
    rate = Rate()
    rate.look("run", 0, 0)
    rate.look("run", 70, SECOND)
    assert rate.a_second == 70
    rate.look(other, 90_000_000, 2 * SECOND)
    assert rate.a_second is None


@pytest.mark.parametrize("width", range(50, 161, 10))
def test_header__with_a_rate__then_nothing_else_has_moved(width: int) -> None:
    header = Header(palette())
    texts = []
    for rate in (None, 8_100, 1_000_000):
        header.facts = HeaderFacts("a-project-with-a-name", over=412, total=1180, elapsed="00:42", rate=rate)
        texts.append(header.line(width).text)
    assert ("8,100 ev/s  drop 0" in texts[1]) is (width >= 110)
    assert ("1.0M ev/s  drop 0" in texts[2]) is (width >= 110)
    for text in texts[1:]:
        assert len(text) <= width
        assert (
            text[: len(texts[0].removesuffix("drop 0").rstrip())] == texts[0].removesuffix("drop 0").rstrip()
        )


def test_live__events_come_while_they_are_looked_at__then_the_header_tells_how_many_a_second() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        def header() -> str:
            return shown.screen_text().splitlines()[0]

        view = shown.app.board_screen.board.newest
        assert isinstance(view, FakeView)
        await press(pilot, shown, *"jjjj", "4")
        assert "ev/s" not in header()
        for client in range(40):
            view.journal.line("failure", scenario=MANY, attempt=1, message=f"client {client} is gone")
        view.feed(40)
        shown.clock[0] += 2 * SECOND
        await settle(pilot, shown)
        assert "20 ev/s" in header()
        shown.clock[0] += SECOND
        await settle(pilot, shown)
        assert " 0 ev/s" in header()
        await press(pilot, shown, "2")
        assert "ev/s" not in header()  # nobody counts them there

    drive(lambda: showing(FakeView(journals.running())), story)
