"""A cargo workspace of which not all compiles: the rest is listed, run and judged, and what is missing is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support import rust
from tests.support.cli import Done, Sandbox
from tests.support.unavailable import unavailable

WHOLE = {
    "cargo:healthy/src/lib.rs::doctests::two": "passed",
    "cargo:healthy/src/lib.rs::two_is_two": "passed",
    "cargo:healthy/tests/whole.rs::whole": "passed",
    "cargo:parts/src/lib.rs::doctests::one": "passed",
    "cargo:parts/src/lib.rs::one_is_one": "passed",
    "cargo:parts/tests/sound.rs::sound": "passed",
}
MISSING = {
    'parts (test "unsound") does not compile: cannot find function `two` in crate `parts`': (
        "parts/tests/unsound.rs",
        3,
    ),
    "broken (lib) does not compile: mismatched types": ("broken/src/lib.rs", 2),
    "dependent is not built: broken does not compile": ("dependent/src/lib.rs", 0),
}
MENDED = {"broken/src/lib.rs": ('"no number"', "n + n"), "parts/tests/unsound.rs": ("parts::two()", "2")}
# What a cargo from before 1.74 says to an argument that it does not know.
OLD = """#!/bin/sh
case " $* " in
    *" build --help "*) echo "  --release"; exit 0 ;;
    *" --keep-going "*) echo "error: unexpected argument '--keep-going' found" >&2; exit 1 ;;
esac
exec "{cargo}" "$@"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return rust.copied("cargo_partly", tmp_path)


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return rust.sandbox(tmp_path / "home")


@pytest.fixture
def nextest(sandbox: Sandbox) -> Sandbox:
    """A sandbox in which cargo-nextest is found."""
    place = Path(__file__).resolve().parents[2] / "target" / "nextest" / "bin"
    found = shutil.which("cargo-nextest") or shutil.which("cargo-nextest", path=str(place))
    if found is None:
        unavailable("cargo-nextest: not installed")
    sandbox.environ["PATH"] += f":{Path(found).parent}"
    return sandbox


def missing(done: Done) -> dict[str, tuple[str, int]]:
    return {line["message"]: (line["file"], line["line"]) for line in done.of("discover.failed")}


def change(root: Path, *, mend: bool) -> None:
    for name, (bad, good) in MENDED.items():
        text = (root / name).read_text()
        (root / name).write_text(text.replace(bad, good) if mend else text.replace(good, bad))


def of_suite(verdicts: dict[str, str]) -> dict[str, str]:
    return {name.replace("cargo@r:", "cargo:"): word for name, word in verdicts.items()}


@pytest.mark.parametrize("isolation", ["process", "binary"])
def test_run__some_crates_do_not_compile__then_the_others_have_verdicts_and_those_are_named(
    sandbox: Sandbox, root: Path, isolation: str
) -> None:
    profile = rust.profile(root, f'[suite.r]\nrunner = "cargo"\nisolation = "{isolation}"\n')
    done = sandbox.run("run", root, "--profile", profile, "--json")
    assert of_suite(done.verdicts()) == WHOLE, done.err
    assert missing(done) == MISSING
    assert done.code == 1, "all is green, and not all of it was there"
    told = {line["file"]: line for line in done.of("discover.failed")}
    broken = told["broken/src/lib.rs"]
    assert broken["detail"].startswith("error[E0308]: mismatched types\n --> broken/src/lib.rs:2:5\n")
    assert broken["detail"].endswith("not built with it: broken/tests/outside.rs\n")
    assert broken["remedy"] == (
        "mend broken/src/lib.rs:2; `cargo test --no-run -p broken --lib` shows it alone"
    )
    assert "`cargo test --no-run -p parts --test unsound`" in told["parts/tests/unsound.rs"]["remedy"]
    assert [line["exit"] for line in done.of("phase.ended") if line["phase"] == "build"] == [101]
    # The compiler says everything once, whatever number of builds it took.
    said = "".join(line.get("text", "") for line in done.of("output"))
    assert said.count("error[E0308]: mismatched types") == 1


def test_run__in_words__then_each_missing_part_with_its_place_and_what_to_do(
    sandbox: Sandbox, root: Path
) -> None:
    done = sandbox.run("run", root)
    assert "✗ broken (lib) does not compile: mismatched types\n    broken/src/lib.rs:2\n" in done.out
    assert '    │ 2 |     "no number"\n' in done.out
    assert "→ mend broken first; `cargo test --no-run -p dependent` shows whether that is all" in done.out
    assert "6 passed" in done.out


