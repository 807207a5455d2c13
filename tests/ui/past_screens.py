"""The screens of recorded runs that have a golden: the list, comparisons, trends, a moment of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.support import journals
from tests.support.consoles import Console, FakeRow, FakeView
from tests.support.journals import BEGAN, ROOT, SECOND, raised
from tests.ui.shots import FOUR, LINE, SMALL, Shot, keys, opened
from tracekit.engine.archive import Digest
from tracekit.engine.past import Difference, Held, Story, TrendPoint, Trends, story_of
from tracekit.model.comparing import Why, compare
from tracekit.model.facts import Unrun
from tracekit.model.results import Result, results
from tracekit.store.catalogue import RunSummary, Verdict
from tracekit.wire.problems import Problem

GIT = {"commit": "a1b2c3d4e5f60718", "branch": "reconnect", "dirty": True}
FIRST = "01KAH0C5M0DEMORVNCANCE1ED0"
AGAIN = "01KAH0C5M0DEMORVNREREVN000"
SECOND_TIME = "01KAH0C5M0DEMORVNREREVN222"
RED_ONES = (
    "pytest:chat/test_ws.py::test_reconnect_keeps_history",
    "pytest:chat/test_rooms.py::TestLimits::test_limit[1000]",
)


def runs() -> Console:
    """A machine with some runs, one of which was run again, twice."""
    shown = opened(journals.failing)()
    facts = {"git": GIT, "seed": 40503}
    shown.engine.rows = [
        FakeRow(
            "01KAH0C5M0DEMORVNL1VE00001",
            started_t=BEGAN,
            live=True,
            ended=False,
            reason="",
            counts={"passed": 204, "running": 2},
            environment="box7",
            profile="load",
            facts=facts,
        ),
        FakeRow(
            SECOND_TIME,
            started_t=BEGAN - 200 * SECOND,
            ended_t=BEGAN - 199 * SECOND,
            parent=AGAIN,
            counts={"passed": 1},
            facts=facts,
            disk_bytes=31_000,
        ),
        FakeRow(
            AGAIN,
            started_t=BEGAN - 300 * SECOND,
            ended_t=BEGAN - 298 * SECOND,
            parent=journals.RUN,
            counts={"passed": 2, "failed": 1},
            facts=facts,
            disk_bytes=52_000,
        ),
        FakeRow(
            journals.RUN,
            started_t=BEGAN - 900 * SECOND,
            ended_t=BEGAN - 887 * SECOND,
            counts={"passed": 8, "failed": 3, "skipped": 1},
            facts=facts,
            fingerprint="9e3779b97f4a7c15",
            pinned="for the report",
            disk_bytes=412_000,
        ),
        FakeRow(
            FIRST,
            root="/srv/payments",
            started_t=BEGAN - 90_000 * SECOND,
            ended_t=BEGAN - 89_000 * SECOND,
            reason="cancelled",
            counts={"passed": 51, "cancelled": 7},
            fingerprint="517cc1b727220a95",
            disk_bytes=9_400_000,
        ),
    ]
    shown.engine.shelf.digests = {
        journals.RUN: Digest(
            journals.RUN,
            (("PoolExhausted: no connection within 5.0 s", 2), ("997 == 1000", 1)),
            (("warning", "redis is refused on 127.0.0.1:6379: what needs it is skipped"),),
            ("pytest:chat/test_load.py::test_1000_rooms",),
            1,
            (
                Unrun(
                    "the run was asked for failed ones only",
                    1,
                    ("pytest:chat/test_load.py::test_1000_rooms",),
                ),
            ),
            outstanding=RED_ONES[1:],
        ),
        FIRST: Digest(FIRST, notices=(("warning", "cancelled by ana"),)),
    }
    return shown


def few_runs(**options: Any) -> Console:
    """As above, in other clothes."""
    shown, other = runs(), opened(journals.failing, **options)()
    other.engine.shelf = shown.engine.shelf
    return other


def no_runs() -> Console:
    """Nothing was recorded."""
    return opened(journals.failing)()


def unreadable_runs() -> Console:
    """The store does not open."""
    shown = runs()
    where = "/home/ana/.local/state/tracekit/runs"
    action = "make it readable for you, then press ctrl+r"
    shown.engine.shelf.broken = Problem(
        "store.unreadable", "the runs cannot be read: permission denied", where, action
    )
    return shown


def hostile_runs() -> Console:
    """Names that a stranger chose."""
    shown = opened(journals.failing)()
    wide, bidi, escape = "\u754c" * 2000, "\u202etset\u2066", "\x1b]52;c;aGk=\x07\x1b[2Jx[/nope]"
    row = FakeRow("01KAH0C5M0DEMORVNH0ST11E00", root=f"/srv/{escape}", counts={"failed": 2**40})
    odd: dict[str, Any] = {
        "environment": bidi,
        "profile": wide,
        "reason": escape,
        "pinned": f"{bidi}{escape}",
    }
    git = {"git": {"commit": escape, "branch": wide}}
    shown.engine.rows = [
        replace(row, **odd, facts=git),
        replace(row, run_id="01KAH0C5M0DEMORVNH0ST11E01", parent="?"),
    ]
    told = Digest(
        row.run_id,
        ((escape + wide, 2**40),),
        ((bidi, f"{escape}\n{wide}"),),
        (wide,),
        3,
        (Unrun(bidi, 3, (wide,)),),
    )
    shown.engine.shelf.digests = {row.run_id: told}
    return shown


HOUR = 3600 * SECOND
KEEPS = "pytest:chat/test_ws.py::test_reconnect_keeps_history"
LOADS = "pytest:chat/test_ws.py::test_1000_clients"
SKEW = "pytest:auth/test_tokens.py::test_clock_skew"


def past_runs(size: int, *, hostile: str = "") -> list[RunSummary]:
    """Runs of a project, newest first: one goes wrong now and then, and they get slower."""
    return [
        RunSummary(
            f"01KAH0C5M0DEMQRVN{number:09d}",
            ROOT + hostile,
            None,
            "local",
            None,
            BEGAN - number * HOUR,
            BEGAN - number * HOUR + (60 - number * 37 % 23 - number // 3) * SECOND,
            True,
            "finished",
            {"passed": 120 - number // 4, "failed": 9 if number % 17 == 3 else 2 if number % 5 == 0 else 0},
            fingerprint=f"{number // 6:032x}",
            facts={"git": {"commit": f"{number:040x}"}},
        )
        for number in range(size)
    ]


def story(scenario: str, size: int, red: int, flags: tuple[str, ...] = ()) -> Story:
    """A scenario's verdicts: each so many-th is red; one in nine takes three times as long."""
    told = [
        Verdict(
            run,
            Result(
                scenario,
                "failed" if number % red == 0 else "passed",
                (400 + number * 29 % 90) * journals.MS * (3 if number % 9 == 4 else 1),
                flags=flags,
            ),
        )
        for number, run in enumerate(past_runs(size))
    ]
    return story_of(scenario, ROOT, told)


