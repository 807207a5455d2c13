"""Suites without configuration: looks for what pytest would run, at the root or in each sub-project of a monorepo.

Looks at names, and at a few well-known files; never imports or runs anything of the project, and
stops after a few thousand entries.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from tracekit.config.profile import Environment, Profile, Suite
from tracekit.config.roots import MARKERS, has_section
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
LOOKED_FOR = "pytest configuration (pytest.ini, pyproject.toml, tox.ini, setup.cfg), test_*.py and *_test.py"


class _Place:
    """One directory of the scan: what speaks for tests in it."""

    __slots__ = ("configured", "path", "tests")

    def __init__(self, path: str, *, configured: bool, tests: bool) -> None:
        self.path, self.configured, self.tests = path, configured, tests


def implicit_profile(root: str) -> Profile:
    """The profile of a project without one. Raises ProblemError where nothing looks like tests."""
    places = list(_scan(root))
    suites = _suites(places)
    if not suites:
        raise ProblemError(
            Problem(
                "config.no_suites",
                f"no tests found: looked for {LOOKED_FOR}",
                root,
                "give the path of a project with tests, or write a tracekit.toml with [suite.NAME]",
            )
        )
    return Profile(None, root, suites=suites, environments=(Environment("local"),))


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


def _suite(path: str, taken: set[str]) -> Suite:
    """Named by its directory, as far as a scenario id can hold that."""
    name = base = re.sub(r"[^A-Za-z0-9._/-]", "_", path)
    number = 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return Suite(name, cwd=path)


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
        yield _Place(path, configured=configured, tests=tests)
        if depth < MAX_DEPTH:
            waiting += [
                (name if path == "." else f"{path}/{name}", depth + 1)
                for name in sorted(folders)
                if not name.startswith(".") and name not in _SKIPPED and not name.endswith(".egg-info")
            ]
