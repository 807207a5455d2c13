"""One connection to one agent: bytes in and out of the pipes, protocol events to whoever holds the session.

The protocol itself is sans-I/O and the agent's; this is only its pump. A session ends when the pipes end, and says
so by returning: whether that is bad is for the engine to decide.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio

from tracekit._native import crc32
from tracekit.agent.client import Client
from tracekit.link.pipes import Opener, Pipes
from tracekit.wire.names import PROTOCOL_MAJOR, PROTOCOL_MINOR
from tracekit.wire.problems import Problem, ProblemError

Event = dict[str, Any]


class Session:
    """A connected agent; use it as `async with connect(opener, console) as session`."""

    def __init__(self, pipes: Pipes, client: Client) -> None:
        self.client = client
        self._pipes = pipes
        self._write_lock = anyio.Lock()

    async def send(self, say: Callable[[Client], None]) -> None:
        """Let `say` put messages into the protocol, and write what comes of it; raises anyio's stream errors."""
        async with self._write_lock:
            say(self.client)
            await self._flush()

    async def events(self) -> AsyncIterator[Event]:
        """Every event of the agent until its pipe ends; raises FrameError on bytes that are not the protocol.

        An agent that speaks another major version ends it with a ProblemError.
        """
        while pieces := await self._pipes.receive():
            for event in self.client.receive(*pieces):
                if event["type"] == "hello":
                    _check_version(event)
                yield event
            if not self.client.pending:
                continue
            # Acknowledgements that the protocol made by itself.
            async with self._write_lock:
                with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    await self._flush()

    async def _flush(self) -> None:
        data = self.client.take()
        if data:
            await self._pipes.send(data)


def _check_version(hello: Event) -> None:
    """An agent of another version is there only while it has runs: else it makes room for ours."""
    theirs = hello.get("major")
    if theirs == PROTOCOL_MAJOR:
        return
    newer = type(theirs) is int and theirs > PROTOCOL_MAJOR
    said = f"{theirs}.{hello.get('minor')}"[:40]
    what = f"the agent there speaks protocol {said}, and this console {PROTOCOL_MAJOR}.{PROTOCOL_MINOR}"
    action = (
        "update tracekit here; until then its runs are for the console that began them"
        if newer
        else "wait until the runs of its older console have ended, or cancel them there"
    )
    raise ProblemError(Problem("box.other_version", what, str(hello.get("host") or ""), action))


@contextlib.asynccontextmanager
async def connect(
    opener: Opener, console: str, copier: str = "", early: Callable[[Client], None] = lambda _: None
) -> AsyncIterator[Session]:
    """Open a session and close its pipes at the end; the agent and its runs go on.

    `early` says what need not wait for the agent's first word; no secret goes that way.
    """
    client = Client(console, copier, crc32, views=True)
    early(client)
    pipes = await opener.open(client.take())
    try:
        yield Session(pipes, client)
    finally:
        with anyio.CancelScope(shield=True):
            await pipes.close()
