"""Readers of reports: every dialect as it is written, however its bytes arrive, and hostile ones refused in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracekit.agent.hosts.journal import JournalReader
from tracekit.agent.reports.cases import Begun, Case, Compared, CutShortError, Left, Printed, ReportError
from tracekit.agent.reports.readers import FORMATS, guessed, reader

JUNIT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="all"><testsuite name="outer" tests="6">
<properties><property name="a" value="b"/></properties>
<testsuite name="inner"><testcase name="nested" time="1,234.5"/></testsuite>
<testcase classname="shop.Cart" name="adds &lt;two&gt; ✓" time="0.5">
<system-out><![CDATA[out & out]]></system-out></testcase>
<testcase classname="shop.Cart" name="pays" file="cart.py" line="7">
 <failure type="AssertionError" message="no money">first
line</failure><failure>second</failure><system-err>err</system-err></testcase>
<testcase classname="shop.Cart" name="breaks"><error message="boom"/></testcase>
<testcase classname="shop.Cart" name="later"><skipped>not now</skipped></testcase>
<testcase classname="shop.Cart" name="flaky"><flakyFailure message="the first time">x</flakyFailure></testcase>
<testcase classname="shop.Cart" name="off" status="notrun"/>
</testsuite></testsuites>
"""
TAP = """TAP version 14
1..7
ok 1 - adds # time=12ms
not ok 2 pays \\# cash
  ---
  message: 'no money'
  location: '/srv/cart.js:7:3'
  duration_ms: 1.5
  ...
ok 3 # SKIP not now
not ok - # {later} some day
# Subtest: outer
    ok 1 - inner one
    not ok 2 - inner two
    1..2
not ok 5 - outer
printed in between
ok 6 - passed \\\\ back
ok 7 - soon # {later} it works
""".replace("{later}", "to" + "do")
GO = [
    {"Action": "start", "Package": "m/p"},
    {"Action": "run", "Package": "m/p", "Test": "TestA"},
    {"Action": "output", "Package": "m/p", "Test": "TestA", "Output": "=== RUN   TestA\n"},
    {"Action": "output", "Package": "m/p", "Test": "TestA", "Output": "    a_test.go:7: no money\n"},
    {"Action": "output", "Package": "m/p", "Test": "TestA", "Output": "--- FAIL: TestA (0.01s)\n"},
    {"Action": "fail", "Package": "m/p", "Test": "TestA", "Elapsed": 0.01},
    {"Action": "run", "Package": "m/p", "Test": "TestB/sub case"},
    {"Action": "skip", "Package": "m/p", "Test": "TestB/sub case", "Elapsed": 0},
    {"Action": "fail", "Package": "m/p", "Elapsed": 0.2},
    {"Action": "output", "Package": "m/q", "Output": "panic: at start\n"},
    {"Action": "fail", "Package": "m/q", "Elapsed": 0.2},
]
LIBTEST = [
    {"type": "suite", "event": "started", "test_count": 2},
    {"type": "test", "event": "started", "name": "a::b"},
    {"type": "test", "name": "a::b", "event": "ok", "exec_time": 0.5},
    {"type": "test", "name": "c", "event": "failed", "stdout": "panicked\nmore\n"},
    {"type": "test", "name": "d", "event": "ignored", "message": "later"},
    {"type": "suite", "event": "failed", "passed": 1},
]
CTRF = {
    "results": {
        "tool": {"name": "x"},
        "tests": [
            {"name": "adds", "status": "passed", "duration": 250, "suite": ["shop", "cart"]},
            {
                "name": "pays",
                "status": "failed",
                "message": "no money",
                "trace": "at x",
                "filePath": "a.ts",
                "line": 3,
            },
            {"name": "odd", "status": "other"},
        ],
    }
}


def lines(found: Sequence[object]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in found).encode()


SAMPLES = {
    "junit": JUNIT.encode(),
    "tap": TAP.encode(),
    "gotest": lines(GO),
    "libtest": lines(LIBTEST),
    "ctrf": json.dumps(CTRF).encode(),
}


def read(form: str, data: bytes, cuts: tuple[int, ...] = ()) -> list[Any]:
    reading, found, before = reader(form), [], 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        found += reading.feed(data[before:cut])
        before = cut
    return found + reading.close()


