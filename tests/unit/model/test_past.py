"""Rows of results, what may be called flaky, two runs held against each other, and what somebody means by a part."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.journals import Journal
from tracekit.model.comparing import Pair, Why, compare
from tracekit.model.flakiness import flaky_places, share, tally
from tracekit.model.fold import Fold
from tracekit.model.matching import meant
from tracekit.model.results import Result, results


def test_results__in_quarantine_until_it_expires__then_marked_only_while_it_counts_for_nothing() -> None:
    entry = {"owner": "me", "reason": "r", "since": "2026-01-01", "expires": "2026-02-01"}
    journal = Journal()
    journal.start()
    journal.lines[0]["quarantine"] = [
        {**entry, "scenario": "pytest:t.py::held", "expired": False},
        {**entry, "scenario": "pytest:t.py::over", "expired": True},
    ]
    for name in ("held", "over", "free"):
        scenario = journal.found("t.py", name)
        journal.begin(scenario)
        journal.end(scenario, "failed")
    fold = Fold()
    for line in journal.lines:
        fold.feed(line)
    assert [row.flags for row in results(fold.state)] == [("quarantined",), (), ()]


@dataclass
class Said:
    verdict: str
    fingerprint: str = "aa"
    environment: str = "local"
    flags: tuple[str, ...] = ()


def test_results__retry_usage_stall_leak_and_subtest__then_one_row_each_with_sums_and_flags() -> None:
    journal = Journal()
    journal.start()
    flips, sub = journal.found("t.py", "flips"), "pytest:t.py::flips ▸ part"
    never = journal.found("t.py", "never")
    journal.begin(flips)
    journal.line("attempt.stalled", scenario=flips, attempt=1, since=1, limit="stall", after=1.0, stacks="")
    journal.begin(sub, parent=flips)
    journal.end(sub, "passed", parent=flips)
    journal.end(flips, "failed", 10, rusage={"user": 0.5, "system": 0.25, "peak_kib": 100})
    journal.begin(flips, 2)
    journal.end(
        flips,
        "passed",
        20,
        attempt=2,
        rusage={"user": 1.0, "system": 0.0, "peak_kib": 70},
        leaks=[{"kind": "process", "what": "1", "detail": ""}],
    )
    fold = Fold()
    for line in journal.lines:
        fold.feed(line)
    found = {row.scenario: row for row in results(fold.state)}
    assert never not in found
    row = found[flips]
    assert (row.verdict, row.duration_ns, row.attempts) == ("passed", 20_000_000, 2)
    assert (row.cpu_ns, row.peak_kib) == (1_750_000_000, 100)
    assert row.flags == ("flaky", "stalled", "leaks")
    assert found[sub].flags == ("subtest",)
    restored = Fold.restore(fold.checkpoint())
    assert {row.scenario: row for row in results(restored.state)} == found


def test_flaky_places__both_verdicts_on_the_same_sources_and_environment__then_the_red_one_is() -> None:
    assert flaky_places([Said("failed"), Said("passed")]) == [True, False]


@pytest.mark.parametrize(
    "green",
    [
        Said("passed", fingerprint="bb"),
        Said("passed", environment="box7"),
        Said("skipped"),
        Said("cancelled"),
        Said("failed"),
    ],
)
def test_flaky_places__other_sources_place_or_no_green__then_none(green: Said) -> None:
    assert flaky_places([Said("failed"), green]) == [False, False]


def test_flaky_places__sources_unknown__then_only_what_was_flaky_by_itself() -> None:
    unknown = [Said("failed", ""), Said("passed", ""), Said("passed", "", flags=("flaky",))]
    assert flaky_places(unknown) == [False, False, True]


def test_tally__then_rate_is_of_what_ended_green_or_red() -> None:
    told = tally([Said("failed"), Said("passed"), Said("passed"), Said("xfailed"), Said("skipped")])
    assert (told.runs, told.green, told.red, told.flaky) == (5, 3, 1, 1)
    assert told.flaky_rate == 0.25
    assert tally([Said("skipped")]).flaky_rate == 0.0


@pytest.mark.parametrize(
    ("of", "expected"), [(0.5, 2), (0.95, 4), (0.25, 1), (1.0, 4)], ids=["median", "p95", "p25", "most"]
)
def test_share__then_the_duration_that_so_many_do_not_exceed(of: float, expected: int) -> None:
    assert share([3, 1, 4, 2], of) == expected
    assert share([], of) == 0


def test_compare__every_kind__then_each_scenario_in_its_list_once() -> None:
    def row(name: str, verdict: str, ms: int = 10, **more: tuple[str, ...]) -> Result:
        return Result(name, verdict, ms * 1_000_000, **more)  # type: ignore[arg-type]

    before = [
        row("broke", "passed"),
        row("was skipped", "skipped"),
        row("still", "failed"),
        row("mended", "crashed"),
        row("gone quiet", "error"),
        row("left", "passed"),
        row("same", "passed", 100),
        row("slow", "passed", 200),
        row("barely", "passed", 10),
        row("part", "passed", flags=("subtest",)),
    ]
    after = [
        row("broke", "timedout"),
        row("was skipped", "failed"),
        row("still", "error"),
        row("mended", "passed"),
        row("gone quiet", "skipped"),
        row("came", "failed"),
        row("same", "passed", 149),
        row("slow", "passed", 300),
        row("barely", "passed", 100),
        row("part", "failed", flags=("subtest",)),
    ]
    found = compare(before, after)
    names = {
        name: [pair.scenario for pair in getattr(found, name)]
        for name in ("new_red", "fixed", "still_red", "changed", "only_before", "only_after", "slower")
    }
    assert names == {
        "new_red": ["broke", "was skipped"],
        "fixed": ["mended"],
        "still_red": ["still"],
        "changed": ["gone quiet"],
        "only_before": ["left"],
        "only_after": ["came"],
        "slower": ["slow"],
    }
    assert found.same == 3


IDS = [
    "pytest:tests/test_a.py::test_one",
    "pytest:tests/test_a.py::test_one ▸ part",
    "pytest:tests/test_a.py::test_one_more[x]",
    "pytest@api:tests/test_b.py::test_two[*]",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (IDS[1], [IDS[1]]),
        ("test_one", [IDS[0]]),
        ("more[x]", [IDS[2]]),
        ("test_a", [IDS[0], IDS[2]]),
        ("test_two[*]", [IDS[3]]),
        ("tests/*::*two*", [IDS[3]]),
        ("*", [IDS[3]]),
        ("nothing", []),
    ],
)
def test_meant__then_the_strictest_reading_that_fits(text: str, expected: list[str]) -> None:
    assert meant(text, IDS) == expected


def test_compare__red_in_both__the_cause_decides_whether_it_is_the_same() -> None:
    red = [Result("a", "failed"), Result("b", "failed"), Result("c", "failed")]
    told = compare(
        red,
        red,
        why_before={"a": Why("1", "x is 1"), "b": Why("2", "y")},
        why_after={"a": Why("1", "x is 2"), "b": Why("3", "z")},
    )
    assert [pair.scenario for pair in told.other_cause] == ["b"]
    assert [pair.scenario for pair in told.same_cause] == ["a", "c"]
    assert [kind.name for kind in told.kinds()] == ["other_cause", "still_red"]


@pytest.mark.parametrize(("before", "after"), [(0, 900_000_000), (900_000_000, 0)])
def test_compare__a_time_that_was_not_told__is_neither_slower_nor_faster(before: int, after: int) -> None:
    told = compare([Result("a", "passed", before)], [Result("a", "passed", after)])
    assert (told.slower, told.faster) == ([], [])


def test_compare__half_the_time_and_a_flake__are_told_apart_from_verdicts() -> None:
    before = [Result("a", "passed", 900_000_000), Result("b", "passed", 10, flags=("flaky",))]
    told = compare(before, [Result("a", "passed", 300_000_000), Result("b", "passed", 40)])
    assert [pair.scenario for pair in told.faster] == ["a"]
    assert [pair.scenario for pair in told.flaky] == ["b"]
    assert (told.slower, told.same, told.scenarios) == ([], 2, 2)
    assert told.faster[0].pace == "3.0 times as fast"


def test_pace__of_a_pair__is_told_so_that_the_number_is_above_one() -> None:
    def pace(before: int, after: int) -> str:
        return Pair("a", Result("a", "passed", before), Result("a", "passed", after)).pace

    assert [pace(100, 570), pace(390, 1), pace(5, 5)] == [
        "5.7 times as long",
        "390.0 times as fast",
        "1.0 times as long",
    ]
    assert [pace(0, 5), pace(5, 0)] == ["", ""]
