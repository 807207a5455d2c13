"""Scenarios with a process of their own: which of a suite still wait for one, and what such a launch is asked for.

The probe says which scenarios it put aside and by which of the suite's patterns; everything here follows from that.
It is pure, and it starts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tracekit.agent.passes import ISOLATED, Pass
from tracekit.agent.progress import Facts
from tracekit.wire.names import E


def patterns(suite: Mapping[str, Any]) -> list[str]:
    """What a suite wants isolated; a plan of another version may hold anything."""
    found = suite.get("isolate")
    return [str(pattern) for pattern in found] if isinstance(found, list) else []


def waiting(launches: Iterable[Facts], done: int) -> list[str]:
    """What these launches of one pass put aside, in order, without the first ones that have had their process."""
    names: dict[str, None] = {}
    for facts in launches:
        names.update(dict.fromkeys(facts.aside))
    return list(names)[done:]


def alone(scenario: str) -> Pass:
    """The launch of one isolated scenario."""
    return Pass([scenario], f"{ISOLATED} {scenario}")


def without(suite: Mapping[str, Any]) -> dict[str, Any]:
    """The suite as such a launch sees it: nothing to put aside, and one process."""
    args = one_process([str(word) for word in suite.get("args") or ()])
    return {**suite, "isolate": [], "at_once": 0, "args": args}


def one_process(args: Sequence[str]) -> list[str]:
    """A runner's own arguments without spreading over workers."""
    spread = any(
        argument.startswith(("-n", "--numprocesses", "--dist", "--tx")) and not argument.startswith("--no")
        for argument in args
    )
    return [*args, "-n", "0"] if spread else list(args)


def unused(plan: Mapping[str, Any], suites: Iterable[Mapping[str, Any]], used: Iterable[str]) -> list[str]:
    """Patterns that fitted nothing although everything they may mean was collected."""
    known = set(used)
    asked = plan.get("isolate")
    found = dict.fromkeys(str(pattern) for pattern in asked) if isinstance(asked, list) else {}
    for suite in suites:
        if suite.get("only") is None:
            found.update(dict.fromkeys(patterns(suite)))
    return [pattern for pattern in found if pattern not in known]


def nothing_fits(pattern: str) -> dict[str, Any]:
    """The line that says so."""
    return {
        "e": E.WARNING,
        "category": "isolate",
        "message": f"nothing was isolated: no scenario that ran is {pattern}",
        "action": "`tracekit list` shows the ids; `*` and `?` stand for other characters",
    }
