"""vitest, jest, mocha and node:test: found without configuration, told by reporters of ours, rerun test by test."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Done, Sandbox, processes_with
from tests.support.node import copied, installed

ODD = 'it\'s "odd": $(touch pwned) `x` | a*b [1] (c|d) \\ 🦀'
FILES = {
    "vitest": ("tests", "{}.test.ts"),
    "jest": ("tests", "{}.test.js"),
    "mocha": ("test", "{}.js"),
    "node": ("test", "{}.test.mjs"),
}
RUNNERS = tuple(FILES)


def named(runner: str, file: str, *names: str) -> str:
    folder, pattern = FILES[runner]
    return "::".join((f"{runner}:{folder}/{pattern.format(file)}", *names))


@dataclass(frozen=True)
class Whole:
    """One run of a whole project, at which several tests look: a tool of JavaScript takes seconds to start."""

    runner: str
    sandbox: Sandbox
    root: Path
    done: Done
    ran: list[str]


@pytest.fixture(scope="module", params=RUNNERS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    installed()
    place = tmp_path_factory.mktemp(f"js_{request.param}")
    sandbox = Sandbox(place / "home", {"FIXTURE_RAN": str(place / "ran")})
    root = copied(f"js_{request.param}", sandbox.home)
    done = sandbox.run("run", root, "--json")
    return Whole(str(request.param), sandbox, root, done, ran(sandbox))


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    installed()
    return Sandbox(tmp_path / "home", {"FIXTURE_RAN": str(tmp_path / "ran")})


@pytest.fixture(params=RUNNERS)
def runner(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(sandbox: Sandbox, runner: str) -> Path:
    return copied(f"js_{runner}", sandbox.home)


def ran(sandbox: Sandbox) -> list[str]:
    """What really ran since this was asked before, by what it wrote."""
    place = Path(sandbox.environ["FIXTURE_RAN"])
    found = place.read_text().splitlines() if place.exists() else []
    place.unlink(missing_ok=True)
    return found


def failure(lines: list[dict[str, Any]], scenario: str) -> dict[str, Any]:
    (found,) = [line for line in lines if line["scenario"] == scenario]
    return found


def test_run__every_kind_of_end__then_verdicts_causes_places_and_output(whole: Whole) -> None:
    runner, root, done = whole.runner, whole.root, whole.done
    assert done.code == 1, done.err
    told = done.verdicts()
    cart = {name: told.pop(named(runner, "cart", "cart", name)) for name in ("adds", "totals")}
    assert cart == {"adds": "passed", "totals": "failed"}
    assert told.pop(named(runner, "cart", "cart", "is left out")) == "skipped"
    assert told.pop(named(runner, "cart", "cart", "is written later")) == "skipped"
    assert told.pop(named(runner, "cart", "cart", "deeper", ODD)) == "passed"
    assert told.pop(named(runner, "cart", "cart", "deeper", "adds")) == "passed"
    assert told.pop(named(runner, "cart", "cart", "takes too long")) == "timedout"
    assert told.pop(named(runner, "cart", "cart", "fails for a reason")) == "failed"
    compared = failure(done.of("assertion"), named(runner, "cart", "cart", "totals"))
    assert "12" in compared["expected"]
    assert "10" in compared["actual"]
    assert any(row.startswith("-") and "12" in row for row in compared["diff"].splitlines())
    chain = failure(done.of("failure"), named(runner, "cart", "cart", "fails for a reason"))["chain"]
    assert [(link["type"], link["message"], link["relation"]) for link in chain] == [
        ("TypeError", "cannot pay", None),
        ("Error", "no card", "cause"),
    ]
    place = chain[0]["frames"][-1]
    source = (root / place["file"]).read_text().splitlines()
    assert "throw new TypeError" in source[place["line"] - 1]
    printed = {line.get("scenario"): line for line in done.of("output")}
    assert printed[named(runner, "cart", "cart", "adds")]["text"] == "two are in it\n"
    assert printed[named(runner, "cart", "cart", "totals")]["stream"] == "stderr"
    exact = "inferred" if runner == "jest" else "exact"
    assert printed[named(runner, "cart", "cart", "adds")]["attribution"] == exact
    assert not (root / "pwned").exists()


@pytest.mark.parametrize("whole", ["vitest", "jest", "mocha"], indirect=True)
def test_run__a_test_that_is_tried_again__then_each_try_is_an_attempt(whole: Whole) -> None:
    where = ("retries",) if whole.runner == "jest" else ("cart", "cart")
    scenario = named(whole.runner, *where, "tries again")
    ends = [line for line in whole.done.of("attempt.ended") if line["scenario"] == scenario]
    assert [(line["attempt"], line["verdict"]) for line in ends] == [(1, "failed"), (2, "passed")]
    assert whole.ran.count("tries again") == 2


@pytest.mark.parametrize("whole", ["node"], indirect=True)
def test_run__parts_of_a_test__then_rows_below_it(whole: Whole) -> None:
    test = named(whole.runner, "cart", "cart", "has parts")
    told = {name: word for name, word in whole.done.verdicts().items() if name.startswith(test)}
    assert told == {test: "failed", f"{test} ▸ good": "passed", f"{test} ▸ bad": "failed"}
    (printed,) = [line for line in whole.done.of("output") if line.get("text") == "in a part\n"]
    assert printed["scenario"] == f"{test} ▸ good"


def test_run__a_test_ends_its_process__then_it_is_the_only_victim(whole: Whole) -> None:
    runner, done = whole.runner, whole.done
    told = done.verdicts()
    assert told[named(runner, "exits", "is before")] == "passed"
    # vitest keeps its worker from being ended, and says so.
    ends = "failed" if runner == "vitest" else "crashed"
    assert told[named(runner, "exits", "ends its process")] == ends
    assert told[named(runner, "exits", "is behind")] == "passed"
    assert told[named(runner, "hangs", "hangs")] == "passed"
    assert whole.ran.count("is behind") == 1
    if runner != "jest":
        (last,) = [line for line in done.of("output") if line.get("text") == "the last words\n"]
        assert last["scenario"] == named(runner, "exits", "ends its process")


@pytest.mark.parametrize("whole", ["vitest", "jest", "node"], indirect=True)
def test_run__a_module_that_does_not_parse__then_it_is_told_and_the_others_run(whole: Whole) -> None:
    (broken,) = whole.done.of("discover.failed")
    folder, pattern = FILES[whole.runner]
    assert broken["file"] == f"{folder}/{pattern.format('broken')}"
    assert "\n" not in broken["message"]
    assert whole.done.verdicts()[named(whole.runner, "hangs", "is after the hang")] == "passed"


@pytest.mark.parametrize("runner", ["mocha"])
def test_run__mocha_cannot_load_a_file__then_a_launch_that_failed_in_its_words(
    sandbox: Sandbox, root: Path, runner: str
) -> None:
    (root / "test" / "broken.js").write_text("it('never parses', () => {\n")
    done = sandbox.run("run", root, "--json")
    assert done.code == 1
    assert done.verdicts() == {}
    (failed,) = done.of("runner.failed_to_start")
    assert "SyntaxError" in failed["stderr"]


@pytest.mark.parametrize("runner", ["vitest"])
def test_run__a_test_aborts_its_worker_and_vitest_with_it__then_it_is_the_only_victim(
    sandbox: Sandbox, root: Path, runner: str
) -> None:
    for path in (root / "tests").iterdir():
        path.unlink()
    test = "it('{}', () => {{ {} }});\n"
    rows = [
        test.format("is before", ""),
        test.format("aborts", "process.abort();"),
        test.format("is behind", ""),
    ]
    files = {"aborts": "".join(rows), **{f"other{number}": test.format("runs", "") for number in range(4)}}
    for name, text in files.items():
        (root / "tests" / f"{name}.test.ts").write_text(f"import {{ it }} from 'vitest';\n{text}")
    done = sandbox.run("run", root, "--json")
    others = {named(runner, f"other{number}", "runs"): "passed" for number in range(4)}
    assert done.code == 1
    assert done.verdicts() == {
        named(runner, "aborts", "is before"): "passed",
        named(runner, "aborts", "aborts"): "crashed",
        named(runner, "aborts", "is behind"): "passed",
        **others,
    }


@pytest.mark.parametrize("runner", ["mocha"])
def test_run__mocha_has_tests_marked_only__then_the_others_are_skipped_unless_chosen(
    sandbox: Sandbox, root: Path, runner: str
) -> None:
    for path in (root / "test").iterdir():
        path.unlink()
    (root / "test" / "marked.js").write_text("it.only('alone', () => {});\nit('beside', () => {});\n")
    (root / "test" / "other.js").write_text("describe('a group', () => { it('elsewhere', () => {}); });\n")
    done = sandbox.run("run", root, "--json")
    alone, beside = (named(runner, "marked", name) for name in ("alone", "beside"))
    elsewhere = named(runner, "other", "a group", "elsewhere")
    assert done.code == 0, done.err
    assert done.verdicts() == {alone: "passed", beside: "skipped", elsewhere: "skipped"}
    assert sandbox.run("run", root, "-s", elsewhere, "--json").verdicts() == {elsewhere: "passed"}


@pytest.mark.parametrize("runner", ["node"])
def test_run__a_group_and_its_tests_on_one_line__then_each_is_a_test(
    sandbox: Sandbox, root: Path, runner: str
) -> None:
    for path in (root / "test").iterdir():
        path.unlink()
    group = (
        "describe('group', () => { it('good', () => {}); it('bad', () => { throw new Error('no'); }); });\n"
    )
    (root / "test" / "line.test.mjs").write_text(f"import {{ describe, it }} from 'node:test';\n{group}")
    done = sandbox.run("run", root, "--json")
    good, bad = (named(runner, "line", "group", name) for name in ("good", "bad"))
    assert done.verdicts() == {good: "passed", bad: "failed"}


def test_list__then_every_test_with_its_place_and_nothing_has_run(whole: Whole) -> None:
    runner, sandbox, root = whole.runner, whole.sandbox, whole.root
    found = {line["id"]: line for line in sandbox.run("list", root, "--json").lines()}
    adds = found[named(runner, "cart", "cart", "adds")]
    source = (root / adds["file"]).read_text().splitlines()
    assert "it('adds'" in source[adds["line"] - 1]
    assert named(runner, "cart", "cart", "deeper", ODD) in found
    assert named(runner, "exits", "is behind") in found
    assert not any("▸" in name for name in found)
    assert ran(sandbox) == []


def test_rerun__one_test__then_exactly_that_one_runs(whole: Whole) -> None:
    runner, sandbox, first = whole.runner, whole.sandbox, whole.done
    for scenario, expected in (
        (named(runner, "cart", "cart", "adds"), ["adds"]),
        (named(runner, "cart", "cart", "totals"), ["totals"]),
        (named(runner, "cart", "cart", "deeper", ODD), ["odd"]),
    ):
        again = sandbox.run("rerun", first.run_id(), "-s", scenario, "--json")
        assert list(again.verdicts()) == [scenario], again.out
        assert ran(sandbox) == expected


def test_timeout__a_test_hangs__then_it_alone_is_timed_out(sandbox: Sandbox, root: Path, runner: str) -> None:
    sandbox.environ["FIXTURE_HANGS"] = "1"
    profile = root / "limits.toml"
    folder, pattern = FILES[runner]
    profile.write_text(
        f'[suite.js]\nrunner = "{runner}"\npaths = ["{folder}/{pattern.format("hangs")}"]\ntimeout = "6s"\n'
    )
    done = sandbox.run("run", root, "--profile", profile, "--json")
    told = {name.rpartition("::")[2]: verdict for name, verdict in done.verdicts().items()}
    assert told == {"hangs": "timedout", "is after the hang": "passed"}, done.out
    assert ran(sandbox) == ["is after the hang"]


def test_timeout__a_test_loops_and_never_rests__then_it_alone_is_timed_out(
    sandbox: Sandbox, root: Path, runner: str
) -> None:
    folder, pattern = FILES[runner]
    first = {"vitest": "import { it } from 'vitest';", "node": "import { it } from 'node:test';"}.get(
        runner, ""
    )
    (root / folder / pattern.format("loops")).write_text(
        f"{first}\nit('one', () => {{}});\nit('two', () => {{}});\n"
        "it('loops', () => { for (;;); });\nit('behind', () => {});\n"
    )
    profile = root / "limits.toml"
    profile.write_text(
        f'[suite.js]\nrunner = "{runner}"\npaths = ["{folder}/{pattern.format("loops")}"]\ntimeout = "6s"\n'
    )
    done = sandbox.run("run", root, "--profile", profile, "--json")
    told = {name.rpartition("::")[2]: verdict for name, verdict in done.verdicts().items()}
    assert told == {"one": "passed", "two": "passed", "loops": "timedout", "behind": "passed"}, done.out


@pytest.mark.parametrize("runner", ["vitest", "mocha", "node"])
def test_output__while_the_test_runs__then_live_and_a_cancel_leaves_nothing(
    sandbox: Sandbox, root: Path, runner: str
) -> None:
    sandbox.environ["FIXTURE_HANGS"] = "1"
    process = sandbox.start("run", root, "-s", named(runner, "hangs", "hangs"), "--json")
    assert process.stdout is not None
    found = []
    for raw in process.stdout:
        found.append(json.loads(raw))
        if found[-1].get("text") == "it hangs now\n":
            break
    assert found[-1]["scenario"] == named(runner, "hangs", "hangs")
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    ends = [json.loads(raw) for raw in rest.splitlines()]
    assert [line["verdict"] for line in ends if line["e"] == "attempt.ended"] == ["cancelled"]
    token = json.loads((sandbox.state / "runs" / found[0]["run"] / "run.json").read_text())["nonce"]
    assert processes_with(f"TRACEKIT_RUN_TOKEN={token}") == []


@pytest.mark.parametrize("runner", ["vitest"])
def test_run__the_tool_is_not_installed__then_unavailable_and_what_would_fix_it(
    sandbox: Sandbox, root: Path, runner: str
) -> None:
    (root / "node_modules").unlink()
    done = sandbox.run("run", root)
    assert done.code == 1
    assert "unavailable: vitest was not found" in done.out + done.err
    assert "npm install" in done.out + done.err


def test_run__tests_see_nothing_of_us(sandbox: Sandbox, tmp_path: Path) -> None:
    root = sandbox.project(
        {
            "package.json": '{"scripts": {"test": "node --test"}}',
            "a.test.mjs": "import { test } from 'node:test';\n"
            "test('a', () => { if (process.env.TRACEKIT_REPORTER) throw new Error('seen'); });\n",
        }
    )
    (root / "pytest.ini").unlink()
    assert sandbox.run("run", root, "--json").verdicts() == {"node:a.test.mjs::a": "passed"}


def test_run__a_chosen_test_behind_a_hook_that_fails__then_the_hook_stands_in_its_own_file(
    sandbox: Sandbox,
) -> None:
    root = sandbox.project(
        {
            "package.json": '{"scripts": {"test": "node --test"}}',
            "a.test.mjs": "import { describe, before, it } from 'node:test';\n\n"
            "describe('group', () => { before(() => { throw new Error('no'); }); it('a', () => {}); });\n",
        }
    )
    (root / "pytest.ini").unlink()
    every = sandbox.run("run", root, "--json")
    chosen = sandbox.run("run", root, "-s", "node:a.test.mjs::group::a", "--json")
    places = [
        [(line["file"], line["line"]) for line in done.of("scenario.found") if "hook" in line["tags"]]
        for done in (every, chosen)
    ]
    assert places == [[("a.test.mjs", 3)]] * 2
