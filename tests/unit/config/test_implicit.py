from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.config.helpers import places_of
from tracekit.config.implicit import MAX_ENTRIES, implicit_profile
from tracekit.config.loader import load
from tracekit.config.roots import find_root
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from pathlib import Path


def write(base: Path, *names: str) -> None:
    for name in names:
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text({"pytest.ini": "[pytest]\n"}.get(path.name, ""))


def suites(base: Path) -> list[tuple[str, str]]:
    return [(suite.name, suite.cwd) for suite in implicit_profile(str(base)).suites]


def test_implicit_profile__test_files_below_the_root__then_one_nameless_suite(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "src/app.py", "tests/deep/test_a.py")
    profile = implicit_profile(str(tmp_path))
    assert [(suite.name, suite.runner, suite.cwd) for suite in profile.suites] == [("", "pytest", ".")]
    assert [environment.name for environment in profile.environments] == ["local"]
    assert profile.source is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", ""),
        ("pyproject.toml", "[tool.pytest.ini_options]\n"),
        ("pyproject.toml", "[tool.pytest]\n"),
        ("tox.ini", "[pytest]\n"),
        ("setup.cfg", "[metadata]\n[tool:pytest]\n"),
    ],
)
def test_implicit_profile__configuration_at_the_root__then_one_suite_for_everything(
    tmp_path: Path, name: str, text: str
) -> None:
    write(tmp_path, "packages/a/pytest.ini", "packages/a/test_a.py")
    (tmp_path / name).write_text(text)
    assert suites(tmp_path) == [("", ".")]


def test_implicit_profile__several_configured_sub_projects__then_one_suite_each(tmp_path: Path) -> None:
    write(tmp_path, "packages/b/pytest.ini", "packages/a/pytest.ini", "packages/a/tests/pytest.ini", "README")
    assert suites(tmp_path) == [("packages/a", "packages/a"), ("packages/b", "packages/b")]


def test_implicit_profile__sub_project_and_tests_beside_it__then_the_root_without_it_too(
    tmp_path: Path,
) -> None:
    write(tmp_path, "tests/test_a.py", "examples/shop/pytest.ini", "examples/shop/test_b.py")
    assert suites(tmp_path) == [("", "."), ("examples/shop", "examples/shop")]
    assert implicit_profile(str(tmp_path)).suites[0].ignore == ("examples/shop",)


def test_implicit_profile__names_that_an_id_cannot_hold__then_made_usable_and_distinct(
    tmp_path: Path,
) -> None:
    write(tmp_path, "a:b/pytest.ini", "a@b/pytest.ini", "a b/pytest.ini")
    found = suites(tmp_path)
    assert {cwd for _, cwd in found} == {"a b", "a:b", "a@b"}
    assert sorted(name for name, _ in found) == ["a_b", "a_b-2", "a_b-3"]


@pytest.mark.parametrize("folder", [".git", ".venv", "venv", "node_modules", "my-env", "x.egg-info", ".tox"])
def test_implicit_profile__tests_only_where_nobody_looks__then_none(tmp_path: Path, folder: str) -> None:
    write(tmp_path, f"{folder}/test_a.py", f"{folder}/sub/pytest.ini")
    if folder == "my-env":
        write(tmp_path, "my-env/pyvenv.cfg")
    with pytest.raises(ProblemError):
        implicit_profile(str(tmp_path))


def test_implicit_profile__nothing_that_looks_like_tests__then_says_what_was_looked_for(
    tmp_path: Path,
) -> None:
    write(tmp_path, "src/app.py", "src/testing.py", "src/latest.py")
    with pytest.raises(ProblemError) as raised:
        implicit_profile(str(tmp_path))
    assert raised.value.first.code == "config.no_suites"
    assert "test_*.py" in raised.value.first.what
    assert "pytest.ini" in raised.value.first.what
    assert "[suite.NAME]" in raised.value.first.action
    assert raised.value.first.where == str(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "command"),
    [
        ("Makefile", "all:\n\ttrue\ncheck: all\n\t./run\n", '"make", "check"'),
        ("makefile", "check: test\ntest :\n\t./run\n", '"make", "test"'),
        ("package.json", '{"scripts": {"test": "ava"}}', '"npm", "test"'),
        ("Makefile", "test:=1\nattest:\n\t./run\n", ""),
        ("package.json", '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}', ""),
    ],
)
def test_implicit_profile__tests_of_another_tool__then_says_how_they_become_a_suite(
    tmp_path: Path, name: str, text: str, command: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ProblemError) as raised:
        implicit_profile(str(tmp_path))
    action = raised.value.first.action
    assert (f"`run = [{command}]`" in action) if command else action.startswith("give the path of a project")


