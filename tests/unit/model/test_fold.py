"""The fold line by line: sources and gaps, facts, notices, what readers are told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.model.journals import RUN, SUB, A, B, Journal, Line, fold, to_bytes, view
from tracekit.model.facts import Leak, Usage
from tracekit.model.fold import Fold
from tracekit.model.sources import Source
from tracekit.model.state import Status


def test_missing__gaps_in_n__then_counted_per_source_until_they_are_filled() -> None:
    lines = Journal().found().start().end("passed").found(B).lines
    folded = fold([lines[0], lines[3]])
    assert folded.state.missing == {"local/main/10-1": 2}
    assert folded.state.missing_total == 2
    folded.feed(lines[2])
    assert folded.state.missing_total == 1
    folded.feed(lines[1])
    assert folded.state.missing == {}
    assert folded.state.status[0] == Status.PASSED


def test_trace__loses_records__then_known_while_it_does_and_for_good() -> None:
    lines = Journal().add("trace.lost", lost=5).add("trace.lost", lost=9).add("trace.ended", lost=12).lines
    folded = fold(lines[:1])
    assert (folded.state.untraced, folded.state.dropped) == (5, 5)
    folded.feed(lines[2])
    folded.feed(lines[1])
    assert folded.state.dropped == 12
    assert Fold.restore(folded.checkpoint()).state.dropped == 12
    assert fold(Journal().add("trace.ended", lost="many").lines).state.dropped == 0


def test_trace__has_no_room_for_words__then_those_are_told_apart_from_records() -> None:
    why = {"no room for another string": 7, "ring damaged": 5}
    folded = Journal().add("trace.lost", lost=9).add("trace.ended", lost=12, why=why).fold()
    for state in (folded.state, Fold.restore(folded.checkpoint()).state):
        assert [number for number, _ in state.trace_losses] == [5, 7]
        assert [what.split()[0] for _, what in state.trace_losses] == ["records", "words"]
        assert state.dropped == 12
    only = Journal().add("trace.ended", lost=3, why={"no room for another string": 3}).fold()
    assert [number for number, _ in only.state.trace_losses] == [3]
    odd = Journal().add("trace.ended", lost=3, why="many").fold()
    assert (odd.state.wordless, odd.state.trace_losses[0][0]) == (0, 3)


def test_source__first_line_is_not_the_first__then_what_came_before_is_missing() -> None:
    source = Source()
    assert source.admit(5)
    assert source.missing == 4
    assert not source.admit(5)
    assert [source.admit(n) for n in (1, 3, 3, 4, 2, 2)] == [True, True, False, True, True, False]
    assert (source.missing, source.holes) == (0, [])


def test_source__that_begins_at_zero__then_its_first_line_is_taken_once() -> None:
    source = Source()
    assert [source.admit(n) for n in (0, 0)] == [True, False]
    assert source.missing == 0


@pytest.mark.parametrize(
    "fields", [{"src": None}, {"n": None}, {"n": True}, {"n": -1}, {"n": 2**64}, {"src": 7}]
)
def test_feed__line_without_a_name_of_its_own__then_counted_as_damaged(fields: dict[str, object]) -> None:
    state = fold([Journal().found().lines[0] | fields]).state
    assert (state.damaged, state.ids) == (1, [])


def test_feed__unknown_event_and_unknown_fields__then_passed_over_and_counted() -> None:
    state = Journal().add("of.tomorrow", x=1).found(colour="red").state
    assert (state.unknown, state.damaged, state.ids) == (1, 0, [A])


def test_feed_bytes__half_a_line__then_left_for_the_next_time() -> None:
    data = to_bytes(Journal().found().found(B).lines)
    folded = Fold()
    taken = folded.feed_bytes(data[:-5])
    assert data[:taken].count(b"\n") == 1
    assert folded.feed_bytes(data[taken:]) == len(data) - taken
    assert folded.state.ids == [A, B]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"7",
        b'{"n":1} {}',
        b"\xff\xfe",
        b'{"a":"\xff"}',
        b"[" * 300,
        b"[" * 100_000,
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b'{"n":' + b"9" * 5000 + b"}",
        b"x" * (1 << 21),
    ],
)
def test_feed_bytes__damaged_line__then_counted_and_the_next_is_folded(line: bytes) -> None:
    folded = Fold()
    data = line + b"\n\n  \r\n" + to_bytes(Journal().found().lines)
    assert folded.feed_bytes(data) == len(data)
    assert (folded.state.damaged, folded.state.ids) == (1, [A])


def test_feed_bytes__line_beside_one_that_is_not_ascii__then_read_as_it_would_be_alone() -> None:
    deep = b'{"src":"a/b/1","n":1,"e":"x","deep":' + b"[" * 100 + b"]" * 100 + b"}\n"
    other = '{"src":"a/b/1","n":2,"e":"attempt.started","scenario":"é","attempt":1}\n'.encode()
    apart, together = Fold(), Fold()
    apart.feed_bytes(deep)
    apart.feed_bytes(other)
    together.feed_bytes(deep + other)
    assert view(apart.state) == view(together.state)
    assert together.state.ids == ["é"]


def test_feed_bytes__spaces_around_and_carriage_return__then_folded_like_any_line() -> None:
    line = to_bytes(Journal().found().lines).strip()
    folded = Fold()
    folded.feed_bytes(b"  " + line + b" \r\n")
    assert (folded.state.damaged, folded.state.ids) == (0, [A])


def test_scenario__known_only_by_name__then_its_id_tells_runner_suite_and_path() -> None:
    facts = Journal().start("pytest@api:tests/t.py::TestA::test_x[a::b]").state.facts[0]
    assert (facts.runner, facts.suite, facts.file) == ("pytest", "api", "tests/t.py")
    assert facts.path == ("tests/t.py", "TestA", "test_x[a::b]")
    assert facts.name == "test_x[a::b]"


def test_scenario__found_after_it_ran__then_facts_are_those_of_discovery() -> None:
    found: Line = {
        "file": "tests/test_a.py",
        "line": 7,
        "tags": ["slow", 3],
        "doc": "d",
        "path": ["tests/test_a.py", "a"],
    }
    facts = Journal().ran("passed").found(**found, components=["db"], story="s").state.facts[0]
    assert (facts.line, facts.tags, facts.doc, facts.path) == (7, ("slow",), "d", ("tests/test_a.py", "a"))
    assert (facts.components, facts.story) == (("db",), "s")


def test_scenario__found_again_by_a_later_launch__then_the_first_stands() -> None:
    assert Journal().found(line=3).found(line=9).state.facts[0].line == 3


def test_subtest__before_its_parent_was_found__then_gets_its_place_later() -> None:
    state = (
        Journal()
        .start(SUB, parent=A)
        .found(file="tests/test_a.py", line=7, path=["tests/test_a.py", "test_a"])
        .state
    )
    facts = state.facts[state.index[SUB]]
    assert (facts.file, facts.line, facts.path) == (
        "tests/test_a.py",
        7,
        ("tests/test_a.py", "test_a", "first"),
    )
    assert facts.parent == state.index[A]


@pytest.mark.parametrize("parent", [B, A, "", "pytest:tests/test_a.py", 7])
def test_subtest__of_what_its_id_does_not_begin_with__then_no_parent(parent: object) -> None:
    state = Journal().start(A, parent=parent).state
    assert (state.ids, state.facts[0].parent) == ([A], -1)


def test_run_ended__several_reasons__then_each_scenario_has_its_own() -> None:
    rows = [
        {"why": "a report was cut", "count": 1, "not_run": [A]},
        {"why": "no tool", "count": 3, "not_run": [B]},
    ]
    facts: dict[str, Any] = {
        "reason": "finished",
        "not_run": [A, B],
        "not_run_count": 4,
        "why": "a report was cut",
    }
    run = Journal().add("run.ended", **facts, unrun=rows).state.run
    assert [(left.why, left.count, left.ids) for left in run.unrun] == [
        ("a report was cut", 1, (A,)),
        ("no tool", 3, (B,)),
    ]
    assert (run.why_of(B), run.why_of("another")) == ("no tool", "a report was cut")
    (one,) = Journal().add("run.ended", **facts).state.run.unrun
    assert (one.why, one.count, one.ids) == ("a report was cut", 4, (A, B))


def test_subtests__thousands_deep__then_folded_without_recursion() -> None:
    journal, scenario = Journal(), A
    for n in range(1, 3000):
        parent, scenario = scenario, f"{scenario} ▸ s"
        journal.lines.append(
            {
                "src": "local/main/1",
                "n": n,
                "e": "attempt.ended",
                "scenario": scenario,
                "attempt": 1,
                "verdict": "failed",
                "parent": parent,
            }
        )
    state = journal.state
    assert state.red(0)
    assert state.subtest_counts["failed"] == 2999


@pytest.mark.parametrize("number", [0, -1, True, "1", None, 1 << 40, 1.5])
def test_attempt__with_a_number_that_is_none__then_passed_over(number: object) -> None:
    state = fold([Journal().start().lines[0] | {"attempt": number}]).state
    assert (state.ids, state.damaged) == ([], 0)


def test_attempts__far_apart__then_only_those_that_are_there() -> None:
    state = Journal().ran("passed", attempt=900_000).ran("failed", attempt=3).state
    assert [attempt.number for attempt in state.attempts(0)] == [3, 900_000]
    assert state.status[0] == Status.PASSED


def test_output__of_the_runner_itself__then_in_the_order_of_the_recorded_bytes() -> None:
    journal = Journal()
    for offset in (40, 0, 20):
        journal.add(
            "output", src=f"local/gw{offset}/1", stream="stderr", offset=offset, length=20, launch="L1"
        )
    state = journal.state
    assert [span.offset for span in state.runner_output] == [0, 20, 40]
    assert state.ids == []


def test_notices__of_every_kind__then_in_the_order_of_time_with_what_to_do() -> None:
    journal = Journal()
    journal.add(
        "runner.failed_to_start",
        suite="api",
        command=["pytest", 3],
        exit=4,
        stderr="no",
        remedy="install it",
        code="x",
    )
    journal.add(
        "discover.failed",
        suite="",
        file="t.py",
        message="ImportError: no x",
        failure={"chain": [], "text": "trace"},
    )
    journal.add("warning", message="old", category="DeprecationWarning", file="a.py", line=3)
    journal.add("gap", what="output", count=7, why="disk")
    journal.add("box.lost", message="no route")
    notices = fold(reversed(journal.lines)).state.notices
    assert [notice.kind for notice in notices] == ["launch", "discovery", "warning", "gap", "link"]
    launch, discovery, warning, gap, _ = notices
    assert (launch.message, launch.detail, launch.action) == (
        "the runner failed to start (exit status 4)",
        "no",
        "install it",
    )
    assert (launch.suite, launch.command) == ("api", ("pytest",))
    assert (discovery.message, discovery.detail, discovery.file) == ("ImportError: no x", "trace", "t.py")
    assert (warning.code, warning.line) == ("DeprecationWarning", 3)
    assert (gap.message, gap.count) == ("7 output missing: disk", 7)


def test_stalled_attempt__then_marked_and_its_stacks_shown() -> None:
    state = Journal().start().add("attempt.stalled", scenario=A, attempt=1, stacks="Thread 1").state
    assert state.attempts(0)[0].stalls == 1
    assert (state.notices[0].kind, state.notices[0].scenario, state.notices[0].detail) == (
        "stalled",
        A,
        "Thread 1",
    )


def test_stalled_attempt__stacks_as_the_agent_tells_them__then_the_test_s_thread_is_named_with_its_frames() -> (
    None
):
    frames = [{"file": "test_a.py", "line": 3, "function": "waits"}]
    stacks = [{"thread": "0x1", "current": True, "frames": frames}, {"thread": "0x2", "frames": "odd"}, 7]
    state = Journal().start().add("attempt.stalled", scenario=A, attempt=1, stacks=stacks).state
    assert state.notices[0].detail.splitlines()[:3] == [
        "thread 0x1, which runs the test",
        "  test_a.py:3 in waits",
        "thread 0x2",
    ]


def test_stalled_attempt__frames_of_the_language_and_words_without_a_place__then_own_lines_and_a_count() -> (
    None
):
    frames = [
        {"file": "../sysdeps/unix/sysv/linux/clock_nanosleep.c", "line": 48, "function": "nanosleep"},
        {"file": "library/std/src/thread/functions.rs", "line": 289, "function": "sleep"},
        {"file": "/p/src/lib.rs", "line": 6, "function": "hangs"},
        {"file": "/rustc/5980/library/core/src/ops/function.rs", "line": 250, "function": "call_once"},
    ]
    waits = [{"file": "", "line": 0, "function": "waits in futex (the kernel's word)"}]
    stacks = [{"thread": "1", "current": True, "frames": frames}, {"thread": "2", "frames": waits}]
    state = Journal().start().add("attempt.stalled", scenario=A, attempt=1, stacks=stacks).state
    assert state.notices[0].detail.splitlines() == [
        "thread 1, which runs the test",
        "  … 2 frames of the runner, the language or the system",
        "  /p/src/lib.rs:6 in hangs",
        "  … 1 frame of the runner, the language or the system",
        "thread 2",
        "  waits in futex (the kernel's word)",
    ]


def test_run__from_its_first_and_last_lines__then_facts() -> None:
    journal = Journal().add(
        "run.started",
        environment="local",
        root="/p",
        parent="01P",
        seed=7,
        trace="default",
        mode="run",
        profile=None,
        versions={"tracekit": "1"},
        suites=[{"name": "api", "runner": "pytest", "cwd": "/p", "python": "/usr/bin/python3"}],
    )
    journal.add("suite.found", suite="api", count=3, framework="pytest 9.2.0", python_version="3.12.1")
    journal.add(
        "run.ended", reason="finished", not_run=[B], not_run_count=3, why="stopped", verdicts={"passed": 2}
    )
    run = journal.state.run
    assert (run.run_id, run.root, run.parent, run.seed, run.environment) == (RUN, "/p", "01P", 7, "local")
    assert (run.ended, run.reason, run.not_run, run.not_run_count, run.why) == (
        True,
        "finished",
        [B],
        3,
        "stopped",
    )
    assert (run.started_t, run.ended_t, run.verdicts) == (1000, 3000, {"passed": 2})
    suite = run.suites[0]
    assert (suite.name, suite.cwd, suite.count, suite.framework) == ("api", "/p", 3, "pytest 9.2.0")


def test_take_changed__after_it_was_taken__then_only_what_came_since() -> None:
    folded = fold(Journal().found().found(B).lines)
    assert folded.state.take_changed() == {0, 1}
    assert folded.state.take_changed() == set()
    folded.feed(Journal(src="x/y/1").start(B).lines[0])
    assert folded.state.take_changed() == {1}


def test_assertions_and_failures__then_typed_whatever_is_missing() -> None:
    frame = {
        "file": "t.py",
        "line": 3,
        "function": "f",
        "own": True,
        "code": "assert x",
        "locals": {"x": "1", "y": 2},
    }
    error = {
        "type": "E",
        "message": "m",
        "notes": ["n"],
        "frames": [frame],
        "group": [{"type": "Inner", "message": "i"}],
    }
    journal = (
        Journal()
        .start()
        .fail(error, text="long")
        .add(
            "assertion",
            scenario=A,
            attempt=1,
            op="==",
            expected=[1],
            actual="[2]",
            kind="json",
            file="t.py",
            line=3,
            passed=False,
        )
    )
    attempt = journal.add("failure", scenario=A, attempt=1, when="teardown").state.attempts(0)[0]
    chain = attempt.failures[0].chain
    assert (chain[0].frames[0].locals, chain[0].frames[0].own, chain[0].notes) == ({"x": "1"}, True, ["n"])
    assert (chain[0].group[0].type, attempt.failures[0].text, attempt.failures[1].chain) == (
        "Inner",
        "long",
        [],
    )
    assert (attempt.assertions[0].expected, attempt.assertions[0].actual, attempt.assertions[0].passed) == (
        [1],
        "[2]",
        False,
    )


def test_attempt__that_left_things_behind__then_they_and_its_usage_are_typed_facts() -> None:
    told = {"kind": "port", "what": "127.0.0.1:8080", "detail": "descriptor 9"}
    used = {"user": 0.5, "system": 0.25, "peak_kib": 2048}
    (attempt,) = Journal().ran("passed", leaks=[told], rusage=used).state.attempts(0)

    assert attempt.leaks == [Leak("port", "127.0.0.1:8080", "descriptor 9")]
    assert attempt.rusage == Usage(0.5, 0.25, 2048)


@pytest.mark.parametrize("odd", [7, None, [7], {"user": "much"}, [{"kind": 3}]])
def test_attempt__leaks_and_usage_that_make_no_sense__then_read_as_absent(odd: object) -> None:
    (attempt,) = Journal().ran("passed", leaks=odd, rusage=odd).state.attempts(0)

    assert all(leak == Leak("", "", "") for leak in attempt.leaks)
    assert attempt.rusage in (None, Usage(0.0, 0.0, 0))


def test_scenarios__told_as_neighbours__then_the_same_as_told_one_by_one() -> None:
    group: Line = {
        "id": "pytest:a.py::TestA::",
        "suite": "",
        "runner": "pytest",
        "path": ["a.py", "TestA"],
        "file": "a.py",
        "tags": ["slow"],
        "names": ["test_b", "test_c[x::y]"],
        "lines": [3, 9],
        "marks": {"skip": [1], "db": [1]},
        "docs": {"0": "Holds."},
    }
    one = {"suite": "", "runner": "pytest", "file": "a.py"}
    alone = Journal()
    alone.found(
        "pytest:a.py::TestA::test_b",
        path=["a.py", "TestA", "test_b"],
        line=3,
        tags=["slow"],
        doc="Holds.",
        **one,
    )
    tags = ["db", "skip", "slow"]
    alone.found(
        "pytest:a.py::TestA::test_c[x::y]", path=["a.py", "TestA", "test_c[x::y]"], line=9, tags=tags, **one
    )

    told = Journal().add("scenarios.found", **group).fold().state
    assert told.facts == alone.fold().state.facts
    assert told.ids == alone.fold().state.ids
    assert told.counts["pending"] == 2


@pytest.mark.parametrize(
    "odd",
    [
        {"id": 7},
        {"names": "test_b"},
        {"names": [None, "", 4]},
        {"id": "x" * 200_000, "names": ["t"] * 100_000},
    ],
)
def test_scenarios__neighbours_that_make_no_sense__then_nobody_is_found(odd: dict[str, object]) -> None:
    line: Line = {"id": "pytest:a.py::", "names": ["test_b"], "path": ["a.py"]}
    fold = Journal().add("scenarios.found", **(line | odd)).fold()
    assert fold.state.ids == []


@pytest.mark.parametrize(
    "odd",
    [{"lines": [True, "x"]}, {"marks": {"m": "x"}}, {"marks": 7, "docs": {"0": 4}}, {"tags": 3, "path": 1}],
)
def test_scenarios__neighbours_with_odd_columns__then_found_without_them(odd: dict[str, object]) -> None:
    line: Line = {"id": "pytest:a.py::", "names": ["test_b", "test_c"], "path": ["a.py"]}
    (first, _) = Journal().add("scenarios.found", **(line | odd)).fold().state.facts
    assert (first.id, first.line, first.tags, first.doc) == ("pytest:a.py::test_b", 0, (), "")


@pytest.mark.parametrize(
    ("told", "slow"),
    [
        (0.5, True),
        (2, False),
        (None, False),
        (0, False),
        (-1, False),
        (True, False),
        ("0.5", False),
        (1e300, False),
    ],
)
def test_slow__by_the_plan_of_its_suite__then_marked_and_a_strange_limit_marks_nothing(
    told: object, slow: bool
) -> None:
    journal = Journal().add("run.started", suites=[{"name": "", "slow": told}]).found().ran("passed", d=10**9)
    assert journal.state.slow(0) is slow


def test_waiting_for_a_lock__told__then_a_notice_and_no_other_phase_is_one() -> None:
    lock = {"phase": "lock", "id": "L1", "suite": "db", "message": "waits for lock x, held by run R"}
    state = Journal().add("phase.started", **lock).add("phase.started", phase="launch", id="L1").state
    assert [(notice.kind, notice.suite, notice.message) for notice in state.notices] == [
        ("waiting", "db", "waits for lock x, held by run R")
    ]
