"""The events pane: what was recorded in a scenario, live and recorded, through a filter; and why there is nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import Console, FakeView, Launch, Rerun, press, settle, showing
from tests.support.journals import Journal
from tests.ui.conftest import drive
from tests.ui.screens import GOLDEN_TRACE
from tracekit.ui.panes import events
from tracekit.ui.widgets.events import EventRows, EventsPane

KEEPS = "pytest:chat/test_ws.py::test_reconnect_keeps_history"
LIMITS = tuple(f"pytest:chat/test_rooms.py::TestLimits::test_limit[{size}]" for size in (100, 1000))


def recorded(trace: Path | None = GOLDEN_TRACE) -> Callable[[], Console]:
    def make() -> Console:
        view = FakeView(journals.failing())
        view.traced = trace
        return showing(view)

    return make


def pane_of(shown: Console) -> EventsPane:
    return shown.app.board_screen.query_one(EventsPane)


def rows_of(shown: Console) -> list[str]:
    """The rows in sight, without their times."""
    pane = pane_of(shown).rows
    lines = [pane.line_at(row) for row in range(pane.line_count)]
    return [" ".join(line.text.split()[1:]) for line in lines if line is not None]


async def filtered(pilot: Any, shown: Console, text: str) -> None:
    shown.app.board_screen.query_one(EventRows).focus()
    await press(pilot, shown, "slash", *text, "enter")


def test_events__red_row__then_its_marks_logs_and_calls_and_no_other_scenarios() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "4")
        rows = rows_of(shown)
        assert len(rows) == 29
        assert (rows[0], rows[-1]) == ("begin attempt 1", "end failed")
        assert "WARN writer-3 chat.pool pool.acquire slow 4967us chat/pool.py:71" in rows
        assert "raised chat.client.Client.receive ConnectionResetError 5.01ms" in rows
        assert "LOST 18 overwritten before it was drained" in rows
        assert not [row for row in rows if "1000_clients" in row]
        assert "+0.000000" in shown.screen_text()

    drive(recorded(), story)


def test_events__on_a_file__then_those_of_the_whole_run_with_their_scenarios() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "j", "j", "4")
        assert pane_of(shown).rows.line_count == 33
        assert f"end failed {KEEPS}" in rows_of(shown)

    drive(recorded(), story)


def test_events__hostile_log_line__is_shown_as_pictures() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "4", "z")
        assert "peer says ␛]0;owned␇␛[2J" in shown.screen_text()
        assert not any("\x1b" in line or "\u202e" in line for line in rows_of(shown))
        assert shown.app.safety.caught == 0

    drive(recorded(), story)


def test_filter__in_the_events__then_only_what_passes_and_escape_brings_all_back() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "4", "tab")
        await filtered(pilot, shown, "kind:log level>=warning")
        assert [row.split()[0] for row in rows_of(shown)] == ["WARN", "WARN"]
        assert "2 of 33" in shown.screen_text()
        assert shown.app.focused is pane_of(shown).rows
        await press(pilot, shown, "K")
        await press(pilot, shown, "J")
        assert pane_of(shown).rows.line_count == 2, "the filter stays with the pane"
        await press(pilot, shown, "slash", "escape")
        assert pane_of(shown).rows.line_count == 29
        assert "SCENARIOS" in shown.screen_text()

    drive(recorded(), story)


def test_filter__around_the_failure_and_from_the_beginning__then_counted_from_the_attempt() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "4", "tab")
        await filtered(pilot, shown, "t:+0ms..+1ms")
        assert [row.split()[0] for row in rows_of(shown)] == ["begin", "step", "info"]
        await press(pilot, shown, "slash", "escape")
        await filtered(pilot, shown, "@fail(-340ms..+0ms) kind:exception")
        assert [row.split()[1] for row in rows_of(shown)] == ["AssertionError"]

    drive(recorded(), story)


def test_filter__not_understood__then_caret_and_suggestion_and_the_rows_stay() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "4", "tab")
        await filtered(pilot, shown, "levvel:error")
        text = shown.screen_text()
        assert "no field levvel; did you mean level?" in text
        told = text.splitlines()
        at = next(number for number, line in enumerate(told) if "^^^^^^" in line)
        assert told[at].index("^^^^^^") == told[at - 1].index("levvel")
        assert pane_of(shown).rows.line_count == 29
        await press(pilot, shown, "home", *["right"] * 4, "backspace", "enter")
        assert "did you mean" not in shown.screen_text()
        assert pane_of(shown).filter_text == "level:error"
        assert pane_of(shown).rows.line_count == 2

    drive(recorded(), story)


@pytest.mark.parametrize(
    ("trace", "text", "said"),
    [
        (GOLDEN_TRACE, "dur>1h", "no row passes dur>1h"),
        (None, "", "not traced: no test process recorded anything · the journal's lines:"),
    ],
)
def test_nothing_to_show__then_the_pane_says_why(trace: Path | None, text: str, said: str) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "4", "tab")
        if text:
            await filtered(pilot, shown, text)
        assert said in shown.screen_text()

    drive(recorded(trace), story)


def test_untraced__then_the_journals_rows_of_the_scenario_and_the_same_filter() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "4", "tab")
        assert any(row.startswith("attempt.ended") for row in rows_of(shown))
        await filtered(pilot, shown, "kind:failure")
        (row,) = rows_of(shown)
        assert "assert 997 == 1000" in row

    drive(recorded(None), story)


def test_untraced__the_journal_says_why__then_the_pane_does() -> None:
    def make() -> Console:
        journal = journals.running()
        journal.line("gap", what="trace", count=1, why="the folder of rings is read-only")
        journal.finish("finished")
        return showing(FakeView(journal))

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "4")
        assert "not traced: the folder of rings is read-only" in shown.screen_text()

    drive(make, story)


def test_live__lines_come__then_followed_until_a_person_scrolls_up() -> None:
    many = "pytest:chat/test_ws.py::test_1000_clients"

    def more(shown: Console, first: int, last: int) -> None:
        view = shown.app.board_screen.board.newest
        assert isinstance(view, FakeView)
        for client in range(first, last):
            view.journal.line("failure", scenario=many, attempt=1, message=f"client {client} is gone")
        view.feed(last - first)

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, *"jjjj", "4", "tab")
        more(shown, 0, 40)
        await settle(pilot, shown)
        assert "FOLLOW" in shown.screen_text()
        assert "client 39 is gone" in shown.screen_text()
        await press(pilot, shown, "k", "k")
        more(shown, 40, 45)
        await settle(pilot, shown)
        assert "held +5 new" in shown.screen_text()
        assert "client 44 is gone" not in shown.screen_text()
        await press(pilot, shown, "G")
        assert "client 44 is gone" in shown.screen_text()

    drive(lambda: showing(FakeView(journals.running())), story)


def test_live__trace_appears_after_the_journal__then_the_pane_goes_over_to_it() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "g", "4", "tab")
        await filtered(pilot, shown, "kind:exit,unwind")
        view = shown.app.board_screen.board.newest
        assert isinstance(view, FakeView)
        assert view.box is not None
        shutil.copytree(GOLDEN_TRACE, view.box, dirs_exist_ok=True)
        await settle(pilot, shown)
        assert {row.split()[0] for row in rows_of(shown)} == {"return", "raised"}

    drive(lambda: showing(FakeView(journals.running())), story)


def test_trace__whose_segment_is_damaged__then_the_rest_stays_and_nothing_breaks(tmp_path: Path) -> None:
    trace = tmp_path / "golden"
    shutil.copytree(GOLDEN_TRACE, trace)
    segment = trace / "trace" / "seg-000000.tks"
    segment.chmod(0o600)
    data = bytearray(segment.read_bytes())
    data[-9] ^= 0xFF
    segment.write_bytes(data)

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "4", "tab")
        assert "Events]" in shown.screen_text()
        await filtered(pilot, shown, "error")

    drive(recorded(trace), story)


def two_attempts() -> Journal:
    journal = Journal()
    journal.start()
    scenario = journal.found("test_a.py", "test_it")
    for attempt, verdict in ((1, "failed"), (2, "passed")):
        journal.begin(scenario, attempt)
        journal.wait(10)
        journal.line("failure", scenario=scenario, attempt=attempt, message=f"in attempt {attempt}")
        journal.end(scenario, verdict, 20, attempt=attempt)
        journal.wait(5)
    journal.finish()
    return journal


def test_attempts__of_one_scenario__then_each_has_its_own_rows() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "j", "4")
        assert [row for row in rows_of(shown) if "in attempt" in row] == ["failure in attempt 2"]
        await press(pilot, shown, "less_than_sign")
        assert [row for row in rows_of(shown) if "in attempt" in row] == ["failure in attempt 1"]

    drive(lambda: showing(FakeView(two_attempts())), story)


def test_attempts__of_several_runs__then_events_count_them_as_the_title_does() -> None:
    def make() -> Console:
        shown = recorded()()
        again = FakeView(journals.rerun_of(journals.failing(), verdict="failed"))
        again.traced = GOLDEN_TRACE
        shown.engine.answers["rerun"] = again
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        shown.app.board_screen.scenarios.come_to(KEEPS)
        await press(pilot, shown, "r", "4")
        for number in (2, 1, 2):
            assert f"attempt {number}/2" in shown.screen_text()
            assert f"begin attempt {number}" in rows_of(shown)
            await press(pilot, shown, "less_than_sign" if number == 2 else "greater_than_sign")

    drive(make, story)


def test_traced_key__selected_row__is_run_again_with_calls_and_its_events_are_shown() -> None:
    def make() -> Console:
        shown = recorded()()
        shown.engine.answers["rerun"] = FakeView(journals.rerun_of(journals.failing()))
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "t")
        assert shown.engine.asked[-1] == Rerun(journals.RUN, "ids", LIMITS, trace="calls")
        assert "[4 Events]" in shown.screen_text()
        await press(pilot, shown, "full_stop")
        assert shown.engine.asked[-1] == shown.engine.asked[-2]

    drive(make, story)


def test_traced_key__nothing_ran_yet__then_launched_with_calls() -> None:
    from tests.ui.screens import found

    def make() -> Console:
        shown = found(journals.discovered)()
        shown.engine.answers["launch"] = FakeView(journals.running())
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "j", "t")
        asked = shown.engine.asked[-1]
        assert isinstance(asked, Launch)
        assert (asked.trace, len(asked.ids)) == ("calls", 1)

    drive(make, story)


def in_rust() -> Journal:
    journal = Journal()
    journal.start()
    scenario = "cargo:src/lib.rs::tests::packs"
    facts = {"suite": "", "runner": "cargo", "path": ["src/lib.rs", "tests", "packs"], "file": "src/lib.rs"}
    journal.line("scenario.found", scenario=scenario, **facts, line=3, tags=[], doc=None)
    journal.begin(scenario)
    journal.wait(10)
    journal.end(scenario, "failed", 10)
    journal.finish()
    return journal


def test_traced_key__where_no_calls_can_be_recorded__then_said_and_nowhere_offered() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "l")
        assert "each call of its own functions" not in shown.screen_text()
        await press(pilot, shown, "4")
        assert "run it with its calls" not in shown.screen_text()
        await press(pilot, shown, "5")
        assert "runs it with each call" not in shown.screen_text()
        asked = list(shown.engine.asked)
        await press(pilot, shown, "t")
        assert "calls are recorded of Python" in shown.screen_text()
        assert shown.engine.asked == asked

    drive(lambda: showing(FakeView(in_rust())), story)


def test_many_rows__then_only_those_in_sight_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "g", "4")
        window = pane_of(shown).rows.window
        assert window is not None
        shown_rows = window.shown

        def counted(start: int, count: int, columns: int) -> Any:
            asked.append(count)
            return shown_rows(start, count, columns)

        monkeypatch.setattr(window, "shown", counted)
        pane_of(shown).rows.use(window, follow=True)
        await settle(pilot, shown)
        assert len(window) > 6_000
        assert sum(asked) <= 100

    drive(lambda: showing(FakeView(journals.large(3_000, 30))), story)


@pytest.mark.parametrize(("kind", "word"), sorted((events.WORDS | events.LEVELS).items() - {("log", "log")}))
def test_filter__word_that_the_rows_show__finds_just_those_rows(kind: str, word: str) -> None:
    """The pane's words and the filter's are two tables: each word is asked for as it is shown."""

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "j", "j", "4")
        every = rows_of(shown)
        shown_so = [row for row in every if row.split()[0] == word]
        await filtered(pilot, shown, f"kind:{word}")
        found = rows_of(shown)
        assert found == shown_so
        assert "no row passes" in shown.screen_text() or found

    # All of its rows are in sight.
    drive(recorded(), story, (120, 60))


def test_filter__a_kind_that_does_not_exist__then_the_nearest_one_is_offered() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "4")
        await filtered(pilot, shown, "kind=lgo")
        assert "no row passes kind=lgo" in shown.screen_text()
        assert "did you mean kind:log?" in shown.screen_text()

    drive(recorded(), story)
