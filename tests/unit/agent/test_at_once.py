"""So many at once, in the words of each tool."""

from __future__ import annotations

import pytest

from tracekit.agent import at_once, isolation


def test_go__nothing_was_said__then_its_arguments_stay() -> None:
    assert at_once.go(0, ["-v", "-p=7"], 3) == ["-v", "-p=7"]


@pytest.mark.parametrize(("packages", "own"), [(1, ["-p=1", "-parallel=4"]), (3, ["-p=4", "-parallel=1"])])
def test_go__packages_and_tests_multiply__then_only_one_of_them_is_more_than_one(
    packages: int, own: list[str]
) -> None:
    assert at_once.go(4, ["-p=7"], packages) == ["-p=7", *own]


def test_vitest__before_4__then_the_least_number_is_bounded_too() -> None:
    assert at_once.script("vitest", 2, 3) == ["--minWorkers=1", "--maxWorkers=2", "--maxConcurrency=1"]
    assert at_once.script("vitest", 2, 4) == ["--maxWorkers=2", "--maxConcurrency=1"]


def test_script__nothing_was_said__then_no_word_of_ours() -> None:
    assert not any(at_once.script(runner, 0, 3) for runner in ("vitest", "jest", "mocha", "node"))


@pytest.mark.parametrize("odd", [None, "4", True, -2, 2.5])
def test_of__plan_of_another_version__then_the_runner_decides(odd: object) -> None:
    assert at_once.of({"at_once": odd}) == 0


def test_without__a_process_of_its_own__then_nothing_is_spread() -> None:
    assert at_once.of(isolation.without({"at_once": 4, "args": ["-n", "2"]})) == 0


@pytest.mark.parametrize("runner", ["pytest", "cargo", "go", "vitest", "jest", "node"])
def test_refused__runner_that_can_hold_it__then_not(runner: str) -> None:
    assert at_once.refused({"runner": runner}, 8) is None
