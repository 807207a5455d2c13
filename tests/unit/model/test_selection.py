"""Selectors: what each form means, and where a mistake is."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.model.journals import PROPERTY, Journal
from tracekit.model.facts import ScenarioFacts
from tracekit.model.kinds import TEST_KINDS, kinds_of
from tracekit.model.selection import parse_selector, select
from tracekit.model.state import RunState
from tracekit.wire.problems import ProblemError


def facts(scenario: str, **more: object) -> ScenarioFacts:
    runner, _, rest = scenario.partition(":")
    path = tuple(rest.split("::"))
    fields: dict[str, object] = {"suite": runner.partition("@")[2], "path": path, "file": path[0]} | more
    return ScenarioFacts(scenario, runner=runner.partition("@")[0], **fields)  # type: ignore[arg-type]


ROWS = [
    facts("pytest:tests/chat/test_ws.py::test_reconnect", tags=("slow", "net"), components=("api",)),
    facts("pytest:tests/chat/test_ws.py::TestJoin::test_join[a b]", tags=("net",)),
    facts("pytest:tests/chat/test_ws.py::TestJoin::test_join_twice"),
    facts("pytest@api:tests/chatter/test_x.py::test_x[(1, 2)]"),
    facts("cargo:store/tests::publish"),
    facts("pytest:tests/chat/test_ws.py::test_reconnect ▸ first", parent=0),
]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        (".", [0, 1, 2, 3, 4, 5]),
        ("tests", [0, 1, 2, 3, 5]),
        ("tests/", [0, 1, 2, 3, 5]),
        ("./tests/chat", [0, 1, 2, 5]),
        ("tests/chat/test_ws.py", [0, 1, 2, 5]),
        ("tests/cha/", []),
        ("tests/chat/test_ws.py::TestJoin", [1, 2]),
        ("tests/chat/test_ws.py::TestJoin::test_join", [1]),
        ("pytest:tests/chat/test_ws.py::test_reconnect", [0, 5]),
        ("'pytest:tests/chat/test_ws.py::TestJoin::test_join[a b]'", [1]),
        ("pytest@api:tests/chatter/test_x.py::test_x", [3]),
        ("'tests/chatter/test_x.py::test_x[(1, 2)]'", [3]),
        ("reconnect", [0, 5]),
        ("JOIN", [1, 2]),
        ("*join*", [1, 2]),
        ("tests/*/test_ws.py", [0, 1, 2, 5]),
        ("*::test_?", []),
        ("*::test_reconn?ct", [0]),
        ("kind:subtest", [5]),
        ("kind:test", [0, 1, 2, 3, 4]),
        ("tag:slow", [0]),
        ("tag:slow,NET", [0, 1]),
        ("tag:n*", [0, 1]),
        ("runner:cargo", [4]),
        ("suite:api", [3]),
        ("suite:''", [0, 1, 2, 4, 5]),
        ("component:api", [0]),
        ("file:tests/chat", [0, 1, 2, 5]),
        ("name:test_join", [1]),
        ("name:test_join*", [1, 2]),
        ("id:cargo:*", [4]),
        ("tag:net join", [1]),
        ("tag:net and join", [1]),
        ("tag:slow or runner:cargo", [0, 4]),
        ("tag:net -join", [0]),
        ("tag:net not join", [0]),
        ("-tag:net runner:pytest", [2, 3, 5]),
        ("not (tag:net or runner:cargo)", [2, 3, 5]),
        ("(tag:slow or join) -twice", [0, 1]),
        ("--join tag:net", [1]),
        ("status:passed", [0]),
        ("status:failed", [1]),
        ("status:red", [1, 2]),
        ("status:failed,error kind:test", [1, 2]),
        ("status:pending", [3, 4, 5]),
        ('name:"test_join[a b]"', [1]),
        (r"'it\'s'", []),
    ],
)
def test_selector__each_form__then_the_scenarios_it_means(text: str, rows: list[int]) -> None:
    statuses = [2, 3, 4, 0, 0, 0]
    selector = parse_selector(text)
    assert [
        i for i, (one, status) in enumerate(zip(ROWS, statuses, strict=True)) if selector.matches(one, status)
    ] == rows


def test_selector__unittest_s_own_name__then_whole_parts_of_it_are_understood() -> None:
    rows = [
        facts("unittest:pkg/test_sub.py::T::test_sub"),
        facts("unittest:pkg/test_sub.py::T::test_subject"),
        facts("pytest:pkg/test_sub.py::T::test_sub"),
    ]
    wanted = {
        "pkg.test_sub.T.test_sub": [0],
        "test_sub.T.test_sub": [0],
        "T.test_sub": [0],
        "pkg.test_sub.T": [0, 1],
        "pkg.test_sub": [0, 1],
        "T.test_su": [],
        "sub.T.test_sub": [],
        "t.test_sub": [],
    }
    assert {text: select(rows, [text]) for text in wanted} == wanted


@pytest.mark.parametrize(
    ("text", "offset", "what", "action"),
    [
        ("stauts:failed", 0, "unknown field 'stauts'", "did you mean 'status:'?"),
        ("join tga:x", 5, "unknown field 'tga'", "did you mean 'tag:'?"),
        ("zzzzz:x", 0, "unknown field 'zzzzz'", "known fields: "),
        ("join status:faild", 5, "unknown status 'faild'", "did you mean 'failed'?"),
        ("kind:unti", 0, "unknown kind 'unti'", "did you mean 'unit'?"),
        ("tag: x", 4, "nothing stands behind 'tag:'", "write tag:VALUE"),
        ("(a or b", 0, "never closed", "add ')'"),
        ("a b) c", 3, "never opened", "remove it"),
        ("a or", 4, "a condition is missing at the end", "add one"),
        ("or a", 0, "a condition is missing before 'or'", "add one"),
        ("a and and b", 6, "a condition is missing before 'and'", "add one"),
        ("()", 1, "a condition is missing before ')'", "add one"),
        ("not", 3, "a condition is missing at the end", "add one"),
        ("a 'b", 2, "this quote has no end", "close it"),
    ],
)
def test_selector__with_a_mistake__then_offset_caret_and_what_to_do(
    text: str, offset: int, what: str, action: str
) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_selector(text)
    problem = caught.value.first
    assert what in problem.what
    assert action in problem.action
    place, shown, caret = problem.where.split("\n")
    assert place.endswith(f"offset {offset}")
    assert (shown, caret.index("^")) == (f"  {text}", offset + 2)


@pytest.mark.parametrize(
    "text", ["(" * 65 + "a" + ")" * 65, "-" * 70 + "a", "not " * 70 + "a", "a" * 4097, "(" * 4000]
)
def test_selector__too_deep_or_too_long__then_refused(text: str) -> None:
    with pytest.raises(ProblemError):
        parse_selector(text)


def test_selector__mistake_far_into_a_long_text__then_the_caret_stands_under_it() -> None:
    text = "a " * 200 + "tga:x"
    with pytest.raises(ProblemError) as caught:
        parse_selector(text)
    _, shown, caret = caught.value.first.where.split("\n")
    assert shown[caret.index("^") :].startswith("tga:x")


def test_select__a_whole_id_with_spaces__then_that_one_and_nothing_else() -> None:
    name = "node:a.test.mjs::cart::it's (not) two words"
    rows = [*ROWS, facts(name), facts(f"{name} again")]
    assert select(rows, [name]) == [len(ROWS)]
    assert select(rows, [name, "publish"]) == [4, len(ROWS)]


def test_select__several_texts__then_any_of_them() -> None:
    assert select(ROWS, ["tag:slow", "runner:cargo"]) == [0, 4]
    assert select(ROWS, []) == [0, 1, 2, 3, 4, 5]


def test_select__several_mistakes__then_all_of_them_at_once() -> None:
    with pytest.raises(ProblemError) as caught:
        select(ROWS, ["tga:x", "(", "tag:ok"])
    assert len(caught.value.problems) == 2


def test_select__on_a_state__then_its_statuses_count() -> None:
    state = Journal().ran("failed").ran("passed", "pytest:b.py::test_b").state
    assert select(state, ["status:failed"]) == [0]
    assert select(RunState(), ["status:failed"]) == []


def test_selector__many_stars_on_a_long_name__then_still_quick() -> None:
    one = facts("pytest:tests/" + "a" * 20_000)
    assert not parse_selector("*a" * 200 + "*b").matches(one)


@PROPERTY
@given(st.text(st.sampled_from("ab:*?()-'\" \\tag:or not[],/."), max_size=30))
def test_selector__any_text__then_a_selector_or_a_problem_with_a_place(text: str) -> None:
    problem = None
    try:
        selector = parse_selector(text)
    except ProblemError as fault:
        problem = fault.first
    else:
        assert {selector.matches(one) for one in ROWS} <= {True, False}
    assert problem is None or (problem.where.startswith("selector, offset ") and problem.action)


@PROPERTY
@given(st.text(min_size=1, max_size=20).filter(lambda text: "\\" not in text and "'" not in text))
@example("/")
def test_selector__any_id_in_quotes__then_means_that_scenario(name: str) -> None:
    one = facts(f"pytest:t.py::{name}")
    assert parse_selector(f"'{one.id}'").matches(one)


@pytest.mark.parametrize(
    ("file", "path", "tags", "kinds"),
    [
        ("api/src/lib.rs", ["api/src/lib.rs", "tests", "adds"], ("unit",), {"unit"}),
        ("api/tests/integration.rs", ["api/tests/integration.rs", "adds"], ("integration",), {"integration"}),
        ("tests/unit/test_a.py", ["tests/unit/test_a.py", "test_a"], ("e2e", "slow"), {"integration"}),
        ("tests/unit/test_a.py", ["tests/unit/test_a.py", "test_a"], ("slow",), {"unit"}),
        ("tests/unit/a.test.ts", ["tests/unit/a.test.ts", "Integration tests", "pays"], (), {"integration"}),
        ("src/cart.integration.test.ts", ["src/cart.integration.test.ts", "pays"], (), {"integration"}),
        ("cart/cart_test.go", ["cart", "ExampleTotal"], ("example",), {"example"}),
        ("src/unit_price.test.ts", ["src/unit_price.test.ts", "unit"], (), set()),
    ],
)
def test_kinds__what_is_said_nearest__then_it_counts(
    file: str, path: list[str], tags: tuple[str, ...], kinds: set[str]
) -> None:
    facts = ScenarioFacts(id="x:y", runner="x", path=tuple(path), file=file, tags=tags)
    assert kinds_of(facts) == kinds
    for kind in TEST_KINDS:
        assert parse_selector(f"kind:{kind}").matches(facts) == (kind in kinds)
    assert parse_selector("kind:test").matches(facts)
