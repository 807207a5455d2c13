"""Launches of the pytest adapter: chosen scenarios, discovery, and every way in which a launch can fail."""

from __future__ import annotations

import json
import os
import sys
import venv
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.probe_run import (
    context_of,
    environ_without_us,
    fixture_project,
    run_suite,
    suite_of,
)
from tracekit.agent.runners.base import adapter

if TYPE_CHECKING:
    from pathlib import Path


# -- chosen scenarios


def test_chosen_scenarios__odd_ids__then_exactly_those_run_in_native_order(tmp_path: Path) -> None:
    project = fixture_project("verdicts", tmp_path)
    every = run_suite(project, tmp_path / "all", mode="discover").found
    chosen = [name for name in every if "test_odd_ids" in name or "test_parameters" in name]

    ran = run_suite(project, tmp_path / "spool", only=list(reversed(chosen)))

    assert len(chosen) == 11
    assert [line["scenario"] for line in ran.events("attempt.started")] == chosen
    assert ran.not_run == []


def test_chosen_scenarios__in_a_package__then_broken_neighbours_are_not_collected_and_fixtures_stay(
    tmp_path: Path,
) -> None:
    project = fixture_project("packages", tmp_path)
    ran = run_suite(project, tmp_path / "spool", only=["pytest:pkg/test_one.py::test_b"])

    assert ran.verdicts == {"pytest:pkg/test_one.py::test_b": "passed"}
    assert ran.events("discover.failed") == []
    assert ran.output("pytest:pkg/test_one.py::test_b") == b"package begins\npackage ends\n"


def test_chosen_scenarios__some_do_not_exist_any_more__then_they_are_not_run_and_it_says_why(
    tmp_path: Path,
) -> None:
    project = fixture_project("verdicts", tmp_path)
    chosen = [
        "pytest:test_verdicts.py::test_passes",
        "pytest:test_verdicts.py::test_gone",
        "pytest:test_gone.py::test_a",
    ]

    ran = run_suite(project, tmp_path / "spool", only=chosen)

    assert ran.verdicts == {chosen[0]: "passed"}
    assert ran.not_run == chosen[1:]
    assert "not found" in ran.why


def test_chosen_scenarios__a_subtests_row__then_its_parent_runs(tmp_path: Path) -> None:
    project = fixture_project("subtests", tmp_path)
    row = "pytest:test_subtests.py::test_one_fails ▸ [step] (number=1)"

    ran = run_suite(project, tmp_path / "spool", only=[row])

    assert ran.found == ["pytest:test_subtests.py::test_one_fails"]
    assert ran.verdicts[row] == "failed"
    assert ran.not_run == []


