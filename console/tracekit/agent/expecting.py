"""Waits, on the machine where a run is, until the services that its tests need are well; a program of its own.

Each is asked again and again for as long as it may take. What is heard goes into the journal as it comes, and is said
for people on the standard streams. It starts and stops no service.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tracekit.agent import asking
from tracekit.agent.hosts.telling import Teller
from tracekit.agent.system import System
from tracekit.wire.names import E

#: The suite that stands for it: no profile can call one so, since a name of theirs has no colon.
NAME = ":services"
_AGAIN = 0.25


def step(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a run does before its suites, as a suite of a runner of its own; nothing where there is nothing to ask."""
    found = asking.checks_of(plan.get("services"))
    if not found or plan.get("mode") == "discover":
        return []
    return [{"name": NAME, "runner": "services", "cwd": str(plan.get("root", "")), "services": found}]


def main(words: Sequence[str]) -> int:
    """Wait for the services of one request; gives 1 where one was not well in time."""
    with open(words[0], encoding="ascii") as file:
        request = json.load(file)
    return wait(request["services"], Teller(System(), str(request["spool"]), "services"))


def wait(services: Sequence[dict[str, Any]], teller: Teller) -> int:
    """Ask until all are well, or the time of those that are not is over."""
    began = time.monotonic()
    left = {str(each["name"]): each for each in services}
    said: dict[str, str] = {}
    unwell = 0
    while left:
        # The last question has as much time for its answer as the first: cut short it would only say that it was.
        answers = asking.ask(list(left.values()))
        after = round(time.monotonic() - began, 3)
        for answer in answers:
            name, why = str(answer["name"]), str(answer["said"])
            if not why:
                del left[name]
                teller.line(E.SERVICE_READY, service=name, after=after)
                _say(f"service {name} is well")
            elif after >= _within(left[name]):
                del left[name]
                unwell += 1
                teller.line(E.SERVICE_UNHEALTHY, service=name, after=after, why=why)
                sys.stderr.write(f"service {name} is not well after {after:g} s: {why}\n")
            elif said.get(name) != why:
                if name not in said:
                    # Whoever looks on sees no test begin, and wants to know why.
                    told = f"waits for service {name}: {why}"
                    teller.line(E.PHASE_STARTED, phase="service", id=name, why=why, message=told)
                said[name] = why
                _say(f"waiting for service {name}: {why}")
        if left:
            time.sleep(_AGAIN)  # whoever starts up does not say when it is done
    return 1 if unwell else 0


def _within(service: Mapping[str, Any]) -> float:
    told = service.get("within")
    return float(told) if isinstance(told, (int, float)) else 0.0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
