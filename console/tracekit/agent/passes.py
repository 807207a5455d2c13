"""Which suite runs when, and whether one that has come to its end runs again: retries, and runs until a failure.

Pure: verdicts and the plan in, the next pass out. A pass adds attempts; it never takes one back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

from tracekit.wire.names import RED

#: The runner whose tests are built before they are found.
BUILT = "cargo"
#: How the reason of such a launch begins; what it was not asked for is not missing from it.
RETRY, PASS, ISOLATED = "retry", "pass", "isolated:"


class Pass(NamedTuple):
    """One more launch of a suite."""

    only: Optional[list[str]]
    reason: str


def in_order(suites: Iterable[dict[str, Any]], *, discovers: bool = False) -> list[dict[str, Any]]:
    """Suites as they are declared, but each behind those it needs; a circle, which no profile has, stays as it is.

    Who only asks what they hold asks those last that have to be built for it.
    """
    if discovers:
        return sorted(suites, key=lambda suite: suite.get("runner") == BUILT)
    left = list(suites)
    found: list[dict[str, Any]] = []
    while left:
        waiting = {str(suite.get("name", "")) for suite in left}
        ready = next((suite for suite in left if not waiting.intersection(suite.get("needs") or ())), left[0])
        left.remove(ready)
        found.append(ready)
    return found


def unmet(plan: Mapping[str, Any], suite: Mapping[str, Any], failed: Iterable[str]) -> str:
    """A suite that this one needs and that did not pass, or ""; one that is no part of the run asks for nothing."""
    if plan.get("mode") == "discover":
        return ""
    known = set(failed)
    return next((str(name) for name in suite.get("needs") or () if name in known), "")


def following(
    plan: Mapping[str, Any], only: Optional[list[str]], done: int, verdicts: Mapping[str, str]
) -> Optional[Pass]:
    """The pass behind `done` extra ones; `verdicts` are the last words on each scenario, in order."""
    red = [scenario for scenario, word in verdicts.items() if word in RED]
    until = natural(plan.get("until_failure"))
    if until > 1:
        watched = plan.get("watch")
        if isinstance(watched, list):
            red = [scenario for scenario in red if scenario in watched]
        if red or done + 1 >= until or not verdicts:
            return None
        return Pass(only, f"{PASS} {done + 2} of {until}")
    retries = natural(plan.get("retries"))
    if not red or done >= retries:
        return None
    return Pass(red, f"{RETRY} {done + 1} of {retries}")


def partial(reason: str) -> bool:
    """Whether a launch was asked for less than its suite."""
    return reason.startswith(("resume", RETRY, ISOLATED))


def natural(found: Any) -> int:
    """A count of a plan, which may come from another version."""
    return found if type(found) is int and found > 0 else 0