def test_implicit_profile__a_loop_of_links__then_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "a/b.py")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    with pytest.raises(ProblemError):
        implicit_profile(str(tmp_path))


def test_implicit_profile__more_entries_than_are_looked_at__then_the_scan_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_ENTRIES <= 5000
    monkeypatch.setattr("tracekit.config.implicit.MAX_ENTRIES", 10)
    write(tmp_path, *(f"a/x{number}" for number in range(20)), "b/test_a.py")
    with pytest.raises(ProblemError):
        implicit_profile(str(tmp_path))


CASE = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): ...\n"
FUNCTION = "def test_a(): ...\n"


def interpreter(base: Path, *packages: str) -> dict[str, str]:
    """An environment whose interpreter has these packages."""
    site = base / "venv" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (base / "venv" / "pyvenv.cfg").write_text("home = /nowhere\ninclude-system-site-packages = false\n")
    python = base / "venv" / "bin" / "python"
    python.parent.mkdir()
    python.write_text("")
    python.chmod(0o755)
    for package in packages:
        (site / package).mkdir()
    return {"VIRTUAL_ENV": str(base / "venv"), "HOME": str(base)}


def files(base: Path, texts: dict[str, str]) -> Path:
    root = base / "project"
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("packages", "texts", "runner"),
    [
        ((), {"test_a.py": CASE}, "unittest"),
        ((), {"test_a.py": CASE, "test_b.py": "x = 1\n"}, "unittest"),
        (("pytest",), {"test_a.py": CASE}, "pytest"),
        ((), {"test_a.py": FUNCTION}, "pytest"),
        ((), {"test_a.py": CASE, "test_b.py": FUNCTION}, "pytest"),
        ((), {"test_a.py": CASE + "def test_suite():\n    return None\n"}, "unittest"),
        ((), {"test_a.py": CASE + "def test_suites_are_empty(): ...\n"}, "pytest"),
        ((), {"test_a.py": CASE, "test_b.py": "import pytest\n" + CASE}, "pytest"),
        (("pytest",), {"tests.py": CASE}, "unittest"),
    ],
)
def test_implicit_profile__style_of_the_tests_and_what_the_interpreter_has__then_whose_suite_it_is(
    tmp_path: Path, packages: tuple[str, ...], texts: dict[str, str], runner: str
) -> None:
    environ = interpreter(tmp_path, *packages)
    root = files(tmp_path, texts)
    (found,) = implicit_profile(str(root), environ).suites
    assert (found.name, found.runner, bool(found.why)) == ("", runner, runner == "unittest")


def test_implicit_profile__pytest_is_configured__then_it_is_pytests_whatever_the_interpreter_has(
    tmp_path: Path,
) -> None:
    root = files(tmp_path, {"test_a.py": CASE})
    (root / "pytest.ini").write_text("[pytest]\n")
    assert [suite.runner for suite in implicit_profile(str(root), interpreter(tmp_path)).suites] == ["pytest"]


def test_implicit_profile__interpreter_unknown__then_pytest_says_what_is_missing(tmp_path: Path) -> None:
    root = files(tmp_path, {"test_a.py": CASE})
    assert implicit_profile(str(root)).suites[0].runner == "pytest"


@pytest.mark.parametrize(
    ("texts", "paths"),
    [
        ({"test_a.py": CASE}, ()),
        ({"pkg/__init__.py": "", "pkg/sub/__init__.py": "", "pkg/sub/test_a.py": CASE}, ()),
        ({"tests/test_a.py": CASE}, ("tests",)),
        ({"src/pkg/__init__.py": "", "src/pkg/test_a.py": CASE, "tests/test_b.py": CASE}, ("src", "tests")),
        ({"test_a.py": CASE, "tests/test_b.py": CASE}, (".", "tests")),
    ],
)
def test_implicit_profile__unittests_in_packages_and_folders__then_every_place_unittest_must_begin_at(
    tmp_path: Path, texts: dict[str, str], paths: tuple[str, ...]
) -> None:
    (found,) = implicit_profile(str(files(tmp_path, texts)), interpreter(tmp_path)).suites
    assert (found.runner, found.paths) == ("unittest", paths)


