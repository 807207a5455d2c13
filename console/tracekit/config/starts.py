"""What a look for scenarios starts of a project's own code, said before any of it runs: files are read, nothing else.

A person decides by it whether to trust a project, so each runner says what it really does to find names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tracekit.config.implicit import implicit_profile
from tracekit.config.loader import load
from tracekit.config.profile import Suite

_SCRIPTS = "loads its configuration and the test files"
_DOES = {
    "pytest": "imports conftest.py, plugins and the test code",
    "unittest": "imports the test code",
    "cargo": "builds crates: their build scripts and macros run",
    "go": "builds the tests, and asks them for their names",
    "vitest": _SCRIPTS,
    "jest": _SCRIPTS,
    "mocha": _SCRIPTS,
    "node": "loads the test files",
}


def starts(root: str, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each runner, or a command's suite, with what it does; raises ProblemError where nothing looks like tests."""
    profile = load(root, environ=environ, implicit=False).profile
    # Without variables no interpreter is asked for anything: it may well be the project's own.
    suites = profile.suites or implicit_profile(profile.root, None).suites
    told: dict[str, str] = {}
    for suite in suites:
        if suite.runner == "command":
            told[suite.name] = _command(suite)
        else:
            told[suite.runner] = _DOES.get(suite.runner, "starts the runner")
    return list(told.items())


def _command(suite: Suite) -> str:
    if suite.list:
        return f"starts {_words(suite.list)}"
    return f"nothing before a run, which starts {_words(suite.run)}"


def _words(command: Sequence[str]) -> str:
    return " ".join(command)
