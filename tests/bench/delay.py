"""A line with a round trip: bytes wait in it for half of that each way, as many as there are; its rate has no limit."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Iterator


class Passed:
    """How many bytes have come through, both ways together."""

    count = 0


class _Way(asyncio.Protocol):
    """One direction: what comes in goes out later."""

    def __init__(self, delay: float, passed: Passed) -> None:
        self._delay, self._passed = delay, passed
        self._loop = asyncio.get_running_loop()
        self._held: deque[tuple[float, bytes]] = deque()
        self.other: asyncio.Transport | None = None
        self.transport: asyncio.Transport | None = None
        self.early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._passed.count += len(data)
        self._loop.call_later(self._delay, self._pass_on, data)

    def _pass_on(self, data: bytes) -> None:
        if self.other is None:
            self.early.append(data)
        elif not self.other.is_closing():
            self.other.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self._loop.call_later(self._delay, self.other.close)


async def _serve(target: int, delay: float, ready: list[int], over: asyncio.Event, passed: Passed) -> None:
    loop = asyncio.get_running_loop()

    class Near(_Way):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            open_ones.append(self)
            task = loop.create_task(self._join())
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        async def _join(self) -> None:
            # A connection takes a round trip before anything is said.
            await asyncio.sleep(2 * delay)
            far = _Way(delay, passed)
            far.other = self.transport
            made, _ = await loop.create_connection(lambda: far, "127.0.0.1", target)
            self.other = made
            open_ones.append(far)
            for data in self.early:
                made.write(data)

    tasks: set[asyncio.Task[None]] = set()
    open_ones: list[_Way] = []
    server = await loop.create_server(lambda: Near(delay, passed), "127.0.0.1", 0)
    ready.append(int(server.sockets[0].getsockname()[1]))
    await over.wait()
    server.close()
    for way in open_ones:
        if way.transport is not None:
            way.transport.abort()
    # What is aborted is closed with the next turn of the loop.
    await asyncio.sleep(0)


@contextlib.contextmanager
def delayed(target: int, round_trip: float, passed: Passed | None = None) -> Iterator[int]:
    """A port of this machine behind which another one is so far away; what comes through is counted."""
    counted = passed or Passed()
    ready: list[int] = []
    loop = asyncio.new_event_loop()
    over = asyncio.Event()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(_serve(target, round_trip / 2, ready, over, counted)),
        daemon=True,
    )
    thread.start()
    while not ready:
        thread.join(0.01)  # poll: it listens at once
    try:
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()
