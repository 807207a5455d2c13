"""Carries the daemon's socket over standard input and output, and starts the daemon when there is none.

It writes the marker first, so that whatever a shell printed before is harmless, keeps at most one buffer per direction,
and ends when either side ends: the run does not.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from typing import Optional

from tracekit.agent.carry import MARKER, carry
from tracekit.agent.client import Client
from tracekit.agent.control import connect
from tracekit.agent.paths import Places, Settings
from tracekit.agent.system import System
from tracekit.wire.frames import FrameError, FrameType
from tracekit.wire.messages import encode_message
from tracekit.wire.problems import Problem, ProblemError

PATIENCE = 15.0
RESTART = 0.5
_FIRST = 1 << 16


def run(system: System, settings: Settings, source: int = 0, target: int = 1, early: bytes = b"") -> int:
    """Be the bridge; gives the exit code. `early` is what the console said before it was heard."""
    # ctrl-c at a terminal is the console's to understand: it cancels through us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        peer, first, own = reach(system, settings)
    except ProblemError as fault:
        problems = [problem.to_json() for problem in fault.problems]
        message = encode_message(FrameType.ERROR, {"for": "bridge", "run": "", "problems": problems})
        with contextlib.suppress(OSError):
            os.write(target, MARKER + message)
        return 1
    try:
        carry(peer, MARKER + first, source, target, early, own=own)
    finally:
        peer.close()
    return 0


def reach(system: System, settings: Settings) -> tuple[socket.socket, bytes, bool]:
    """Connect to the daemon and hear its first bytes, starting one where needed; raises ProblemError.

    Says whether it is of this very agent.
    """
    places = Places(settings.state)
    places.prepare()
    deadline = system.clock.seconds() + PATIENCE
    started = -RESTART
    pause = 0.002
    while system.clock.seconds() < deadline:
        note = places.read_note()
        peer = connect(str(note.get("socket", ""))) if note else None
        if peer is not None:
            found = _hear(peer, settings.agent)
            if found is not None:
                return (peer, *found)
            peer.close()
            continue
        if system.clock.seconds() - started > RESTART:
            started = system.clock.seconds()
            _start_daemon(system, settings)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    what = "the agent's daemon did not start"
    action = f"read {places.log}, and check that the state directory is writable"
    raise ProblemError(Problem("agent.no_daemon", what, settings.state, action))


def _start_daemon(system: System, settings: Settings) -> None:
    # Loaded only where there is none yet: every later console finds one.
    from tracekit.agent import daemon

    daemon.spawn(system, settings)


def _hear(peer: socket.socket, agent: str) -> Optional[tuple[bytes, bool]]:
    """The daemon's first bytes, and whether it is of our own `agent`.

    It says that itself: a note may be one daemon's and the socket already the next one's. None when it left just now,
    or made room because it is idle and another's.
    """
    peer.settimeout(5.0)
    heard, hello = b"", None
    try:
        while True:
            data = peer.recv(_FIRST)
            if not data:
                return None
            heard += data
            hello = _hello(heard)
            if hello is not None:
                break
        if hello.get("agent") != agent and not hello.get("runs"):
            client = Client("bridge")
            client.bye()
            peer.sendall(client.take())
            while peer.recv(_FIRST):
                pass
            return None
    except (OSError, FrameError):
        return None
    peer.setblocking(False)
    return heard, hello.get("agent") == agent


def _hello(heard: bytes) -> Optional[dict[str, object]]:
    events = Client("bridge").receive(MARKER + heard)
    return next((event for event in events if event["type"] == "hello"), None)