def trending(size: int = 100, *, hostile: str = "", **options: Any) -> Console:
    """A project with a past."""
    shown = opened(journals.failing, **options)()
    points = tuple(
        TrendPoint(row.run_id, row.started_t, row.ended_t - row.started_t, row.counts, "local", "")
        for row in past_runs(size)[::-1]
    )
    keeps = story(KEEPS + hostile, size, 5)
    steady = (story(LOADS + hostile, size, 10**6), story(SKEW + hostile, size, 2, ("quarantined",)))
    shown.engine.shelf.trended = Trends(ROOT + hostile, "local", points, 0, (keeps,), (keeps,), steady[1:])
    limit = "pytest:chat/test_rooms.py::TestLimits::test_limit[100]"
    shown.engine.shelf.stories = {KEEPS: keeps, LOADS: steady[0], limit: story(limit, size, 10**6)}
    return shown


def hostile_trends() -> Console:
    """Names that a stranger chose."""
    return trending(7, hostile="\x1b]52;c;aGk=\x07\x1b[2J[/nope]\u202e" + "\u754c" * 2000)


def trends_unreadable() -> Console:
    """The store does not open."""
    shown = trending()
    where, action = "/home/ana/.local/state/tracekit/runs", "make it readable for you"
    shown.engine.shelf.broken = Problem("store.unreadable", "the runs cannot be read", where, action)
    return shown


BEFORE = "01KAH0C5M0DEMORVNBEF0RE000"


def summary_of(journal: journals.Journal, run: str, **facts: Any) -> RunSummary:
    """A run's row, as the catalogue has it."""
    state = FakeView(journal).state
    counts = {word: number for word, number in state.counts.items() if number}
    told = state.run
    return RunSummary(
        run, ROOT, None, "local", None, told.started_t, told.ended_t, True, "finished", counts, facts=facts
    )


def whys(journal: journals.Journal) -> dict[str, Why]:
    """The causes by scenario."""
    state = FakeView(journal).state
    return {state.ids[i]: Why(group.key, group.title) for group in state.causes() for i in group.indices}


def turned() -> journals.Journal:
    """Another run of the same tests: one is red by another cause, one is fixed, one breaks, others take longer."""
    journal = journals.failing()
    limits = "pytest:chat/test_rooms.py::TestLimits::test_limit"
    keeps = "pytest:chat/test_ws.py::test_reconnect_keeps_history"
    drop = {f"{limits}[100]", f"{limits}[1000]", keeps, "pytest:auth/test_tokens.py::test_clock_skew"}
    told = {
        "attempt.started",
        "attempt.ended",
        "assertion",
        "failure",
        "step.started",
        "step.ended",
        "output",
    }
    journal.lines = [
        line
        for line in journal.lines
        if line["e"] != "run.ended" and not (line["e"] in told and line.get("scenario") in drop)
    ]
    for number, line in enumerate(journal.lines, 1):
        line["n"] = number
    journal.passes(f"{limits}[1000]", 40)
    journal.passes("pytest:auth/test_tokens.py::test_clock_skew", 1900)
    for scenario, kind in ((f"{limits}[100]", "KeyError"), (keeps, "AssertionError")):
        journal.begin(scenario)
        journal.fails(scenario, [raised(kind, "no ack within 2 s" if scenario == keeps else "lobby", [])])
        journal.end(scenario, "failed")
    new = journal.found("chat/test_ws.py", "test_new_protocol", line=140)
    journal.begin(new)
    journal.end(new, "failed")
    journal.finish()
    return journal