def test_load__profile_without_suites__then_found_ones_and_its_environments(tmp_path: Path) -> None:
    environ, _ = places_of(tmp_path)
    write(tmp_path, "tests/test_a.py")
    (tmp_path / "tracekit.toml").write_text("[env.box]\nhost = 'b'\n")
    profile = load(str(tmp_path), environ=environ).profile
    assert [suite.name for suite in profile.suites] == [""]
    assert [environment.name for environment in profile.environments] == ["local", "box"]
    assert load(str(tmp_path), environ=environ, implicit=False).profile.suites == ()


def test_load__directory_that_does_not_exist__then_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="not a directory"):
        load(str(tmp_path / "nowhere"))


def rust(base: Path, *manifests: str, text: str = "#[test]\nfn one() {}\n") -> None:
    for name in manifests:
        (base / name / "src").mkdir(parents=True)
        (base / name / "Cargo.toml").write_text("[package]\n")
        (base / name / "src" / "lib.rs").write_text(text)


def runners(base: Path) -> list[tuple[str, str, str]]:
    return [(suite.name, suite.runner, suite.cwd) for suite in implicit_profile(str(base)).suites]


def test_implicit_profile__rust_alone__then_one_nameless_suite_of_the_workspace(tmp_path: Path) -> None:
    rust(tmp_path, ".", "member")
    assert runners(tmp_path) == [("", "cargo", ".")]


def test_implicit_profile__rust_beside_python__then_its_ids_stay_and_cargo_has_a_name(tmp_path: Path) -> None:
    write(tmp_path, "pytest.ini", "tests/test_a.py")
    rust(tmp_path, "native", "native/inner", "tests/fixtures/broken")
    assert runners(tmp_path) == [("", "pytest", "."), ("native", "cargo", "native")]
    rust(tmp_path, ".")
    assert runners(tmp_path) == [("", "pytest", "."), ("cargo", "cargo", ".")]


def test_implicit_profile__rust_without_tests__then_nothing_is_built_for_it(tmp_path: Path) -> None:
    write(tmp_path, "test_a.py")
    rust(tmp_path, "native", text="pub fn test() {}\n")
    assert runners(tmp_path) == [("", "pytest", ".")]


def test_find_root__inside_a_member__then_the_workspace(tmp_path: Path) -> None:
    rust(tmp_path, "work", "work/member")
    (tmp_path / "work" / "Cargo.toml").write_text("[workspace]\nmembers = ['member']\n")
    (tmp_path / ".git").mkdir()
    assert find_root(str(tmp_path / "work" / "member" / "src")) == str(tmp_path / "work")
    write(tmp_path, "work/member/pytest.ini")
    assert find_root(str(tmp_path / "work" / "member" / "src")) == str(tmp_path / "work" / "member")


def test_implicit_profile__go_module_beside_rust__then_a_suite_each(tmp_path: Path) -> None:
    write(tmp_path, "server/go.mod", "server/inner/a_test.go", "empty/go.mod", "empty/a.go")
    assert runners(tmp_path) == [("", "go", "server")]
    rust(tmp_path, "native")
    assert runners(tmp_path) == [("native", "cargo", "native"), ("server", "go", "server")]


@pytest.mark.parametrize(
    ("text", "runner"),
    [
        ('{"scripts": {"test": "vitest run"}, "devDependencies": {"jest": "*"}}', "vitest"),
        ('{"scripts": {"test": "NODE_ENV=test npx jest --ci"}}', "jest"),
        ('{"scripts": {"test": "npm run lint", "test:unit": "mocha -r x"}}', "mocha"),
        ('{"scripts": {"test": "node --enable-source-maps --test lib"}}', "node"),
        ('{"devDependencies": {"mocha": "^10"}}', "mocha"),
        ('{"scripts": {"test": "tap"}}', ""),
        ('{"scripts": ["test"], "devDependencies": 3}', ""),
        ("[" * 100_000, ""),
        ("not json", ""),
    ],
)
def test_implicit_profile__a_package_with_tests__then_what_its_own_script_calls(
    tmp_path: Path, text: str, runner: str
) -> None:
    write(tmp_path, "pytest.ini", "tests/test_a.py", "web/src/a.test.ts", "web/node_modules/x/a.test.js")
    (tmp_path / "web" / "package.json").write_text(text)
    assert runners(tmp_path)[1:] == ([("web", runner, "web")] if runner else [])


def test_implicit_profile__a_package_without_tests__then_no_suite_of_it(tmp_path: Path) -> None:
    write(tmp_path, "pytest.ini", "tests/test_a.py", "web/src/a.ts")
    (tmp_path / "web" / "package.json").write_text('{"devDependencies": {"jest": "*"}}')
    assert runners(tmp_path) == [("", "pytest", ".")]
