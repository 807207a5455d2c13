"""What a box can be asked about the services of an environment, and what its answers mean, in words.

Pure: what the profile says in, questions and standings out. Nothing here starts or stops a service.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tracekit.config.profile import OF_A_RUN, Check
from tracekit.model.words import count
from tracekit.wire.problems import Problem

if TYPE_CHECKING:
    from tracekit.config.profile import Service

WELL, UNWELL, UNASKED = "well", "unwell", "unasked"
_AT_HOME = " (asked in ~: the project's files are on the box only while it runs there)"


class Standing(NamedTuple):
    """How one service is, and why where it is not well."""

    name: str
    state: str
    why: str = ""


def questions(
    services: Sequence[Service], place: str = "", *, running: bool = False
) -> tuple[list[dict[str, Any]], list[Standing]]:
    """What a box is to be asked, and which services cannot be asked, with the reason.

    `place` is the project's folder on the box, where it is known between runs: commands are started in there. A
    `running` project is where the run is.
    """
    asked: list[dict[str, Any]] = []
    unasked: list[Standing] = []
    for service in services:
        check = service.health or service.ready
        question = _question(check) if check is not None else None
        if check is None:
            unasked.append(Standing(service.name, UNASKED, "has neither `health` nor `ready`"))
        elif question is None:
            unasked.append(Standing(service.name, UNASKED, "only its output says when it is ready"))
        elif not place and not running and _of_the_project(question):
            why = "its command is the project's, which is on the box only while it runs there"
            unasked.append(Standing(service.name, UNASKED, why))
        elif _of_a_run(question):
            unasked.append(Standing(service.name, UNASKED, "its port or directory is each run's own"))
        else:
            there = {"at": place} if place and "command" in question else {}
            asked.append({"name": service.name, **question, **there})
    return asked, unasked


def expected(services: Sequence[Service]) -> list[dict[str, Any]]:
    """What a run asks before its suites, where it runs: for how long it may take, and how it would be started."""
    asked, _ = questions(services, running=True)
    known = {service.name: service for service in services}
    found = []
    for question in asked:
        service = known[str(question["name"])]
        within = service.ready.within if service.ready is not None else Check().within
        found.append({**question, "within": within, "start": shlex.join(service.start)})
    return found


def _question(check: Check) -> dict[str, Any] | None:
    if check.tcp is not None:
        return {"tcp": check.tcp}
    if check.http is not None:
        return {"http": check.http}
    return {"command": list(check.command)} if check.command else None


def _of_the_project(question: Mapping[str, Any]) -> bool:
    """Whether a command is a file that is found from the project's folder only."""
    first = str((question.get("command") or [""])[0])
    return "/" in first and not first.startswith(("/", "~"))


def _of_a_run(question: Mapping[str, Any]) -> bool:
    (value,) = question.values()
    words = [value] if isinstance(value, str) else value
    return any(hole in word for word in words for hole in OF_A_RUN)


def standings(
    services: Sequence[Service], unasked: Sequence[Standing], told: Sequence[Mapping[str, Any]] | None
) -> tuple[Standing, ...]:
    """How each service is, in the profile's order; without an answer none is known to be well."""
    found = {each.name: each for each in unasked}
    for each in told or ():
        name, said = each.get("name"), each.get("said")
        if isinstance(name, str) and isinstance(said, str):
            found.setdefault(name, Standing(name, UNWELL if said else WELL, said))
    missing = "the agent there is older and asks no services" if told is None else "the agent did not tell"
    return tuple(found.get(service.name, Standing(service.name, UNASKED, missing)) for service in services)


def homeless(services: Sequence[Service], place: str) -> frozenset[str]:
    """The services that are asked by a command, which has no project's folder to be started in."""
    asked, _ = questions(services, place)
    return frozenset(str(each["name"]) for each in asked if "command" in each and "at" not in each)


def problems(found: Sequence[Standing], box: str, strays: frozenset[str] = frozenset()) -> list[Problem]:
    """One for each service that is not well; of `strays` it is said where they were asked."""
    action = f"start it there, or look at what it says: `tracekit box shell {box}` opens a shell on the box"
    return [
        Problem(
            "box.service",
            f"service {each.name}: {each.why}{_AT_HOME if each.name in strays else ''}",
            box,
            action,
        )
        for each in found
        if each.state == UNWELL
    ]


def words(found: Sequence[Standing]) -> str:
    """All of them on a part of a line: how many are well, and which could not be asked."""
    well = sum(each.state == WELL for each in found)
    asked = sum(each.state != UNASKED for each in found)
    said = [f"services {well} of {asked} well"] if asked else []
    said += [f"{each.name} not asked: {each.why}" for each in found if each.state == UNASKED]
    return ", ".join(said)


def brief(found: Sequence[Standing]) -> str:
    """The same, shorter still."""
    asked = [each for each in found if each.state != UNASKED]
    said = [f"services {sum(each.state == WELL for each in asked)}/{len(asked)}"] if asked else []
    left = len(found) - len(asked)
    said += [count(left, "service") + " not asked"] if left else []
    return ", ".join(said)
