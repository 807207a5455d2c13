"""What a suite's arguments mean to cargo and to programs of tests, and where Rust tests stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tracekit.agent.hosts import cargo_list
from tracekit.agent.hosts.cargo import Asked
from tracekit.agent.hosts.cargo_reader import Target, package_environ
from tracekit.agent.hosts.cargo_words import Words
from tracekit.agent.hosts.doctests import narrowed
from tracekit.agent.hosts.rust_places import RustPlaces


def test_words__cut_at_the_first_dashes__then_each_has_its_own() -> None:
    words = Words.of(["--release", "--no-fail-fast", "-p", "api", "--", "--ignored", "--", "x"])
    assert (words.cargo, words.tests) == (("--release", "-p", "api"), ("--ignored", "--", "x"))


@pytest.mark.parametrize(
    ("args", "documentation", "alone"),
    [([], True, False), (["--lib"], False, False), (["--test=api"], False, False), (["--doc"], True, True)],
)
def test_words__targets_chosen__then_no_documentation_tests(
    args: list[str], documentation: bool, alone: bool
) -> None:
    words = Words.of(args)
    assert (words.documentation, words.documentation_only) == (documentation, alone)


def test_words__a_name_before_the_dashes__then_the_programs_get_it_as_cargo_does() -> None:
    words = Words.of(["-p", "api", "--test", "one", "two", "--features=a b", "-j4", "--", "three"])
    assert words.cargo == ("-p", "api", "--test", "one", "--features=a b", "-j4")
    assert words.tests == ("two", "three")
    assert words.without_choices() == ["--features", "a b", "-j", "4"]


ABOUT: dict[str, Any] = {
    "workspace_root": "/w",
    "workspace_members": ["a", "b", "c"],
    "workspace_default_members": ["b"],
    "packages": [
        {
            "id": name,
            "name": name,
            "version": "1.2.3",
            "manifest_path": f"/w/{name}/Cargo.toml",
            "targets": [],
        }
        for name in ("a", "b", "c", "no_member")
    ],
}


@pytest.mark.parametrize(
    ("args", "names"),
    [
        ([], ["b"]),
        (["--workspace"], ["a", "b", "c"]),
        (["--workspace", "--exclude", "b"], ["a", "c"]),
        (["-p", "c", "--package=a@1.2"], ["a", "c"]),
        (["-pc"], ["c"]),
        (["-p", "[ab]"], ["a", "b"]),
        (["-p", "a:2"], []),
        (["--manifest-path", "/w/c/Cargo.toml"], ["c"]),
    ],
)
def test_selected__as_cargo_chooses_packages__then_these(args: list[str], names: list[str]) -> None:
    assert [package["name"] for package in Words.of(args).selected(ABOUT, "/w")] == names


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ([], "lib test"),
        (["--lib"], "lib"),
        (["--tests"], "lib test"),
        (["--test", "o*"], "test"),
        (["--test", "two"], ""),
        (["--examples"], "example"),
        (["--all-targets"], "lib example test"),
        (["--doc"], "lib"),
    ],
)
def test_wants__as_cargo_chooses_targets__then_these(args: list[str], wanted: str) -> None:
    targets: list[dict[str, Any]] = [
        {"kind": ["lib"], "name": "api", "test": True, "doctest": True},
        {"kind": ["example"], "name": "one", "test": False},
        {"kind": ["test"], "name": "one", "test": True},
    ]
    assert " ".join(one["kind"][0] for one in targets if Words.of(args).wants(one)) == wanted


def test_asked__what_libtest_knows__then_understood_and_the_rest_handed_on() -> None:
    words = [
        "--test-threads=3",
        "--skip",
        "slow",
        "some",
        "--nocapture",
        "--include-ignored",
        "--color",
        "never",
    ]
    asked = Asked.of(words, {"RUST_TEST_THREADS": "7"})
    assert (asked.threads, asked.ignored, asked.skip) == (3, "too", ("slow",))
    assert asked.wants("a::some")
    assert not asked.wants("a::some_slow")
    assert not asked.wants("a::other")
    assert asked.more == ("--color",)
    assert Asked.of([], {"RUST_TEST_THREADS": "7"}).threads == 7


def test_narrowed__one_line_is_the_beginning_of_another__then_the_other_is_skipped() -> None:
    every = ["src/lib.rs - a (line 11)", "src/lib.rs - b (line 111)", "other/src/lib.rs - c (line 11)"]
    words = narrowed(every[:1], every)
    assert words[0] == "11)"
    assert "111)" in words
    assert "other/src/lib.rs" in words
    assert "src/lib.rs" not in words, "it would skip what is wanted"


def test_package_environ__a_version_with_everything__then_its_parts() -> None:
    told = package_environ({"manifest_path": "/p/Cargo.toml", "name": "p", "version": "1.2.3-rc.1+build"})
    assert [told[f"CARGO_PKG_VERSION{part}"] for part in ("", "_MAJOR", "_MINOR", "_PATCH", "_PRE")] == [
        "1.2.3-rc.1+build",
        "1",
        "2",
        "3",
        "rc.1",
    ]
    assert told["CARGO_MANIFEST_DIR"] == "/p"


def test_places__modules_in_files_and_inside_them__then_the_right_line(tmp_path: Path) -> None:
    files = {
        "src/lib.rs": "mod a;\nmod one {\n    fn same() {}\n}\nmod two {\n    fn same() {}\n}\n",
        "src/a/mod.rs": "mod b;\n#[test]\nfn here() {}\n",
        "src/a/b.rs": "#[cfg(test)]\nmod tests {\n    #[test] pub(crate) async fn deep() {}\n    fn case() {}\n}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    places = RustPlaces(str(tmp_path / "src/lib.rs"))
    found = {
        name: (Path(file).relative_to(tmp_path).as_posix(), line)
        for name in (
            "one::same",
            "two::same",
            "a::here",
            "a::b::tests::deep",
            "a::b::tests::case::case_1",
            "no::where",
        )
        for file, line in [places.find(name.split("::"))]
    }
    assert found == {
        "one::same": ("src/lib.rs", 3),
        "two::same": ("src/lib.rs", 6),
        "a::here": ("src/a/mod.rs", 3),
        "a::b::tests::deep": ("src/a/b.rs", 3),
        "a::b::tests::case::case_1": ("src/a/b.rs", 4),
        "no::where": ("src/lib.rs", 0),
    }


def test_listed__a_program_says_nothing_of_what_it_holds__then_one_scenario_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "silent"
    program.write_text("#!/bin/sh\nsleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setattr(cargo_list, "PATIENCE", 0.2)
    target = Target(
        {"manifest_path": str(tmp_path / "Cargo.toml")}, "test", "silent", "a.rs", str(program), {}
    )
    (found,) = cargo_list.listed([target], 2, lambda: False)
    assert (found.whole, found.names) == (True, ())
    assert found.why == "it did not list its tests within 0.2 s"


def test_alone__what_means_the_package__then_it_stands_in_the_command_that_shows_it() -> None:
    package = {"name": "a", "features": {"net": []}}
    words = Words.of(
        ["--workspace", "--exclude", "b", "-F", "net,b/x", "--features", "loud", "--release", "--lib", "name"]
    )
    assert words.alone(package, ["--test", "t"]) == ("cargo test --no-run -p a --test t -F net,b/x --release")
