"""Which scenarios a pattern of `isolate` means."""

from __future__ import annotations

import pytest

from _tkprobe.apart import matcher

PREFIX = "pytest@api:"
SCENARIO = "pytest@api:tests/a/test_it.py::TestIt::test_one[x-[1]*]"


@pytest.mark.parametrize(
    "pattern",
    [
        SCENARIO,
        "tests/a/test_it.py::TestIt::test_one[x-[1]*]",
        "tests/a/test_it.py::TestIt::test_one",
        "tests/a/test_it.py::TestIt",
        "tests/a/test_it.py",
        "./tests/a/",
        "tests",
        "TestIt",
        "TestIt::test_one",
        "test_one",
        "test_o*",
        "*",
        "*::test_one",
        "*test_it.py",
        "tests/*/test_?t.py::*one[x-*",
    ],
)
def test_matcher__part_of_an_id_at_a_boundary_or_a_glob__then_it_fits(pattern: str) -> None:
    assert matcher(["nothing", pattern], PREFIX)(SCENARIO) == pattern


def test_matcher__a_name_within_parameters__then_it_does_not_fit() -> None:
    assert matcher(["test_two"], PREFIX)("pytest@api:test_it.py::test_one[x::test_two]") is None


@pytest.mark.parametrize(
    "pattern",
    [
        "tests/a/test_i",
        "test_on",
        "est_one",
        "a",
        "tests/a/test_it.py::TestIt::test_one[x]",
        "test?x",
        "a/*",
        "",
    ],
)
def test_matcher__part_of_a_word__then_it_does_not_fit(pattern: str) -> None:
    assert matcher([pattern], PREFIX)(SCENARIO) is None
