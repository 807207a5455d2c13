"""Clustering: one cause, one group; what merely looks alike stays apart."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.model.journals import A, B, Journal, exception, fold
from tracekit.model.masking import mask, one_line

C = "pytest:tests/test_c.py::test_c"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("port 4711 busy", "port <n> busy"),
        ("took 4967us", "took <n>us"),
        ("at 0xDEADbeef", "at <hex>"),
        ("commit a1b2c3d4e5f6 gone", "commit <hex> gone"),
        ("no effaced decade", "no effaced decade"),
        ("run 01K5A3V2Q8Z6Y1X0W9V7T5S3R1", "run <id>"),
        ("id 123e4567-e89b-12d3-a456-426614174000!", "id <id>!"),
        ("cannot open /tmp/pytest-1/x.db", "cannot open <path>"),
        ("no ./a/b.txt here", "no <path> here"),
        ("either/or stays", "either/or stays"),
        ("refused 127.0.0.1:5432", "refused <addr>"),
        ("refused [::1]:80", "refused <addr>"),
        ("GET http://127.0.0.1:80/x?q=1 failed", "GET <url> failed"),
        ("at 2025-11-20T23:09:01.123Z it broke", "at <time> it broke"),
        ("at 23:09:01 it broke", "at <time> it broke"),
        ("key 'user-7' missing", "key <str> missing"),
        ('key "user-7" missing', "key <str> missing"),
        ("can't reach it, don't know 'db'", "can't reach it, don't know <str>"),
        ("-1.5e10 vs +3", "<n> vs <n>"),
        ("utf8 and v2 stay", "utf8 and v2 stay"),
        ("two\n  lines", "two lines"),
    ],
)
def test_mask__what_varies_between_two_failures__then_named_not_shown(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("letter", ["'", '"', "/", "[", "0", "a1", "-", ":", "9:", "x://"])
def test_mask__long_and_repetitive_text__then_only_a_piece_is_looked_at(letter: str) -> None:
    assert len(mask(letter * 100_000)) <= 1000


def test_one_line__text_of_many__then_the_first_that_says_anything_cut_to_width() -> None:
    assert one_line("\n \n  first   line\nsecond") == "first line"
    assert one_line("x" * 50, 10) == "x" * 9 + "…"
    assert one_line(" \n") == ""


def test_causes__same_exception_with_other_values__then_one_group_with_a_masked_title() -> None:
    journal = Journal()
    for port, scenario in ((4711, A), (4712, B)):
        journal.red(scenario, exception("ConnectionError", f"port {port} refused"))
    (group,) = journal.state.causes()
    assert (group.title, group.cause, group.indices) == (
        "ConnectionError: port <n> refused",
        "exception",
        [0, 1],
    )


def test_causes__same_exception_with_the_same_values__then_the_title_keeps_them() -> None:
    journal = Journal()
    for scenario in (A, B):
        journal.red(scenario, exception("ConnectionError", "port 4711 refused"))
    assert [group.title for group in journal.state.causes()] == ["ConnectionError: port 4711 refused"]


def test_causes__other_exceptions_from_one_cause__then_one_group_by_the_cause() -> None:
    journal = Journal()
    root = exception("PoolError", "pool exhausted", "cause")
    journal.red(A, exception("ApiError", "request failed"), root)
    journal.red(B, exception("PageError", "no page"), exception("ApiError", "request failed", "cause"), root)
    (group,) = journal.state.causes()
    assert (group.title, len(group.indices)) == ("PoolError: pool exhausted", 2)


def test_causes__exception_while_handling_another__then_the_new_one_is_the_cause() -> None:
    journal = Journal().red(
        A, exception("TimeoutError", "no answer"), exception("KeyError", "'k'", "context")
    )
    assert [group.title for group in journal.state.causes()] == ["TimeoutError: no answer"]


def test_causes__same_message_of_another_class_of_failure__then_two_groups() -> None:
    journal = Journal().red(A, exception("OSError", "refused"))
    journal.red(B, exception("OSError", "refused"), when="setup", verdict="error")
    assert {group.cause for group in journal.state.causes()} == {"exception", "setup"}


def test_causes__exceptions_of_one_name_from_two_modules__then_two_groups() -> None:
    journal = Journal()
    for scenario, module in ((A, "redis"), (B, "psycopg")):
        journal.red(scenario, exception("Timeout", "late", module=module))
    assert [group.title for group in journal.state.causes()] == ["Timeout: late", "Timeout: late"]


def test_causes__group_of_exceptions__then_named_by_its_members() -> None:
    one = exception("ExceptionGroup", "many (1 sub-exception)", group=[exception("ValueError", "bad 3")])
    two = exception(
        "ExceptionGroup", "many", group=[exception("ValueError", "b"), exception("KeyError", "a")]
    )
    journal = Journal().red(A, one).red(B, two)
    assert {group.title for group in journal.state.causes()} == {
        "ValueError: bad 3",
        "ExceptionGroup: KeyError: a; ValueError: b",
    }


def asserted(
    journal: Journal, scenario: str, actual: object, code: str = "assert received == 1000"
) -> Journal:
    frames = [{"file": "t.py", "line": 1, "own": True, "code": code}]
    journal.start(scenario).add(
        "assertion", scenario=scenario, attempt=1, op="==", expected=1000, actual=actual, passed=False
    )
    error = exception("AssertionError", f"assert {actual} == 1000\n +  where …", frames=frames)
    return journal.fail(error, scenario=scenario).end("failed", scenario)


def test_causes__same_comparison_with_the_same_values__then_the_comparison_is_the_title() -> None:
    (group,) = asserted(asserted(Journal(), A, 997), B, 997).state.causes()
    assert (group.title, group.cause) == ("997 == 1000", "assertion")


def test_causes__same_comparison_with_other_values__then_one_group_masked() -> None:
    (group,) = asserted(asserted(Journal(), A, 997), B, 998).state.causes()
    assert (group.title, group.indices) == ("<n> == <n>", [0, 1])


def test_causes__numbers_compared_on_two_different_lines__then_two_groups() -> None:
    journal = asserted(asserted(Journal(), A, 997), B, 3, code="assert len(users) == 1000")
    assert {group.title for group in journal.state.causes()} == {"997 == 1000", "3 == 1000"}


def test_causes__assertion_without_operands__then_the_message_is_the_comparison() -> None:
    journal = (
        Journal()
        .red(A, exception("AssertionError", "assert 'a' in []"))
        .red(B, exception("AssertionError", ""))
    )
    assert {group.title for group in journal.state.causes()} == {"'a' in []", "assertion failed"}


def test_causes__both_sides_shortened_to_the_same_words__then_where_they_differ() -> None:
    journal, long = Journal(), "x" * 90
    actual, expected = {"auth": "Basicdxx", "rest": long}, {"auth": "Basic dxx", "rest": long}
    journal.add("assertion", scenario=A, attempt=1, op="==", expected=expected, actual=actual, passed=False)
    words = "assert {'auth': 'Bas...xxx'} == {'auth': 'Bas...xxx'}\n  Differing items:"
    journal.red(A, exception("AssertionError", words))
    assert [group.title for group in journal.state.causes()] == ['auth: "Basicdxx" == "Basic dxx"']


def test_causes__assertion_with_the_authors_words__then_those() -> None:
    journal = Journal().red(A, exception("AssertionError", "history is kept after 3 s\nassert 1 == 2"))
    assert [group.title for group in journal.state.causes()] == ["history is kept after 3 s"]


def test_causes__crashes__then_grouped_by_signal() -> None:
    journal = Journal().ran("crashed", cause="crash", signal=11).ran("crashed", B, cause="crash", signal=11)
    journal.ran("crashed", C, cause="crash", signal=9)
    assert [(group.title, group.indices) for group in journal.state.causes()] == [
        ("crashed: signal 11", [0, 1]),
        ("crashed: signal 9", [2]),
    ]


def test_causes__time_out_without_an_exception__then_class_hang() -> None:
    (group,) = Journal().ran("timedout", reason="no end within 120 s").state.causes()
    assert (group.cause, group.title) == ("hang", "timedout: no end within 120 s")


def test_causes__launch_and_discovery_failures__then_classes_of_their_own_without_rows() -> None:
    journal = Journal().red(A, exception("ValueError", "x"))
    journal.add("runner.failed_to_start", suite="", exit=3, message="pytest is not installed")
    for name in ("a", "b"):
        chain = [exception("ModuleNotFoundError", "No module named 'redis'")]
        journal.add(
            "discover.failed",
            suite="",
            file=f"{name}.py",
            message=f"{name}.py broke",
            failure={"chain": chain},
        )
    groups = journal.state.causes()
    assert [(group.cause, group.title, group.indices, group.notices) for group in groups] == [
        ("discovery", "ModuleNotFoundError: No module named 'redis'", [], [1, 2]),
        ("launch", "pytest is not installed", [], [0]),
        ("exception", "ValueError: x", [0], []),
    ]


def test_causes__row_that_turned_green_in_a_later_attempt__then_gone() -> None:
    folded = fold(Journal().red(A, exception("ValueError", "x")).lines)
    assert len(folded.state.causes()) == 1
    for line in Journal(src="local/main/2").ran("passed", attempt=2).lines:
        folded.feed(line)
    assert folded.state.causes() == []


def test_causes__parts_that_only_hold_red_parts__then_no_group_of_their_own() -> None:
    outer, inner = f"{A} ▸ outer", f"{A} ▸ outer/inner"
    held: dict[str, Any] = {"reason": "a sub-test failed", "cause": "assertion"}
    journal = Journal().ran("failed", outer, parent=A, **held)
    assert [group.indices for group in journal.state.causes()] == [[journal.state.index[outer]]]
    journal.red(inner, exception("ValueError", "x")).ran("failed", A, **held)
    folded = fold(journal.lines)
    assert [(group.title, group.indices) for group in folded.state.causes()] == [
        ("ValueError: x", [folded.state.index[inner]])
    ]
    for line in Journal(src="local/main/2").ran("passed", inner, attempt=2).lines:
        folded.feed(line)
    assert [group.title for group in folded.state.causes()] == ["failed: a sub-test failed"]


def test_causes__asked_again_without_a_change__then_nothing_is_made_anew() -> None:
    state = Journal().red(A, exception("ValueError", "x")).state
    assert state.causes() is state.causes()


def test_causes__largest_first() -> None:
    journal = Journal().red(A, exception("ValueError", "x"))
    for scenario in (B, C):
        journal.red(scenario, exception("KeyError", "y"))
    assert [group.indices for group in journal.state.causes()] == [[1, 2], [0]]
