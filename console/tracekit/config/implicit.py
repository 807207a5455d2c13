"""Suites without configuration: looks for what pytest would run, at the root or in each sub-project of a monorepo.

Tests written for unittest whose interpreter has no pytest are unittest's; Rust workspaces, Go modules and JavaScript
packages with tests are suites beside the others. Looks at names, and at the text of a few
files; never imports or runs anything of the project, and stops after a few thousand entries.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from tracekit.config import rust, scripts
from tracekit.config.profile import Environment, Profile, Suite
from tracekit.config.roots import CARGO, GO, MARKERS, PACKAGE, has_section
from tracekit.config.unittests import Style, start_directories, style_of
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_ENTRIES = 4000
MAX_DEPTH = 6
_SKIPPED = frozenset(
    {
        "node_modules",
        "__pycache__",
        "site-packages",
        "venv",
        "env",
        "build",
        "dist",
        "target",
        "vendor",
        "third_party",
    }
)
_TEST_FILE = re.compile(r"test_.*\.py|.*_test\.py")
_UNITTEST_FILE = re.compile(r"test.*\.py")
LOOKED_FOR = (
    "pytest configuration (pytest.ini, pyproject.toml, tox.ini, setup.cfg), test_*.py and *_test.py, "
    "test*.py that uses unittest, Cargo.toml, go.mod, and package.json that names vitest, jest, mocha or "
    "node --test"
)


class _Place:
    """One directory of the scan: what speaks for tests in it."""

    __slots__ = (
        "cargo",
        "cases",
        "configured",
        "go",
        "go_tests",
        "node",
        "node_tests",
        "package",
        "path",
        "tests",
    )

    def __init__(
        self,
        path: str,
        *,
        configured: bool,
        tests: bool,
        cases: tuple[str, ...],
        package: bool,
        present: set[str],
    ) -> None:
        self.path, self.configured, self.tests = path, configured, tests
        # Files that unittest would load, and whether this directory is a package.
        self.cases, self.package = cases, package
        # Whether a manifest of cargo or a module of Go is in it, and whether it holds tests of Go.
        self.cargo, self.go = CARGO in present, GO in present
        self.go_tests = any(name.endswith("_test.go") for name in present)
        self.node, self.node_tests = PACKAGE in present, scripts.has_tests(path, present)


def implicit_profile(root: str, environ: Mapping[str, str] | None = None) -> Profile:
    """The profile of a project without one. Raises ProblemError where nothing looks like tests.

    `environ` is what an interpreter is found by; without it nobody asks whether that has pytest.
    """
    places = list(_scan(root))
    suites = _suites(places) or _unittest(root, places, None)
    if len(suites) == 1 and not any(place.configured for place in places):
        suites = _unittest(root, places, environ) or suites
    suites += _others(root, places, {suite.name for suite in suites})
    if not suites:
        raise ProblemError(
            Problem(
                "config.no_suites",
                f"no tests found: looked for {LOOKED_FOR}",
                root,
                _elsewhere(root)
                or "give the path of a project with tests, or write a tracekit.toml with [suite.NAME]",
            )
        )
    return Profile(None, root, suites=suites, environments=(Environment("local"),))


def _elsewhere(root: str) -> str:
    """What to do where tests are run by another tool, as the project's own words for it say; else empty."""
    found = scripts.test_command(root)
    if not found:
        return ""
    run = ", ".join(f'"{word}"' for word in found)
    suite = f'`[suite.{found[0]}]`, `runner = "command"` and `run = [{run}]`'
    return f"`{' '.join(found)}` can be a suite: write a tracekit.toml with {suite}, and `report` if it writes one"


def _suites(places: list[_Place]) -> tuple[Suite, ...]:
    """The root's own suite, when it is configured or alone; else one for each sub-project with a configuration."""
    if not places:
        return ()
    root, below = places[0], [place for place in places[1:] if place.configured]
    tops = [place for place in below if not any(_inside(place.path, other.path) for other in below)]
    if root.configured or not tops:
        found = root.configured or any(place.tests for place in places)
        return (Suite(""),) if found else ()
    suites: list[Suite] = []
    for place in tops:
        suites.append(_suite(place.path, {suite.name for suite in suites}))
    # Tests that lie beside the sub-projects belong to the root.
    if any(place.tests and not any(_within(place.path, top.path) for top in tops) for place in places):
        return (Suite("", ignore=tuple(suite.cwd for suite in suites)), *suites)
    return tuple(suites)


