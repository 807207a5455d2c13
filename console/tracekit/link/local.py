"""The link to this machine's agent. It differs from a remote link only in how the pipes are opened."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import anyio

from tracekit.link.bridge import Bridge

_READ = 256 * 1024


class LocalLink:
    """Opens bridges to the agent of one state directory on this machine; the first may have been started before."""

    def __init__(
        self, state: Path, cache: Path, *, idle: float | None = None, begun: Bridge | None = None
    ) -> None:
        self._state = state
        self._cache = cache
        self._idle = idle
        self._begun = begun

    async def open(self, early: bytes = b"") -> BridgePipes:
        """Start a bridge; raises ProblemError when this interpreter cannot be started."""
        bridge, self._begun = self._begun, None
        bridge = bridge or Bridge(self._state, self._cache, idle=self._idle)
        pipes = BridgePipes(bridge)
        if words := bridge.unsaid + early:
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await pipes.send(words)
        return pipes

    def close(self) -> None:
        """Let go of what was started and never needed."""
        bridge, self._begun = self._begun, None
        if bridge is not None:
            bridge.close()


class BridgePipes:
    """The pipes of a bridge that runs as a process of ours."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._open = True

    async def receive(self) -> Sequence[bytes]:
        """The next bytes of the agent; none at the end."""
        while self._open:
            try:
                data = os.read(self._bridge.source, _READ)
                return [data] if data else []
            except BlockingIOError:
                with contextlib.suppress(anyio.ClosedResourceError):
                    await anyio.wait_readable(self._bridge.source)
            except OSError:
                break
        return []

    async def send(self, data: bytes) -> None:
        """Write all of `data`; raises BrokenResourceError when nobody reads."""
        rest = memoryview(data)
        while rest:
            if not self._open:
                raise anyio.ClosedResourceError
            try:
                rest = rest[os.write(self._bridge.target, rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._bridge.target)
            except OSError as fault:
                raise anyio.BrokenResourceError from fault

    async def close(self) -> None:
        """Let go of the pipes; the agent and its runs go on."""
        if self._open:
            self._open = False
            for number in (self._bridge.source, self._bridge.target):
                anyio.notify_closing(number)
            await anyio.to_thread.run_sync(self._bridge.close)
