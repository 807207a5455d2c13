"""cargo, as a suite asks for it: tests that share their program's process, and a matrix of features and profiles."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from tests.e2e.test_cargo import ENDS, INTEGRATION, UNIT
from tests.support import rust
from tests.support.cli import Done, Sandbox, processes_with
from tests.support.unavailable import unavailable
from tools.tasks.common import ROOT

BINARY = '[suite.r]\nrunner = "cargo"\nisolation = "binary"\n'
MATRIX = (
    '[suite.r]\nrunner = "cargo"\npaths = ["other/tests"]\nargs = ["-p", "other"]\n'
    'features = [[], ["loud"]]\ncargo_profiles = ["dev", "release"]\n'
    '[suite.s]\nrunner = "cargo"\npaths = ["other/tests"]\nargs = ["-p", "other"]\nneeds = ["r"]\n'
)
SAME, LOUD = "same_file_name_as_elsewhere", "only_with_the_feature"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rust.copied("cargo_workspace", tmp_path_factory.mktemp("cargo"))


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return rust.sandbox(tmp_path / "home")


def plain(scenario: str) -> str:
    """The id that the same test has in a suite without a name."""
    return "cargo:" + scenario.partition(":")[2]


def pids(done: Done) -> dict[str, set[int]]:
    """The processes in which the attempts of each program's tests ran."""
    found: dict[str, set[int]] = {}
    for line in done.of("attempt.started"):
        found.setdefault(plain(line["scenario"]).partition("::")[0], set()).add(line["pid"])
    return found


@pytest.mark.parametrize("threads", [1, 3])
def test_run__tests_share_their_programs_process__then_the_same_verdicts(
    sandbox: Sandbox, root: Path, threads: int
) -> None:
    words = ["--", "--", f"--test-threads={threads}"]
    done = sandbox.run("run", root, "--profile", rust.profile(root, BINARY), "--json", *words)
    assert done.code == 1, done.err
    assert {plain(name): word for name, word in done.verdicts().items()} == ENDS
    assert len(pids(done)["cargo:api/src/lib.rs"]) <= 2, (
        "its tests share one process, its documentation has one"
    )
    again = {plain(line["scenario"]) for line in done.of("attempt.ended") if line["verdict"] == "cancelled"}
    assert again <= {name for name in ENDS if name.startswith(INTEGRATION)}, "only beside one that died"
    assert not done.of("suite.failed"), "what died beside others died alone, too"
    failures = {plain(line["scenario"]): line["chain"] for line in done.of("failure")}
    (frame,) = failures[UNIT + "tests::fails_with_operands"][0]["frames"]
    assert (frame["file"], frame["line"], frame["own"]) == ("api/src/lib.rs", 41, True)
    told = failures[UNIT + "parser::tests::result_has_causes"]
    if threads == 1:
        assert [link["message"] for link in told] == [
            "cannot publish",
            "cannot read the file",
            "no such file",
        ]
    else:
        assert "nobody can say" in told[0]["message"]
    words_of = [line for line in done.of("assertion") if "panics_with_other_words" in line["scenario"]]
    assert [(line["actual"], line["expected"]) for line in words_of] == [("bang!", "boom")]


def test_run__tests_share_a_process__then_output_is_inferred_and_libtests_words_are_left_out(
    sandbox: Sandbox, root: Path
) -> None:
    words = ["--", "--lib", "--", "--test-threads=1"]
    done = sandbox.run("run", root, "--profile", rust.profile(root, BINARY), "--json", *words)
    printed = [line for line in done.of("output") if line.get("stream") == "stdout"]
    assert [(plain(line["scenario"]), line["text"], line["attribution"]) for line in printed] == [
        (UNIT + "tests::double__two__then_four", "printed by double\n", "inferred")
    ]
    said = [line for line in done.of("output") if "panicked at" in line.get("text", "")]
    assert {line["attribution"] for line in said} == {"inferred"}
    for name in ("fails_with_operands", "fails_with_a_condition", "panics_with_other_words"):
        (own,) = [line for line in said if f"'tests::{name}'" in line["text"]]
        assert plain(own["scenario"]) == UNIT + f"tests::{name}"


def test_rerun__one_test_of_a_shared_process__then_exactly_that_one_runs(
    sandbox: Sandbox, root: Path, tmp_path: Path
) -> None:
    counter = tmp_path / "counter"
    sandbox.environ["FIXTURE_COUNTER"] = str(counter)
    chosen = "cargo@r:api/tests/api.rs::flaky"
    place = rust.profile(root, BINARY)
    first = sandbox.run("run", root, "--profile", place, "-s", "flaky or adds or environment", "--json")
    assert first.verdicts()[chosen] == "failed"
    assert len(pids(first)["cargo:api/tests/api.rs"]) == 1
    beside = sandbox.run("rerun", first.run_id(), "-s", "nested::adds", "--json")
    assert (list(beside.verdicts().values()), counter.read_text()) == (["passed"], "x")
    again = sandbox.run("rerun", first.run_id(), "-s", chosen, "--json")
    assert (again.verdicts(), counter.read_text()) == ({chosen: "passed"}, "xx")


