"""Nothing vanishes: what `list` shows has an end or a reason in `run`, and what a run tells was listed or says why not.

The projects are as ugly as their runner allows: tests that end their process in one of several files, groups that are
left out or have another name, names that no shell would take, files that do not load, hooks that fail, hangs.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import rust
from tests.support.cli import Done, Sandbox
from tests.support.node import installed
from tests.support.unavailable import unavailable
from tracekit.wire.ids import SUBTEST_MARK

UGLY = Path(__file__).resolve().parents[1] / "fixtures" / "ugly"
#: What each project must show at the least, or the project itself has lost what makes it ugly.
LEAST = {
    "pytest": {"passed", "failed", "error", "skipped", "xfailed", "crashed", "timedout"},
    "unittest": {"passed", "failed", "error", "skipped", "xfailed", "crashed", "timedout"},
    "cargo": {"passed", "failed", "skipped", "crashed", "timedout"},
    "go": {"passed", "failed", "skipped", "timedout"},
    "vitest": {"passed", "failed", "error", "skipped", "crashed", "timedout"},
    "jest": {"passed", "failed", "error", "skipped", "crashed", "timedout"},
    "mocha": {"passed", "error", "skipped", "crashed", "timedout"},
    "node": {"passed", "failed", "error", "skipped", "xfailed", "crashed", "timedout"},
    "command": {"passed", "failed", "skipped", "xfailed", "crashed"},
}
#: Fixtures of unittest have a row when they fail; no list knows them.
FIXTURES = ("setUpClass", "tearDownClass", "setUpModule", "tearDownModule")


@dataclass(frozen=True)
class Told:
    """What one project's list and run say."""

    runner: str
    sandbox: Sandbox
    root: Path
    listed: dict[str, dict[str, Any]]
    run: Done

    @property
    def unrun(self) -> dict[str, str]:
        """Why those did not run that the run itself names."""
        (end,) = self.run.of("run.ended")
        rows = end.get("unrun") or [{"why": end["why"], "not_run": end["not_run"]}]
        return {scenario: row["why"] for row in rows for scenario in row["not_run"]}


