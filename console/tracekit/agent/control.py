"""Small messages between daemon, supervisor and warden: one JSON object a line over a unix socket of our own user.

It checks who is at the other end and never blocks; it knows nothing of what the messages mean.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import Any, Optional

from tracekit.wire.lines import from_json, to_json

_CREDENTIALS = struct.Struct("3i")
_READ = 1 << 18
# A plan may be tens of megabytes; more than this in one line is not one of ours.
_MOST = 256 << 20


def _credentials(peer: socket.socket) -> Optional[tuple[int, int, int]]:
    """Process, user and group at the other end; None where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    pid, user, group = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return pid, user, group


def same_user(peer: socket.socket) -> bool:
    """Whether the process at the other end runs as our own user."""
    told = _credentials(peer)
    return told is None or told[1] == os.getuid()


def process_of(peer: socket.socket) -> int:
    """Which process connected, 0 where the system does not tell."""
    try:
        told = _credentials(peer)
    except OSError:
        return 0
    return told[0] if told is not None else 0


def listen(path: str) -> socket.socket:
    """Listen at a path that only we can reach."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    os.chmod(path, 0o600)
    server.listen(64)
    server.setblocking(False)
    return server


def connect(path: str, timeout: float = 1.0) -> Optional[socket.socket]:
    """Connect to one of our own sockets; None when nobody of our user listens there."""
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(timeout)
    try:
        peer.connect(path)
        if not same_user(peer):
            raise PermissionError(path)
    except OSError:
        peer.close()
        return None
    peer.setblocking(False)
    return peer


def accept(server: socket.socket) -> Optional[socket.socket]:
    """Take the next connection if it is of our own user."""
    try:
        peer, _ = server.accept()
    except OSError:
        return None
    if not same_user(peer):
        peer.close()
        return None
    peer.setblocking(False)
    return peer


class Channel:
    """One connection of lines."""

    def __init__(self, peer: socket.socket) -> None:
        self._socket = peer
        self._in = bytearray()
        self._out = bytearray()
        self.open = True

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        return bool(self._out)

    def send(self, message: dict[str, Any]) -> None:
        """Queue a message and write as much as goes without waiting."""
        self._out += to_json(message).encode("ascii") + b"\n"
        self.flush()

    def flush(self) -> None:
        while self._out and self.open:
            try:
                sent = self._socket.send(memoryview(self._out)[: 1 << 20])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.close()
                return
            del self._out[:sent]

    def receive(self) -> list[dict[str, Any]]:
        """Read what is there; a closed or broken peer leaves `open` false."""
        while self.open:
            try:
                data = self._socket.recv(_READ)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                data = b""
            if not data:
                self.close()
                break
            self._in += data
        end = self._in.rfind(b"\n") + 1
        if len(self._in) - end > _MOST:
            self.close()
        lines, self._in = bytes(self._in[:end]).splitlines(), self._in[end:]
        return [obj for obj in map(_decoded, lines) if obj is not None]

    def wait_write(self, timeout: float) -> None:
        """Write everything, waiting at most this long for the peer."""
        self._socket.settimeout(timeout)
        with contextlib.suppress(OSError):
            self._socket.sendall(self._out)
            self._out.clear()
        with contextlib.suppress(OSError):
            self._socket.setblocking(False)

    def close(self) -> None:
        self.open = False
        with contextlib.suppress(OSError):
            self._socket.close()


def _decoded(line: bytes) -> Optional[dict[str, Any]]:
    try:
        obj = from_json(line.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    return obj if isinstance(obj, dict) else None
