"""What is told of exceptions that a test's own code handled before it failed."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any, cast

import pytest

from _tkprobe.facts import Frames, locals_of
from _tkprobe.handled import SILENT, handled
from tests.support import pytests
from tests.support.probe_run import Ran, environ_without_us, fixture_project, run_suite

MODULE = "pytest:test_handled.py::"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    place = tmp_path_factory.mktemp("handled")
    return run_suite(fixture_project("handled", place), place / "spool")


def _told(ran: Ran, test: str) -> list[dict[str, Any]]:
    (failure,) = ran.of(MODULE + test, "failure")
    return list(failure.get("handled", ()))


def test_result_with_an_exception__then_it_and_what_it_came_of_are_told_in_their_order(ran: Ran) -> None:
    first, second = _told(ran, "test_held_by_a_local")

    assert (first["type"], first["message"], first["function"], first["own"]) == (
        "LookupError",
        "no apple",
        "parse",
        True,
    )
    assert first["code"] == 'raise LookupError("no " + word)'
    assert (second["type"], second["message"], second["name"]) == ("SystemExit", "2", "result.error")
    assert second["file"] == "test_handled.py"
    assert "locals" not in first


def test_part_of_an_asserted_expression__then_what_it_holds_is_told_without_a_made_up_name(ran: Ran) -> None:
    first, second = _told(ran, "test_held_by_an_expression")

    assert (first["message"], second["name"]) == ("no pear", "error")


def test_information_of_an_exception__then_the_exception_in_it_is_told(ran: Ran) -> None:
    (only,) = _told(ran, "test_held_as_information")

    assert (only["message"], only["name"]) == ("no plum", "result.info")


def test_many__then_they_are_bounded(ran: Ran) -> None:
    assert len(_told(ran, "test_many")) == 8


@pytest.mark.parametrize("test", ["test_never_raised", "test_its_own", "test_not_held"])
def test_nothing_that_was_caught_is_held__then_nothing_is_told(test: str, ran: Ran) -> None:
    assert _told(ran, test) == []


def test_object_whose_attributes_raise__then_it_is_passed_over(ran: Ran) -> None:
    assert [one["message"] for one in _told(ran, "test_spiteful")] == ["no date", "2"]
    assert not [gap for gap in ran.events("gap") if gap["what"] == "probe"]


def test_exception_that_says_its_words_by_code_of_the_test__then_they_are_told(ran: Ran) -> None:
    assert [one["message"] for one in _told(ran, "test_held_that_speaks")] == ["no quince"]


@pytest.mark.parametrize("test", ["test_held_that_waits", "test_held_that_loops"])
def test_exception_that_never_says_its_words__then_it_is_told_without_them_and_the_test_ends_as_ever(
    test: str, ran: Ran
) -> None:
    first, *others = _told(ran, test)

    assert (first["type"], first["message"]) == ("Unspeakable", SILENT)
    # Who has nothing to wait for says its words all the same.
    assert [one["message"] for one in others] in ([], [SILENT, "no medlar", "2"])
    assert ran.verdicts[MODULE + test] == "failed"
    assert ran.verdicts[f"{MODULE}test_after_them"] == "passed"


def test_exception_that_asks_itself_without_end__then_told_without_its_words_and_the_process_lives(
    ran: Ran,
) -> None:
    (only,) = _told(ran, "test_held_that_nests")

    assert only["message"].startswith("<message unavailable")
    assert ran.verdicts[f"{MODULE}test_held_that_nests"] == "failed"


def test_local_that_never_shows_itself__then_said_so_and_those_before_it_stand(ran: Ran) -> None:
    (failure,) = ran.of(f"{MODULE}test_local_that_waits", "failure")

    told = failure["chain"][0]["frames"][-1]["locals"]
    assert (told["first"], told["shown"]) == ("1", "<Shown whose repr did not end>")
    assert ran.verdicts[f"{MODULE}test_local_that_waits"] == "failed"


def test_no_locals_wanted__then_nothing_is_looked_at(tmp_path: Path) -> None:
    project = fixture_project("handled", tmp_path)

    bare = run_suite(project, tmp_path / "spool", plan={"locals": False})

    assert bare.of(f"{MODULE}test_held_by_a_local", "failure")
    assert _told(bare, "test_held_by_a_local") == []


@pytest.mark.slow
@pytest.mark.parametrize(("python", "version"), [("3.8", "7.0.1"), ("3.9", "8.0.2"), ("3.13", "9.0.2")])
def test_other_pythons__then_the_same_is_told(python: str, version: str, ran: Ran, tmp_path: Path) -> None:
    target = pytests.need(python, version)
    environ = environ_without_us(PYTHONPATH=str(target.packages))
    project = fixture_project("handled", tmp_path)

    other = run_suite(project, tmp_path / "spool", environ=environ, python=str(target.python))

    for test in (
        "test_held_by_a_local",
        "test_held_by_an_expression",
        "test_held_as_information",
        "test_held_that_waits",
        "test_held_that_loops",
    ):
        told, here = _told(other, test), _told(ran, test)
        assert [(one["type"], one["message"], one["name"], one["line"]) for one in told] == [
            (one["type"], one["message"], one["name"], one["line"]) for one in here
        ]
    assert other.verdicts == ran.verdicts


class Kept:
    """Something that a test may wait to be gone."""


def test_frame_that_still_runs__then_a_look_at_it_keeps_nothing_alive() -> None:
    kept = Kept()
    look = weakref.ref(kept)
    frames = Frames(str(Path(__file__).parent), "/", with_locals=True)
    try:
        raise LookupError
    except LookupError as error:
        told, before = frames.chain(error), handled(frames, error)
    assert before == []
    (frame,) = cast("list[dict[str, Any]]", told[0]["frames"])
    assert "kept" in frame["locals"]
    del kept
    assert look() is None


def test_frame_whose_locals_somebody_has__then_they_stay_as_they_are() -> None:
    held = "yes"
    mine = locals()
    exec("beside = held + held")  # noqa: S102 - what such a frame keeps is what is asked here
    try:
        raise LookupError
    except LookupError as error:
        found = locals_of(error.__traceback__.tb_frame)  # type: ignore[union-attr]
    assert found["held"] == mine["held"] == held


class Touched(Exception):  # noqa: N818 - it is no error of ours
    """Somebody's code was called."""


def _touch(_: object) -> Any:
    touched.append(1)
    raise Touched


touched: list[int] = []


def test_objects_that_run_code_when_they_are_looked_at__then_none_is_run() -> None:
    proxy = type("Proxy", (), {"__slots__": (), "__dict__": property(_touch), "__class__": property(_touch)})
    own = dict.fromkeys(("__class__", "__traceback__", "__cause__", "__context__"), property(_touch))
    odd = type("Odd", (LookupError,), own)
    frames = Frames(str(Path(__file__).parent), "/", with_locals=True)

    def compares() -> None:
        one = proxy()
        try:
            raise odd("no fig")
        except LookupError as caught:
            found = caught
        if one is not found:
            raise AssertionError

    with pytest.raises(AssertionError) as raised:
        compares()
    told = handled(frames, raised.value)
    assert [fact["message"] for fact in told] == ["no fig"]
    assert not touched
