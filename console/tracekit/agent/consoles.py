"""The connections of consoles: bytes in and out of sockets, and of the very pipes that a bridge hands over.

A bridge that only copied would be one more process that every byte goes through, so it gives its own two ends to us
and waits until we let go of them. Nothing here blocks, and no peer is read further than it takes answers.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import socket
import stat
from collections.abc import Callable
from typing import Any, Optional

from tracekit.agent.control import accept, process_of
from tracekit.agent.protocol import Piece, Request, Session
from tracekit.wire.frames import FrameError, FrameType

_READ = 1 << 18
# In one turn, so that nobody else waits.
_BREATHS = 16
# As many as a system writes at once.
_MOST_PIECES = max(16, os.sysconf("SC_IOV_MAX"))
# What a bridge may lend: where it reads, and where it writes.
_ENDS = 2
# What lies ready for sshd to take: with the usual room we would be woken many times as often for the same bytes.
_ROOM, _ROOM_OF_A_PIPE = 1 << 19, 1 << 20
# As Linux numbers it; older versions of Python have no name for it.
_SET_PIPE_SIZE = 1031

#: Gives the bytes of a file of a run: its name, where, how many.
Reader = Callable[[str, str, int, int], bytes]


class Console:
    """One connection of a console."""

    def __init__(self, peer: socket.socket, session: Session) -> None:
        self.socket = peer
        self.session = session
        self.out: list[Piece] = []
        # What came along with words: the ends of the bridge that is to be spared.
        self.lent: list[int] = []
        #: Asked to take over from a bridge, and whether that has been told that nothing more goes through it.
        self.turning = False
        self.turned = False
        #: Where it reads and writes; the socket's own until a bridge has handed over.
        self.source = self.target = peer.fileno()

    @property
    def direct(self) -> bool:
        """Whether its bytes go through no bridge."""
        return self.source != self.socket.fileno()


class Consoles:
    """All of them, in the daemon's one loop."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._by_end: dict[int, Console] = {}
        self._masks: dict[int, int] = {}
        self.all: list[Console] = []

    def __contains__(self, number: int) -> bool:
        return number in self._by_end

    def accept(self, face: socket.socket, session: Callable[[], Session]) -> None:
        """Take the next one, if it is of our own user."""
        peer = accept(face)
        if peer is None:
            return
        console = Console(peer, session())
        console.session.bridge = process_of(peer)
        self.all.append(console)
        self._watch(console, peer.fileno(), selectors.EVENT_READ)

    def serve(self, number: int, mask: int, handle: Callable[[Session, Request], Any]) -> None:
        """Read what one of them says."""
        console = self._by_end[number]
        if not mask & selectors.EVENT_READ:
            return
        try:
            data = self._read(console, number)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data or (console.direct and number != console.source):
            # Behind a bridge that has handed over nothing comes but its end.
            self.drop(console)
            return
        if console.turned and not console.direct:
            self._turn(console)
            return
        try:
            for request in console.session.receive(data):
                if request.kind == FrameType.CARRY:
                    self._ask_over(console)
                else:
                    handle(console.session, request)
        except FrameError:
            self.drop(console)

    @staticmethod
    def _ask_over(console: Console) -> None:
        if console.turning or console.direct or len(console.lent) != _ENDS:
            raise FrameError("nothing came along with a word that hands over two ends")
        console.turning = True

    @staticmethod
    def _read(console: Console, number: int) -> bytes:
        if console.direct or console.turning:
            return os.read(number, _READ)
        data, ends, _, _ = socket.recv_fds(console.socket, _READ, _ENDS)
        for end in ends:
            # What is started here must not hold a console's pipes open.
            os.set_inheritable(end, False)
        console.lent += ends
        if len(console.lent) > _ENDS:
            # Whoever lends one pair after the other would have all that we may open.
            raise ConnectionError("more came along than the two ends of a bridge")
        return data

    def push(self, console: Console, reader: Reader) -> None:
        """Write what goes without waiting; file bytes are read only as the peer takes them."""
        session = console.session
        try:
            for _ in range(_BREATHS):
                if not console.out and not console.turning:
                    want = session.want()
                    if want is not None:
                        session.data(want, reader(*want))
                    console.out = session.pieces()
                if not console.out:
                    break
                sent = os.writev(console.target, console.out[:_MOST_PIECES])
                console.out = _behind(console.out, sent)
                if console.out:
                    break  # it is full: to try again would only be told so
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.drop(console)
            return
        if console.turning and not console.turned and not console.out:
            # What lies in this socket its bridge writes first, and says when it has.
            console.turned = True
            console.socket.shutdown(socket.SHUT_WR)
        more = bool(console.out or (session.pending and not console.turning))
        # While a bridge hands over, answers wait: its word that it has done so must be heard all the same.
        deaf = session.congested and not console.turning
        self._watch(console, console.source, 0 if deaf else selectors.EVENT_READ)
        if console.target != console.source:
            self._watch(console, console.target, selectors.EVENT_WRITE if more else 0)
        elif more:
            self._watch(console, console.source, self._masks.get(console.source, 0) | selectors.EVENT_WRITE)

    def _turn(self, console: Console) -> None:
        """From here on its own pipes; the socket tells when the bridge is gone."""
        console.source, console.target = console.lent
        console.lent = []
        console.turning = False
        for end in (console.source, console.target):
            os.set_blocking(end, False)
        _widen(console.target)
        self._watch(console, console.source, selectors.EVENT_READ)

    def _watch(self, console: Console, number: int, mask: int) -> None:
        before = self._masks.get(number, 0)
        if mask == before:
            return
        if before and mask:
            self._selector.modify(number, mask)
        elif mask:
            self._selector.register(number, mask)
        else:
            self._selector.unregister(number)
        self._by_end[number] = console
        self._masks[number] = mask

    def drop(self, console: Console) -> None:
        """Let go of one; its bridge, where there is one, ends by that."""
        if console not in self.all:
            return
        self.all.remove(console)
        for number in [number for number, one in self._by_end.items() if one is console]:
            self._watch(console, number, 0)
            del self._by_end[number], self._masks[number]
        ends = [*console.lent, *((console.source, console.target) if console.direct else ())]
        for end in ends:
            with contextlib.suppress(OSError):
                os.close(end)
        console.socket.close()
        if console.session.incoming is not None:
            console.session.incoming[1].drop()

    def lose(self, number: int) -> None:
        """Let go of whoever has this descriptor."""
        console: Optional[Console] = self._by_end.get(number)
        if console is not None:
            self.drop(console)


def _widen(target: int) -> None:
    """Let more lie ready in a pipe or a socket, as far as the system lets us."""
    kind = os.fstat(target).st_mode
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(kind):
            fcntl.fcntl(target, _SET_PIPE_SIZE, _ROOM_OF_A_PIPE)
        elif stat.S_ISSOCK(kind):
            with socket.socket(fileno=os.dup(target)) as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)


def _behind(pieces: list[Piece], sent: int) -> list[Piece]:
    """What is left when so many bytes have gone."""
    for index, piece in enumerate(pieces):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *pieces[index + 1 :]] if sent else pieces[index:]
        sent -= len(piece)
    return []
