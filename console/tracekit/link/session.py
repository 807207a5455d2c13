"""One connection to one agent: bytes in and out of the pipes, protocol events to whoever holds the session.

The protocol itself is sans-I/O and the agent's; this is only its pump. A session ends when the pipes end, and says
so by returning: whether that is bad is for the engine to decide.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import anyio
import anyio.lowlevel

from tracekit._native import crc32
from tracekit.agent.client import Client
from tracekit.link.pipes import Opener, Pipes
from tracekit.wire.names import PROTOCOL_MAJOR, PROTOCOL_MINOR
from tracekit.wire.problems import Problem, ProblemError

Event = dict[str, Any]

# Decoded without a pause: a box may send frames of a byte each, and nobody else runs meanwhile.
_PORTION = 512 << 10
# Of one event, which are written by one call: a system takes about a thousand.
_MOST_PIECES = 512


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
            held: Event | None = None
            for some in _portions(pieces):
                for event in self.client.receive(*some):
                    if held is not None and _goes_on(held, event):
                        held["pieces"] += event["pieces"]
                        continue
                    if held is not None:
                        yield held
                    held = event if event["type"] == "data" else None
                    if event["type"] == "hello":
                        _check_version(event)
                    if held is None:
                        yield event
                await anyio.lowlevel.checkpoint()
            if held is not None:
                yield held
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


def _portions(pieces: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """What came, in parts that are decoded in one go."""
    begun, size = 0, 0
    for at, piece in enumerate(pieces):
        if size and size + len(piece) > _PORTION:
            yield pieces[begun:at]
            begun, size = at, 0
        size += len(piece)
    yield pieces[begun:]


def _goes_on(held: Event, event: Event) -> bool:
    """Whether bytes follow those before them, and may be one event with them."""
    return (
        event["type"] == "data"
        and (event["run"], event["name"]) == (held["run"], held["name"])
        and event["offset"] == held["offset"] + sum(map(len, held["pieces"]))
        and len(held["pieces"]) + len(event["pieces"]) <= _MOST_PIECES
    )


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