def test_timeout__of_one_in_a_shared_process__then_it_alone_is_timed_out(
    sandbox: Sandbox, root: Path
) -> None:
    sandbox.environ["FIXTURE_HANGS"] = "1"
    place = rust.profile(root, BINARY + 'timeout = "2s"\n')
    chosen = "hangs or nested or flaky"
    words = ["--", "--", "--test-threads=1"]
    done = sandbox.run("run", root, "--profile", place, "-s", chosen, "--json", *words)
    told = {name.rpartition("::")[2]: word for name, word in done.verdicts().items()}
    assert told == {"adds": "passed", "flaky": "passed", "hangs": "timedout"}


def test_output__of_a_shared_process_while_it_runs__then_live_and_a_cancel_leaves_nothing(
    sandbox: Sandbox, root: Path
) -> None:
    sandbox.environ["FIXTURE_HANGS"] = "1"
    process = sandbox.start("run", root, "--profile", rust.profile(root, BINARY), "-s", "streams", "--json")
    assert process.stdout is not None
    found = []
    for raw in process.stdout:
        found.append(json.loads(raw))
        if "tick 3" in str(found[-1].get("text")):
            break
    assert found[-1]["scenario"] == "cargo@r:api/tests/api.rs::streams"
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    ends = [json.loads(raw) for raw in rest.splitlines()]
    assert [line["verdict"] for line in ends if line["e"] == "attempt.ended"] == ["cancelled"]
    token = json.loads((sandbox.state / "runs" / found[0]["run"] / "run.json").read_text())["nonce"]
    assert processes_with(f"TRACEKIT_RUN_TOKEN={token}") == []


