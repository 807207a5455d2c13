"""One connection to one agent: bytes in and out of the pipes, protocol events to whoever holds the session.

The protocol itself is sans-I/O and the agent's; this is only its pump. A session ends when the pipes end, and says
so by returning: whether that is bad is for the engine to decide.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import anyio
from anyio.abc import Process

from tracekit.agent.client import Client

_READ = 256 * 1024


class Opener(Protocol):
    """Something that opens two pipes to a bridge."""

    async def open(self) -> Process:
        """Start a bridge and give its process."""
        ...


Event = dict[str, Any]


class Session:
    """A connected agent; use it as `async with connect(opener, console) as session`."""

    def __init__(self, process: Process, console: str) -> None:
        self.client = Client(console)
        self._process = process
        self._write_lock = anyio.Lock()

    async def send(self, say: Callable[[Client], None]) -> None:
        """Let `say` put messages into the protocol, and write what comes of it; raises anyio's stream errors."""
        async with self._write_lock:
            say(self.client)
            await self._flush()

    async def events(self) -> AsyncIterator[Event]:
        """Every event of the agent until its pipe ends; raises FrameError on bytes that are not the protocol."""
        stdout = self._process.stdout
        if stdout is None:
            return
        while True:
            try:
                data = await stdout.receive(_READ)
            except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
                return
            for event in self.client.receive(data):
                yield event
            # Acknowledgements that the protocol made by itself.
            async with self._write_lock:
                with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    await self._flush()

    async def _flush(self) -> None:
        data = self.client.take()
        if data and self._process.stdin is not None:
            await self._process.stdin.send(data)


@contextlib.asynccontextmanager
async def connect(opener: Opener, console: str) -> AsyncIterator[Session]:
    """Open a session and close its pipes at the end; the agent and its runs go on."""
    process = await opener.open()
    try:
        yield Session(process, console)
    finally:
        with anyio.CancelScope(shield=True):
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                        await stream.aclose()
            with anyio.move_on_after(2) as waited:
                await process.wait()
            if waited.cancelled_caught:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
