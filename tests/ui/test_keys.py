"""What keys do, end to end: a console over a fake engine, recorded journals, the real fold."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import (
    Attach,
    Cancel,
    Console,
    Discover,
    FakeEngine,
    FakeRow,
    FakeView,
    Launch,
    Replay,
    Rerun,
    console,
    press,
    settle,
    showing,
)
from tests.support.journals import BEGAN, ROOT
from tests.ui.conftest import drive
from tracekit.model.status import Status
from tracekit.ui.widgets.output import OutputPane
from tracekit.wire.problems import Problem

KEEPS = "pytest:chat/test_ws.py::test_reconnect_keeps_history"
LIMITS = (
    "pytest:chat/test_rooms.py::TestLimits::test_limit[100]",
    "pytest:chat/test_rooms.py::TestLimits::test_limit[1000]",
)


def failing() -> Console:
    shown = showing(FakeView(journals.failing()))
    shown.engine.answers["rerun"] = FakeView(journals.rerun_of(journals.failing()))
    return shown


def running() -> Console:
    return showing(FakeView(journals.running()))


def found() -> Console:
    view = FakeView(journals.running())
    return console(
        Discover(ROOT), engine=FakeEngine(discover=FakeView(journals.discovered()), launch=view), root=ROOT
    )


def selected(shown: Console) -> str:
    board, row = shown.app.board_screen.board, shown.app.board_screen.detail.row
    return board.ids[row] if row >= 0 else ""


def tree_text(shown: Console) -> str:
    return "\n".join(line.partition("▕")[0] for line in shown.screen_text().splitlines())


def asked(shown: Console) -> Any:
    return shown.engine.asked[-1]


def test_failed_key__reds_of_two_causes__are_rerun_as_a_child() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "f")
        assert asked(shown) == Rerun(journals.RUN, "ids", (KEEPS, *LIMITS))

    drive(failing, story)


def test_rerun__attempts_of_both_runs__are_kept_side_by_side() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "f")
        screen = shown.app.board_screen
        assert screen.board.red_count == 0
        assert "attempt 2/2" in screen.detail.query_one("#detail-title").text  # type: ignore[attr-defined]
        await press(pilot, shown, "less_than_sign")
        assert "attempt 1/2" in screen.detail.query_one("#detail-title").text  # type: ignore[attr-defined]
        assert screen.detail.attempt is not None
        assert screen.detail.attempt[1].verdict == "failed"

    drive(failing, story)


def test_selected_key__on_a_cause__runs_every_scenario_of_it() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "r")
        assert asked(shown) == Rerun(journals.RUN, "ids", LIMITS)

    drive(failing, story)


def test_again_key__after_a_rerun__asks_the_same() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "r", "full_stop")
        assert shown.engine.asked[-1] == shown.engine.asked[-2] == Rerun(journals.RUN, "ids", LIMITS)

    drive(failing, story)


def test_marked_key__two_marked_rows__runs_exactly_these() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "m", "m", "R")
        assert asked(shown) == Rerun(
            journals.RUN,
            "ids",
            tuple(sorted((KEEPS, "pytest:chat/test_ws.py::test_handshake_with_a_bad_key_is_refused"))),
        )

    drive(failing, story)


def test_selected_key__on_a_sub_test__runs_its_test() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        board = shown.app.board_screen.board
        sub = next(row for row in range(len(board.ids)) if board.parent[row] >= 0)
        shown.app.board_screen.scenarios.go(sub)
        await press(pilot, shown, "r")
        assert asked(shown) == Rerun(
            journals.RUN, "ids", ("pytest:chat/test_rooms.py::test_history_is_paged",)
        )

    drive(failing, story)


def test_all_key__after_discovery__launches_and_fills_the_same_rows() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        rows = len(shown.app.board_screen.board.ids)
        await press(pilot, shown, "a")
        assert asked(shown) == Launch(ROOT, None, "local")
        board = shown.app.board_screen.board
        assert len(board.ids) == rows
        assert board.status[board.index[KEEPS]] == Status.FAILED
        assert board.running == 2

    drive(found, story)


def test_selected_key__nothing_ran_yet__launches_the_row() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "r")
        assert asked(shown) == Launch(ROOT, None, "local", ids=(KEEPS,))

    drive(found, story)


def test_run_keys__while_a_run_is_live__ask_nothing() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        before = len(shown.engine.asked)
        await press(pilot, shown, "r", "f", "a")
        assert len(shown.engine.asked) == before
        assert "X stops it" in shown.screen_text()

    drive(running, story)


@pytest.mark.parametrize(
    ("answer", "requests"), [(["enter"], []), (["j", "enter"], [Cancel(journals.RUN)]), (["escape"], [])]
)
def test_cancel_key__question__only_the_second_answer_stops(
    answer: list[str], requests: list[Cancel]
) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "X", *answer)
        assert [request for request in shown.engine.asked if isinstance(request, Cancel)] == requests

    drive(running, story)


def test_cancel_one__running_row__names_it() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "j", "j", "j", "j", "x", "j", "enter")
        assert asked(shown) == Cancel(journals.RUN, "pytest:chat/test_ws.py::test_1000_clients")

    drive(running, story)


@pytest.mark.parametrize(
    ("answer", "gone", "cancelled"),
    [(["enter"], True, False), (["j", "enter"], True, True), (["j", "j", "enter"], False, False)],
)
def test_quit_key__live_run__stays_running_unless_told(
    answer: list[str], gone: bool, cancelled: bool
) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "q")
        await pilot.press(*answer)
        await pilot.pause()
        shown.app.pump.tick()  # the answer to a request to stop, when there was one
        await pilot.pause()

    shown = drive(running, story)
    assert (shown.app.return_code == 0 and shown.app._exit) == gone
    assert any(isinstance(request, Cancel) for request in shown.engine.asked) == cancelled


def test_quit_key__the_run_cannot_be_stopped__stays_says_why_and_asks_again() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.answers["cancel"] = Problem("box.gone", "its box is gone", "box7", "look at it there")
        await press(pilot, shown, "q", "j", "enter")
        assert "its box is gone" in shown.screen_text()
        assert not shown.app._exit
        await press(pilot, shown, "q")
        assert "A run is live" in shown.screen_text()

    drive(running, story)


def test_run_key__the_run_has_ended__what_was_said_of_it_has_gone() -> None:
    journal = journals.running()
    view = FakeView(journal)
    view.run_id = "01K00000000000000000000009"

    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.answers["rerun"] = view
        await press(pilot, shown, "J", "r")
        assert "running " in shown.screen_text().splitlines()[-1]
        journal.finish("cancelled")
        view.feed(9)
        for _ in range(2):
            shown.app.pump.tick()
        await pilot.pause()
        assert "running " not in shown.screen_text().splitlines()[-1]

    drive(failing, story)


def test_quit_key__nothing_live__leaves_at_once() -> None:
    async def story(pilot: Any, _shown: Console) -> None:
        await pilot.press("q")
        await pilot.pause()

    assert drive(failing, story).app._exit


def test_three_keys__red_row_to_cause_evidence_and_rerun() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J")
        assert "assert 997 == 1000" in shown.screen_text()
        await press(pilot, shown, "3")
        assert "sent 1000, waiting for acks" in shown.screen_text()
        await press(pilot, shown, "r")
        assert asked(shown) == Rerun(journals.RUN, "ids", (KEEPS,))

    drive(failing, story)


def test_next_failure__three_reds__goes_round_and_back() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        seen = []
        for _ in range(4):
            await press(pilot, shown, "J")
            seen.append(selected(shown))
        assert seen == [KEEPS, *LIMITS, KEEPS]
        await press(pilot, shown, "K")
        assert selected(shown) == LIMITS[1]

    drive(failing, story)


def test_filter__selector__shows_matches_and_escape_brings_all_back() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "slash", *"status", "colon", *"skipped")
        assert "test_ping_is_answered" in shown.screen_text()
        assert "test_clock_skew" not in shown.screen_text()
        await press(pilot, shown, "enter")
        assert shown.app.board_screen.focused is shown.app.board_screen.scenarios
        await press(pilot, shown, "escape")
        assert "test_clock_skew" in shown.screen_text()

    drive(failing, story)


def test_filter__a_flag__shows_what_carries_it() -> None:
    journal = journals.Journal()
    journal.start()
    flaky, held, plain = (journal.found("test_a.py", f"test_{name}") for name in ("flaky", "held", "plain"))
    entry = {"owner": "ada", "reason": "why", "since": "2026-01-01", "expires": "2026-01-15"}
    journal.lines[0]["quarantine"] = [{"scenario": held, "expired": False, **entry}]
    journal.begin(flaky)
    journal.end(flaky, "failed")
    journal.begin(flaky, 2)
    journal.end(flaky, "passed", attempt=2)
    journal.passes(held)
    journal.passes(plain)
    journal.finish()

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "slash", *"flag", "colon", *"flaky,quarantined")
        text = shown.screen_text()
        assert "test_flaky" in text
        assert "test_held" in text
        assert "test_plain" not in text

    drive(lambda: showing(FakeView(journal)), story)


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 20)])
def test_filter__wrong_selector__is_refused_with_its_place_and_filters_nothing(size: tuple[int, int]) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "slash", *"status", "colon", *"blue")
        screen = shown.app.board_screen
        for _ in range(2):
            lines = shown.screen_text().splitlines()
            assert any("unknown status 'blue'" in line for line in lines), shown.screen_text()
            mark = next(at for at, line in enumerate(lines) if line.strip(" ▕").startswith("^"))
            assert lines[mark - 1][lines[mark].index("^") :].startswith("status:blue")
            assert "refused /status:blue" in shown.screen_text()
            assert not screen.header_facts(0).filtered
            assert len(screen.scenarios.sections) > 2
            # Enter does not leave it standing as if it held.
            await press(pilot, shown, "enter")
            assert screen.query_one("#filter").has_focus
            assert "esc lets it go" in shown.screen_text()
        await press(pilot, shown, *["backspace"] * 4, *"skipped")
        assert "  refused" not in shown.screen_text()
        assert screen.header_facts(0).filtered
        await press(pilot, shown, *"x", "escape")
        assert "  refused" not in shown.screen_text()
        assert screen.filter_text == ""

    drive(failing, story, size)


def test_pause__lines_come__screen_stands_still_until_released() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        view = shown.app.board_screen.board.newest
        assert isinstance(view, FakeView)
        await press(pilot, shown, "space")
        view.journal.passes("pytest:auth/test_tokens.py::test_clock_skew", 5)
        view.feed(2)
        shown.app.pump.tick()
        await pilot.pause()
        assert shown.app.board_screen.board.tally[Status.PASSED] == 2
        await press(pilot, shown, "space")
        assert shown.app.board_screen.board.tally[Status.PASSED] == 3

    drive(running, story)


def test_editor_key__failure__opens_the_last_own_frame() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "o")
        assert shown.editor.opened == [(ROOT, "chat/test_ws.py", 58)]

    drive(failing, story)


def test_copy_key__selected_row__copies_the_exact_command() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "y")
        assert shown.clipboard.copied == [f"tracekit run {ROOT} -s {KEEPS}"]

    drive(failing, story)


@pytest.mark.parametrize(("live", "request_kind"), [(True, Attach), (False, Replay)])
def test_runs_key__chosen_run__is_attached_or_replayed(live: bool, request_kind: type) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        shown.engine.rows = [FakeRow("01KAH0C5M0DEMORVNG00000000", live=live, started_t=BEGAN)]
        await press(pilot, shown, "H", "enter")
        assert asked(shown) == request_kind("01KAH0C5M0DEMORVNG00000000")

    drive(failing, story)


def test_trust__yes__is_remembered_and_discovery_begins() -> None:
    def make() -> Console:
        return console(
            Discover(ROOT),
            trusted=False,
            engine=FakeEngine(discover=FakeView(journals.discovered())),
            root=ROOT,
        )

    async def story(pilot: Any, shown: Console) -> None:
        assert shown.engine.asked == []
        await press(pilot, shown, "j", "enter")
        assert shown.trust.asked == [ROOT]
        assert shown.engine.asked == [Discover(ROOT, None, "local")]
        assert "test_1000_clients" in shown.screen_text()

    drive(make, story)


def test_trust__refused__nothing_is_executed() -> None:
    def make() -> Console:
        return console(Discover(ROOT), trusted=False, root=ROOT)

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "enter")
        assert shown.engine.asked == []
        assert shown.trust.asked == []
        assert "nothing was looked for" in shown.screen_text()

    drive(make, story)


def test_escape__from_anywhere__comes_back_one_level_at_a_time() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        screen = shown.app.board_screen
        await press(pilot, shown, "J", "z")
        assert screen.has_class("zoomed")
        await press(pilot, shown, "escape")
        assert not screen.has_class("zoomed")
        assert screen.in_detail
        await press(pilot, shown, "escape")
        assert screen.focused is screen.scenarios

    drive(failing, story)


def test_palette__action_by_name__is_done() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "colon", *"what failed", "enter")
        assert asked(shown) == Rerun(journals.RUN, "ids", (KEEPS, *LIMITS))

    drive(failing, story)


def test_follow__scroll_up_releases__and_bottom_key_returns() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        pane = shown.app.board_screen.query_one(OutputPane)
        await press(pilot, shown, *"jjjj", "3", "tab", "k")
        assert not pane.follow
        view = shown.app.board_screen.board.newest
        assert isinstance(view, FakeView)
        for client in range(40, 45):
            view.journal.prints(
                f"client {client:03d} connected\n", "pytest:chat/test_ws.py::test_1000_clients"
            )
        view.feed(5)
        await settle(pilot, shown)
        assert pane.new_lines == 5
        assert "client 044" not in shown.screen_text()
        await press(pilot, shown, "G")
        assert pane.new_lines == 0
        assert "client 044" in shown.screen_text()

    drive(running, story, (80, 24))


def test_single_pane__enter_and_escape__show_one_side_at_a_time() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "enter")
        assert "SCENARIOS" not in shown.screen_text()
        assert "assert 997 == 1000" in shown.screen_text()
        await press(pilot, shown, "escape")
        assert "SCENARIOS" in shown.screen_text()

    drive(failing, story, (60, 20))


def test_folds__survive_a_rebuild() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "h", "h", "s", "s")
        assert "test_handshake" not in tree_text(shown)
        await press(pilot, shown, "l")
        assert "test_handshake" in tree_text(shown)

    drive(failing, story)
