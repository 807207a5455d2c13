"""What cargo-nextest knows of a workspace: which tests it lists, and which of them its filters let through.

It is asked where the project has a default filter of nextest's, or where a filter in its language was given. It lists;
the tests are run by us.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tracekit.agent.hosts.cargo_build import BuildError, Built
from tracekit.agent.hosts.cargo_list import Listed
from tracekit.agent.hosts.cargo_words import Words, spec_of
from tracekit.agent.hosts.request import Request
from tracekit.agent.hosts.telling import Teller
from tracekit.wire.names import E

_CONFIG = os.path.join(".config", "nextest.toml")
_DEFAULT = re.compile(r"^[ \t]*default-filter[ \t]*=", re.MULTILINE)
_INSTALL = "`cargo install cargo-nextest --locked` installs it, or remove the filter"
_TEXT = 8192


def configured(workspace: str) -> bool:
    """Whether the project has a default filter of nextest's."""
    try:
        with open(os.path.join(workspace, _CONFIG), encoding="utf-8", errors="replace") as file:
            return _DEFAULT.search(file.read(1 << 20)) is not None
    except OSError:
        return False


def decided(request: Request, words: Words, built: Built, cargo: str, told: Teller) -> dict[str, Listed]:
    """What nextest lists, where it is this project's runner or was given a filter; else nothing. Raises BuildError."""
    program, asked = str(request.more.get("nextest") or ""), bool(words.filtersets)
    if not built.targets or not (asked or configured(built.workspace)):
        return {}

    def warn(message: str) -> None:
        told.line(E.WARNING, message=message, category="cargo", file=".config/nextest.toml")

    try:
        if program or asked:
            return _told(listed(program, request.cwd, words, built, cargo), built, warn, asked=asked)
        why = "cargo-nextest was not found"
    except BuildError as fault:
        if asked:
            raise
        why = f"{fault.what}: {_last(fault.text)}"
    warn(f"the default filter in .config/nextest.toml is not applied: {why}")
    return {}


def _told(
    known: dict[str, Listed], built: Built, warn: Callable[[str], None], *, asked: bool
) -> dict[str, Listed]:
    """Say which programs nextest could not list: their packages do not compile as a whole."""
    left = [target for target in built.targets if target.program not in known]
    names = ", ".join(dict.fromkeys(str(target.package["name"]) for target in left))
    if not left:
        return known
    what = "its tests are left out" if asked else "the default filter is not applied to it"
    warn(f"{names}: nextest lists no package of which a part does not compile, so {what}")
    return {**known, **{target.program: Listed() for target in left}} if asked else known


def listed(program: str, cwd: str, words: Words, built: Built, cargo: str) -> dict[str, Listed]:
    """The tests that nextest would run, by their program; ignored ones are told apart. Raises BuildError.

    It builds for itself, and gives up where anything does not compile: it is asked for the packages that do.
    """
    targets = [target for target in built.targets if str(target.package["id"]) not in built.partial]
    if built.missing:
        if not targets:
            return {}
        specs = list(dict.fromkeys(spec_of(target.package) for target in targets))
        words = replace(words, cargo=(*words.without_packages(), *(w for one in specs for w in ("-p", one))))
    command = [program, "nextest", "list", "--message-format", "json", "--run-ignored", "all"]
    command += [*_cargo_words(words.cargo), *(part for one in words.filtersets for part in ("-E", one))]
    if not program:
        path = f"PATH={os.environ.get('PATH', '')}\n"
        what = "unavailable: cargo-nextest was not found, and a filter of its language was given"
        raise BuildError("runner.unavailable", what, _INSTALL, ["cargo", *command[1:]], None, path)
    environ = {**os.environ, "CARGO": cargo, "CARGO_TERM_COLOR": "never"}
    done = subprocess.run(
        command, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    text = done.stderr.decode("utf-8", "replace")
    try:
        told = json.loads(done.stdout) if not done.returncode else None
    except ValueError:
        told = None
    if not isinstance(told, dict):
        remedy = "see what nextest says of the filter, or of a program that it cannot list"
        what = "cargo-nextest did not list the tests"
        raise BuildError("cargo.nextest_failed", what, remedy, command, done.returncode, text[-_TEXT:])
    found = {str(suite.get("binary-path")): suite for suite in told["rust-suites"].values()}
    return {target.program: _tests(found.get(target.program) or {}) for target in targets}


def _tests(suite: Mapping[str, Any]) -> Listed:
    cases: Mapping[str, Mapping[str, Any]] = suite.get("testcases") or {}
    through = {
        name: case
        for name, case in cases.items()
        if case.get("kind", "test") == "test" and case.get("filter-match", {}).get("status") == "matches"
    }
    return Listed(tuple(through), frozenset(name for name, case in through.items() if case.get("ignored")))


def _cargo_words(words: Sequence[str]) -> list[str]:
    """Cargo's own arguments as nextest calls them: what is a profile there is another thing to it."""
    found: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        found.append(f"--cargo-profile{equals}{value}" if name == "--profile" else word)
    return found


def _last(text: str) -> str:
    """The line in which a program says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if line.startswith("error")), lines[-1] if lines else "")
