"""cargo projects: found without configuration, run one process a test, told as `cargo test` would and with more."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support import rust
from tests.support.cli import Done, Sandbox, processes_with

UNIT, INTEGRATION = "cargo:api/src/lib.rs::", "cargo:api/tests/api.rs::"
ENDS = {
    "cargo:api/src/lib.rs::doctests::crate": "passed",
    "cargo:api/src/lib.rs::doctests::double": "passed",
    "cargo:api/src/lib.rs::doctests::double[2]": "failed",
    "cargo:api/src/lib.rs::doctests::double[3]": "skipped",
    UNIT + "parser::tests::result_has_causes": "failed",
    UNIT + "parser::tests::result_is_an_error": "failed",
    UNIT + "parser::tests::result_is_fine": "passed",
    UNIT + "tests::double__two__then_four": "passed",
    UNIT + "tests::fails_with_a_condition": "failed",
    UNIT + "tests::fails_with_operands": "failed",
    UNIT + "tests::ignored_with_a_reason": "skipped",
    UNIT + "tests::ignored_without_a_reason": "skipped",
    UNIT + "tests::panic_in_a_thread": "failed",
    UNIT + "tests::panics_as_it_should": "passed",
    UNIT + "tests::panics_with_other_words": "failed",
    UNIT + "tests::should_panic_and_does_not": "failed",
    "cargo:api/src/main.rs::tests::in_the_program": "passed",
    INTEGRATION + "aborts": "crashed",
    INTEGRATION + "environment_is_cargo_s": "passed",
    INTEGRATION + "exits_with_three": "crashed",
    INTEGRATION + "exits_with_zero": "crashed",
    INTEGRATION + "flaky": "passed",
    INTEGRATION + "hangs": "passed",
    INTEGRATION + "nested::adds": "passed",
    INTEGRATION + "prints_strange_things": "passed",
    INTEGRATION + "segfaults": "crashed",
    INTEGRATION + "streams": "passed",
    "cargo:api/tests/own_harness.rs::own_harness": "passed",
    "cargo:other/src/lib.rs::doctests::yes": "passed",
    "cargo:other/src/lib.rs::tests::ünïcode_名前": "passed",
    "cargo:other/tests/api.rs::same_file_name_as_elsewhere": "passed",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rust.copied("cargo_workspace", tmp_path_factory.mktemp("cargo"))


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return rust.sandbox(tmp_path / "home")


def limits(root: Path, keys: str) -> Path:
    """A profile with these keys of the suite."""
    return rust.profile(root, f'[suite.r]\nrunner = "cargo"\n{keys}')


def printed(done: Done, scenario: str, stream: str = "stdout") -> bytes:
    found = b""
    for line in done.of("output"):
        if line.get("scenario") == scenario and line["stream"] == stream:
            # A line carries the beginning of a long piece; how long that is, it says in any case.
            found += line.get("text", "").encode().ljust(line["length"], b"?")
    return found


def evidence(done: Done, scenario: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    (failure,) = [line for line in done.of("failure") if line["scenario"] == scenario]
    return failure, failure["chain"]


def test_run__every_kind_of_end__then_verdicts_as_told(sandbox: Sandbox, root: Path) -> None:
    done = sandbox.run("run", root, "--json")
    assert done.code == 1, done.err
    assert done.verdicts() == ENDS
    ends = {line["scenario"]: line for line in done.of("attempt.ended")}
    assert ends[INTEGRATION + "aborts"]["signal"] == signal.SIGABRT
    assert ends[INTEGRATION + "segfaults"]["signal"] == signal.SIGSEGV
    assert [ends[INTEGRATION + name]["exit"] for name in ("exits_with_three", "exits_with_zero")] == [3, 0]
    assert ends[UNIT + "tests::ignored_with_a_reason"]["reason"] == "needs the moon"
    assert len({line["pid"] for line in done.of("attempt.started")}) >= len(ENDS) - 8, "a process each"
    (suite,) = done.of("suite.found")
    assert (suite["runner"], suite["count"]) == ("cargo", len(ENDS))
    assert suite["framework"].startswith("cargo 1.")


def test_run__output__then_exactly_the_tests_own_bytes(sandbox: Sandbox, root: Path) -> None:
    done = sandbox.run("run", root, "-s", "api/tests/api.rs or api/src/lib.rs", "--json")
    assert printed(done, UNIT + "tests::double__two__then_four") == b"printed by double\n"
    assert printed(done, INTEGRATION + "aborts") == b"before the abort\n"
    assert printed(done, INTEGRATION + "exits_with_zero") == b"before the exit\n"
    assert printed(done, INTEGRATION + "segfaults", "stderr") == b"before the fault\n"
    assert printed(done, "cargo:api/src/lib.rs::doctests::double[2]") == b"the doc test printed this\n"
    strange = INTEGRATION + "prints_strange_things"
    assert len(printed(done, strange)) == len(b"\0\xff\xfe\x1b[31mred\x1b[0m\n") + 200_000 + len(
        "\nno end of line"
    )
    assert printed(done, strange, "stderr").endswith(b"test result: ok. not libtest's")


def test_run__failures__then_operands_places_and_causes(sandbox: Sandbox, root: Path) -> None:
    done = sandbox.run("run", root, "-s", "api/src/lib.rs", "--json")
    _, chain = evidence(done, UNIT + "tests::fails_with_operands")
    assert str(chain[0]["message"]).startswith("assertion `left == right` failed: after 3 tries")
    (frame,) = chain[0]["frames"]
    assert (frame["file"], frame["line"], frame["own"]) == ("api/src/lib.rs", 41, True)
    (assertion,) = [
        line for line in done.of("assertion") if line["scenario"] == UNIT + "tests::fails_with_operands"
    ]
    assert (assertion["actual"], assertion["expected"]) == ("one\ntwo\nthree", "one\n2\nthree")
    assert "-2\n+two" in assertion["diff"]
    _, chain = evidence(done, UNIT + "parser::tests::result_has_causes")
    assert [link["message"] for link in chain] == ["cannot publish", "cannot read the file", "no such file"]
    _, chain = evidence(done, UNIT + "parser::tests::result_is_an_error")
    assert (chain[0]["type"], chain[0]["frames"][0]["file"]) == ("ParseIntError", "api/src/parser.rs")
    _, chain = evidence(done, UNIT + "tests::panic_in_a_thread")
    assert [link["message"] for link in chain] == ["the thread: Any { .. }", "inner"]
    _, chain = evidence(done, UNIT + "tests::should_panic_and_does_not")
    assert str(chain[0]["message"]).startswith("test did not panic as expected")
    (words,) = [
        line for line in done.of("assertion") if line["scenario"] == UNIT + "tests::panics_with_other_words"
    ]
    assert (words["op"], words["actual"], words["expected"]) == ("contains", "bang!", "boom")
    _, chain = evidence(done, "cargo:api/src/lib.rs::doctests::double[2]")
    assert chain[0]["frames"][0]["line"] == 17


def test_list__then_places_and_kinds(sandbox: Sandbox, root: Path) -> None:
    found = {line["id"]: line for line in sandbox.run("list", root, "--json").lines()}
    assert set(found) == set(ENDS)
    inner = found[UNIT + "parser::tests::result_is_fine"]
    assert (inner["file"], inner["line"], inner["tags"]) == ("api/src/parser.rs", 37, ["unit"])
    assert found[UNIT + "tests::ignored_with_a_reason"]["tags"] == ["unit", "ignored"]
    assert found[INTEGRATION + "nested::adds"]["path"] == ["api/tests/api.rs", "nested", "adds"]
    assert found[INTEGRATION + "hangs"]["tags"] == ["integration"]
    assert found["cargo:other/src/lib.rs::doctests::yes"]["tags"] == ["doc"]
    below = sandbox.run("list", root / "other" / "tests")
    assert below.out.split() == ["cargo:other/tests/api.rs::same_file_name_as_elsewhere"], below.err


def test_run__against_cargo_test__then_the_same_verdicts(sandbox: Sandbox, root: Path) -> None:
    # What ends the process ends every other test of the program, natively.
    killers = ("aborts", "segfaults", "exits_with_zero", "exits_with_three")
    skipped = [word for name in killers for word in ("--skip", name)]
    native = rust.natively(root, "-p", "api", "--lib", "--bins", "--test", "api", "--", *skipped)
    words = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}
    told = {f"cargo:api/{name}": words[word] for name, word in native.items()}
    assert len(told) == 19, told
    assert {name: ENDS[name] for name in told} == told
    done = sandbox.run(
        "run", root, "--json", "--", "-p", "api", "--lib", "--bins", "--test", "api", "--", *skipped
    )
    assert done.verdicts() == told


def test_rerun__one_failing_test__then_exactly_that_one_runs(
    sandbox: Sandbox, root: Path, tmp_path: Path
) -> None:
    counter = tmp_path / "counter"
    sandbox.environ["FIXTURE_COUNTER"] = str(counter)
    first = sandbox.run("run", root, "-s", "api/tests/api.rs", "--json")
    assert first.verdicts()[INTEGRATION + "flaky"] == "failed"
    again = sandbox.run("rerun", first.run_id(), "-s", INTEGRATION + "flaky", "--json")
    assert (again.verdicts(), counter.read_text()) == ({INTEGRATION + "flaky": "passed"}, "xx")
    named = sandbox.run("rerun", first.run_id(), "--failed", "--json")
    assert set(named.verdicts()) == {
        name for name, word in first.verdicts().items() if word in {"failed", "crashed"}
    }


def test_rerun__one_test__then_no_other_program_is_asked_what_it_holds(
    sandbox: Sandbox, root: Path, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    sandbox.environ["FIXTURE_ASKED"] = str(asked)
    chosen = "cargo:other/tests/api.rs::same_file_name_as_elsewhere"
    first = sandbox.run("run", root, "-s", chosen + " or own_harness", "--json")
    assert (len(first.verdicts()), asked.exists()) == (2, True)
    asked.unlink()
    again = sandbox.run("rerun", first.run_id(), "-s", chosen, "--json")
    assert (again.verdicts(), asked.exists()) == ({chosen: "passed"}, False)


def test_retries__red_once__then_the_second_attempt_counts(
    sandbox: Sandbox, root: Path, tmp_path: Path
) -> None:
    sandbox.environ["FIXTURE_COUNTER"] = str(tmp_path / "counter")
    done = sandbox.run("run", root, "-s", INTEGRATION + "flaky", "--retries", "2", "--json")
    assert [(line["attempt"], line["verdict"]) for line in done.of("attempt.ended")] == [
        (1, "failed"),
        (2, "passed"),
    ]
    assert done.code == 0


def test_rerun__one_documentation_test__then_nothing_is_told_of_others(sandbox: Sandbox, root: Path) -> None:
    chosen = "cargo:api/src/lib.rs::doctests::double[2]"
    done = sandbox.run("run", root, "-s", chosen, "--retries", "1", "--json")
    assert [(line["scenario"], line["attempt"]) for line in done.of("attempt.ended")] == [
        (chosen, 1),
        (chosen, 2),
    ]


def test_timeout__test_hangs_with_a_child__then_it_alone_is_timed_out_and_both_are_gone(
    sandbox: Sandbox, root: Path
) -> None:
    sandbox.environ["FIXTURE_HANGS"] = "1"
    profile = limits(root, 'timeout = "2s"\nstall = "500ms"\n')
    done = sandbox.run("run", root, "--profile", profile, "-s", "hangs or nested or flaky", "--json")
    hangs = "cargo@r:api/tests/api.rs::hangs"
    assert {name.rpartition("::")[2]: word for name, word in done.verdicts().items()} == {
        "adds": "passed",
        "flaky": "passed",
        "hangs": "timedout",
    }
    assert [line["verdict"] for line in done.of("attempt.ended") if line["scenario"] == hangs] == ["timedout"]
    stalled = {line["limit"]: line["stacks"] for line in done.of("attempt.stalled")}
    assert set(stalled) == {"stall", "timeout"}
    # Rust names the thread of a test by the test: the kernel knows it, and a debugger where there is one.
    assert [stack["name"] for stack in stalled["timeout"] if stack["current"]] == ["hangs"]
    if shutil.which("gdb") is not None:
        (reason,) = [line["reason"] for line in done.of("attempt.ended") if line["scenario"] == hangs]
        assert reason == "ran longer than 2s, its timeout: in hangs (api/tests/api.rs:44)"
    child = int(printed(done, hangs).split()[-1])
    assert not Path(f"/proc/{child}").exists(), "its group was killed with it"


def test_ignored_tests__chosen_or_asked_for__then_only_they_run(sandbox: Sandbox, root: Path) -> None:
    wanted = {UNIT + f"tests::ignored_{name}_a_reason": "passed" for name in ("with", "without")}
    assert sandbox.run("run", root, "-s", "tag:ignored", "--json").verdicts() == wanted
    asked = sandbox.run("run", root, "--json", "--", "--lib", "--", "--ignored")
    assert asked.verdicts() == wanted
    assert printed(asked, UNIT + "tests::ignored_with_a_reason") == b"it was run all the same\n"


def test_isolate__then_those_run_alone_behind_the_others(sandbox: Sandbox, root: Path) -> None:
    done = sandbox.run("run", root, "-s", "other", "--isolate", "*ünïcode*", "--json")
    launches = {line["scenario"].rpartition("::")[2]: line["launch"] for line in done.of("attempt.started")}
    assert launches["ünïcode_名前"] != launches["same_file_name_as_elsewhere"]


def test_own_harness__fails__then_its_status_and_words(sandbox: Sandbox, root: Path) -> None:
    sandbox.environ["FIXTURE_FAILS"] = "1"
    done = sandbox.run("run", root, "-s", "own_harness", "--json")
    scenario = "cargo:api/tests/own_harness.rs::own_harness"
    failure, chain = evidence(done, scenario)
    assert (done.code, chain[0]["message"]) == (1, "the process exited with status 7")
    assert "it failed in its own way" in str(failure["text"])
    assert printed(done, scenario) == b"ran as a whole with 0 arguments\n"


def test_output__while_the_test_runs__then_in_the_journal_and_a_cancel_leaves_nothing(
    sandbox: Sandbox, root: Path
) -> None:
    sandbox.environ["FIXTURE_HANGS"] = "1"
    process = sandbox.start("run", root, "-s", "streams or hangs", "--json")
    assert process.stdout is not None
    lines = []
    for raw in process.stdout:
        lines.append(json.loads(raw))
        if "tick 3" in str(lines[-1].get("text")):
            break
    assert not [line for line in lines if line["e"] == "attempt.ended"]
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    ended = [json.loads(raw) for raw in rest.splitlines()]
    assert [line["verdict"] for line in ended if line["e"] == "attempt.ended"] == ["cancelled"] * 2
    assert process.returncode == 130
    token = json.loads((sandbox.state / "runs" / lines[0]["run"] / "run.json").read_text())["nonce"]
    assert processes_with(f"TRACEKIT_RUN_TOKEN={token}") == []


def test_host_killed__then_its_test_is_crashed_and_the_rest_runs_in_another(
    sandbox: Sandbox, root: Path
) -> None:
    sandbox.environ["FIXTURE_HANGS"] = "1"
    process = sandbox.start(
        "run", root, "-s", "streams or own_harness", "--json", "--", "--", "--test-threads=1"
    )
    assert process.stdout is not None
    host = 0
    lines = []
    for raw in process.stdout:
        line = json.loads(raw)
        lines.append(line)
        if line["e"] == "process.spawned" and not host:
            host = line["pid"]
        if "tick 1" in str(line.get("text")):
            os.kill(host, signal.SIGKILL)
            break
    rest, _ = process.communicate(timeout=60)
    lines += [json.loads(raw) for raw in rest.splitlines()]
    ends = {line["scenario"].rpartition("::")[2]: line for line in lines if line["e"] == "attempt.ended"}
    assert {name: line["verdict"] for name, line in ends.items()} == {
        "streams": "crashed",
        "own_harness": "passed",
    }
    assert "host of cargo" in ends["streams"]["reason"]


def test_crate_that_does_not_compile__then_a_launch_that_failed_in_the_compilers_words(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    root = rust.copied("cargo_broken", tmp_path)
    (root / "src" / "lib.rs").write_text('pub fn one() -> u32 {\n    "one"\n}\n\n#[test]\nfn it() {}\n')
    done = sandbox.run("run", root, "--json")
    (failed,) = done.of("runner.failed_to_start")
    assert (done.code, failed["code"], done.verdicts()) == (1, "cargo.build_failed", {})
    assert failed["stderr"].startswith("error[E0308]: mismatched types")
    builds = [line for line in done.lines() if line["e"] == "phase.ended" and line["phase"] == "build"]
    assert [line["exit"] for line in builds] == [101]


def test_cargo__not_installed__then_unavailable_and_what_would_fix_it(sandbox: Sandbox, root: Path) -> None:
    sandbox.environ.update(PATH="/nowhere", HOME=str(sandbox.home))
    sandbox.environ.pop("CARGO_HOME", None)
    done = sandbox.run("run", root)
    assert "✗ unavailable: cargo was not found\n    │ PATH=/nowhere\n    → install Rust" in done.out
    assert done.code == 1


def test_list__a_mixed_project_whose_crate_takes_long_to_build__then_the_others_are_there_before(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    built = tmp_path / "built"
    waits = (
        'fn main() {\n    while !std::path::Path::new(env!("WAITS_FOR")).exists() {\n'
        "        std::thread::sleep(std::time::Duration::from_millis(20));\n    }\n}\n"
    )
    files = {
        "Cargo.toml": '[package]\nname = "mixed"\nversion = "0.1.0"\nedition = "2021"\nbuild = "build.rs"\n',
        "build.rs": waits,
        "src/lib.rs": "#[test]\nfn it() {}\n",
        "tests/test_a.py": "def test_a(): ...\n",
        "zoo/test/a.test.mjs": "import { test } from 'node:test';\ntest('a', () => {});\n",
        "zoo/package.json": '{"scripts": {"test": "node --test"}}',
    }
    root = sandbox.project(files)
    sandbox.environ["WAITS_FOR"] = str(built)
    process = sandbox.start("list", root)
    assert process.stdout is not None
    # The crate is not built before these have been read.
    first = [process.stdout.readline().decode().strip() for _ in range(2)]
    assert first == ["pytest:tests/test_a.py::test_a", "node@zoo:test/a.test.mjs::a"]
    built.touch()
    rest, told = process.communicate(timeout=300)
    assert (rest.decode().split(), process.returncode) == (["cargo@cargo:src/lib.rs::it"], 0), told
    assert sandbox.run("list", root).out.split("\n")[:3] == [*first, "cargo@cargo:src/lib.rs::it"]


def test_mixed_project__no_cargo_on_the_machine__then_left_out_in_words_and_the_rest_decides(
    tmp_path: Path,
) -> None:
    sandbox = Sandbox(tmp_path / "home")
    crate = '[package]\nname = "mixed"\nversion = "0.1.0"\nedition = "2021"\n'
    files = {
        "Cargo.toml": crate,
        "src/lib.rs": "#[test]\nfn it() {}\n",
        "tests/test_a.py": "def test_a(): ...\n",
    }
    root = sandbox.project(files)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to("/bin/sh")
    bare = {**sandbox.environ, "PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    listed = sandbox.run("list", root, env=bare)
    assert (listed.code, listed.out) == (0, "pytest:tests/test_a.py::test_a\n"), listed.err
    # What is said behind `--` is pytest's: cargo would not know it.
    done = sandbox.run("run", root, "--", "-x", env=bare)
    assert done.code == 0, done.err
    assert "cargo is left out, unavailable: cargo was not found" in done.out
    named = sandbox.run("run", root, "-s", "suite:cargo", env=bare)
    assert named.code != 0


@pytest.mark.parametrize("isolation", ["process", "binary"])
@pytest.mark.parametrize(("closed", "said"), [("1", True), ("2", False), ("1, 2", False)])
def test_run__a_test_closes_its_output_and_panics__then_failed_with_what_it_printed_before(
    sandbox: Sandbox, isolation: str, closed: str, said: bool
) -> None:
    text = f"""extern "C" {{
    fn close(file: i32) -> i32;
}}

#[test]
fn closes() {{
    println!("before");
    for file in [{closed}] {{
        unsafe {{ close(file) }};
    }}
    panic!("behind it");
}}
"""
    files = {
        "Cargo.toml": '[package]\nname = "closes"\nversion = "0.1.0"\nedition = "2021"\n',
        "tests/closes.rs": text,
        "tracekit.toml": f'[suite.r]\nrunner = "cargo"\nisolation = "{isolation}"\n',
    }
    done = sandbox.run("run", sandbox.project(files), "--json")
    scenario = "cargo@r:tests/closes.rs::closes"
    assert (done.verdicts(), done.code) == ({scenario: "failed"}, 1), done.err
    assert printed(done, scenario) == b"before\n"
    _, chain = evidence(done, scenario)
    if said:
        assert (chain[0]["type"], chain[0]["message"]) == ("panic", "behind it")
    else:
        # Where its words are lost, it is said that they are.
        words = {"binary": "no panic of it was seen", "process": "the process exited with status 101"}
        assert words[isolation] in chain[0]["message"]
    lost = [line for line in done.of("warning") if "closed standard output" in line["message"]]
    assert len(lost) == (1 if isolation == "binary" and "1" in closed else 0)