def test_chosen_scenarios__sixty_thousand_ids__then_the_command_line_stays_short(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    chosen = [f"pytest:tests/test_{number % 600}.py::test_{number}[a::b c ü]" for number in range(60_000)]
    runner = adapter("pytest")
    spec = runner.start(
        suite_of(project, only=chosen), context_of(project, tmp_path, environ_without_us()), 3
    )

    assert sum(map(len, spec.command)) < 1000
    assert json.loads(spec.files["L3.ids.json"]) == chosen


def test_chosen_scenarios__files_named_one_by_one__then_only_the_needed_ones_are_collected(
    tmp_path: Path,
) -> None:
    project = fixture_project("import_error", tmp_path)
    ran = run_suite(
        project,
        tmp_path / "spool",
        paths=["test_broken.py", "test_sound.py"],
        only=["pytest:test_sound.py::test_sound"],
    )

    assert ran.verdicts == {"pytest:test_sound.py::test_sound": "passed"}


def test_suites_own_arguments__then_they_are_in_every_launch(tmp_path: Path) -> None:
    project = fixture_project("crash_signal", tmp_path)
    ran = run_suite(project, tmp_path / "spool", args=["-p", "no:cacheprovider", "-rA"], ignore=["elsewhere"])

    for launch in ran.launches:
        assert launch.command[1:8] == (
            "-m",
            "pytest",
            "-p",
            "_tkprobe.pytest_plugin",
            "-p",
            "no:cacheprovider",
            "-rA",
        )
        assert launch.command[8] == "--ignore=elsewhere"
        assert launch.cwd == str(project)


# -- rootdir


def test_rootdir_above_the_suite__then_ids_stand_on_the_suites_directory_and_reruns_find_them(
    tmp_path: Path,
) -> None:
    project = fixture_project("rootdir_above", tmp_path) / "service"
    ran = run_suite(project, tmp_path / "spool")

    assert ran.found == [
        "pytest:tests/test_service.py::test_service[x::y]",
        "pytest:tests/test_service.py::test_service[plain]",
        "pytest:tests/test_service.py::test_other",
    ]
    assert ran.rows[0]["path"] == ["tests/test_service.py", "test_service[x::y]"]
    again = run_suite(project, tmp_path / "again", only=ran.found[:1], paths=["tests"])
    assert again.verdicts == {ran.found[0]: "passed"}


def test_rootdir_below_the_suite__then_ids_stand_on_the_suites_directory_and_reruns_find_them(
    tmp_path: Path,
) -> None:
    project = fixture_project("rootdir_below", tmp_path)
    ran = run_suite(project, tmp_path / "spool", paths=["tests"])

    assert ran.verdicts == {
        "pytest:tests/test_below.py::test_below": "passed",
        "pytest:tests/test_below.py::test_other": "failed",
    }
    again = run_suite(
        project, tmp_path / "again", paths=["tests"], only=["pytest:tests/test_below.py::test_other"]
    )
    assert again.verdicts == {"pytest:tests/test_below.py::test_other": "failed"}


def test_suite_with_a_name__then_its_ids_carry_it(tmp_path: Path) -> None:
    project = fixture_project("rootdir_below", tmp_path)
    ran = run_suite(project, tmp_path / "spool", paths=["tests"], name="api")

    assert ran.found[0] == "pytest@api:tests/test_below.py::test_below"
    assert ran.events("suite.found")[0]["suite"] == "api"
    again = run_suite(project, tmp_path / "again", paths=["tests"], name="api", only=ran.found[:1])
    assert again.verdicts == {ran.found[0]: "passed"}


# -- discovery


def test_discovery__then_scenarios_are_found_with_place_tags_and_doc_and_nothing_runs(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("verdicts", tmp_path), tmp_path / "spool", mode="discover")

    assert ran.events("attempt.started") == []
    assert ran.events("suite.found")[0]["count"] == len(ran.found)
    assert ran.events("suite.found")[0]["python_why"] == "`python` of the suite"
    (method,) = [line for line in ran.rows if line["scenario"].endswith("::test_method")]
    assert method["path"] == ["test_verdicts.py", "TestInClass", "test_method"]
    assert method["doc"] == "A method with a docstring."
    assert method["file"] == "test_verdicts.py"
    (marked,) = [line for line in ran.rows if line["scenario"].endswith("_by_mark")]
    assert marked["tags"] == ["skip"]
    assert ran.not_run == []


def test_discovery__tests_of_every_kind__then_lines_tags_and_ids_are_pytests_own(tmp_path: Path) -> None:
    project = fixture_project("found_lines", tmp_path)
    ran = run_suite(project, tmp_path / "spool", mode="discover")

    told = json.loads((project / "told.json").read_text())
    assert {row["scenario"]: row["line"] for row in ran.rows} == {
        f"pytest:{nodeid}": 0 if line is None else line + 1 for nodeid, line in told.items()
    }
    assert len(told) >= 16
    assert "pytest:steps/0" in ran.found
    by_name = {row["path"][-1]: row for row in ran.rows}
    assert by_name["test_cases[b[c]]"]["tags"] == ["parametrize", "slow"]
    assert by_name["test_method"]["tags"] == ["fast"]
    assert by_name["test_method"]["doc"] == "What it holds."
    assert by_name["test_deep"]["path"] == ["test_lines.py", "TestGroup", "TestInner", "test_deep"]


def test_discovery__import_errors__then_each_is_told_with_chain_and_remedy_and_the_rest_is_found(
    tmp_path: Path,
) -> None:
    ran = run_suite(fixture_project("import_error", tmp_path), tmp_path / "spool", mode="discover")

    broken, syntax = sorted(ran.events("discover.failed"), key=lambda line: line["file"])
    assert broken["file"] == "test_broken.py"
    assert broken["message"] == "ModuleNotFoundError: No module named 'no_such_module_anywhere'"
    assert "no_such_module_anywhere" in broken["remedy"]
    assert broken["failure"]["chain"][-1]["type"] == "ModuleNotFoundError"
    assert syntax["file"] == "test_syntax.py"
    assert "SyntaxError" in syntax["message"]
    assert ran.found == ["pytest:test_sound.py::test_sound"]
    assert ran.events("runner.failed_to_start") == []


@pytest.mark.parametrize(
    ("made", "imported", "says", "never"),
    [
        (
            ["src/shop/__init__.py", "pyproject.toml"],
            "shop",
            ["src/shop", "pip install -e .", "pythonpath = src"],
            [],
        ),
        (["src/shop/__init__.py", "setup.py", "uv.lock"], "shop.cart", ["`uv sync`"], ["pip"]),
        (["lib/shop.py"], "shop", ["lib/shop", "pythonpath = lib"], ["pip"]),
        (["shop.toml"], "shop", ["install the package that provides 'shop'"], ["own"]),
        (["json.toml"], "json.nothing", ["'json' is there and has no 'nothing'"], ["install"]),
    ],
)
def test_discovery__package_of_the_project_itself__then_the_remedy_says_how_it_comes_within_reach(
    tmp_path: Path, made: list[str], imported: str, says: list[str], never: list[str]
) -> None:
    project = tmp_path / "project"
    for name in (*made, "tests/test_shop.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(f"import {imported}\n" if name.startswith("tests/") else "")

    ran = run_suite(project, tmp_path / "spool", mode="discover")

    (broken,) = ran.events("discover.failed")
    assert all(words in broken["remedy"] for words in says), broken["remedy"]
    assert not any(words in broken["remedy"] for words in never), broken["remedy"]


# -- launches that fail


def test_collection_errors__without_the_option__then_nothing_runs_and_why_names_the_option(
    tmp_path: Path,
) -> None:
    ran = run_suite(fixture_project("import_error", tmp_path), tmp_path / "spool")

    assert ran.verdicts == {}
    assert len(ran.events("discover.failed")) == 2
    assert ran.not_run == ["pytest:test_sound.py::test_sound"]
    assert "--continue-on-collection-errors" in ran.why
    assert ran.events("runner.failed_to_start") == []


def test_conftest_raises__at_the_top__then_it_is_told_with_its_chain(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("conftest_raises", tmp_path), tmp_path / "spool")

    (told,) = ran.events("discover.failed")
    assert told["file"] == "conftest.py"
    assert told["message"] == "RuntimeError: the conftest is broken"
    assert ran.failed_to_start["code"] == "pytest.conftest"
    assert "the conftest is broken" in ran.failed_to_start["stderr"]


def test_conftest_raises__below__then_it_is_told_as_a_collection_error(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("conftest_raises_below", tmp_path), tmp_path / "spool")

    told = ran.events("discover.failed")
    assert "no_such_module_below" in told[0]["message"]


def test_plugin_breaks_before_ours_loads__then_the_launch_failed_with_stderr_and_remedy(
    tmp_path: Path,
) -> None:
    project = fixture_project("plugin_broken", tmp_path)
    environ = environ_without_us(PYTHONPATH=str(project))
    del environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
    ran = run_suite(project, tmp_path / "spool", environ=environ)

    assert ran.failed_to_start["code"] == "pytest.plugin_broken"
    assert "broken_plugin" in ran.failed_to_start["remedy"]
    assert "this plugin is broken" in ran.failed_to_start["stderr"]
    assert ran.verdicts == {}


def test_configure_raises__then_the_launch_failed(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("configure_raises", tmp_path), tmp_path / "spool")

    assert "configuring failed" in ran.failed_to_start["stderr"]
    assert ran.verdicts == {}


def test_pytest_not_installed__then_the_remedy_is_a_command_for_that_interpreter(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    project = fixture_project("crash_exit", tmp_path)
    ran = run_suite(project, tmp_path / "spool", python=python)

    assert ran.failed_to_start["code"] == "pytest.missing"
    assert f"{python} -m pip install pytest" in ran.failed_to_start["remedy"]


@pytest.mark.parametrize(
    ("more", "part"),
    [({"args": ["--no-such-option"]}, "--no-such-option"), ({"paths": ["nowhere"]}, "nowhere")],
)
def test_usage_error__then_the_launch_failed_and_names_the_argument(
    more: dict[str, Any], part: str, tmp_path: Path
) -> None:
    ran = run_suite(fixture_project("crash_exit", tmp_path), tmp_path / "spool", **more)

    assert ran.failed_to_start["code"] == "pytest.usage"
    assert ran.failed_to_start["exit"] == 4
    assert part in ran.failed_to_start["remedy"]


def test_internal_error__then_the_launch_failed_with_the_traceback_and_the_rest_is_not_run(
    tmp_path: Path,
) -> None:
    ran = run_suite(fixture_project("internal_error", tmp_path), tmp_path / "spool")

    assert ran.failed_to_start["code"] == "pytest.internal_error"
    assert "a hook of the suite is broken" in ran.failed_to_start["stderr"]
    assert ran.not_run == ["pytest:test_two.py::test_third"]


def test_no_tests__then_it_is_told_with_a_remedy(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("no_tests", tmp_path), tmp_path / "spool")

    (told,) = ran.events("discover.failed")
    assert told["code"] == "pytest.no_tests"
    assert told["remedy"]


def test_crash_while_collecting__then_the_launch_failed_and_is_not_repeated(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("crash_collecting", tmp_path), tmp_path / "spool")

    assert len(ran.launches) == 1
    assert ran.failed_to_start["code"] == "pytest.crashed"
    assert "while collecting" in ran.failed_to_start["why"]
    assert ran.failed_to_start["signal"] == 9


# -- early ends----


def test_stops_after_the_first_failure__then_the_rest_is_not_run_and_why_is_pytests(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("stops_early", tmp_path), tmp_path / "spool", args=["-x"])

    assert len(ran.verdicts) == 2
    assert len(ran.not_run) == 4
    assert "stopping after 1 failures" in ran.why


def test_a_test_ends_the_session__then_it_is_cancelled_with_the_reason(tmp_path: Path) -> None:
    ran = run_suite(fixture_project("stops_early", tmp_path), tmp_path / "spool")

    ended = ran.end("pytest:test_stops.py::test_leaves_politely")
    assert (ended["verdict"], ended["reason"]) == ("cancelled", "enough for today")
    assert len(ran.not_run) == 2
    assert "enough for today" in ran.why


def test_a_test_interrupts__then_it_is_cancelled_and_the_rest_is_not_run(tmp_path: Path) -> None:
    project = fixture_project("stops_early", tmp_path)
    ran = run_suite(project, tmp_path / "spool", args=["-k", "interrupts or last"])

    assert ran.verdicts == {"pytest:test_stops.py::test_interrupts": "cancelled"}
    assert ran.not_run == ["pytest:test_stops.py::test_last"]


# -- ends that no red test explains


def small_project(place: Path, tests: str, conftest: str = "") -> Path:
    """A project of one test file, and of one conftest file where the suite's own hooks matter."""
    project = place / "project"
    project.mkdir()
    (project / "test_it.py").write_text(tests)
    if conftest:
        (project / "conftest.py").write_text(conftest)
    return project


ENDS_WITH_9 = "def pytest_sessionfinish(session):\n    session.exitstatus = 9\n"
TWO_GREEN = "def test_a(): pass\ndef test_b(): pass\n"


@pytest.mark.parametrize(
    ("first", "status"),
    [("raise KeyboardInterrupt", 2), ("import pytest; pytest.exit('bye', returncode=7)", 7)],
)
def test_session_ends_in_a_test__nothing_is_red__then_the_suite_failed_and_the_rest_is_not_run(
    first: str, status: int, tmp_path: Path
) -> None:
    project = small_project(tmp_path, f"def test_a():\n    {first}\ndef test_b(): pass\n")
    ran = run_suite(project, tmp_path / "spool")

    (told,) = ran.events("suite.failed")
    assert (told["exit"], told["code"]) == (status, "pytest.exit_status")
    assert ran.not_run == ["pytest:test_it.py::test_b"]
    # What it was in the middle of is in its time, although no report of it ever came.
    (ended,) = ran.events("attempt.ended")
    assert (ended["verdict"], list(ended["durations"])) == ("cancelled", ["setup", "call"])
    assert ended["d"] == sum(ended["durations"].values())


@pytest.mark.parametrize("only", [None, ["pytest:test_it.py::test_a"]])
def test_plugin_sets_the_status__all_or_chosen__then_the_suite_failed_and_the_end_holds_its_status(
    only: list[str] | None, tmp_path: Path
) -> None:
    ran = run_suite(small_project(tmp_path, TWO_GREEN, ENDS_WITH_9), tmp_path / "spool", only=only)

    assert [line["exit"] for line in ran.events("suite.failed")] == [9]
    assert [line["exitstatus"] for line in ran.events("session.ended")] == [9]
    assert set(ran.verdicts.values()) == {"passed"}


@pytest.mark.parametrize(
    ("tests", "more"),
    [
        ("def test_a(): assert False\ndef test_b(): pass\n", {"args": ["-x"]}),
        ("def test_a(): assert False\n", {}),
        ("def test_a(): assert False\n", {"only": ["pytest:test_it.py::test_a"]}),
        (TWO_GREEN, {"only": ["pytest:test_it.py::test_gone"]}),
        (TWO_GREEN, {"mode": "discover"}),
        (TWO_GREEN, {}),
    ],
    ids=["stopped by a red test", "red", "a chosen red one", "gone", "discovery", "green"],
)
def test_suite_failed__the_status_is_explained__then_it_is_not_told(
    tests: str, more: dict[str, Any], tmp_path: Path
) -> None:
    ran = run_suite(small_project(tmp_path, tests), tmp_path / "spool", **more)

    assert ran.events("session.ended") != []
    assert ran.events("suite.failed") == []


# -- arguments that run nothing


@pytest.mark.parametrize("option", ["--setup-only", "--setup-plan"])
def test_no_call_phase__then_the_test_is_skipped_and_says_why(option: str, tmp_path: Path) -> None:
    ran = run_suite(small_project(tmp_path, TWO_GREEN), tmp_path / "spool", args=[option])

    assert set(ran.verdicts.values()) == {"skipped"}
    assert ran.end("pytest:test_it.py::test_a")["reason"] == "pytest ran no call phase"


def test_collect_only__given_to_a_run__then_it_says_that_nothing_was_run_and_why(tmp_path: Path) -> None:
    ran = run_suite(small_project(tmp_path, TWO_GREEN), tmp_path / "spool", args=["--co"])

    (told,) = ran.events("discover.failed")
    assert told["code"] == "pytest.no_tests"
    assert told["message"] == "2 tests collected and not one run: `--co` says so"
    assert "`--co`" in told["remedy"]
    assert ran.events("runner.failed_to_start") == []
    assert len(ran.not_run) == 2


@pytest.mark.parametrize("option", ["--version", "-VV", "--help", "-h", "--markers"])
def test_option_that_only_prints__then_it_is_named_and_the_interpreter_is_not_blamed(
    option: str, tmp_path: Path
) -> None:
    ran = run_suite(small_project(tmp_path, TWO_GREEN), tmp_path / "spool", args=[option])

    assert ran.failed_to_start["code"] == "pytest.usage"
    assert ran.failed_to_start["remedy"] == f"leave `{option}` out of the suite's args"


# -- surroundings----


def test_users_addopts_and_surrounding_pytest__then_the_first_is_kept_and_the_second_ignored(
    tmp_path: Path,
) -> None:
    environ = environ_without_us(PYTEST_ADDOPTS="-k test_passes", PYTEST_XDIST_WORKER="gw3")
    ran = run_suite(fixture_project("verdicts", tmp_path), tmp_path / "spool", environ=environ)

    assert ran.verdicts == {"pytest:test_verdicts.py::test_passes": "passed"}
    assert ran.events("attempt.started")[0]["worker"] is None


def test_users_pythonpath__then_it_is_kept_behind_the_probe(tmp_path: Path) -> None:
    project = fixture_project("crash_exit", tmp_path)
    context = context_of(project, tmp_path, environ_without_us(PYTHONPATH="/theirs"))

    spec = adapter("pytest").start(suite_of(project), context, 1)

    assert spec.env["PYTHONPATH"] == f"{context.probe}{os.pathsep}/theirs"
    assert spec.command[0] == sys.executable


def test_xdist__two_workers__then_every_result_is_told_once_by_its_worker(tmp_path: Path) -> None:
    project = fixture_project("verdicts", tmp_path)
    ran = run_suite(
        project, tmp_path / "spool", args=["-p", "xdist.plugin", "-p", "no:cacheprovider", "-n", "2"]
    )
    alone = run_suite(project, tmp_path / "alone")

    assert ran.verdicts == alone.verdicts
    assert len(ran.events("attempt.ended")) == len(ran.verdicts)
    assert {line["worker"] for line in ran.events("attempt.started")} == {"gw0", "gw1"}
    assert sorted(ran.found) == sorted(alone.found)
    assert len(ran.events("session.ended")) == 1


def test_xdist__a_worker_dies__then_its_test_crashed_and_the_others_go_on(tmp_path: Path) -> None:
    project = fixture_project("crash_signal", tmp_path)
    ran = run_suite(project, tmp_path / "spool", args=["-p", "xdist.plugin", "-n", "2"])

    assert {name.rpartition("::")[2]: verdict for name, verdict in ran.verdicts.items()} == {
        "test_before": "passed",
        "test_dies": "crashed",
        "test_between": "passed",
        "test_dies_too": "crashed",
        "test_after": "passed",
    }
    assert len(ran.launches) == 1
    assert all(line["d"] > 0 for line in ran.events("attempt.ended") if line["verdict"] == "crashed")


def test_xdist__prints__then_output_is_told_by_the_worker_that_ran_the_test(tmp_path: Path) -> None:
    project = fixture_project("prints", tmp_path)
    ran = run_suite(
        project, tmp_path / "spool", args=["-p", "xdist.plugin", "-n", "2", "-k", "phases or children"]
    )

    assert b"calling\n" in ran.output("pytest:test_prints.py::test_phases")
    assert b"from the child\n" in ran.output("pytest:test_prints.py::test_children")
