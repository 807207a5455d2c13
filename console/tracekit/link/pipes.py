"""Two pipes to a bridge, whatever carries them: a process here, a channel of an SSH connection there.

The session pumps bytes through this face and knows no transport. A transport says what went wrong with typed problems
while it opens; afterwards an end of the stream is all it says.
"""

from __future__ import annotations

import contextlib
from typing import Protocol

import anyio
from anyio.abc import Process


class Pipes(Protocol):
    """What a session needs of its transport."""

    async def receive(self, size: int) -> bytes:
        """The next bytes of the agent; empty at the end, however it came."""
        ...

    async def send(self, data: bytes) -> None:
        """Write all of `data`; raises anyio's BrokenResourceError or ClosedResourceError when nobody reads."""
        ...

    async def close(self) -> None:
        """Let go of the pipes; the agent and its runs go on."""
        ...


class Opener(Protocol):
    """Something that opens two pipes to a bridge."""

    async def open(self) -> Pipes:
        """Start a bridge; raises ProblemError when that cannot be done."""
        ...


class ProcessPipes:
    """The pipes of a bridge that runs as a process of ours."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def receive(self, size: int) -> bytes:
        stdout = self._process.stdout
        if stdout is None:
            return b""
        try:
            return await stdout.receive(size)
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            return b""

    async def send(self, data: bytes) -> None:
        if self._process.stdin is not None:
            await self._process.stdin.send(data)

    async def close(self) -> None:
        process = self._process
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