def verdicts(form: str) -> dict[str, str]:
    return {"::".join(one.path): one.verdict for one in read(form, SAMPLES[form]) if isinstance(one, Case)}


def test_junit__every_dialect__then_cases_with_their_evidence() -> None:
    assert verdicts("junit") == {
        "outer::inner::nested": "passed",
        "shop.Cart::adds <two> ✓": "passed",
        "shop.Cart::pays": "failed",
        "shop.Cart::breaks": "error",
        "shop.Cart::later": "skipped",
        "shop.Cart::flaky": "passed",
        "shop.Cart::off": "skipped",
    }
    nested, adds, pays, *_ = read("junit", SAMPLES["junit"])
    assert (nested.seconds, adds.out) == (1234.5, "out & out")
    assert (pays.kind, pays.message, pays.text) == ("AssertionError", "no money", "first\nline\n\nsecond")
    assert (pays.file, pays.line, pays.err) == ("cart.py", 7, "err")


def test_tap__directives_blocks_and_subtests__then_cases() -> None:
    assert verdicts("tap") == {
        "adds": "passed",
        "pays # cash": "failed",
        "test 3": "skipped",
        "test 4": "xfailed",
        "outer::inner one": "passed",
        "outer::inner two": "failed",
        "passed \\ back": "passed",
        "soon": "xpassed",
    }
    found = read("tap", SAMPLES["tap"])
    (pays,) = [one for one in found if isinstance(one, Case) and one.path == ("pays # cash",)]
    assert (pays.message, pays.file, pays.line, pays.seconds) == ("no money", "/srv/cart.js", 7, 0.0015)
    assert [one.text for one in found if isinstance(one, Printed)] == ["printed in between\n"]


def test_gotest__tests_subtests_and_a_package_that_dies__then_each_with_its_words() -> None:
    found = read("gotest", SAMPLES["gotest"])
    assert verdicts("gotest") == {
        "m/p::TestA": "failed",
        "m/p::TestB::sub case": "skipped",
        "m/q::(package)": "error",
    }
    (failed,) = [one for one in found if isinstance(one, Case) and one.verdict == "failed"]
    assert (failed.message, failed.file, failed.line) == ("no money", "a_test.go", 7)
    assert [one.path for one in found if isinstance(one, Begun)] == [
        ("m/p", "TestA"),
        ("m/p", "TestB", "sub case"),
    ]


def test_libtest_and_ctrf__then_cases() -> None:
    assert verdicts("libtest") == {"a::b": "passed", "c": "failed", "d": "skipped"}
    assert verdicts("ctrf") == {"shop::cart::adds": "passed", "pays": "failed", "odd": "error"}


@pytest.mark.parametrize("form", FORMATS)
@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, 5000), max_size=20))
def test_reader__however_the_bytes_are_cut__then_the_same(form: str, cuts: list[int]) -> None:
    assert read(form, SAMPLES[form], tuple(cuts)) == read(form, SAMPLES[form])


@pytest.mark.parametrize("form", FORMATS)
@settings(deadline=None)
@given(data=st.binary(max_size=400), at=st.integers(0, 3000), size=st.integers(0, 40))
def test_reader__damaged_or_any_bytes__then_cases_or_one_kind_of_fault(
    form: str, data: bytes, at: int, size: int
) -> None:
    sample = SAMPLES[form]
    for hostile in (data, sample[:at] + data + sample[at + size :], sample[:at]):
        try:
            found = read(form, hostile)
        except ReportError:
            continue
        assert all(isinstance(one, Case | Begun | Left | Printed) for one in found)


