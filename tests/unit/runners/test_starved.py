"""A runner's process that ended in order on a disk with no room for its last lines."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tracekit.agent.runners import hosted_ends, pytest_ends, unittest_ends
from tracekit.agent.runners.base import Exit, LaunchSpec, Progress
from tracekit.agent.runners.ends import End

READERS: dict[str, Callable[[Progress, Exit], End]] = {
    "pytest": lambda progress, ended: pytest_ends.read(progress, ended, discovering=False, root=""),
    "unittest": lambda progress, ended: unittest_ends.read(progress, ended, discovering=False),
    "hosted": lambda progress, ended: hosted_ends.read(progress, ended, "cargo", discovering=False),
}


def progress() -> Progress:
    launch = LaunchSpec("L1", "s", ("python",), "/p", {}, (), {}, "first")
    return Progress(
        suite={},
        launch=launch,
        collected=["a", "b", "c"],
        ended={"a"},
        running={"b": {"attempt": 1}},
        any_probe_line=True,
    )


@pytest.mark.parametrize("runner", list(READERS))
def test_read__disk_full_and_process_ended_in_order__then_nothing_crashed_and_nothing_is_said_to_be_known(
    runner: str,
) -> None:
    end = READERS[runner](progress(), Exit(1, None, b"", b"", "/spool"))

    assert [line["e"] for line in end.lines] == ["runner.failed_to_start"]
    assert end.lines[0]["code"] == "disk.full"
    assert "/spool" in end.lines[0]["remedy"]
    assert end.not_run == ["c"]
    assert end.resume == []


DEATHS = {"signal": (None, 11, "killed by SIGSEGV"), "exit": (77, None, "exited with status 77")}


@pytest.mark.parametrize("death", list(DEATHS))
@pytest.mark.parametrize("runner", list(READERS))
def test_read__process_died_and_no_room_for_its_last_lines__then_nobody_is_named_but_the_death_is_told(
    runner: str, death: str
) -> None:
    code, number, words = DEATHS[death]
    end = READERS[runner](progress(), Exit(code, number, b"", b"", "/spool", full=True))

    assert [(line["e"], line["code"]) for line in end.lines] == [("runner.failed_to_start", "disk.full")]
    assert words in end.lines[0]["why"]
    assert (end.not_run, end.resume) == (["c"], [])


@pytest.mark.parametrize("runner", list(READERS))
def test_read__process_killed_with_room_again_and_two_ends_unheard__then_nobody_is_named(runner: str) -> None:
    heard = progress()
    heard.running["c"] = {"attempt": 1}

    end = READERS[runner](heard, Exit(None, 11, b"", b"", "/spool"))

    assert [line["e"] for line in end.lines] == ["runner.failed_to_start"]


@pytest.mark.parametrize("runner", list(READERS))
def test_read__disk_was_full_and_process_killed_with_room_again__then_what_ran_crashed(runner: str) -> None:
    end = READERS[runner](progress(), Exit(None, 11, b"", b"", "/spool"))

    assert [line["verdict"] for line in end.lines if line["e"] == "attempt.ended"] == ["crashed"]


@pytest.mark.parametrize("runner", list(READERS))
def test_read__same_end_with_room_on_the_disk__then_what_ran_crashed(runner: str) -> None:
    end = READERS[runner](progress(), Exit(1, None, b"", b""))

    assert [line["verdict"] for line in end.lines if line["e"] == "attempt.ended"] == ["crashed"]


@pytest.mark.parametrize("runner", list(READERS))
def test_read__disk_full_and_only_the_last_words_came_through__then_nothing_crashed_and_the_rest_is_unknown(
    runner: str,
) -> None:
    heard = progress()
    heard.session_ended = {"exitstatus": 1}

    end = READERS[runner](heard, Exit(1, None, b"", b"", "/spool"))

    assert [line.get("code") for line in end.lines] == ["disk.full"]
    assert (end.not_run, end.resume) == (["c"], [])
    assert "could not be written down" in end.why


@pytest.mark.parametrize("runner", list(READERS))
def test_read__disk_full_and_runner_says_why_it_stopped__then_that_is_why(runner: str) -> None:
    heard = progress()
    heard.running.clear()
    heard.session_ended = {"exitstatus": 1, "reason": "stopping after 1 failures"}

    end = READERS[runner](heard, Exit(1, None, b"", b"", "/spool"))

    assert "stopping after 1 failures" in end.why
    assert [line for line in end.lines if line.get("code") == "disk.full"] == []