def test_list__some_crates_do_not_compile__then_the_others_are_there_and_it_ends_with_1(
    sandbox: Sandbox, root: Path
) -> None:
    done = sandbox.run("list", root)
    assert sorted(done.out.split()) == sorted(WHOLE)
    assert all(message in done.err for message in MISSING)
    told = done.err.partition("→ mend broken/src/lib.rs:2")[2].splitlines()
    assert told[1] == "  │ error[E0308]: mismatched types", "each with its own words below it"
    assert done.code == 1
    # What is kept of it says the same.
    again = sandbox.run("list", root)
    assert (sorted(again.out.split()), again.code) == (sorted(WHOLE), 1)
    change(root, mend=True)
    assert sandbox.run("list", root).code == 0


@pytest.mark.parametrize("isolation", ["process", "binary"])
def test_rerun__a_test_beside_a_broken_crate__then_it_alone_runs_and_nothing_else_is_said(
    sandbox: Sandbox, root: Path, isolation: str
) -> None:
    profile = rust.profile(root, f'[suite.r]\nrunner = "cargo"\nisolation = "{isolation}"\n')
    change(root, mend=True)
    first = sandbox.run("run", root, "--profile", profile, "--json")
    assert (first.code, len(first.verdicts())) == (0, len(WHOLE) + 4), first.err
    change(root, mend=False)
    one = "cargo@r:healthy/tests/whole.rs::whole"
    again = sandbox.run("rerun", first.run_id(), "-s", one, "--json")
    assert (again.verdicts(), missing(again), again.code) == ({one: "passed"}, {}, 0), again.err
    document = "cargo@r:parts/src/lib.rs::doctests::one"
    again = sandbox.run("rerun", first.run_id(), "-s", document, "--json")
    assert (again.verdicts(), missing(again), again.code) == ({document: "passed"}, {}, 0), again.err


def test_rerun__a_test_of_what_does_not_compile__then_not_run_and_why(sandbox: Sandbox, root: Path) -> None:
    change(root, mend=True)
    first = sandbox.run("run", root, "--json")
    change(root, mend=False)
    lost, one = "cargo:parts/tests/unsound.rs::unsound", "cargo:healthy/tests/whole.rs::whole"
    again = sandbox.run("rerun", first.run_id(), "-s", lost, "-s", one, "--json")
    (end,) = again.of("run.ended")
    assert (again.verdicts(), again.code) == ({one: "passed"}, 1)
    assert end["not_run"] == [lost]
    assert end["why"] == next(iter(MISSING))
    assert missing(again) == dict([next(iter(MISSING.items()))]), "and nothing of what nobody asked for"


@pytest.mark.parametrize(
    ("words", "found", "lost"),
    [
        (
            ["--doc"],
            ["healthy/src/lib.rs::doctests::two", "parts/src/lib.rs::doctests::one"],
            ["broken", "dep"],
        ),
        (["--test", "unsound", "--test", "sound"], ["parts/tests/sound.rs::sound"], ["parts"]),
        (["-p", "parts", "--lib"], ["parts/src/lib.rs::one_is_one"], []),
        (
            ["-p", "healthy", "-p", "broken", "--", "--skip", "two"],
            ["healthy/tests/whole.rs::whole"],
            ["broken"],
        ),
        (["whole"], ["healthy/tests/whole.rs::whole"], ["broken", "dep", "parts"]),
    ],
)
def test_run__arguments_choose__then_of_that_what_compiles(
    sandbox: Sandbox, root: Path, words: list[str], found: list[str], lost: list[str]
) -> None:
    done = sandbox.run("run", root, "--json", "--", *words)
    assert done.verdicts() == {f"cargo:{name}": "passed" for name in found}, done.err
    assert (
        sorted(
            message[: len(start)] for message in missing(done) for start in lost if message.startswith(start)
        )
        == lost
    )
    assert len(missing(done)) == len(lost)
    assert done.code == (1 if lost else 0)


