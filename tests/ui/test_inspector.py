"""The inspector: its tabs tell one story, a chosen step narrows all of them, a chosen line leads where it points."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import Console, FakeDebugger, FakeView, Replay, press, settle, showing
from tests.ui.conftest import drive
from tests.ui.screens import GOLDEN_TRACE, remembered
from tracekit.ui.panes.picks import Stretch
from tracekit.ui.widgets.events import EventsPane
from tracekit.ui.widgets.lines import LinesPane
from tracekit.ui.widgets.runtimeline import RunTimeline
from tracekit.ui.widgets.timeline import TimelinePane, TimelineRows
from tracekit.wire.problems import Problem


def console() -> Console:
    return showing(FakeView(journals.failing()))


def lines(shown: Console) -> str:
    return shown.app.board_screen.detail.query_one("#lines", LinesPane).text


def narrowed(shown: Console) -> Stretch | None:
    return shown.app.board_screen.detail.stretch


def test_steps__of_a_red_row__tell_the_seven_things_in_their_order() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "1")
        told = [line.strip() for line in lines(shown).splitlines()]
        headings = [
            "scenario",
            "setup",
            "steps",
            "assertions",
            "cleanup",
            "edge cases",
            "code and command",
        ]
        assert [line for line in told if line in headings] == headings
        assert "A client that loses its link gets every message it missed, once, in order." in told
        assert any(line.startswith("✗ send 1000") and "2.10s" in line for line in told)
        assert "✗ 997 == 1000" in told
        assert "chat/test_ws.py:41" in told
        assert told[-1].startswith("tracekit run ")

    drive(console, story)


def test_step__chosen__narrows_output_and_events_until_escape() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        detail = shown.app.board_screen.detail
        await press(pilot, shown, "J", "1", "enter", "j", "j", "enter")
        chosen = narrowed(shown)
        assert chosen is not None
        assert chosen.name == "connect"
        assert "only connect" in shown.screen_text()
        await press(pilot, shown, "3")
        assert "connecting to 127.0.0.1:8431" in shown.screen_text()
        assert "sent 1000, waiting for acks" not in shown.screen_text()
        await press(pilot, shown, "4")
        about = detail.query_one("#events-pane", EventsPane).about
        assert (about.since, about.until) == (chosen.since, chosen.until)
        await press(pilot, shown, "escape")
        assert narrowed(shown) is None
        assert detail.query_one("#events-pane", EventsPane).about != about
        await press(pilot, shown, "3")
        assert "sent 1000, waiting for acks" in shown.screen_text()

    drive(console, story)


def test_stretch__another_row_is_selected__all_of_it_is_shown() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        detail = shown.app.board_screen.detail
        await press(pilot, shown, "J", "1", "enter", "j", "enter")
        assert isinstance(detail.stretch, Stretch)
        await press(pilot, shown, "J")
        assert detail.stretch is None

    drive(console, story)


def test_case__chosen__the_cursor_goes_there() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "J", "1", "enter", "G", "k")
        while "limit" not in str(getattr(shown.app.board_screen.detail.picked, "scenario", "")):
            await press(pilot, shown, "k")
        wanted = shown.app.board_screen.detail.picked
        await press(pilot, shown, "enter")
        board = shown.app.board_screen.board
        assert board.ids[shown.app.board_screen.detail.row] == getattr(wanted, "scenario", None)

    drive(console, story)


def test_frame_under_the_cursor__o__opens_that_line() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "J", "l", "o", "j", "o")
        assert [place[1:] for place in shown.editor.opened] == [
            ("chat/test_rooms.py", 44),
            ("chat/rooms.py", 71),
        ]

    drive(console, story)


def test_why__green_before__says_when_and_what_is_different() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "l")
        told = lines(shown)
        assert "since it was green" in told
        assert "1h ago at a1b2c3d" in told
        assert "3.11.9 → 3.12.1" in told
        assert shown.engine.before.asked[-1][2] == journals.RUN

    drive(remembered(journals.failing), story)


def test_why__nothing_recorded_before__says_what_would_say_more_and_no_guess() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "l")
        told = lines(shown)
        assert "since it was green" not in told
        assert "each call of its own functions" in told

    drive(console, story)


def test_why__of_one_cause_in_two_rows__names_the_other_and_leads_there() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "J", "l")
        here = shown.app.board_screen.detail.row
        assert "1 other test red by the same cause" in lines(shown)
        while not hasattr(shown.app.board_screen.detail.picked, "scenario"):
            await press(pilot, shown, "j")
        await press(pilot, shown, "enter")
        assert shown.app.board_screen.detail.row != here
        assert "[2 Why]" in shown.screen_text()

    drive(console, story)


def test_history__line_chosen__that_run_is_opened_at_the_scenario() -> None:
    earlier = FakeView(journals.green())

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "7")
        scenario = shown.app.board_screen.board.ids[shown.app.board_screen.detail.row]
        shown.engine.answers["replay"] = earlier
        await press(pilot, shown, "enter", "j", "enter")
        assert shown.engine.asked[-1] == Replay("01KAH0C5M0DEMORVN00007E000")
        screen = shown.app.board_screen
        assert screen.board.newest is earlier
        assert screen.board.ids[screen.detail.row] == scenario

    drive(remembered(journals.failing), story)


def test_history__cannot_be_read__says_what_and_the_screen_stays() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.before.answer = Problem(
            "store.catalogue", "the catalogue cannot be read", "x", "delete it"
        )
        await press(pilot, shown, "J", "7")
        assert "the catalogue cannot be read · delete it" in shown.screen_text()

    drive(console, story)


def test_cause_line__in_another_tab_than_why__is_told_there() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "3")
        assert "✗ AssertionError: assert 997 == 1000" in shown.screen_text()

    drive(console, story)


def traced() -> Console:
    view = FakeView(journals.failing())
    view.traced = GOLDEN_TRACE
    return showing(view)


def bars(shown: Console) -> TimelinePane:
    return shown.app.board_screen.detail.query_one(TimelinePane)


def test_timeline__bar_chosen__narrows_every_pane_and_escape_shows_all_again() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        detail = shown.app.board_screen.detail
        await press(pilot, shown, "J", "5", "enter", "j", "j", "enter")
        chosen = narrowed(shown)
        assert chosen is not None
        assert (chosen.name, chosen.step) == ("connect", "step#1")
        chart = bars(shown).rows.chart
        assert chart is not None
        assert chart.until - chart.since < 20_000_000
        await press(pilot, shown, "4")
        about = detail.query_one("#events-pane", EventsPane).about
        assert (about.since, about.until) == (chosen.since, chosen.until)
        await press(pilot, shown, "5", "escape")
        whole = bars(shown).rows.chart
        assert whole is not None
        assert whole.until - whole.since > 2_000_000_000

    drive(traced, story)


def test_timeline__closer_and_wider__a_window_around_the_bar_that_never_leaves_the_attempt() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "5", "enter")

        def window() -> tuple[int, int]:
            chart = bars(shown).rows.chart
            assert chart is not None
            return chart.since, chart.until

        whole = window()
        await press(pilot, shown, "+", "+")
        near = window()
        assert (near[1] - near[0]) * 4 == pytest.approx(whole[1] - whole[0], rel=0.01)
        assert whole[0] <= near[0]
        await press(pilot, shown, "-", "-", "-", "-")
        assert window() == whole

    drive(traced, story)


def test_timeline__of_a_run_without_a_trace__says_which_key_brings_calls() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "5")
        assert "t runs it with each call recorded" in shown.screen_text()
        assert "send 1000" in shown.screen_text()

    drive(console, story)


def test_timeline__hostile_names__are_pictures_and_keep_their_cells() -> None:
    hostile = "\x1b[31mred\x1b]0;x\x07 \u202e\u0627\u0644\u0639 " + "w" * 5000

    def make() -> Console:
        journal = journals.Journal()
        journal.start()
        scenario = journal.found("t.py", "test_x", line=1)
        journal.begin(scenario)
        journal.step(scenario, "s#1", "step", hostile, "failed", 100)
        journal.end(scenario, "failed", 100, stepped=True)
        journal.finish()
        return showing(FakeView(journal))

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "5", "enter", "enter")
        assert shown.app.safety.caught == 0
        assert all(strip.cell_length == 80 for strip in shown.strips())

    drive(make, story, (80, 24))


def debugged(shown: Console) -> FakeDebugger:
    debugger = shown.app.ports.debugger
    assert isinstance(debugger, FakeDebugger)
    return debugger


def test_debug__red_row__the_console_steps_aside_for_exactly_that_scenario() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "D")
        scenario = "pytest:chat/test_ws.py::test_reconnect_keeps_history"
        assert debugged(shown).debugged == [(journals.ROOT, journals.RUN, scenario)]
        assert "SCENARIOS" in shown.screen_text()

    drive(console, story)


def test_debug__ran_on_a_box__the_console_steps_aside_as_for_this_machine() -> None:
    journal = journals.Journal()
    journal.start(environment="box7")
    scenario = journal.found("t.py", "test_x", line=1)
    journal.begin(scenario)
    journal.end(scenario, "failed", 100)
    journal.finish()

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "D")
        assert debugged(shown).debugged == [(journals.ROOT, journals.RUN, scenario)]

    drive(lambda: showing(FakeView(journal)), story)


def test_debug__file_row_or_a_refusal__is_told_in_words() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "g", "D")
        assert "choose a scenario" in shown.screen_text()
        debugged(shown).answer = Problem(
            "debug.runner", "there is no debugger of ours for cargo", "x", "o opens it"
        )
        await press(pilot, shown, "J", "D")
        assert "there is no debugger of ours for cargo · o opens it" in shown.screen_text()

    drive(console, story)


def test_steps__other_tests_of_a_live_run_go_on__its_cases_are_not_looked_for_again() -> None:
    """A file may have 60,000 rows, and a live run has something new in each frame."""

    def make() -> Console:
        journal = journals.Journal()
        journal.start()
        cases = [journal.found("t.py", f"test_a[{number}]", line=1) for number in range(2)]
        others = [journal.found("t.py", f"test_{number}", line=9) for number in range(20)]
        journal.passes(cases[0])
        start = len(journal.lines)
        for other in others:
            journal.passes(other)
        journal.begin(cases[1])
        journal.end(cases[1], "failed", 30)
        return showing(FakeView(journal, fed=start, live=True))

    async def story(pilot: Any, shown: Console) -> None:
        screen = shown.app.board_screen
        board = screen.board
        screen.scenarios.go(0)
        await press(pilot, shown, "1")
        assert "✓ test_a[0]" in lines(shown)
        asked: list[int] = []
        whole = board.family

        def family(row: int) -> list[int]:
            asked.append(row)
            return whole(row)

        board.family = family  # type: ignore[method-assign]
        view = board.newest
        assert isinstance(view, FakeView)
        for _ in range(20):
            view.feed(2)
            await settle(pilot, shown)
        assert asked == []
        view.feed(2)
        await settle(pilot, shown)
        assert "✗ test_a[1]" in lines(shown)

    drive(make, story)


# -- the timeline of a run ---------------------------------------------------------------------------------------


def lanes(shown: Console) -> RunTimeline:
    return shown.app.board_screen.detail.query_one(RunTimeline)


def labelled(shown: Console) -> dict[str, str]:
    """The lanes by their labels, with what stands at their right."""
    return {row.label.text: row.right for row in lanes(shown).rows.rows if row.kind == "tests"}


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 20)])
def test_run_timeline__workers__a_lane_each_with_its_share_what_ends_the_run_and_the_longest_hole(
    size: tuple[int, int],
) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        # Where there is room for one of both only, the key itself goes over to the detail.
        await press(pilot, shown, "g", "5", *(["tab"] if size[0] >= 80 else []))
        assert labelled(shown) == {"gw0": "39%", "gw1": "28%", "gw2": "45%"}
        text = shown.screen_text()
        assert "ends with test_rebuild 3.10s on gw2" in text
        assert "idle 5.30s from +1.5s on gw2" in text
        slow = [row.label.text for row in lanes(shown).rows.rows if row.kind == "slow"]
        assert slow == ["test_rebuild", "test_login", "test_cart", "test_boot", "test_pay"]
        assert shown.app.safety.caught == 0

    drive(lambda: showing(FakeView(journals.spread())), story, size)


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 20)])
def test_tab_key__in_the_tree__is_seen_at_every_size(size: tuple[int, int]) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "5")
        assert "[5 Time" in shown.screen_text()
        await press(pilot, shown, "escape")
        assert "SCENARIOS" in shown.screen_text()

    drive(console, story, size)


@pytest.mark.parametrize("row", ["g", "J"])
def test_timeline__another_size__is_painted_once_and_not_at_all_where_it_is_as_wide(
    row: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[int] = []
    show = TimelineRows.show

    def counted(self: TimelineRows, rows: list[Any], chart: Any) -> None:
        painted.append(chart.width)
        show(self, rows, chart)

    monkeypatch.setattr(TimelineRows, "show", counted)

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, row, "5")
        for size, times in (((100, 30), 1), ((90, 30), 1), ((90, 25), 0)):
            painted.clear()
            await pilot.resize_terminal(*size)
            await settle(pilot, shown)
            assert len(painted) == times, (size, painted)
        # Another theme is painted, though nothing has moved.
        shown.app.wear("light")
        await settle(pilot, shown)
        assert painted

    drive(console, story)


def test_run_timeline__bar_opened__goes_to_that_scenario_and_its_own_timeline() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        detail = shown.app.board_screen.detail
        await press(pilot, shown, "g", "5", "tab", "j", "j")
        chosen = lanes(shown).rows.chosen
        assert chosen is not None
        assert chosen.name.text == "test_index"
        assert "test_index  790ms  +0.710s" in shown.screen_text()
        await press(pilot, shown, "enter")
        assert detail.board.facts[detail.row].name == "test_index"
        assert detail.tab == "timeline"
        assert shown.app.focused is bars(shown).rows

    drive(lambda: showing(FakeView(journals.spread())), story)


def test_run_timeline__file_selected__has_its_scenarios_alone() -> None:
    journal = journals.spread()
    journal.lines.pop()
    other = journal.found("shop/test_other.py", "test_other")
    journal.begin(other, worker="gw7")
    journal.end(other, "passed", 100)
    journal.finish()

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "g", "5")
        assert set(labelled(shown)) == {"gw0", "gw1", "gw2", "gw7"}
        await press(pilot, shown, "G", "h", "h")
        assert set(labelled(shown)) == {"gw7"}

    drive(lambda: showing(FakeView(journal)), story)


def test_run_timeline__run_goes_on__bars_grow_and_new_ones_come() -> None:
    whole, journal = journals.spread(), journals.spread(until=3_000)
    view = FakeView(whole, fed=len(journal.lines))

    def told(shown: Console) -> dict[str, tuple[int, bool]]:
        rows = [row for row in lanes(shown).rows.rows if row.kind == "tests"]
        return {bar.name.text: (bar.end - bar.start, bar.open) for row in rows for bar in row.bars}

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "g", "5")
        assert "test_pay" not in told(shown)
        view.feed(1)
        for _ in range(2):
            shown.clock[0] += 2_000 * journals.MS
            await settle(pilot, shown)
            await settle(pilot, shown)
            since = journals.BEGAN + 3_010 * journals.MS
            assert told(shown)["test_pay"] == (shown.clock[0] - since, True)
        assert "runs still test_pay" in shown.screen_text()
        view.feed(len(whole.lines))
        shown.clock[0] += 2_000 * journals.MS
        await settle(pilot, shown)
        await settle(pilot, shown)
        assert told(shown)["test_pay"] == (890 * journals.MS, False)
        assert "ends with test_rebuild" in shown.screen_text()

    drive(lambda: showing(view), story)


def test_run_timeline__six_thousand__folds_to_the_columns_of_the_screen() -> None:
    journal = journals.large(6_000, 60)
    view = FakeView(journal)

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "g", "5", "tab")
        rows = lanes(shown).rows
        chart = rows.chart
        assert chart is not None
        assert all(len(row.bars) <= 2 * chart.width + 2 for row in rows.rows)
        whole = sum(bar.count for row in rows.rows if row.kind == "tests" for bar in row.bars)
        assert whole == 6_000
        await press(pilot, shown, "+", "+", "+")
        near = lanes(shown).rows.chart
        assert near is not None
        assert (near.until - near.since) * 7 < chart.until - chart.since
        assert all(strip.cell_length == 120 for strip in shown.strips())

    drive(lambda: showing(view), story)


def test_run_timeline__nothing_has_run__says_so() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "g", "5", "tab", "l", "+", "enter")
        assert "nothing has begun in this part of the run" in shown.screen_text()

    drive(lambda: showing(FakeView(journals.discovered())), story)
