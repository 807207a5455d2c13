"""The channel of a bridge on a box: what comes is handed on as it came, in pieces that nobody puts together again.

The library's own streams would join, count and split every byte once more, which is felt where a box sends as much as
the line carries. It knows nothing of frames, and keeps no more than a bound of what nobody has taken yet.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence

import anyio
import asyncssh

from tracekit.link.bootstrap import Arrival

# Of what has come and was not taken yet; past it the library holds its window back, and the box waits.
_HELD = 4 << 20
# Of that at once: as much is written in one go, beside the loop, and each such way there and back is felt.
_AT_ONCE = 2 << 20
_LAST_WORDS = 1.0


class Channel(asyncssh.SSHClientSession[bytes]):
    """One session's bytes, both ways."""

    def __init__(self) -> None:
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._paused = False
        self._ended = False
        self._lost = False
        self._came = anyio.Event()
        self._writable = anyio.Event()
        self._writable.set()

    # -- the library's words

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if datatype is not None:
            return  # standard error: of a shell that has much to say, and none of ours
        self._pieces.append(data)
        self._held += len(data)
        self._came.set()
        if self._held > _HELD and not self._paused and self._channel is not None:
            self._paused = True
            self._channel.pause_reading()

    def eof_received(self) -> bool:
        self._ended = True
        self._came.set()
        # What is said the other way may still be wanted.
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = self._lost = True
        self._came.set()
        self._writable.set()

    def pause_writing(self) -> None:
        if not self._lost and self._writable.is_set():
            self._writable = anyio.Event()

    def resume_writing(self) -> None:
        self._writable.set()

    # -- ours

    async def receive(self) -> Sequence[bytes]:
        """The next of what has come, in pieces; none at the end."""
        while not self._pieces and not self._ended:
            if self._came.is_set():
                # Another who waits already goes on waiting for this one: while it closes, two of us do.
                self._came = anyio.Event()
            await self._came.wait()
        pieces: list[bytes] = []
        size = 0
        while self._pieces and (not pieces or size + len(self._pieces[0]) <= _AT_ONCE):
            pieces.append(self._pieces.popleft())
            size += len(pieces[-1])
        self._held -= size
        if self._paused and self._held <= _HELD and self._channel is not None:
            self._paused = False
            self._channel.resume_reading()
        return pieces

    async def send(self, data: bytes) -> None:
        """Write all of `data`; raises BrokenResourceError when nobody reads."""
        if self._channel is None or self._lost:
            raise anyio.BrokenResourceError
        try:
            self._channel.write(data)
        except (asyncssh.Error, OSError) as fault:
            raise anyio.BrokenResourceError from fault
        await self._writable.wait()
        if self._lost:
            raise anyio.BrokenResourceError

    async def close(self) -> None:
        """Let go; the bridge hears the end of what is said to it before its connection is gone."""
        if self._channel is None:
            return
        with anyio.move_on_after(_LAST_WORDS), contextlib.suppress(asyncssh.Error, OSError):
            self._channel.write_eof()
            while await self.receive():
                pass
        with contextlib.suppress(asyncssh.Error, OSError):
            self._channel.close()


class SshPipes:
    """The pipes of a bridge on a box, over the connections that lead there."""

    def __init__(self, channel: Channel, connections: list[asyncssh.SSHClientConnection]) -> None:
        self._channel = channel
        self._connections = connections
        self._heard = b""

    async def arrive(self, arrival: Arrival) -> None:
        """Bring the agent up to its first word; raises ProblemError."""
        while not arrival.ready:
            reply = arrival.feed(b"".join(await self._channel.receive()))
            if reply:
                await self.send(reply)
        self._heard = arrival.heard

    async def receive(self) -> Sequence[bytes]:
        if self._heard:
            heard, self._heard = self._heard, b""
            return [heard]
        return await self._channel.receive()

    async def send(self, data: bytes) -> None:
        await self._channel.send(data)

    async def close(self) -> None:
        await self._channel.close()
        for connection in reversed(self._connections):
            connection.close()
            with anyio.move_on_after(2), contextlib.suppress(asyncssh.Error, OSError):
                await connection.wait_closed()
