"""How a box is: what its agent says of the machine, how far its clock is from ours, and whether its services are well.

One connection, a handful of questions, nothing left behind but the agent itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from tracekit.agent.client import Client
from tracekit.agent.redact import Redactor
from tracekit.engine import services as asked_services
from tracekit.engine.services import Standing
from tracekit.link.pipes import Opener
from tracekit.link.session import Session, connect
from tracekit.wire.frames import FrameError
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.config.profile import Service

PINGS = 5
#: Below this a run fails for want of space sooner or later.
LITTLE = 1 << 30
#: A clock that is further off makes certificates, tokens and merged timelines wrong.
FAR_OFF = 1.0
_PATIENCE = 120.0


@dataclass(frozen=True)
class Health:
    """What was seen of one box."""

    facts: dict[str, Any]
    took: float
    round_trip: float
    #: How far its clock is ahead, in seconds, give or take half a round trip.
    offset: float
    problems: list[Problem] = field(default_factory=list)
    #: How the services are that the profile declares for this environment.
    services: tuple[Standing, ...] = ()

    @property
    def live(self) -> list[str]:
        """The runs that go on there."""
        runs = self.facts.get("runs")
        return [str(run.get("run")) for run in runs or () if run.get("state") == "live"]


class _Asking(NamedTuple):
    services: Sequence[Service]
    place: str
    redactor: Redactor


async def look(
    opener: Opener,
    where: str,
    services: Sequence[Service] = (),
    place: str = "",
    secrets: Mapping[str, str] | None = None,
) -> Health:
    """Look at one box, and have it ask its services; raises ProblemError when it cannot be reached.

    `place` is the project's folder there, where it is known between runs. What the services say is told without
    `secrets`; the box's own stay there.
    """
    asking = _Asking(services, place, Redactor(secrets or {}))
    began = time.monotonic()
    with anyio.move_on_after(_PATIENCE):
        try:
            async with connect(opener, "check") as session:
                return await _look(session, where, began, asking)
        except (FrameError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as fault:
            what = f"the box does not speak as an agent does: {fault}"
            action = "look at its shell's start-up files, and at what stands there in the agent's place"
            raise ProblemError(Problem("link.agent_gone", what, where, action)) from fault
    raise ProblemError(Problem("ssh.timeout", "the box does not answer in time", where, "try again"))


async def _look(session: Session, where: str, began: float, asking: _Asking) -> Health:
    services, place, redactor = asking
    questions, unasked = asked_services.questions(services, place)

    def ask(client: Client) -> None:
        client.ask(questions)

    answers: list[dict[str, Any]] | None = None
    asked = False
    facts: dict[str, Any] = {}
    seen: list[tuple[float, float]] = []
    took, sent = 0.0, 0
    async for event in session.events():
        if event["type"] == "hello":
            facts, took = event, time.monotonic() - began
            heard = facts.get("answers")
            if not (isinstance(heard, list) and "services" in heard):
                questions = []
        elif event["type"] == "pong":
            back = time.time_ns()
            trip = (back - sent) / 1e9
            theirs = event.get("clock", {}).get("t", sent)
            seen.append((trip, (theirs - (sent + back) / 2) / 1e9))
        elif event["type"] == "error":
            raise ProblemError([Problem.from_json(each) for each in event.get("problems", ())])
        elif event["type"] == "told":
            answers = event.get("services", [])
            break
        if asked:
            continue
        if len(seen) >= PINGS:
            if not questions:
                break
            # Behind the pings: what it costs there must not look like a slow line.
            asked = True
            await session.send(ask)
            continue
        sent = time.time_ns()
        await session.send(lambda client, now=sent: client.ping(now))  # type: ignore[misc]
    if not seen or (asked and answers is None):
        raise ProblemError(
            Problem("link.agent_gone", "the agent went away while it was asked", where, "try again")
        )
    trip, offset = min(seen)
    found = tuple(
        each._replace(why=redactor.text(each.why))
        for each in asked_services.standings(services, unasked, answers)
    )
    unwell = asked_services.problems(found, where, asked_services.homeless(services, place))
    problems = [*_problems(facts, trip, offset, where), *unwell]
    return Health(facts, took, trip, offset, problems, found)


def _problems(facts: dict[str, Any], trip: float, offset: float, where: str) -> list[Problem]:
    found = []
    disk = facts.get("disk")
    free = disk.get("free", 0) if isinstance(disk, dict) else 0
    if free < LITTLE:
        what = f"only {free >> 20} MiB are free where runs are kept"
        found.append(Problem("box.disk", what, where, "free space on the box"))
    if abs(offset) - trip / 2 > FAR_OFF:
        what = f"its clock is {offset:+.1f} s off"
        found.append(Problem("box.clock", what, where, "set the clock there, as by NTP"))
    return found
