"""Opening a link as far as the agent's first word, and why it was not to be had."""

from __future__ import annotations

import anyio

from tracekit.link.session import connect
from tracekit.link.ssh import SshLink
from tracekit.wire.problems import Problem, ProblemError


async def greeted(link: SshLink, console: str = "test") -> str:
    """The kind of the agent's first word."""
    async with connect(link, console) as session:
        async for event in session.events():
            return str(event["type"])
    return ""


def refusal(link: SshLink) -> Problem | None:
    """Why there is no agent behind a link, always with what to do; None where there is one."""
    try:
        kind = anyio.run(greeted, link)
    except ProblemError as fault:
        found = fault.first
    else:
        if kind != "hello":
            raise AssertionError(f"the agent's first word is {kind!r}")
        return None
    if not found.action:
        raise AssertionError(f"{found.code} does not say what to do")
    return found