@pytest.mark.parametrize(
    ("form", "data", "words"),
    [
        ("junit", b"", "no element found"),
        ("junit", JUNIT.encode()[:-20], "not well-formed"),
        ("junit", b"<html></html>", "no test suite"),
        ("junit", b'<!DOCTYPE a [<!ENTITY b "bb">]><testsuites>&b;</testsuites>', "document type"),
        ("junit", b"<testsuites>" + b"<testsuite>" * 300, "deep"),
        ("tap", b"nothing of it\n", "no test point"),
        ("tap", b"1..2\nok 1\nBail out! no disk\n", "no disk"),
        ("libtest", lines(LIBTEST[:3]), "inside a test suite"),
        ("ctrf", b'{"results": {}}', "results.tests"),
        ("ctrf", b"[" * 100_000, "not JSON"),
        ("gotest", lines(GO[:5]), "inside the package m/p"),
        ("gotest", lines(GO)[:-4], "inside the package m/q|inside a line"),
        ("tap", b"ok 1 - one\n", "no plan"),
        ("tap", b"1..1\nnot ok 1 - one\n  ---\n  message: cut\n", "inside a subtest or a block"),
    ],
)
def test_reader__half_written_or_no_such_report__then_said_what_is_wrong(
    form: str, data: bytes, words: str
) -> None:
    with pytest.raises(ReportError, match=words):
        read(form, data)


def told(form: str, data: bytes) -> tuple[list[Any], str]:
    """What a report tells, its last words with it, and what is wrong with it."""
    reading, found = reader(form), list[Any]()
    try:
        found += reading.feed(data)
        found += reading.close()
    except CutShortError as fault:
        return found + fault.found, str(fault)
    return found, ""


@pytest.mark.parametrize(
    ("form", "data", "ends", "begun"),
    [
        ("gotest", lines(GO[:5]), {}, ["m/p::TestA"]),
        ("gotest", lines(GO[:7]), {"m/p::TestA": "failed"}, ["m/p::TestA", "m/p::TestB::sub case"]),
        ("libtest", lines(LIBTEST[:2]) + b'{"type":"te', {}, ["a::b"]),
        ("tap", b"1..3\nok 1 - one\nnot ok 2 - tw", {"one": "passed"}, []),
        ("tap", b"1..2\nok 1 - one\nBail out! no disk\n", {"one": "passed"}, []),
        (
            "junit",
            JUNIT.partition("<system-out>")[0].encode(),
            {"outer::inner::nested": "passed"},
            ["shop.Cart::adds <two> ✓"],
        ),
        (
            "junit",
            JUNIT.partition("</failure>")[0].encode(),
            {
                "outer::inner::nested": "passed",
                "shop.Cart::adds <two> ✓": "passed",
                "shop.Cart::pays": "failed",
            },
            [],
        ),
        (
            "ctrf",
            json.dumps(CTRF).partition('"other"')[0].encode(),
            {"shop::cart::adds": "passed", "pays": "failed"},
            [],
        ),
        (
            "junit",
            b'<testsuite><testcase name="a"><skipped/></testcase><testcase name="b"><skipped/><err',
            {"a": "skipped"},
            ["b"],
        ),
        (
            "ctrf",
            b'{"results": {"tests": [{"name": "a", "status": "passed"}, {"name": "b", "sta',
            {"a": "passed"},
            ["b"],
        ),
    ],
)
def test_reader__cut_in_the_middle__then_what_came_and_what_has_no_end(
    form: str, data: bytes, ends: dict[str, str], begun: list[str]
) -> None:
    found, fault = told(form, data)
    assert {"::".join(one.path): one.verdict for one in found if isinstance(one, Case)} == ends
    assert ["::".join(one.path) for one in found if isinstance(one, Begun)] == begun
    assert fault


@pytest.mark.parametrize("form", FORMATS)
def test_reader__whole_up_to_any_byte__then_no_end_that_the_whole_does_not_have(form: str) -> None:
    data = SAMPLES[form]
    ends = verdicts(form)
    # A last line without its end is taken where the plan is met by it.
    last = len(data.splitlines()[-1]) if form == "tap" else 0
    for size in range(len(data) - last):
        try:
            found, _ = told(form, data[:size])
        except ReportError:
            continue
        assert {"::".join(one.path): one.verdict for one in found if isinstance(one, Case)}.items() <= {
            **ends,
            **(_OPEN if form == "tap" else {}),
        }.items(), size


#: Parts of a subtest, as long as nobody has told its name.
_OPEN = {"inner one": "passed", "inner two": "failed"}


def go(*events: tuple[str, str, str]) -> list[Any]:
    """What is told of one package's tests: action, test, output."""
    told = [{"Action": action, "Package": "m", "Test": test, "Output": text} for action, test, text in events]
    ended = {"Action": "fail", "Package": "m"}
    return read("gotest", lines([{"Action": "start", "Package": "m"}, *told, ended]))