def test_run__a_process_dies_and_nobody_alone_does_it__then_the_suite_failed_in_words(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    root = tmp_path / "together"
    (root / "src").mkdir(parents=True)
    (root / "Cargo.toml").write_text('[package]\nname = "together"\nversion = "0.1.0"\nedition = "2021"\n')
    # Each waits until the other is there: both together end their process, one alone gives up.
    meets = (
        "static HERE: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);\n"
        "fn meet() {\n    HERE.fetch_add(1, std::sync::atomic::Ordering::SeqCst);\n"
        "    for _ in 0..100 {\n"
        "        if HERE.load(std::sync::atomic::Ordering::SeqCst) > 1 { std::process::abort(); }\n"
        "        std::thread::sleep(std::time::Duration::from_millis(10));\n    }\n}\n"
    )
    tests = "".join(f"#[test]\nfn {name}() {{ meet(); }}\n" for name in ("one", "two"))
    (root / "src" / "lib.rs").write_text(meets + tests)
    words = ["--", "--", "--test-threads=2"]
    done = sandbox.run("run", root, "--profile", rust.profile(root, BINARY), "--json", *words)
    assert set(done.verdicts().values()) == {"passed"}
    assert done.code == 1
    (failed,) = done.of("suite.failed")
    assert "SIGABRT while one, two ran in it, and none of them does so alone" in failed["message"]


def test_run__a_matrix__then_each_cell_is_built_and_run_and_its_ids_say_which(
    sandbox: Sandbox, root: Path
) -> None:
    done = sandbox.run("run", root, "--profile", rust.profile(root, MATRIX), "--json")
    assert done.code == 0, done.err
    names = {(name.partition(":")[0], name.rpartition("::")[2]) for name in done.verdicts()}
    plainly = {(f"cargo@r[{one}][{two}]", SAME) for one in ("default", "loud") for two in ("dev", "release")}
    assert names == plainly | {(f"cargo@r[loud][{two}]", LOUD) for two in ("dev", "release")} | {
        ("cargo@s", SAME)
    }
    assert done.of("attempt.started")[-1]["scenario"].startswith("cargo@s:"), "it needs every cell"


def test_rerun__one_cell_of_a_matrix__then_it_alone_runs_as_it_was_built(
    sandbox: Sandbox, root: Path, tmp_path: Path
) -> None:
    sandbox.environ["FIXTURE_COUNTER"] = str(tmp_path / "built")
    place = rust.profile(root, MATRIX)
    first = sandbox.run("run", root, "--profile", place, "-s", "suite:r", "--json")
    assert len(first.verdicts()) == 6
    for built in ("dev", "release"):
        again = sandbox.run("rerun", first.run_id(), "-s", f"suite:r[loud][{built}]", "--json")
        head = f"cargo@r[loud][{built}]:other/tests/api.rs::"
        assert set(again.verdicts()) == {head + SAME, head + LOUD}
        assert (tmp_path / "built").read_text() == built


def test_config__keys_of_cargo_elsewhere_or_wrong__then_told_where(sandbox: Sandbox, root: Path) -> None:
    place = rust.profile(root, '[suite.p]\nrunner = "pytest"\nisolation = "binary"\n')
    assert 'isolation needs runner = "cargo"' in sandbox.run("list", root, "--profile", place).err
    place = rust.profile(root, '[suite.p]\nrunner = "cargo"\nfeatures = [["--offline"], ["a"], ["a"], "b"]\n')
    told = sandbox.run("list", root, "--profile", place).err
    assert "is not the name of a feature" in told
    assert "the same list stands twice" in told
    assert "must be a list of strings" in told


@pytest.fixture
def nextest(sandbox: Sandbox) -> Sandbox:
    """A sandbox in which cargo-nextest is found: the machine's, or the one that the bench of cargo installed."""
    place = ROOT / "target" / "nextest" / "bin"
    found = shutil.which("cargo-nextest") or shutil.which("cargo-nextest", path=str(place))
    if found is None:
        unavailable("cargo-nextest: not installed")
    sandbox.environ["PATH"] += f":{Path(found).parent}"
    return sandbox


def test_run__a_filter_of_nextests_language__then_its_tests_and_no_others(
    nextest: Sandbox, root: Path
) -> None:
    words = ["--", "-p", "api", "--lib", "--test", "api", "-E", "test(=flaky) + test(ignored)"]
    wanted = {
        INTEGRATION + "flaky": "passed",
        **{UNIT + f"tests::ignored_{name}_a_reason": "skipped" for name in ("with", "without")},
    }
    assert nextest.run("run", root, "--json", *words).verdicts() == wanted
    shared = nextest.run("run", root, "--profile", rust.profile(root, BINARY), "--json", *words)
    assert {plain(name): word for name, word in shared.verdicts().items()} == wanted
    wrong = nextest.run("run", root, "--json", "--", "-p", "other", "-E", "nothing(")
    (failed,) = wrong.of("runner.failed_to_start")
    assert (failed["code"], wrong.code) == ("cargo.nextest_failed", 1)
    assert "failed to parse filterset" in failed["stderr"]


def test_run__a_default_filter_of_nextests__then_it_is_the_projects_and_a_rerun_stands_above_it(
    nextest: Sandbox, tmp_path: Path
) -> None:
    root = rust.copied("cargo_workspace", tmp_path)
    (root / ".config").mkdir()
    (root / ".config" / "nextest.toml").write_text(
        '[profile.default]\ndefault-filter = "not test(same_file)"\n'
    )
    words = ["--", "-p", "other"]
    done = nextest.run("run", root, "--json", *words)
    inner, doc = "cargo:other/src/lib.rs::tests::ünïcode_名前", "cargo:other/src/lib.rs::doctests::yes"
    assert done.verdicts() == {inner: "passed", doc: "passed"}
    chosen = "cargo:other/tests/api.rs::same_file_name_as_elsewhere"
    without = bare(nextest, tmp_path)
    again = nextest.run("run", root, "--json", *words, env=without)
    assert set(again.verdicts()) == {inner, doc, chosen}
    assert "cargo-nextest was not found" in str(again.of("warning")[0]["message"])
    rerun = nextest.run("rerun", again.run_id(), "-s", chosen, "--json")
    assert rerun.verdicts() == {chosen: "passed"}


def test_run__a_filter_of_nextests_language_without_it__then_unavailable_and_what_would_fix_it(
    sandbox: Sandbox, root: Path, tmp_path: Path
) -> None:
    words = ["--", "-p", "other", "-E", "all()"]
    done = sandbox.run("run", root, *words, env=bare(sandbox, tmp_path))
    assert "unavailable: cargo-nextest was not found" in done.out
    assert "cargo install cargo-nextest" in done.out
    assert done.code == 1


def bare(sandbox: Sandbox, place: Path) -> dict[str, str]:
    """An environment in which cargo has nothing beside it."""
    (place / "bin").mkdir()
    cargo = shutil.which("cargo")
    assert cargo is not None
    (place / "bin" / "cargo").symlink_to(cargo)
    (place / "bin" / "rustc").symlink_to(Path(cargo).parent / "rustc")
    (place / "bin" / "rustdoc").symlink_to(Path(cargo).parent / "rustdoc")
    return {**sandbox.environ, "PATH": f"{place / 'bin'}:/usr/bin:/bin"}
