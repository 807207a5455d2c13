"""One process per run that only watches: a dead daemon is started again, a dead supervisor's run is killed at once.

It is orphaned on purpose and has a session of its own, so that what kills the others passes it by. It holds the run's
secrets for a daemon that lost them, and never writes anything.
"""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable
from typing import Any, Optional

from tracekit.agent import killing
from tracekit.agent.control import Channel, connect
from tracekit.agent.forking import orphan
from tracekit.agent.paths import Places
from tracekit.agent.system import System

TICK = 0.1
# How long it goes on looking for a daemon that it cannot start, for instance because the state directory is gone.
GIVE_UP = 60.0


class Warden:
    """Watches one supervisor and whichever daemon there is."""

    def __init__(
        self, system: System, places: Places, charge: dict[str, Any], start_daemon: Callable[[], None]
    ) -> None:
        self._system = system
        self._places = places
        self._charge = charge
        self._start_daemon = start_daemon
        self._daemon: Optional[Channel] = None
        self._supervisor: Optional[Channel] = None
        self._swept = False
        self._over = False
        self._tried = 0.0
        self._missing_since: Optional[float] = None

    def run(self) -> None:
        """Watch until the daemon says that the run is over."""
        peer = connect(str(self._charge["control"]))
        if peer is not None:
            self._supervisor = Channel(peer)
            self._supervisor.send({"do": "watch"})
        selector = selectors.DefaultSelector()
        known: set[int] = set()
        while not self._over:
            self._look_after_daemon()
            both = (self._daemon, self._supervisor)
            channels = [channel for channel in both if channel is not None and channel.open]
            for number in known - {channel.fileno() for channel in channels}:
                selector.unregister(number)
            known = {channel.fileno() for channel in channels}
            for channel in channels:
                if channel.fileno() not in selector.get_map():
                    selector.register(channel, selectors.EVENT_READ, channel)
            healthy = len(channels) == 2 or (self._swept and self._daemon is not None)
            for key, _ in selector.select(None if healthy else TICK):
                number = key.fd
                self._receive(key.data)
                if not key.data.open:
                    selector.unregister(number)
                    known.discard(number)
            self._look_after_supervisor()

    def _receive(self, channel: Channel) -> None:
        for message in channel.receive():
            if message.get("is") == "over":
                self._over = True

    def _look_after_supervisor(self) -> None:
        if self._over or self._swept or (self._supervisor is not None and self._supervisor.open):
            return
        # Exits can no longer be known, so nothing of the run may live on.
        killing.sweep(self._system, str(self._charge["token"]))
        self._swept = True

    def _look_after_daemon(self) -> None:
        if self._daemon is not None and self._daemon.open:
            return
        now = self._system.clock.seconds()
        if self._missing_since is None:
            self._missing_since = now
        self._daemon = None
        note = self._places.read_note()
        peer = connect(str(note.get("wardens", ""))) if note else None
        if peer is not None:
            self._daemon = Channel(peer)
            facts = {key: self._charge[key] for key in ("run", "token", "secrets")}
            self._daemon.send({"is": "warden", "pid": os.getpid(), **facts})
            self._missing_since = None
            return
        if now - self._tried > 2 * TICK:
            self._tried = now
            self._start_daemon()
        if now - self._missing_since > GIVE_UP and self._swept:
            self._over = True


def starter(
    system: System, places: Places, charge: dict[str, Any], start_daemon: Callable[[], None]
) -> Callable[[], None]:
    """What makes a warden when it is called: in a process that its caller's death does not touch."""

    def body() -> None:
        Warden(system, places, charge, start_daemon).run()

    return lambda: orphan(system, "tracekit-warden", places.log, body)