def test_gotest__process_that_goes_with_its_tests__then_whose_doing_it_was() -> None:
    found = go(
        ("run", "TestPanics", ""),
        ("run", "TestBeside", ""),
        ("run", "TestWaits", ""),
        ("pause", "TestWaits", ""),
        ("output", "TestPanics", "panic: boom [recovered]\n\n\t/srv/m/a_test.go:7 +0x30\n"),
        ("fail", "TestPanics", ""),
    )
    (panicked,) = [one for one in found if isinstance(one, Case)]
    assert (panicked.kind, panicked.message, panicked.file, panicked.line) == (
        "panic",
        "boom",
        "/srv/m/a_test.go",
        7,
    )
    assert {one.path[1]: one.verdict for one in found if isinstance(one, Left)} == {
        "TestBeside": "cancelled",
        "TestWaits": "cancelled",
    }
    found = go(("run", "TestExits", ""), ("run", "TestWaits", ""), ("pause", "TestWaits", ""))
    assert {one.path[1]: one.verdict for one in found if isinstance(one, Left)} == {
        "TestExits": "crashed",
        "TestWaits": "cancelled",
    }


def test_gotest__a_part_panics__then_the_panic_is_its_own_and_those_above_only_hold_it() -> None:
    said = (
        "panic: boom [recovered, repanicked]\n\ngoroutine 8 [running]:\nm.helper(...)\n\t/srv/m/a_test.go:3\n"
        "m.TestTable.func1(0x1)\n\t/srv/m/a_test.go:7 +0x3\ncreated by testing.(*T).Run in goroutine {}\n\t/x.go:1\n"
    )
    for by, whose in (("7", "TestTable/in/two"), ("1", "TestTable")):
        found = go(
            ("run", "TestTable", ""),
            ("run", "TestTable/in", ""),
            ("run", "TestTable/in/two", ""),
            ("fail", "TestTable/in/two", ""),
            ("output", "TestTable/in", "--- FAIL: TestTable/in (0.00s)\n"),
            ("fail", "TestTable/in", ""),
            ("output", "TestTable", "--- FAIL: TestTable (0.00s)\n"),
            ("output", "TestTable", said.format(by)),
            ("fail", "TestTable", ""),
        )
        cases = {"/".join(one.path[1:]): one for one in found if isinstance(one, Case)}
        assert list(cases) == ["TestTable/in/two", "TestTable/in", "TestTable"]
        assert {name: one.verdict for name, one in cases.items()} == dict.fromkeys(cases, "failed")
        assert [name for name, one in cases.items() if one.kind == "panic"] == [whose]
        assert (cases[whose].message, cases[whose].line) == ("boom", 3)
        assert [one.text for name, one in cases.items() if name != whose] == ["", ""]


def test_gotest__a_part_fails_and_others_go_on__then_it_is_told_before_them() -> None:
    found = go(
        ("run", "TestTable", ""),
        ("run", "TestTable/one", ""),
        ("fail", "TestTable/one", ""),
        ("run", "TestTable/two", ""),
        ("pass", "TestTable/two", ""),
        ("fail", "TestTable", ""),
    )
    told = [("/".join(one.path[1:]), type(one).__name__) for one in found if isinstance(one, Begun | Case)]
    assert told == [
        ("TestTable", "Begun"),
        ("TestTable/one", "Begun"),
        ("TestTable/one", "Case"),
        ("TestTable/two", "Begun"),
        ("TestTable/two", "Case"),
        ("TestTable", "Case"),
    ]


def test_gotest__cut_behind_a_build_that_failed__then_not_whole() -> None:
    build = {"ImportPath": "m/p [m/p.test]", "Action": "build-fail"}
    package = [
        {"Action": "start", "Package": "m/p"},
        {"Action": "fail", "Package": "m/p", "FailedBuild": "m/p [m/p.test]"},
    ]
    assert told("gotest", lines([build]))[1]
    assert not told("gotest", lines([build, *package]))[1]


