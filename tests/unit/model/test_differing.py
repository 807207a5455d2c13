"""Two values that read the same when they are shortened: where they differ is said."""

from __future__ import annotations

from typing import Any

import pytest

from tracekit.model.differing import alike, first_difference


@pytest.mark.parametrize(
    ("words", "op", "same"),
    [
        ("{'a': 'x...y'} == {'a': 'x...y'}", "==", True),
        ("[1, ...] == [2, ...]", "==", False),
        ("a in a", "in", True),
        ("a in a", "==", False),
        (" == ", "==", False),
        ("", "==", False),
    ],
)
def test_alike__words_of_a_comparison__then_whether_both_sides_are_the_same(
    words: str, op: str, same: bool
) -> None:
    assert alike(words, op) is same


@pytest.mark.parametrize(
    ("actual", "expected", "said"),
    [
        (
            [{"h": {"a": 1, "b": "Basicx"}}],
            [{"h": {"a": 1, "b": "Basic x"}}],
            '[0].h.b: "Basicx" == "Basic x"',
        ),
        ({"user-agent": 1}, {"user-agent": 2}, '["user-agent"]: 1 == 2'),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, 'a: with ["c"] == with []'),
        ([1, 2], [1], "2 items == 1 items"),
        ([1], [True], "[0]: 1 == true"),
        ({"a": [1]}, {"a": [1]}, ""),
        ("x" * 90 + "1" + "z" * 90, "x" * 90 + "2" + "z" * 90, None),
    ],
)
def test_difference__recorded_values__then_the_first_part_that_differs(
    actual: Any, expected: Any, said: str | None
) -> None:
    told = first_difference(actual, expected, "==")
    if said is None:
        left, _, right = told.partition(" == ")
        assert left != right
        assert max(len(left), len(right)) < 60
        assert "x1z" in left
        assert "x2z" in right
    else:
        assert told == said
