"""A line between a console and a box that breaks as lines do: cut, reset, frozen, dribbling, closed on one side.

Each connection is given a length of life in bytes, counted in both directions from its first one, so that handshakes
break as well as what comes after them.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator

WAYS = ("cut", "reset", "freeze", "dribble", "half up", "half down")
_READ = 1 << 16
# Handshake, the agent's first words and its first answers lie within this.
_EARLY = 8 << 10
_DRIBBLED = 64
_FROZEN = 0.3


class Relay:
    """Listens on a port of its own and passes bytes on, until `steady`."""

    def __init__(self, port: int, seed: int, longest: int) -> None:
        self.broken: Counter[str] = Counter()
        self.passed = 0
        self.steady = False
        self._random = random.Random(seed)
        self._longest = longest
        self._target = port
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: set[socket.socket] = set()
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go of everything."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(10)
        for peer in list(self._open):
            _shut(peer)

    def plan(self) -> tuple[str, int]:
        """How the next connection ends, and after how many bytes."""
        with self._lock:
            early = self._random.random() < 1 / 3
            return self._random.choice(WAYS), self._random.randrange(_EARLY if early else self._longest)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            self._open |= {near, far}
            _Line(self, near, far)

    def ended(self, way: str, *sockets: socket.socket) -> None:
        """Count what became of a connection."""
        with self._lock:
            if way:
                self.broken[way] += 1
            self._open -= set(sockets)


class _Line:
    """One connection: two threads, and one budget for both."""

    def __init__(self, relay: Relay, near: socket.socket, far: socket.socket) -> None:
        self._relay = relay
        self._near, self._far = near, far
        self._lock = threading.Lock()
        self._way, self._left = ("", 1 << 62) if relay.steady else relay.plan()
        self._over = False
        self._running = 2
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not self._over and (data := source.recv(_READ)):
                with self._lock:
                    piece, rest = data[: self._left], data[self._left :]
                    self._left -= len(piece)
                    self._relay.passed += len(piece)
                target.sendall(piece)
                if (rest or self._left <= 0) and self._break(target, rest):
                    break
        if self._way != "half up" or not self._over:
            for peer in (source, target):
                with contextlib.suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._running -= 1
            last = not self._running
        if last:
            self._relay.ended("", self._near, self._far)
            self._near.close()
            self._far.close()

    def _break(self, target: socket.socket, rest: bytes) -> bool:
        """Do what was planned; False where the connection lives on with a new plan."""
        with self._lock:
            way, again = self._way, self._over
            self._over = self._over or way not in {"freeze", "dribble"}
        if again:
            return True
        self._relay.ended(way)
        if way in {"freeze", "dribble"}:
            if way == "freeze":
                time.sleep(_FROZEN)  # poll: nothing comes through a frozen line
                target.sendall(rest)
            else:
                for at in range(min(len(rest), _DRIBBLED)):
                    target.sendall(rest[at : at + 1])
                target.sendall(rest[_DRIBBLED:])
            with self._lock:
                self._way, self._left = ("", 1 << 62) if self._relay.steady else self._relay.plan()
                self._relay.passed += len(rest)
            return False
        if way == "reset":
            for peer in (self._near, self._far):
                with contextlib.suppress(OSError):
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif way.startswith("half"):
            # One side hears the end, the other goes on talking into the dark.
            with contextlib.suppress(OSError):
                (self._far if way == "half up" else self._near).shutdown(socket.SHUT_WR)
        return True


def _shut(peer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        peer.shutdown(socket.SHUT_RDWR)
    peer.close()


@contextlib.contextmanager
def relay(port: int, seed: int, longest: int) -> Iterator[Relay]:
    """A line to a port of this machine that breaks again and again."""
    made = Relay(port, seed, longest)
    try:
        yield made
    finally:
        made.close()