def _unittest(root: str, places: list[_Place], environ: Mapping[str, str] | None) -> tuple[Suite, ...]:
    """The suite of a project whose tests are unittest's, or nothing."""
    files = [os.path.join(place.path, name) for place in places for name in place.cases]
    style = style_of(root, files)
    if style is not Style.UNITTEST:
        return ()
    if not any(place.tests for place in places):
        why = "no file has a name that pytest looks for"
    elif environ is not None and (python := _without_pytest(root, environ)):
        why = f"its tests use unittest, and {python} has no pytest"
    else:
        return ()
    paths = start_directories(
        [place.path for place in places if place.cases], {place.path for place in places if place.package}
    )
    return (Suite("", runner="unittest", paths=() if paths == ["."] else tuple(paths), why=why),)


def _without_pytest(root: str, environ: Mapping[str, str]) -> str:
    """The interpreter of the tests, where it certainly has no pytest; else empty."""
    from tracekit.agent.runners import interpreter

    try:
        python = interpreter.find(None, root, root, environ).path
    except ProblemError:
        return ""
    return "" if interpreter.may_have("pytest", python, environ) else python


def _others(root: str, places: list[_Place], taken: set[str]) -> tuple[Suite, ...]:
    """A suite for each Rust workspace, Go module and JavaScript package with tests; an only suite needs no name."""
    own = [place for place in places if not rust.made_for_tests(place.path)]
    crates = _tops(place.path for place in own if place.cargo)
    found = [("cargo", path) for path in crates if rust.has_tests(os.path.join(root, path))]
    modules = _tops(place.path for place in own if place.go)
    tested = [place.path for place in own if place.go_tests]
    found += [("go", path) for path in modules if any(one == path or _below(one, path) for one in tested)]
    read = ((place.path, scripts.runner_of(os.path.join(root, place.path))) for place in own if place.node)
    packages = {path: runner for path, runner in read if runner}
    scripted = [place.path for place in own if place.node_tests]
    found += [
        (packages[path], path)
        for path in _tops(packages)
        if any(one == path or _below(one, path) for one in scripted)
    ]
    if not taken and len(found) == 1:
        return (Suite("", runner=found[0][0], cwd=found[0][1]),)
    suites: list[Suite] = []
    for runner, path in found:
        suites.append(_suite(path, taken, runner)._replace(optional=True))
        taken = {*taken, suites[-1].name}
    return tuple(suites)


def _tops(paths: Iterable[str]) -> list[str]:
    """Those of these directories that are in no other of them."""
    found = list(paths)
    return [path for path in found if not any(path != other and _below(path, other) for other in found)]


def _below(path: str, other: str) -> bool:
    return other == "." or _within(path, other)


def _suite(path: str, taken: set[str], runner: str = "pytest") -> Suite:
    """Named by its directory, as far as a scenario id can hold that; at the root, by its runner."""
    name = base = runner if path == "." else re.sub(r"[^A-Za-z0-9._/-]", "_", path)
    number = 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return Suite(name, runner=runner, cwd=path)


def _inside(path: str, other: str) -> bool:
    return path != other and path.startswith(other + "/")


def _within(path: str, other: str) -> bool:
    return path == other or path.startswith(other + "/")


def _scan(root: str) -> Iterator[_Place]:
    """Directories from the root down, breadth first, in the order of their names; the root is "."."""
    budget = MAX_ENTRIES
    waiting = [(".", 0)]
    while waiting and budget > 0:
        path, depth = waiting.pop(0)
        directory = os.path.join(root, path)
        names: list[str] = []
        folders: list[str] = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    budget -= 1
                    if budget <= 0:
                        break
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    else:
                        names.append(entry.name)
        except OSError:
            continue
        if "pyvenv.cfg" in names:
            continue
        present = set(names)
        configured = any(
            name in present and has_section(os.path.join(directory, name), section)
            for name, section in MARKERS
        )
        tests = any(_TEST_FILE.fullmatch(name) for name in names)
        cases = tuple(sorted(name for name in names if _UNITTEST_FILE.fullmatch(name)))
        package = "__init__.py" in present
        yield _Place(path, configured=configured, tests=tests, cases=cases, package=package, present=present)
        if depth < MAX_DEPTH:
            waiting += [
                (name if path == "." else f"{path}/{name}", depth + 1)
                for name in sorted(folders)
                if not name.startswith(".") and name not in _SKIPPED and not name.endswith(".egg-info")
            ]
