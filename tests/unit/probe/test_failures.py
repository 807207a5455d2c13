"""What is told of a failure: operands, chains, groups, frames, locals, text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.probe_run import Ran, fixture_project, run_suite

if TYPE_CHECKING:
    from pathlib import Path

MODULE = "pytest:test_exceptions.py::"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    place = tmp_path_factory.mktemp("exceptions")
    return run_suite(fixture_project("exceptions", place), place / "spool")


def _chain(ran: Ran, test: str) -> list[dict[str, Any]]:
    (failure,) = ran.of(MODULE + test, "failure")
    return list(failure["chain"])


def test_cause__then_the_raised_one_comes_first_and_names_its_relation(ran: Ran) -> None:
    chain = _chain(ran, "test_cause")

    assert [(link["type"], link["relation"]) for link in chain] == [
        ("LookupError", None),
        ("ValueError", "cause"),
    ]
    assert [frame["function"] for frame in chain[0]["frames"]] == ["test_cause", "load"]
    assert chain[1]["frames"][-1]["function"] == "parse"


def test_context__then_it_follows_unless_it_was_suppressed(ran: Ran) -> None:
    assert [link["relation"] for link in _chain(ran, "test_context")] == [None, "context"]
    assert len(_chain(ran, "test_suppressed_context")) == 1
    assert len(_chain(ran, "test_circular_context")) == 2


def test_group__then_members_and_notes_are_nested(ran: Ran) -> None:
    (top,) = _chain(ran, "test_group")

    assert [member["type"] for member in top["group"]] == ["ValueError", "ExceptionGroup"]
    assert top["group"][0]["notes"] == ["see the manual"]
    assert top["group"][1]["group"][0]["message"] == "deep"


def test_frames__then_own_ones_are_marked_and_carry_source_and_locals(ran: Ran) -> None:
    frames = _chain(ran, "test_from_a_library")[0]["frames"]

    assert frames[0]["own"] is True
    assert frames[0]["code"] == 'json.loads("{")'
    assert frames[-1]["own"] is False
    own = _chain(ran, "test_cause")[0]["frames"][1]
    assert own["locals"]["text"] == "'abc'"


def test_hidden_frames__then_they_are_left_out(ran: Ran) -> None:
    (link,) = _chain(ran, "test_hidden_frames")

    assert [frame["function"].rpartition(".")[2] for frame in link["frames"]] == ["test_hidden_frames"]


def test_deep_recursion__then_the_frames_are_bounded(ran: Ran) -> None:
    (link,) = _chain(ran, "test_deep_recursion")

    assert link["type"] == "RecursionError"
    assert len(link["frames"]) == 40


@pytest.mark.parametrize(
    ("test", "kind", "op"),
    [
        ("test_dict_comparison", "json", "=="),
        ("test_text_comparison", "text", "=="),
        ("test_bytes_comparison", "bytes", "=="),
        ("test_membership", "text", "in"),
    ],
)
def test_comparison__then_operands_kind_and_place_are_told(test: str, kind: str, op: str, ran: Ran) -> None:
    (told,) = ran.of(MODULE + test, "assertion")

    assert (told["kind"], told["op"], told["passed"]) == (kind, op, False)
    assert told["file"].endswith("test_exceptions.py")
    assert told["line"] > 1
    assert bool(told["diff"]) == (op == "==")


def test_comparison__of_json__then_both_sides_and_the_difference_are_readable(ran: Ran) -> None:
    (told,) = ran.of(f"{MODULE}test_dict_comparison", "assertion")

    assert json.loads(told["actual"]) == {"name": "bob", "roles": [1, 2]}
    assert json.loads(told["expected"]) == {"name": "eve", "roles": [1, 3]}
    assert '- "name": "eve"' in told["diff"].replace("  ", " ")


def test_comparison__of_bytes__then_each_side_is_one_line_and_the_difference_of_whole_values(
    ran: Ran,
) -> None:
    (told,) = ran.of(f"{MODULE}test_bytes_comparison", "assertion")

    assert told["actual"].startswith("b'")
    assert told["diff"].splitlines()[1:] == ["-" + told["expected"], "+" + told["actual"]]


def test_comparison__that_was_swallowed__then_a_later_failure_does_not_get_it(ran: Ran) -> None:
    assert ran.of(f"{MODULE}test_swallowed_comparison", "assertion") == []


def test_failure_text__then_it_is_what_pytest_prints(ran: Ran) -> None:
    (failure,) = ran.of(f"{MODULE}test_text_comparison", "failure")

    assert "AssertionError" in failure["text"]
    assert failure["cause"] == "assertion"


def test_locals__switched_off__then_none_are_told(tmp_path: Path) -> None:
    project = fixture_project("exceptions", tmp_path)
    ran = run_suite(project, tmp_path / "spool", plan={"locals": False}, args=["-k", "test_cause"])

    frames = [frame for link in _chain(ran, "test_cause") for frame in link["frames"]]
    assert frames
    assert not [frame for frame in frames if "locals" in frame]
