"""What comes over a connection is handed to the library in its own packets, out of a buffer that is used again.

The library puts what it has not read yet into one string of bytes and cuts each packet off its front, so that the rest
is copied twice for every packet of it. Given a packet at a time it has no rest. Whatever the cuts are the bytes are the
same: a wrong one would cost time and nothing else. Held back is only the beginning of a packet of which the library
would make nothing either, and only where packets are opened here.
"""

from __future__ import annotations

import asyncio

import asyncssh

from tracekit.link.unsealing import HEAD, LONGEST, SEAL, Unsealing

# So much is read at once, where so much is there.
_BUFFER = 1 << 20


def cut(connection: asyncssh.SSHClientConnection) -> None:
    """Have a connection that is up and silent given whole packets, where their lengths can be read."""
    cipher = connection.get_extra_info("recv_cipher")
    # The library has no word for it. Without it, or over a hop, all is as it was.
    transport = getattr(connection, "_transport", None)
    if isinstance(transport, asyncio.Transport) and "gcm" in str(cipher):
        transport.set_protocol(Cutting(connection, transport, Unsealing(connection)))


class Cutting(asyncio.BufferedProtocol):
    """Stands between a transport and the library's own protocol."""

    def __init__(
        self, inner: asyncio.Protocol, transport: asyncio.Transport, unsealing: Unsealing | None = None
    ) -> None:
        self._inner = inner
        self._transport = transport
        self._unsealing = unsealing
        self._view = memoryview(bytearray(_BUFFER))
        # How much of a packet that has begun stands at the beginning of the buffer.
        self._held = 0
        # What is still to come of a packet that was given on, or the first bytes of a head that came in two parts.
        self._owed = 0
        self._head = b""

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view[self._held : self._held + (256 << 10)]

    def buffer_updated(self, nbytes: int) -> None:
        size, self._held = self._held + nbytes, 0
        begun = 0 if self._owed or self._head else self._open(size)
        if begun < size:
            self._cut(begun, size)

    def _open(self, size: int) -> int:
        """Have whole packets opened here, or given on; gives where the rest begins, which is the library's."""
        view, begun = self._view, 0
        while self._unsealing is not None and self._unsealing.ready:
            begun = self._unsealing.take(view, begun, size)
            if self._transport.is_closing():
                return size
            rest = size - begun
            length = int.from_bytes(view[begun : begun + HEAD], "big") if rest >= HEAD else 0
            if length > LONGEST:
                break
            end = begun + HEAD + length + SEAL
            if end > size:
                # One that came in two parts costs the library more than a dozen that did not.
                view[:rest] = view[begun:size]
                self._held = rest
                return size
            self._inner.data_received(bytes(view[begun:end]))
            if self._transport.is_closing():
                return size
            begun = end
        return begun

    def _cut(self, begun: int, size: int) -> None:
        view, give = self._view, self._inner.data_received
        end = begun + self._owed
        if self._head:
            end = -len(self._head)
        while end < size:
            if end > begun:
                give(bytes(view[begun:end]))
                begun = end
                if self._transport.is_closing():
                    return  # the library has done with it, and would take up again where it stopped
            head = self._head + bytes(view[max(end, 0) : min(end + HEAD, size)])
            self._head = b""
            if len(head) < HEAD:
                self._head = head
                break
            length = int.from_bytes(head, "big")
            if length > LONGEST:
                # This is no head: it was not silent. Then the library gets what comes as it comes, as it always did.
                self._transport.set_protocol(self._inner)
                break
            end += HEAD + length + SEAL
        if size > begun:
            give(bytes(view[begun:size]))
        self._owed = max(end - size, 0)

    def _give_held(self) -> None:
        held, self._held = bytes(self._view[: self._held]), 0
        if held:
            self._inner.data_received(held)

    def eof_received(self) -> bool | None:
        self._give_held()
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
