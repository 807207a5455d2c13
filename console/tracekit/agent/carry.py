"""Carries bytes between two pipes and the daemon's socket, and finds that daemon where it is up: the way that is quick.

Every console waits for this, on a box behind a slow line, too: it loads nothing that is not built in, starts nothing
and writes nothing before the daemon's first word. Where anything is not as it should be, the bridge itself looks.
"""

from __future__ import annotations

import _socket
import os
import select
import sys

MARKER = b"\0tracekit-agent/1\0"
BUFFER = 1 << 18
#: An empty frame of that kind, written out: what makes frames need not be loaded here.
CARRY = bytes.fromhex("0000000f1500000000000000000000b426d965")
_FIRST = 1 << 16
_PATIENCE = 5.0


def short(text: str) -> str:
    """A few letters for a long name."""
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    digest: str = blake2b(text.encode(), digest_size=4).hexdigest()
    return digest


def boot_id() -> str:
    """What changes with every boot of this machine."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "unknown"


def base_of(state: str) -> str:
    """Where the agent keeps its own things below a state directory: per machine and boot."""
    return os.path.join(os.path.abspath(state), "agent", f"{short(os.uname().nodename)}-{short(boot_id())}")


def straight(state: str, agent: str, early: bytes = b"", source: int = 0, target: int = 1) -> bool:
    """Be the bridge to a daemon of this very agent; False where there is none, and nothing has been said.

    `early` is what the console said before it was heard.
    """
    peer = _reach(os.path.join(base_of(state), "daemon.json"), agent)
    if peer is None:
        return False
    try:
        first = peer.recv(_FIRST)
    except OSError:
        first = b""
    if not first:
        peer.close()
        return False
    _ignore_signals()
    # A note may be one daemon's and the socket already the next one's: who it is, it says itself.
    own = f'"agent":"{agent}"'.encode("ascii") in first
    carry(peer, MARKER + first, source, target, early, own=own)
    peer.close()
    return True


def _reach(note: str, agent: str) -> _socket.socket | None:
    try:
        with open(note, encoding="ascii") as file:
            text = file.read()
    except (OSError, ValueError):
        return None
    # As our own daemon writes it, without a space; what has to be quoted is for who reads it properly.
    path = text.partition('"socket":"')[2].partition('"')[0]
    if not path or "\\" in path or f'"agent":"{agent}"' not in text:
        return None
    peer = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    peer.settimeout(_PATIENCE)
    try:
        peer.connect(path)
        # Whose it is: three numbers, of which the second is the user's.
        told = peer.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        if int.from_bytes(told[4:8], sys.byteorder) == os.getuid():
            return peer
    except (OSError, AttributeError):
        pass
    peer.close()
    return None


def _ignore_signals() -> None:
    """ctrl-c at a terminal is the console's to understand, and a pipe that nobody reads is seen by its write."""
    import _signal  # type: ignore[import-not-found] # what `signal` is made of, without its enumerations

    for number in (_signal.SIGINT, _signal.SIGPIPE):
        _signal.signal(number, _signal.SIG_IGN)


def carry(
    peer: _socket.socket, first: bytes, source: int, target: int, early: bytes = b"", *, own: bool
) -> None:
    """Be between a console and its daemon until one of them ends; one of our `own` kind is given the two ends."""
    if own and sys.platform == "linux" and _passes(source) and _passes(target):
        _hand_over(peer, first, source, target, early)
    else:
        peer.setblocking(False)
        os.set_blocking(target, False)
        pump(peer.fileno(), first, source, target, early)


def _passes(number: int) -> bool:
    """Whether a descriptor is one that can be waited for: a pipe or a socket, no file and no terminal."""
    try:
        return os.fstat(number).st_mode & 0o170000 in (0o010000, 0o140000)
    except OSError:
        return False


def _hand_over(peer: _socket.socket, first: bytes, source: int, target: int, early: bytes) -> None:
    """Let the daemon itself read and write our two ends, and stay until it lets go of them.

    It shuts its side of the socket when all that it had said there is in it. That is written first; a byte says so.
    """
    ends = source.to_bytes(4, sys.byteorder) + target.to_bytes(4, sys.byteorder)
    peer.settimeout(None)
    os.set_blocking(target, True)
    try:
        _write(target, first)
        # Behind all other words: what would be on its way after these is not heard any more.
        peer.sendall(early)
        peer.sendmsg([CARRY], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, ends)])
        while data := peer.recv(BUFFER):
            _write(target, data)
        peer.sendall(b"\n")
    except OSError:
        return
    gone = select.poll()
    # Its end is told unasked; that it says nothing any more is known.
    gone.register(peer.fileno(), 0)
    gone.poll()


def _write(target: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(target, rest) :]


class _Pipe:
    """One direction: at most one buffer of bytes that were read and not yet written."""

    def __init__(self, source: int, target: int, data: bytes = b"") -> None:
        self.source, self.target = source, target
        self.data = memoryview(data)
        self.ended = False

    def read(self) -> None:
        try:
            data = os.read(self.source, BUFFER)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self.data = memoryview(data)
        self.ended = not data

    def write(self) -> None:
        try:
            self.data = self.data[os.write(self.target, self.data) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.data = memoryview(b"")
            self.ended = True


def pump(peer: int, first: bytes, source: int, target: int, early: bytes = b"") -> None:
    """Carry bytes both ways until one side ends, each way with what is there already."""
    up = _Pipe(source, peer, early)
    down = _Pipe(peer, target, first)
    while True:
        poll = select.poll()
        masks: dict[int, int] = {}
        for pipe in (up, down):
            number, mask = (pipe.target, select.POLLOUT) if pipe.data else (pipe.source, select.POLLIN)
            masks[number] = masks.get(number, 0) | mask
        # A reader that went away shows even while there is nothing to write.
        masks.setdefault(target, 0)
        for number, mask in masks.items():
            poll.register(number, mask)
        for number, mask in poll.poll():
            if number == target and mask & (select.POLLERR | select.POLLNVAL):
                return
            for pipe in (up, down):
                if (
                    pipe.data
                    and number == pipe.target
                    and mask & (select.POLLOUT | select.POLLERR | select.POLLHUP)
                ):
                    pipe.write()
                elif not pipe.data and number == pipe.source and mask & ~select.POLLOUT:
                    pipe.read()
        if (up.ended and not up.data) or (down.ended and not down.data):
            return