def held(facts: tuple[Difference, ...] | None = None) -> Held:
    """Two runs of the sample project held against each other."""
    one, two = journals.failing(), turned()
    first, second = (list(results(FakeView(journal).state)) for journal in (one, two))
    told = compare(first, second, why_before=whys(one), why_after=whys(two))
    return Held(
        summary_of(one, BEFORE),
        summary_of(two, journals.RUN),
        told,
        (
            Difference("commit", "a1b2c3d4e5", "0f9e8d7c6b*"),
            Difference("environment", "local", "box7"),
            Difference("python of chat", "3.12.1", "3.13.0"),
        )
        if facts is None
        else facts,
    )


def compared(**options: Any) -> Console:
    """A console on a run that has an earlier one."""
    shown = opened(journals.failing, **options)()
    shown.engine.shelf.held = held()
    return shown


def same() -> Console:
    """Nothing changed."""
    shown = opened(journals.failing)()
    one = summary_of(journals.failing(), journals.RUN)
    state = list(results(FakeView(journals.failing()).state))
    green = [result for result in state if result.green]
    shown.engine.shelf.held = Held(one, one, compare(green, green), ())
    return shown


def comparison_gone() -> Console:
    """One of the runs is deleted meanwhile."""
    shown = compared()
    shown.engine.shelf.gone = {BEFORE}
    return shown


def hostile_comparison() -> Console:
    """Names that a stranger chose."""
    shown = opened(journals.failing)()
    escape, wide = "\x1b]52;c;aGk=\x07\x1b[2Jx[/nope]\u202e", "\u754c" * 2000
    row = replace(summary_of(journals.failing(), journals.RUN), reason=escape)
    pairs = [(f"pytest:{escape}{wide}::test[{n}]", "passed", "failed") for n in range(3)]
    told = compare(
        [Result(name, one) for name, one, _ in pairs],
        [Result(name, two, 2**62, flags=("flaky", escape)) for name, _, two in pairs],
        why_after={name: Why("k", f"{escape}{wide}") for name, _, _ in pairs},
    )
    shown.engine.shelf.held = Held(row, row, told, (Difference(escape, wide, "\u202e"),))
    return shown


PAST: tuple[Shot, ...] = (
    Shot("runs", runs, (*FOUR, SMALL, LINE), keys("H", "j", "j", "j")),
    Shot("runs-marked", runs, FOUR, keys("H", "j", "m", "j")),
    Shot("runs-filter", runs, FOUR, keys("H", "slash", *"chat red", "enter")),
    Shot("runs-delete", runs, FOUR, keys("H", "G", "D")),
    Shot("runs-ascii", lambda: few_runs(ascii_only=True), FOUR, keys("H", "j", "j", "j")),
    Shot("comparison", compared, FOUR, keys("d")),
    Shot("comparison-cause", compared, FOUR, keys("d", "j", "j")),
    Shot("comparison-facts", compared, FOUR, keys("d", "g")),
    Shot("comparison-ascii", lambda: compared(ascii_only=True), FOUR, keys("d", "G")),
    Shot("comparison-same", same, FOUR, keys("d")),
    Shot("comparison-gone", comparison_gone, FOUR, keys("d")),
    Shot("comparison-hostile", hostile_comparison, FOUR, keys("d")),
    Shot("then", opened(journals.failing), FOUR, keys("[", "[", "[")),
    Shot("then-step", opened(journals.failing), FOUR, keys("J", "2", "tab", "[", *"[[[[[[[[")),
    Shot("then-begin", opened(journals.failing), FOUR, keys("(")),
    Shot("then-live", opened(journals.running), FOUR, keys("[")),
    Shot("then-ascii", opened(journals.failing, ascii_only=True), FOUR, keys("{", "{")),
    Shot("trends", trending, FOUR, keys("P", "g")),
    Shot("trends-scenario", trending, FOUR, keys("J", "P")),
    Shot("trends-plots", trending, FOUR, keys("J", "P", "tab")),
    Shot("trends-few", lambda: trending(4), FOUR, keys("P", "g")),
    Shot("trends-ascii", lambda: trending(ascii_only=True), FOUR, keys("J", "P")),
    Shot("trends-none", no_runs, FOUR, keys("P")),
    Shot("trends-unreadable", trends_unreadable, FOUR, keys("P")),
    Shot("trends-hostile", hostile_trends, FOUR, keys("P", "j", "j")),
    Shot("runs-none", no_runs, FOUR, keys("H")),
    Shot("runs-unreadable", unreadable_runs, FOUR, keys("H")),
    Shot("runs-hostile", hostile_runs, FOUR, keys("H", "j")),
)
