"""Which runner a JavaScript package has, and whether a directory holds tests for one: a look at names and package.json.

It parses one file and runs nothing: what a package's own `test` script calls is its runner, else what it installs.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from tracekit.config.roots import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Collection

_CALLED = re.compile(r"\b(vitest|jest|mocha)\b")
_NODE = re.compile(r"\bnode\b[^&|;]*\s--test\b")
_TESTS = re.compile(r".*[.\-_](?:test|spec)\.[cm]?[jt]sx?|(?:test|test-.*)\.[cm]?[jt]s")
_SOURCE = re.compile(r".*\.[cm]?[jt]sx?")
_FOLDERS = frozenset({"test", "tests", "__tests__", "spec"})
# As make itself looks for them.
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_TARGET = re.compile(r"^(tests?|check)\s*:(?!=)", re.MULTILINE)
_INSTALLED = ("vitest", "jest", "mocha")
_MAX_READ = 1 << 20


def has_tests(path: str, names: Collection[str]) -> bool:
    """Whether these names in a directory look like tests."""
    if any(_TESTS.fullmatch(name) for name in names):
        return True
    return not _FOLDERS.isdisjoint(path.split("/")) and any(_SOURCE.fullmatch(name) for name in names)


def runner_of(directory: str) -> str:
    """The runner of a package, or an empty text."""
    found = _read(os.path.join(directory, PACKAGE))
    scripts = found.get("scripts")
    called = scripts if isinstance(scripts, dict) else {}
    # `test` decides; another script says so only where that one is silent.
    for text in (called.get("test"), *(called[name] for name in called if str(name).startswith("test:"))):
        if isinstance(text, str):
            named = _CALLED.search(text)
            if named:
                return named.group(1)
            if _NODE.search(text):
                return "node"
    for table in ("devDependencies", "dependencies"):
        installed = found.get(table)
        for name in _INSTALLED:
            if isinstance(installed, dict) and name in installed:
                return name
    return ""


def test_command(directory: str) -> tuple[str, ...]:
    """What runs the tests of a project by its own words: a target of its Makefile, or npm's script; else nothing."""
    for name in _MAKEFILES:
        try:
            with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
                targets = set(_TARGET.findall(file.read(_MAX_READ)))
        except OSError:
            continue
        wanted = next((one for one in ("test", "tests", "check") if one in targets), "")
        if wanted:
            return ("make", wanted)
    called = _read(os.path.join(directory, PACKAGE)).get("scripts")
    text = called.get("test") if isinstance(called, dict) else None
    return ("npm", "test") if isinstance(text, str) and "no test specified" not in text else ()


def _read(path: str) -> dict[str, Any]:
    import json

    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = json.loads(file.read(_MAX_READ))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
