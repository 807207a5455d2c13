"""The verdict rules that recorders get wrong, each over a project that provokes it, alone and under xdist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.probe_run import fixture_project, run_suite

if TYPE_CHECKING:
    from pathlib import Path

WORKERS = ["-p", "xdist.plugin", "-n", "2"]
# The same holds whether pytest runs its tests or has workers do it.
BOTH = pytest.mark.parametrize("way", [pytest.param([], id="plain"), pytest.param(WORKERS, id="n2")])


@BOTH
def test_teardown_error__after_a_passed_call__then_the_attempt_is_an_error_and_says_teardown(
    way: list[str], tmp_path: Path
) -> None:
    ran = run_suite(fixture_project("verdicts", tmp_path), tmp_path / "spool", args=[*way, "-k", "teardown"])

    error = ran.end("pytest:test_verdicts.py::test_teardown_error")
    assert (error["verdict"], error["cause"]) == ("error", "teardown")
    failed = ran.end("pytest:test_verdicts.py::test_fails_and_teardown_error")
    assert (failed["verdict"], failed["cause"]) == ("failed", "assertion")
    whens = [
        line["when"] for line in ran.of("pytest:test_verdicts.py::test_fails_and_teardown_error", "failure")
    ]
    assert whens == ["call", "teardown"]


@BOTH
def test_setup_error__fixture_raises__then_the_attempt_is_an_error_and_says_setup(
    way: list[str], tmp_path: Path
) -> None:
    ran = run_suite(fixture_project("verdicts", tmp_path), tmp_path / "spool", args=[*way, "-k", "setup"])

    error = ran.end("pytest:test_verdicts.py::test_setup_error")
    assert (error["verdict"], error["cause"]) == ("error", "setup")
    assert "call" not in error["durations"]


@BOTH
def test_expected_failures_and_skips__each_kind__then_verdict_and_reason(
    way: list[str], tmp_path: Path
) -> None:
    ran = run_suite(
        fixture_project("verdicts", tmp_path),
        tmp_path / "spool",
        args=[*way, "-k", "xfail or xpass or skipped"],
    )

    told = {
        line["scenario"].rpartition("::")[2]: (line["verdict"], line.get("reason"))
        for line in ran.events("attempt.ended")
    }
    assert told == {
        "test_skipped_by_mark": ("skipped", "never on weekdays"),
        "test_skipped_inside": ("skipped", "found out late"),
        "test_xfails": ("xfailed", "bug 7"),
        "test_xpasses": ("xpassed", "bug 8"),
        "test_xpasses_strictly": ("failed", "[XPASS(strict)] bug 9"),
        "test_xfails_without_running": ("xfailed", "[NOTRUN] bug 10"),
        "test_xfails_by_call": ("xfailed", "bug 11"),
        "test_xfail_of_another_kind": ("failed", None),
    }


@BOTH
def test_failing_subtest__parent_passes_otherwise__then_the_parent_fails_and_the_row_is_its_own(
    way: list[str], tmp_path: Path
) -> None:
    ran = run_suite(fixture_project("subtests", tmp_path), tmp_path / "spool", args=way)

    parent = "pytest:test_subtests.py::test_one_fails"
    row = f"{parent} ▸ [step] (number=1)"
    assert ran.verdicts[row] == "failed"
    assert ran.verdicts[parent] == "failed"
    assert ran.end(row)["parent"] == parent
    assert ran.of(row, "attempt.started")[0]["parent"] == parent
    assert ran.end(parent)["subtests"] == {"passed": 2, "failed": 1, "skipped": 0}
    assert ran.of(row, "failure")[0]["cause"] == "assertion"
    assert ran.of(row, "assertion")[0]["expected"] == "1"
    unittest_row = "pytest:test_subtests.py::TestCase::test_by_unittest ▸ (number=2)"
    assert ran.verdicts[unittest_row] == "failed"
    assert ran.verdicts["pytest:test_subtests.py::TestCase::test_by_unittest"] == "failed"


@BOTH
def test_subtests__same_label_twice__then_two_rows_with_their_own_output(
    way: list[str], tmp_path: Path
) -> None:
    ran = run_suite(
        fixture_project("subtests", tmp_path), tmp_path / "spool", args=[*way, "-k", "all_pass or label"]
    )

    assert ran.verdicts["pytest:test_subtests.py::test_same_label_twice ▸ [again]"] == "passed"
    assert ran.verdicts["pytest:test_subtests.py::test_same_label_twice ▸ [again] #2"] == "passed"
    assert ran.output("pytest:test_subtests.py::test_all_pass ▸ (number=1)") == b"in 1\n"


@BOTH
def test_rerun__first_attempt_failed__then_an_attempt_is_added_and_the_first_is_kept(
    way: list[str], tmp_path: Path
) -> None:
    ran = run_suite(fixture_project("reruns", tmp_path), tmp_path / "spool", args=way)

    lucky = "pytest:test_flaky.py::test_second_time_lucky"
    assert [(line["attempt"], line["verdict"]) for line in ran.of(lucky, "attempt.ended")] == [
        (1, "failed"),
        (2, "passed"),
    ]
    assert [line["attempt"] for line in ran.of(lucky, "attempt.started")] == [1, 2]
    assert [line["attempt"] for line in ran.of(lucky, "failure")] == [1]
    unlucky = [
        (line["verdict"], line["cause"])
        for line in ran.of("pytest:test_flaky.py::test_never_lucky", "attempt.ended")
    ]
    assert unlucky == [("failed", "exception")] * 3


def test_process_dies__by_signal__then_only_the_running_test_crashed_and_the_rest_resumes(
    tmp_path: Path,
) -> None:
    ran = run_suite(fixture_project("crash_signal", tmp_path), tmp_path / "spool")

    assert {name.rpartition("::")[2]: verdict for name, verdict in ran.verdicts.items()} == {
        "test_before": "passed",
        "test_dies": "crashed",
        "test_between": "passed",
        "test_dies_too": "crashed",
        "test_after": "passed",
    }
    crashed = ran.end("pytest:test_crash.py::test_dies")
    assert (crashed["signal"], crashed["cause"]) == (11, "crash")
    assert "SIGSEGV" in crashed["reason"]
    assert len(ran.launches) == 3
    assert "test_dies" in ran.launches[1].reason
    assert ran.not_run == []


def test_process_dies__by_exit_zero__then_the_running_test_crashed_and_nothing_passes_by_silence(
    tmp_path: Path,
) -> None:
    ran = run_suite(fixture_project("crash_exit", tmp_path), tmp_path / "spool")

    assert ran.verdicts == {
        "pytest:test_exit.py::test_before": "passed",
        "pytest:test_exit.py::test_leaves": "crashed",
        "pytest:test_exit.py::test_after": "failed",
    }
    assert ran.end("pytest:test_exit.py::test_leaves")["exit"] == 0


@BOTH
def test_process_dies__inside_a_subtest__then_the_parent_crashed_and_ended_rows_keep_their_verdicts(
    way: list[str], tmp_path: Path
) -> None:
    ran = run_suite(fixture_project("crash_in_subtest", tmp_path), tmp_path / "spool", args=way)

    parent = "pytest:test_subtest.py::test_dies_inside"
    assert ran.verdicts[parent] == "crashed"
    assert ran.verdicts["pytest:test_subtest.py::test_after"] == "passed"
    assert set(ran.verdicts) <= {parent, f"{parent} ▸ [first]", "pytest:test_subtest.py::test_after"}


def test_process_dies__after_the_last_test__then_no_test_is_blamed_and_the_launch_says_so(
    tmp_path: Path,
) -> None:
    ran = run_suite(fixture_project("crash_at_end", tmp_path), tmp_path / "spool")

    assert ran.verdicts == {"pytest:test_fine.py::test_fine": "passed"}
    assert ran.failed_to_start["code"] == "pytest.crashed"
    assert "after the last test" in ran.failed_to_start["why"]


def test_every_test_kills_its_process__then_the_loop_is_given_up_and_the_rest_is_not_run(
    tmp_path: Path,
) -> None:
    ran = run_suite(fixture_project("crash_every", tmp_path), tmp_path / "spool", environ=None)

    assert set(ran.verdicts.values()) == {"crashed"}
    assert len(ran.verdicts) + len(ran.not_run) == 70
    assert len(ran.launches) < 60
    assert "crashed" in ran.why


def test_forked_child_goes_on_running__then_its_results_are_not_counted(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("forks", tmp_path), tmp_path / "spool")

    assert set(ran.verdicts.values()) == {"passed"}
    assert len(ran.events("attempt.ended")) == 5
    warning = ran.events("warning")[0]
    assert warning["category"] == "ForkedChild"
    assert warning["scenario"] == "pytest:test_forks.py::test_child_goes_on"
    assert ran.output("pytest:test_forks.py::test_polite_child") == b"polite child\n"
    assert ran.output("pytest:test_forks.py::test_multiprocessing_child") == b"work in a child\n"


# -- what is otherwise under xdist: a worker dies and not the run


@pytest.mark.parametrize(
    ("project", "module", "verdicts"),
    [
        (
            "crash_signal",
            "test_crash.py",
            {
                "test_before": "passed",
                "test_dies": "crashed",
                "test_between": "passed",
                "test_dies_too": "crashed",
                "test_after": "passed",
            },
        ),
        (
            "crash_exit",
            "test_exit.py",
            {"test_before": "passed", "test_leaves": "crashed", "test_after": "failed"},
        ),
    ],
)
def test_worker_dies__then_only_its_test_crashed_with_the_signal_and_nothing_is_run_twice(
    project: str, module: str, verdicts: dict[str, str], tmp_path: Path
) -> None:
    ran = run_suite(fixture_project(project, tmp_path), tmp_path / "spool", args=WORKERS)

    assert {name.rpartition("::")[2]: verdict for name, verdict in ran.verdicts.items()} == verdicts
    assert len(ran.events("attempt.ended")) == len(verdicts)
    assert (ran.not_run, len(ran.launches)) == ([], 1)
    prefix = f"pytest:{module}::"
    if project == "crash_signal":
        died = {name: ran.end(prefix + name) for name in ("test_dies", "test_dies_too")}
        assert [died[name]["signal"] for name in died] == [11, 6]
        assert "SIGSEGV" in died["test_dies"]["reason"]
    else:
        assert ran.end(f"{prefix}test_leaves")["exit"] == 0


@pytest.mark.parametrize("args", [[], WORKERS], ids=["plain", "workers"])
def test_process_dies__by_signal__then_its_failure_says_where_in_the_test(
    args: list[str], tmp_path: Path
) -> None:
    ran = run_suite(fixture_project("crash_signal", tmp_path), tmp_path / "spool", args=args)

    told = {line["scenario"].rpartition("::")[2]: line for line in ran.events("failure")}
    assert sorted(told) == ["test_dies", "test_dies_too"]
    for name, what, line, code in (
        ("test_dies", "Segmentation fault", 10, "os.kill(os.getpid(), signal.SIGSEGV)"),
        ("test_dies_too", "Aborted", 18, "os.abort()"),
    ):
        (died,) = told[name]["chain"]
        assert (told[name]["cause"], died["type"], died["message"]) == ("crash", "Fatal Python error", what)
        last = died["frames"][-1]
        assert last == {"file": "test_crash.py", "line": line, "function": name, "own": True, "code": code}
        assert not any(frame["own"] for frame in died["frames"][:-1])


def test_worker_dies__output_of_the_others__then_each_line_is_its_own_tests(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("crash_signal", tmp_path), tmp_path / "spool", args=WORKERS)

    told = {line["scenario"]: line["attribution"] for line in ran.events("output") if line.get("scenario")}
    assert told == {"pytest:test_crash.py::test_between": "exact"}
    assert ran.output("pytest:test_crash.py::test_between") == b"still here\n"


def test_every_test_kills_its_worker__then_each_crashed_and_none_passes_by_silence(tmp_path: Path) -> None:
    args = [*WORKERS, "--max-worker-restart", "100"]
    ran = run_suite(fixture_project("crash_every", tmp_path), tmp_path / "spool", args=args)

    assert set(ran.verdicts.values()) == {"crashed"}
    assert len(ran.verdicts) + len(ran.not_run) == 70
