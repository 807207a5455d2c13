"""The adapter of vitest, jest, mocha and node:test: finds node and the project's own tool, and starts their host."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from tracekit.agent.runners.hosted import HostedAdapter, beside
from tracekit.agent.runners.programs import find
from tracekit.wire.problems import Problem, ProblemError


class ScriptAdapter(HostedAdapter):
    """JavaScript tests, through a reporter of ours."""

    def __init__(self, name: str) -> None:
        self.name = name

    def more(self, suite: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
        """Where node and the tool are."""
        node = find("node", environ)
        if self.name == "node":
            return {"node": node, "program": "", "version": _version_of(node)}
        return {"node": node, **_package(self.name, str(suite["cwd"]))}

    def environ(
        self, suite: Mapping[str, Any], environ: Mapping[str, str], found: Mapping[str, Any]
    ) -> dict[str, str]:
        """What tests start finds the same node."""
        return beside(str(found["node"]), environ)


def _package(name: str, cwd: str) -> dict[str, str]:
    """The tool as node would find it from there. Raises ProblemError where it is not installed."""
    here = os.path.abspath(cwd)
    while True:
        folder = os.path.join(here, "node_modules", name)
        try:
            with open(os.path.join(folder, "package.json"), encoding="utf-8") as file:
                told = json.load(file)
            programs = told.get("bin")
            program = programs.get(name) if isinstance(programs, dict) else programs
            if isinstance(program, str):
                place = os.path.normpath(os.path.join(folder, program))
                return {"program": place, "version": str(told.get("version", ""))}
        except (OSError, ValueError, AttributeError):
            pass
        above = os.path.dirname(here)
        if above == here:
            break
        here = above
    locked = os.path.exists(os.path.join(cwd, "package-lock.json"))
    action = f"install what the project names: `npm {'ci' if locked else 'install'}` in {cwd}"
    what = f"unavailable: {name} was not found"
    raise ProblemError(Problem("runner.unavailable", what, f"node_modules at and above {cwd}", action))


def _version_of(node: str) -> str:
    """The version of a node, where its own files beside it tell it; nothing is started for that."""
    header = os.path.join(
        os.path.dirname(os.path.dirname(os.path.realpath(node))), "include", "node", "node_version.h"
    )
    try:
        with open(header, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return ""
    numbers = [
        line.split()[2]
        for word in ("MAJOR", "MINOR", "PATCH")
        for line in text.splitlines()
        if line.startswith(f"#define NODE_{word}_VERSION ")
    ]
    return ".".join(numbers)