@pytest.fixture(scope="module", params=LEAST)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Told:
    runner = str(request.param)
    home = tmp_path_factory.mktemp(f"ugly_{runner}") / "home"
    if runner == "cargo":
        sandbox = rust.sandbox(home)
    elif runner == "go":
        if shutil.which("go") is None:
            unavailable("go: not installed")
        cache = os.environ.get("GOCACHE", str(Path.home() / ".cache" / "go-build"))
        environ = {"GOCACHE": cache, "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
        sandbox = Sandbox(home, environ)
    else:
        sandbox = Sandbox(home)
    modules = installed() if runner in {"vitest", "jest", "mocha", "node"} else None
    root = Path(shutil.copytree(UGLY / runner, home / "project"))
    if modules is not None:
        (root / "node_modules").symlink_to(modules)
    listed = {line["id"]: line for line in sandbox.run("list", root, "--json").lines() if "id" in line}
    return Told(runner, sandbox, root, listed, sandbox.run("run", root, "--json"))


def test_list_and_run__an_ugly_project__then_each_that_is_listed_has_an_end_or_a_reason(told: Told) -> None:
    ended, unrun = told.run.verdicts(), told.unrun
    assert set(ended.values()) >= LEAST[told.runner], told.run.err
    assert [one for one in told.listed if one not in ended and one not in unrun] == []
    assert [one for one, why in unrun.items() if not why or "ended early" in why] == []


def test_run_and_list__an_ugly_project__then_each_that_ran_was_listed_or_says_why_not(told: Told) -> None:
    tags = {line["scenario"]: line.get("tags") or [] for line in told.run.of("scenario.found")}
    warned = " ".join(line["message"] for line in told.run.of("warning"))
    lost = [
        scenario
        for scenario in told.run.verdicts()
        if SUBTEST_MARK not in scenario
        and scenario not in told.listed
        and "hook" not in tags.get(scenario, [])
        and not (told.runner == "unittest" and scenario.endswith(FIXTURES))
        and not (told.runner == "command" and scenario.rpartition(":")[2] in warned)
    ]
    assert lost == []


def test_run__an_ugly_project__then_each_beginning_has_one_end(told: Told) -> None:
    begun = [(line["scenario"], line["attempt"]) for line in told.run.of("attempt.started")]
    ended = [(line["scenario"], line["attempt"]) for line in told.run.of("attempt.ended")]
    assert set(begun) <= set(ended)
    assert (len(set(begun)), len(set(ended))) == (len(begun), len(ended))


def test_run__a_file_that_does_not_load__then_it_is_told_by_its_name(told: Told) -> None:
    broken = {line["file"].rpartition("/")[2].partition(".")[0] for line in told.run.of("discover.failed")}
    wanted = {
        "pytest": {"test_broken"},
        "unittest": {"test_broken"},
        "cargo": {"broken"},
        "go": {"broken_test"},
        "vitest": {"broken", "throws", "empty"},
        "jest": {"broken", "throws", "empty"},
        "node": {"broken", "throws"},
    }
    assert broken == wanted.get(told.runner, set())


@pytest.mark.parametrize("told", ["node"], indirect=True)
def test_run__groups_by_another_name_or_left_out__then_ids_as_in_the_list_and_skips(told: Told) -> None:
    ends = told.run.verdicts()
    assert ends["node:test/alias.test.mjs::alias::al"] == "passed"
    assert ends["node:test/alias.test.mjs::over several lines::deeper::two"] == "passed"
    assert ends["node:test/common.test.cjs::by another name::a"] == "passed"
    left = "node:test/skips.test.mjs::left out::deeper::two"
    assert ends[left] == "skipped"
    again = told.sandbox.run("rerun", told.run.run_id(), "-s", left, "--json")
    assert (again.code, again.verdicts()) == (0, {left: "skipped"}), again.err


@pytest.mark.parametrize("told", ["go"], indirect=True)
def test_run__a_main_that_runs_nothing__then_a_warning_names_its_tests(told: Told) -> None:
    (warning,) = told.run.of("warning")
    assert warning["message"] == (
        "silent: TestMain lists no test, and the package has 3 tests: TestOne, TestTwo, FuzzThree"
    )
    assert (warning["file"], warning["line"]) == ("silent/silent_test.go", 8)


@pytest.mark.parametrize("told", ["go"], indirect=True)
def test_rerun__a_selector_with_a_field__then_what_it_chooses_of_that_run(told: Told) -> None:
    again = told.sandbox.run("rerun", told.run.run_id(), "-s", "kind:fuzz or name:TestSkips", "--json")
    assert {name: word for name, word in again.verdicts().items() if SUBTEST_MARK not in name} == {
        "go@go:plain::FuzzSeeds": "passed",
        "go@go:plain::TestSkips": "skipped",
    }
    nothing = told.sandbox.run("rerun", told.run.run_id(), "-s", "tag:nowhere")
    assert nothing.code == 4
    assert "nothing of this run matches the selector" in nothing.err
    wrong = told.sandbox.run("rerun", told.run.run_id(), "-s", "kind:nonsense")
    assert wrong.code == 2
    assert "kind" in wrong.err


@pytest.mark.parametrize("told", ["go"], indirect=True)
def test_run__a_test_that_prints_and_whose_parts_are_red__then_headed_by_its_parts(told: Told) -> None:
    nested = "go@go:plain::TestNested"
    ends = {line["scenario"]: line for line in told.run.of("attempt.ended")}
    assert ends[nested]["reason"] == ends[f"{nested} ▸ outer"]["reason"] == "a sub-test failed"
    failed = [line["scenario"] for line in told.run.of("failure") if line["scenario"].startswith(nested)]
    assert failed == [f"{nested} ▸ outer/inner"]


@pytest.mark.parametrize("told", ["mocha"], indirect=True)
def test_run__tests_behind_a_hook_that_failed__then_each_names_its_hook(told: Told) -> None:
    hooks = "mocha:test/hooks.js::"
    assert (
        told.unrun[f"{hooks}before all fails above others::deeper::b"] == '"before all" hook for "a" failed'
    )
    assert told.unrun[f"{hooks}after each fails::b"] == '"after each" hook for "a" failed'


@pytest.mark.parametrize("told", ["command"], indirect=True)
def test_run__several_suites_that_ended_early__then_each_has_its_own_reason(told: Told) -> None:
    unrun = told.unrun
    assert unrun["command@tap:never comes"] == "command stopped: 6 of 7 test points came"
    assert "not well-formed XML" in unrun["command@xml:a::is cut off"]
    assert unrun["command@gone:one"] == "unavailable: ./nowhere was not found"
    shown = told.sandbox.run("show", told.run.run_id()).out
    assert "2 not run: unavailable: ./nowhere was not found" in shown
    assert "1 not run: command stopped: 6 of 7 test points came" in shown
