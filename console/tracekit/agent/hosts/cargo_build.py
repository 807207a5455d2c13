"""Asks cargo: what the workspace holds, and to build its tests. The compiler's words go on to standard error, live.

Where not all of it compiles, what does is built all the same, and of the rest it is told why it is not there.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from tracekit.agent.hosts.cargo_partly import ERRORS, Missing, Rest
from tracekit.agent.hosts.cargo_reader import Reader, Target, run
from tracekit.agent.hosts.cargo_words import Words


@dataclass
class BuildError(Exception):
    """cargo did not do what it was asked; `text` is the compiler's own, where it spoke."""

    code: str
    what: str
    remedy: str
    command: Sequence[str]
    exit: Optional[int] = None
    text: str = ""


@dataclass
class Built:
    """What came out of a build."""

    targets: list[Target] = field(default_factory=list)
    workspace: str = ""
    directory: str = ""
    missing: list[Missing] = field(default_factory=list)
    #: The packages whose documentation tests can be built, where that is not true of all; as cargo is told of them.
    documented: Optional[list[str]] = None
    #: The packages, by their ids, of which not everything compiles.
    partial: set[str] = field(default_factory=set)
    exit: int = 0


def build(cargo: str, cwd: str, words: Words) -> Built:
    """Build the tests of a workspace, or what of them can be built. Raises BuildError where nothing can."""
    about = _metadata(cargo, cwd, words)
    built = Built(workspace=str(about["workspace_root"]), directory=str(about["target_directory"]))
    reader = Reader({str(package["id"]): package for package in about["packages"]})
    command = [cargo, *words.building(), "--message-format", "json"]
    built.exit = run(command, cwd, reader)
    if not any(target.get("doctest") for package in about["packages"] for target in package["targets"]):
        built.documented = []  # to ask would take cargo a while
    if built.exit:
        if reader.finished:
            _partly(Rest(cargo, cwd, words, about, reader), built)
        elif words.documentation_only:
            built.exit = 0  # there may be no library to build: what lists the tests says so
        if built.exit and not (reader.programs or built.documented):
            raise _failed(reader, command, built.exit)
    built.targets = sorted(reader.targets(cargo, built.directory), key=_order)
    return built


def _failed(reader: Reader, command: Sequence[str], status: int) -> BuildError:
    text = reader.errors[:ERRORS]
    code, what = "cargo.build_failed", "the tests do not compile"
    alone = shlex.join(["cargo", *command[1:]]).removesuffix(" --message-format json")
    remedy = f"mend what the compiler names; `{alone}` shows it alone"
    if not text:
        code, what, remedy = "cargo.failed", "cargo did not build the tests", "see what cargo says"
    return BuildError(code, what, remedy, command, status, text)


def _partly(rest: Rest, built: Built) -> None:
    """Build what can be built; one that did not come as far as compiling has no such part."""
    rest.build()
    built.missing = rest.missing()
    built.documented = rest.documented()
    built.partial = rest.partial()


def _order(target: Target) -> tuple[str, int, str]:
    """As `cargo test` runs them: packages by name, in each its library, its programs, and then the others."""
    rank = {"bin": 1, "example": 2, "test": 3, "bench": 4}.get(target.kind, 0)
    return str(target.package["name"]), rank, target.name


def _metadata(cargo: str, cwd: str, words: Words) -> dict[str, Any]:
    passed = words.passed("--manifest-path", "--locked", "--offline", "--frozen", "--config")
    command = [cargo, "metadata", "--format-version", "1", "--no-deps", *passed]
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        remedy = "mend what cargo names in Cargo.toml or in its own configuration"
        raise BuildError("cargo.failed", "cargo cannot read the workspace", remedy, command, done.returncode)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