def test_gotest__panic_that_go_takes_for_the_words_of_another__then_its_own_by_the_stack() -> None:
    said = "panic: boom\n\ngoroutine 7 [running]:\nm.TestPanics.func1(0x1)\n\t/srv/m/a_test.go:7 +0x30\n"
    found = go(
        ("run", "TestPanics", ""),
        ("run", "TestEnded", ""),
        ("pass", "TestEnded", ""),
        ("output", "TestEnded", said),
        ("fail", "TestPanics", ""),
    )
    ended, panicked = (one for one in found if isinstance(one, Case))
    assert (ended.verdict, panicked.kind, panicked.message) == ("passed", "panic", "boom")


def test_gotest__limit_of_time_of_go_itself__then_the_one_that_ran_longest() -> None:
    said = (
        "panic: test timed out after 1m0s\n\trunning tests:\n\t\tTestShort (900ms)\n\t\tTestLong (1m0s)\n\n"
    )
    found = go(("run", "TestLong", ""), ("run", "TestShort", ""), ("output", "TestShort", said))
    assert [(one.path[1], one.verdict) for one in found if isinstance(one, Case)] == [
        ("TestLong", "timedout")
    ]
    assert [(one.path[1], one.verdict) for one in found if isinstance(one, Left)] == [
        ("TestShort", "cancelled")
    ]


def test_gotest__example_and_table_of_operands__then_compared() -> None:
    output = "got:\nhello\nworld\nwant:\nhello\nthere\n"
    table = (
        "    a_test.go:9: \n        \tError Trace:\t/srv/m/a_test.go:9\n        \tError:      \tNot equal: \n"
        "        \t            \texpected: 4\n        \t            \tactual  : 3\n        \tTest:       \tTestAdds\n"
    )
    found = go(
        ("run", "ExampleCart", ""),
        ("output", "ExampleCart", output),
        ("fail", "ExampleCart", ""),
        ("run", "TestAdds", ""),
        ("output", "TestAdds", table),
        ("fail", "TestAdds", ""),
    )
    example, adds = (one for one in found if isinstance(one, Case))
    assert example.compared == Compared("hello\nthere", "hello\nworld")
    assert (adds.compared, adds.message, adds.line) == (Compared("4", "3"), "Not equal:", 9)


def test_tap__blocks_of_each_dialect__then_names_operands_and_words() -> None:
    text = """1..4
not ok 1 - node's
  ---
  failureType: 'testCodeFailure'
  error: |-
    Expected values to be equal:

    1 !== 2
  code: 'ERR_ASSERTION'
  name: 'AssertionError'
  expected:
    name: "two"
  actual: 1
  operator: 'strictEqual'
  ...
not ok 2 - told behind
  cannot pay
  TypeError: cannot pay
not ok 3 - in quotes
    ---
    error:
        name: "Error"
        message: "over
two lines"
    ...
not ok 4 - nothing
"""
    node, behind, quoted, nothing = (one for one in read("tap", text.encode()) if isinstance(one, Case))
    assert (node.kind, node.message) == ("AssertionError", "Expected values to be equal:\n\n1 !== 2")
    assert node.compared == Compared('name: "two"', "1", "==")
    assert (behind.message, behind.text) == ("cannot pay", "cannot pay\nTypeError: cannot pay")
    assert quoted.message == "over\ntwo lines"
    assert nothing.message == "not ok, without a word why"


def test_guessed__then_each_sample_by_its_first_bytes() -> None:
    assert {form: guessed(data[:200]) for form, data in SAMPLES.items()} == {form: form for form in SAMPLES}
    assert guessed(b"hello") is None


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("ctrf", '{"results": {"tests": [{"name": "a", "duration": 1' + "0" * 400 + "}]}}"),
        ("tap", "}\n}\nok 1 - a {\nok 2 - b {\n}\n}\n1..1\n"),
    ],
)
def test_reader__numbers_and_blocks_that_nobody_means__then_told_all_the_same(form: str, text: str) -> None:
    reading = reader(form)
    assert any(isinstance(one, Case) for one in [*reading.feed(text.encode()), *reading.close()])


def test_journal__an_event_that_is_no_word__then_it_is_what_was_printed() -> None:
    assert JournalReader().feed(b'{"e":["a"],"scenario":"a"}\n') == [
        Printed((), '{"e":["a"],"scenario":"a"}\n')
    ]
