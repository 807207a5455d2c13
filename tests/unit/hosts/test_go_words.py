"""The arguments of a go suite: what chooses tests is taken out of them, and means what it means to go."""

from __future__ import annotations

import pytest

from tracekit.agent.hosts.go_words import GoWords


@pytest.mark.parametrize(
    ("args", "rest", "listed"),
    [
        (["-race", "-tags", "x"], ("-race", "-tags", "x"), "."),
        (["-run", "TestA", "-race"], ("-race",), "TestA"),
        (["-run=TestA", "--run=TestB"], (), "TestB"),
        (["-test.run", "^TestA$/one|TestB"], (), "^TestA$|TestB"),
        (["-run=Test(A|B/x)/part|[/|]"], (), "Test(A|B/x)|[/|]"),
        (["-run", "a\\/b/c"], (), "a\\/b"),
        (["-running", "-run"], ("-running",), "."),
    ],
)
def test_words__what_chooses__then_taken_out_and_listed_without_parts(
    args: list[str], rest: tuple[str, ...], listed: str
) -> None:
    words = GoWords.of(args)
    assert (words.rest, words.listed) == (rest, listed)


def test_words__what_is_left_out__then_whole_tests_by_name_and_parts_by_go() -> None:
    words = GoWords.of(["-v", "-skip", "Slow$|TestA/part"])
    assert [name for name in ("TestSlow", "TestSlower", "TestA") if words.skips(name)] == ["TestSlow"]
    assert words.chosen == ("-v", "-skip=TestA/part")
    assert not GoWords.of(["-skip", "("]).skips("TestA")
    assert not GoWords.of([]).skips("TestA")


def test_words__those_of_the_tests_themselves__then_apart_and_never_read() -> None:
    words = GoWords.of(["-v", "-skip", "TestA/part", "-args", "-run", "mine", "-skip=x"])
    assert (words.rest, words.run, words.skip) == (("-v",), "", "TestA/part")
    assert words.chosen == ("-v", "-skip=TestA/part")
    assert words.own == ("-v", "-skip", "TestA/part")
    assert words.behind == ("-args", "-run", "mine", "-skip=x")


@pytest.mark.parametrize(
    ("args", "names", "pattern"),
    [
        ([], ["TestA", "TestB"], "^(TestA|TestB)$"),
        (["-run", "TestA/one"], ["TestA"], "^(TestA)$/one"),
        (["-run", "TestA/one/two|TestB"], ["TestA", "TestB"], "^(TestB)$|^(TestA)$/one/two"),
        (["-run", "TestA/one|A$"], ["TestA"], "^(TestA)$"),
        (["-run", "TestA/one"], ["TestB"], "^(TestB)$"),
        (["-run", "(/"], ["TestA"], "^(TestA)$"),
    ],
)
def test_words__tests_by_name__then_each_with_the_parts_that_are_chosen(
    args: list[str], names: list[str], pattern: str
) -> None:
    assert GoWords.of(args).pattern(names) == pattern