def test_run__cargo_knows_no_keep_going__then_the_same_package_by_package(
    sandbox: Sandbox, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    old = tmp_path / "bin" / "cargo"
    old.write_text(OLD.format(cargo=shutil.which("cargo")))
    old.chmod(0o755)
    sandbox.environ["PATH"] = f"{tmp_path / 'bin'}:{sandbox.environ['PATH']}"
    done = sandbox.run("run", root, "--json")
    assert done.verdicts() == WHOLE, done.err
    assert missing(done) == MISSING
    assert "--keep-going" not in "".join(line.get("text", "") for line in done.of("output"))


def test_run__a_build_script_fails__then_its_words_and_the_other_crates(sandbox: Sandbox, root: Path) -> None:
    change(root, mend=True)
    script = 'fn main() {\n    eprintln!("libmoon is not installed");\n    std::process::exit(3);\n}\n'
    (root / "parts" / "build.rs").write_text(script)
    done = sandbox.run("run", root, "--json")
    assert {name.partition("/")[0] for name in done.verdicts()} == {
        "cargo:broken",
        "cargo:dependent",
        "cargo:healthy",
    }
    (line,) = done.of("discover.failed")
    assert line["message"] == "parts is not built: its build script failed"
    assert "libmoon is not installed" in line["detail"]
    assert (line["file"], done.code) == ("parts/build.rs", 1)


def test_run__nextests_filters_and_some_crates_do_not_compile__then_applied_to_those_it_can_list(
    nextest: Sandbox, root: Path
) -> None:
    asked = nextest.run("run", root, "--json", "--", "-E", "test(two) + test(sound)")
    assert asked.verdicts() == {"cargo:healthy/src/lib.rs::two_is_two": "passed"}, asked.err
    assert missing(asked) == MISSING
    (line,) = asked.of("warning")
    assert line["message"].startswith("parts: nextest lists no package of which a part does not compile")
    assert line["message"].endswith("its tests are left out")
    (root / ".config").mkdir()
    (root / ".config" / "nextest.toml").write_text('[profile.default]\ndefault-filter = "not test(o)"\n')
    done = nextest.run("run", root, "--json")
    assert set(WHOLE) - set(done.verdicts()) == {
        "cargo:healthy/src/lib.rs::two_is_two",
        "cargo:healthy/tests/whole.rs::whole",
    }
    assert done.of("warning")[0]["message"].endswith("the default filter is not applied to it")


@pytest.mark.parametrize(
    ("selector", "found", "lost"),
    [
        ("healthy/tests", ["healthy/tests/whole.rs::whole"], 0),
        ("parts/tests", ["parts/tests/sound.rs::sound"], 1),
        ("kind:integration", ["healthy/tests/whole.rs::whole", "parts/tests/sound.rs::sound"], 3),
        ("not kind:unit not kind:doc", ["healthy/tests/whole.rs::whole", "parts/tests/sound.rs::sound"], 3),
    ],
)
def test_run__a_choice__then_it_ends_with_1_where_more_of_it_may_be_in_what_is_missing(
    sandbox: Sandbox, root: Path, selector: str, found: list[str], lost: int
) -> None:
    done = sandbox.run("run", root, "-s", selector, "--json")
    assert done.verdicts() == {f"cargo:{name}": "passed" for name in found}, done.err
    assert (len(missing(done)), done.code) == (lost, 1 if lost else 0)
    if lost:
        again = sandbox.run("rerun", done.run_id(), "-s", f"cargo:{found[0]}", "--json")
        assert (missing(again), again.code) == ({}, 0), "what was said of one choice is not said of another"


def test_run__a_choice_in_a_mixed_project__then_only_what_may_be_meant_is_built(
    sandbox: Sandbox, root: Path
) -> None:
    native = root / "native"
    native.mkdir()
    for path in [one for one in root.iterdir() if one != native]:
        path.rename(native / path.name)
    (root / "tests").mkdir()
    (root / "tests" / "test_a.py").write_text("def test_a(): ...\n")
    only = {"pytest:tests/test_a.py::test_a": "passed"}
    for selector in ("tests/test_a.py", "runner:pytest", "not runner:cargo"):
        done = sandbox.run("run", root, "-s", selector, "--json")
        assert (done.verdicts(), done.code) == (only, 0), done.err
        assert "built" not in done.err
    none = sandbox.run("run", root, "-s", "runner:go", "--json")
    assert (none.code, "no suite can hold it" in none.err) == (4, True)
    assert not (native / "target").exists()
    both = sandbox.run("run", root, "-s", "two_is_two", "--json")
    assert both.verdicts() == {"cargo@native:healthy/src/lib.rs::two_is_two": "passed"}
    assert "looking for what is meant: cargo (native) is built first" in both.err
    # By now it is known which there are: nothing is built to find that out.
    assert "built first" not in sandbox.run("run", root, "-s", "tests/test_a.py", "--json").err
