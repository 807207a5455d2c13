"""What comes over a connection is handed to the library in its own packets, out of a buffer that is used again.

The library puts what it has not read yet into one string of bytes and cuts each packet off its front, so that the rest
is copied twice for every packet of it. Given a packet at a time it has no rest. Nothing is held back, and whatever the
cuts are the bytes are the same: a wrong one would cost time and nothing else.
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
        # What is still to come of a packet, or the first bytes of a head that came in two parts.
        self._owed = 0
        self._head = b""

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        view, give = self._view, self._inner.data_received
        begun, end = 0, self._owed
        if self._head:
            end = -len(self._head)
        while end < nbytes:
            if end > begun:
                give(bytes(view[begun:end]))
                begun = end
                if self._transport.is_closing():
                    return  # the library has done with it, and would take up again where it stopped
            if self._unsealing is not None and end == begun and not self._head:
                begun = end = self._unsealing.take(view, begun, nbytes)
                if self._transport.is_closing():
                    return
            head = self._head + bytes(view[max(end, 0) : min(end + HEAD, nbytes)])
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
        if nbytes > begun:
            give(bytes(view[begun:nbytes]))
        self._owed = max(end - nbytes, 0)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
