"""What a selector may mean is known of a suite before it is asked, and only a certain no counts."""

from __future__ import annotations

import pytest

from tracekit.model.reach import may_hold

SUITES = {
    "pytest": ("", "pytest"),
    "cargo": ("native", "cargo"),
    "go": ("gomod", "go"),
    "node": ("zoo", "node"),
}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("tests/test_a.py", "pytest"),
        ("tests/test_a.py::test_x", "pytest"),
        ("file:src/lib.rs", "cargo"),
        ("file:src/lib.rs,a.go", "cargo go"),
        ("file:a.test.mjs", "node"),
        ("a.test.mjs", "pytest cargo go node"),
        ("id:cargo@*:src/lib.rs", "pytest cargo go node"),
        ("runner:cargo", "cargo"),
        ("runner:cargo,go", "cargo go"),
        ("not runner:cargo", "pytest go node"),
        ("suite:native or suite:zoo", "cargo node"),
        ("suite:native name:x", "cargo"),
        ("suite:na* kind:unit", "cargo"),
        ("kind:unit", "pytest cargo go node"),
        ("not kind:unit", "pytest cargo go node"),
        ("double", "pytest cargo go node"),
        ("tests", "pytest cargo go node"),
        (".", "pytest cargo go node"),
        ("cargo@native:api/src/lib.rs::tests::x", "cargo"),
        ("pytest:tests/test_a.py::test_x[a b]", "pytest"),
        ("pytest@other:tests/test_a.py", ""),
        ("runner:cargo runner:go", ""),
        ("cargo@native:src/lib.rs::x or go@gomod:.::TestX", "cargo go"),
        ("nofield:x", "pytest cargo go node"),
        ("parser::tests", "pytest cargo go node"),
    ],
)
def test_may_hold__a_selector__then_the_suites_it_may_mean(text: str, meant: str) -> None:
    assert " ".join(name for name, of in SUITES.items() if may_hold([text], *of)) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("broken", True),
        ("broken/src/lib.rs", True),
        ("broken/src/lib.rs::tests::x", True),
        ("healthy/tests", False),
        ("healthy/src/lib.rs", False),
        ("kind:unit", True),
        ("not kind:unit", True),
        ("not broken/src", False),
        ("two_is_two", True),
        ("cargo@native:healthy/src/lib.rs::two", False),
        ("cargo@native:broken/src/lib.rs::two", True),
        ("suite:zoo", False),
        ("file:heal*", True),
    ],
)
def test_may_hold__a_file_that_was_not_collected__then_whether_it_may_have_held_it(
    text: str, meant: bool
) -> None:
    assert may_hold([text], "native", "cargo", "broken/src/lib.rs") is meant


def test_may_hold__several_selectors__then_any_of_them() -> None:
    assert may_hold(["suite:zoo", "runner:cargo"], "native", "cargo")
    assert not may_hold(["suite:zoo", "runner:go"], "native", "cargo")
