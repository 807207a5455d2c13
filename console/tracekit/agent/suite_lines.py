"""The lines that the agent writes about a whole suite: it could not be started, or another one keeps it from running.

Pure: a suite of the plan and a reason in, a line out. It never turns such a fault into failed tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracekit.agent.expecting import NAME as SERVICES
from tracekit.wire.names import E
from tracekit.wire.problems import Problem

UNAVAILABLE = "unavailable"
#: The problem of a suite whose tool is not there.
NO_TOOL = "runner.unavailable"
_FAILS = frozenset({E.RUNNER_FAILED_TO_START, E.SUITE_FAILED, E.DISCOVER_FAILED})


def fails(line: Mapping[str, Any]) -> bool:
    """Whether a line says that its suite did not pass, whatever its tests did."""
    return line.get("e") in _FAILS


def not_started(suite: Mapping[str, Any], problem: Problem, command: list[str]) -> dict[str, Any]:
    """Its runner could not be started."""
    return {
        "e": E.RUNNER_FAILED_TO_START,
        "suite": suite.get("name", ""),
        "command": command,
        "exit": None,
        "signal": None,
        "stderr": problem.where,
        "why": problem.what,
        "remedy": problem.action,
        "code": problem.code,
    }


def left_out(suite: Mapping[str, Any], problem: Problem) -> dict[str, Any]:
    """Nobody asked for it by name, and what runs it is not on this machine."""
    return {
        "e": E.WARNING,
        "suite": suite.get("name", ""),
        "category": UNAVAILABLE,
        "message": f"{suite.get('name', '')} is left out, {problem.what}",
        "file": "",
        "line": 0,
        "remedy": problem.action,
    }


def blocked(suite: Mapping[str, Any], need: str) -> dict[str, Any]:
    """A suite that it needs did not pass, so it was not begun."""
    if need == SERVICES:
        message, remedy = "not run: a service that it needs is not well", "start the service, then run again"
    else:
        message, remedy = f"not run: it needs {need}, which did not pass", f"mend {need} first, then run both"
    return {
        "e": E.SUITE_FAILED,
        "suite": suite.get("name", ""),
        "exit": None,
        "message": message,
        "detail": "",
        "remedy": remedy,
        "code": "suite.blocked",
    }
