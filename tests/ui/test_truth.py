"""What the console says of a run must be so: green, how far, what still runs, what is hidden, what follows."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import Console, FakeView, press, settle, showing
from tests.support.journals import Journal
from tests.ui.conftest import drive
from tracekit.model.status import BY_WORD, Status
from tracekit.wire.problems import Problem


def ended(*verdicts: str, reason: str = "finished", left: int = 0, mode: str = "run") -> Journal:
    """A run of one file; `left` scenarios were found and not run."""
    journal = Journal()
    journal.start(mode=mode)
    ids = [journal.found("test_a.py", f"test_{number}") for number in range(len(verdicts) + left)]
    for scenario, verdict in zip(ids, verdicts, strict=False):
        journal.begin(scenario)
        journal.end(scenario, verdict)
    journal.finish(reason, not_run=ids[len(verdicts) :])
    return journal


@pytest.mark.parametrize(
    ("journal", "said"),
    [
        (ended("passed", "skipped"), "✓ all green"),
        (ended("passed", "cancelled"), "1 of 2 passed, 1 cancelled"),
        (ended("passed", left=1), "1 of 2 passed, 1 not run"),
        (ended("passed", reason="cancelled"), "1 of 1 passed, the run ended early: cancelled"),
        (ended(left=9), "nothing ran"),
        (ended(left=9, reason="cancelled"), "nothing ran, cancelled"),
        (ended(left=9, mode="discover"), "9 scenarios found"),
    ],
)
def test_run_tab__without_reds__green_only_when_all_of_it_ran(journal: Journal, said: str) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "0")
        text = shown.screen_text()
        assert said in text
        assert "nothing ran yet" not in text
        assert ("all green" in text) == ("all green" in said)

    drive(lambda: showing(FakeView(journal)), story)


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 20)])
def test_header__trace_loses_records__counts_them_in_few_letters(size: tuple[int, int]) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        assert shown.screen_text().splitlines()[0].rstrip().endswith("drop 12M")
        await press(pilot, shown, "0")
        if size[1] >= 36:
            assert "11,525,182 records of the trace are lost" in shown.screen_text()

    journal = journals.running()
    journal.line("trace.lost", lost=11_525_182)
    drive(lambda: showing(FakeView(journal)), story, size)


def test_header__inventory__is_no_replay() -> None:
    async def story(_pilot: Any, shown: Console) -> None:
        assert "replay" not in shown.screen_text().splitlines()[0]

    drive(lambda: showing(FakeView(journals.discovered(), link="replay")), story)


@pytest.mark.parametrize(("live", "clock"), [(True, True), (False, False)])
def test_header__nobody_wrote_down_the_end__then_no_clock_goes_on(live: bool, clock: bool) -> None:
    journal = Journal()
    journal.start()
    journal.begin(journal.found("test_a.py", "test_0"))

    async def story(_: Any, shown: Console) -> None:
        head = shown.screen_text().splitlines()[0]
        assert bool(re.search(r" \d\d:\d\d ", head)) == clock, head

    drive(lambda: showing(FakeView(journal, live=live)), story)


def test_header__rerun_has_just_begun__counts_the_new_run_alone() -> None:
    def make() -> Console:
        shown = showing(FakeView(journals.failing()))
        shown.engine.answers["rerun"] = FakeView(journals.rerun_of(journals.failing(), ended=False))
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "f")
        assert "▶ 0/3  ✓0 ✗0" in shown.screen_text().splitlines()[0]
        await press(pilot, shown, "g", "0")
        assert "running: 0 of 3" in shown.screen_text()
        assert "test_1000_clients" in shown.screen_text()

    drive(make, story)


def test_summary__run_waits_for_its_services__names_one_with_its_reason_and_how_many() -> None:
    journal = Journal()
    journal.start()
    for name in ("db", "api"):
        told = {"why": f"{name} is refused", "message": f"waits for service {name}: {name} is refused"}
        journal.line("phase.started", phase="service", id=name, **told)

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "0")
        assert "waits for service api and 1 more: api is refused" in shown.screen_text()
        assert "running: 0 of 0" not in shown.screen_text()

    drive(lambda: showing(FakeView(journal)), story)


def test_summary__nothing_has_begun__says_so_without_a_count() -> None:
    journal = Journal()
    journal.start()

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "0")
        assert "no test has begun yet" in shown.screen_text()

    drive(lambda: showing(FakeView(journal)), story)


def test_header__run_ends__stands_for_the_whole_chain_again() -> None:
    def make() -> Console:
        shown = showing(FakeView(journals.failing()))
        shown.engine.answers["rerun"] = FakeView(journals.rerun_of(journals.failing()))
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "f")
        assert "13/13  ✓12 ✗0" in shown.screen_text().splitlines()[0]

    drive(make, story)


@pytest.mark.parametrize("verdict", ["timedout", "crashed", "cancelled"])
def test_steps__attempt_ended_from_outside__its_open_step_runs_no_more(verdict: str) -> None:
    def make() -> Console:
        journal = Journal()
        journal.start()
        scenario = journal.found("test_a.py", "test_hangs")
        journal.begin(scenario)
        step = {"step": "call", "kind": "call", "name": "the call", "parent": None}
        journal.line("step.started", scenario=scenario, attempt=1, **step)
        journal.end(scenario, verdict, reason="it was ended")
        journal.finish()
        return showing(FakeView(journal))

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "G", "1")
        glyphs = shown.app.look.glyphs
        text = shown.screen_text()
        assert glyphs.of(Status.RUNNING, shown.clock[0]) not in text
        assert f"the call {glyphs.of(BY_WORD[verdict])}" in text  # in the bar
        assert f"{glyphs.of(BY_WORD[verdict])} the call" in text  # in the list

    drive(make, story)


@pytest.mark.parametrize("folded", [0, 1])
def test_next_failure__file_of_the_red_is_folded__unfolds_it(folded: int) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        tree = shown.app.board_screen.scenarios
        for number, section in enumerate(tree.sections):
            if section.key != "causes" and number > folded:
                section.open[0] = 0
                section.show()
        tree._arrange()
        seen = []
        for key in "JJJJK":
            await press(pilot, shown, key)
            seen.append(
                shown.app.board_screen.board.ids[shown.app.board_screen.detail.row].rpartition("::")[2]
            )
        limits = ["test_limit[100]", "test_limit[1000]"]
        keeps = "test_reconnect_keeps_history"
        assert seen == [keeps, *limits, keeps, limits[1]]

    drive(lambda: showing(FakeView(journals.failing())), story)


def test_next_failure__filter_hides_every_red__says_so() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "slash", *"clock", "enter", "J")
        assert "the filter hides what has failed" in shown.screen_text()

    drive(lambda: showing(FakeView(journals.failing())), story)


def test_next_failure__none__says_so() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J")
        assert "nothing has failed" in shown.screen_text()

    drive(lambda: showing(FakeView(journals.green())), story)


@pytest.mark.parametrize("size", [(120, 36), (100, 30), (80, 24), (60, 20), (40, 10)])
def test_tabs__output_at_any_width__says_whether_it_follows(size: tuple[int, int]) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, *"jjjj", "3", "enter")
        tabs = shown.app.board_screen.query_one("#detail-tabs")
        assert tabs.text.endswith("FOLLOW")  # type: ignore[attr-defined]
        assert "[3 Output]" in shown.screen_text()
        await press(pilot, shown, "k")
        view = shown.app.board_screen.board.newest
        assert isinstance(view, FakeView)
        for client in range(40, 47):
            view.journal.prints(
                f"client {client:03d} connected\n", "pytest:chat/test_ws.py::test_1000_clients"
            )
        view.feed(7)
        await settle(pilot, shown)
        assert "held +7 new" in shown.screen_text()

    drive(lambda: showing(FakeView(journals.running())), story, size)


def test_status_line__narrowest__keeps_its_words_apart() -> None:
    async def story(_pilot: Any, shown: Console) -> None:
        line = shown.screen_text().splitlines()[0]
        assert line.split()[-2:] == ["drop", "0"]
        assert line.split()[-3] == "00:00"

    drive(lambda: showing(FakeView(ended("passed", "passed"))), story, (40, 9))


def test_detail__running_test_is_silent__shows_where_it_is() -> None:
    def make() -> Console:
        journal = Journal()
        journal.start()
        scenario = journal.found("test_a.py", "test_hangs")
        journal.begin(scenario)
        frames = [{"file": "test_a.py", "line": 7, "function": "waits_\x1b[31mfor"}]
        stacks = [{"thread": "0x1", "current": True, "frames": frames}]
        journal.line("attempt.stalled", scenario=scenario, attempt=1, limit="stall", stacks=stacks)
        return showing(FakeView(journal, live=True))

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "end", "up")
        seen = []
        for tab in "123456":
            await press(pilot, shown, tab)
            seen.append(shown.screen_text())
        assert any("test_a.py:7 in waits" in text for text in seen), seen[0]
        assert not any("\x1b" in text for text in seen)

    drive(make, story)


def left(journal: Journal, *, ran: int = 1, found: int = 2) -> list[str]:
    """A run that began with so many scenarios, of which the first ran."""
    journal.start()
    ids = [journal.found("test_a.py", f"test_{number}") for number in range(found)]
    for scenario in ids[:ran]:
        journal.passes(scenario)
    return ids[ran:]


def unreached(reason: str = "", *, named: bool = True, why: str = "") -> Journal:
    """One scenario ran, one did not; without a reason the run goes on, or its recording ends."""
    journal = Journal()
    rest = left(journal)
    if reason:
        journal.finish(reason, not_run=rest if named else [], why=why)
    return journal


@pytest.mark.parametrize(
    ("journal", "live", "said", "because"),
    [
        (unreached("cancelled", why="cancelled"), False, "not reached: the run was cancelled before it", ""),
        (unreached("cancelled", why="needs redis"), False, "cancelled before it", "because needs redis"),
        (unreached("finished", why="needs redis"), False, "left out of this run", "because needs redis"),
        (unreached("finished", named=False), False, "not run: its runner ended without it", ""),
        (unreached("lease"), False, "nobody came back to the run in time", ""),
        (unreached("agent-died"), False, "the agent died before it", ""),
        (unreached(), False, "not reached: the recording ends before it", ""),
        (unreached(), True, "not reached yet: the run goes on", ""),
        (ended(left=2, mode="discover"), False, "not run yet", ""),
    ],
)
def test_scenario_without_an_attempt__every_pane__says_what_became_of_it(
    journal: Journal, live: bool, said: str, because: str
) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "G")
        for tab in "12345":
            await press(pilot, shown, tab)
            text = " ".join(shown.screen_text().split())
            assert said in text, f"{tab}: {shown.screen_text()}"
            assert because in text, f"{tab}: {shown.screen_text()}"
            assert ("not run yet" in text) == (said == "not run yet")
            assert ("r runs it" in text) != live

    drive(lambda: showing(FakeView(journal, live=live)), story)


def test_scenario_that_was_waited_for__its_run_is_cancelled__panes_say_so_then() -> None:
    journal = unreached("cancelled")
    view = FakeView(journal, fed=len(journal.lines) - 1)

    async def story(pilot: Any, shown: Console) -> None:
        for tab in "145":
            await press(pilot, shown, "G", tab)
            assert "not reached yet: the run goes on" in shown.screen_text()
        view.feed(1)
        await settle(pilot, shown)
        assert "the run was cancelled before it" in shown.screen_text()

    drive(lambda: showing(view), story)


@pytest.mark.parametrize("tab", "12345")
@pytest.mark.parametrize("fed", [1, 2], ids=["runs", "has-ended"])
def test_scenario_that_was_waited_for__it_runs_and_prints_nothing__panes_wait_no_more(
    tab: str, fed: int
) -> None:
    journal = Journal()
    journal.start()
    scenario = journal.found("test_a.py", "test_silent")
    before = len(journal.lines)
    journal.begin(scenario)
    journal.end(scenario, "passed")
    view = FakeView(journal, fed=before)

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "G", tab)
        assert "not reached yet: the run goes on" in shown.screen_text()
        view.feed(fed)
        await settle(pilot, shown)
        assert "not reached yet" not in shown.screen_text()

    drive(lambda: showing(view), story)


def uncollected(*files: str) -> Journal:
    """Files that all miss the same module, and one whose own error lies under the runner's."""
    journal = Journal()
    journal.start()
    missing = [journals.raised("ModuleNotFoundError", "No module named 'redis'", [])]
    wrapped = [
        journals.raised("CollectError", "while importing", []),
        journals.raised("KeyError", "'REDIS_URL'\nand more", [], relation="cause"),
    ]
    for file in files:
        chain = wrapped if file.endswith("env.py") else missing
        failure = {"when": "collect", "cause": "setup", "chain": chain, "text": ""}
        message = f"{chain[-1]['type']}: {chain[-1]['message']}"
        journal.line("discover.failed", suite="api", file=file, message=message, failure=failure, remedy="")
    journal.finish()
    return journal


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 20)])
def test_not_collected__many_files_by_one_error__each_row_names_its_own(size: tuple[int, int]) -> None:
    files = [f"services/payments/tests/integration/test_queue_{name}.py" for name in ("in", "out", "env")]

    async def story(pilot: Any, shown: Console) -> None:
        rows = [line for line in shown.screen_text().splitlines() if "queue_" in line][:3]
        assert len(set(rows)) == 3
        for row, file in zip(rows, files, strict=True):
            assert file.rpartition("test_")[2] in row
        assert all("No module" in row for row in rows[:2])
        assert "KeyError" in rows[2]
        if size[0] >= 120:
            await press(pilot, shown, "j")
            assert "No module named 'redis'" in shown.screen_text()

    drive(lambda: showing(FakeView(uncollected(*files))), story, size)


def test_run__over_and_the_disk_took_no_verdicts__nothing_turns_and_the_count_is_told() -> None:
    view = FakeView(journals.running())

    async def story(pilot: Any, shown: Console) -> None:
        spinning = set(shown.app.look.glyphs.spinner)
        assert spinning & set(shown.screen_text())
        view.live, view.link = False, "ended"
        view.problem = Problem(
            "run.recording_incomplete",
            "parts of this run could not be recorded; its verdicts stand: 12 passed",
            "",
            "free space on that disk before the next run",
        )
        await press(pilot, shown, "0")
        text = shown.screen_text()
        tree = [line.split("▕")[0] for line in text.splitlines()[1:-1]]
        assert not spinning & set("".join(tree))
        assert "its verdicts stand: 12 passed" in text.replace("\n", " ")

    drive(lambda: showing(view), story, (160, 40))
