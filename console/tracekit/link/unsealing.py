"""The data packets of a flood are opened here, many in one go; the library takes each through a dozen calls and copies.

What is taken is plain data of an open session, sealed with the library's own key in the order in which it comes.
Anything else is left to the library as it came, and so is what does not open: it says what is wrong with it. The
library finds its counters as if it had opened the rest itself. It has no word for that, so the names of its own that
are needed here are looked for first: where one is missing nothing is taken, and all is as it was but slower.
"""

# ruff: noqa: SLF001 - the library tells none of this in another way; what is missing is looked for first

from __future__ import annotations

import struct
from typing import Any

import asyncssh
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# In front of a packet stands the length of what follows in clear, and behind that its seal.
HEAD, SEAL = 4, 16
# What stands in front of the data once it is open: how much padding there is, what it is, whose, and how long.
_FRONT = struct.Struct(">BBII")
_DATA = 94
_LENGTH = struct.Struct(">I")
_COUNT = struct.Struct(">Q")
# So much is handed on at once: nobody else runs while it is read.
_PORTION = 512 << 10
#: No packet is longer than that to the library either; what says so is not the head of one.
LONGEST = 1 << 19
_CONNECTION = (
    "_inpbuf", "_recv_handler", "_recv_pkthdr", "_recv_encryption", "_recv_seq", "_channels", "_decompressor",
    "_reset_keepalive_timer",
)  # fmt: skip
_CIPHER = ("_key", "_iv")
_CHANNEL = ("_recv_state", "_recv_window", "_accept_data")


class Unsealing:
    """Opens what comes over one connection of the library."""

    def __init__(self, connection: Any) -> None:
        self._library = connection
        self._able = _has(connection, _CONNECTION) and hasattr(AESGCM, "decrypt_into")
        self._cipher: Any = None
        self._key: Any = None
        # What is opened is put behind what was, over its own front: so it needs no joining. The first needs room.
        self._open = memoryview(bytearray(_FRONT.size + _PORTION + LONGEST))

    def take(self, view: memoryview, begun: int, end: int) -> int:
        """Open the packets that begin at `begun`, as many as are whole; gives where the rest begins."""
        while self._able and (taken := self._some(view, begun, end)) > begun:
            begun = taken
        return begun

    def _some(self, view: memoryview, begun: int, end: int) -> int:
        cipher = self._ready()
        if cipher is None:
            return begun
        fixed, (count,) = cipher._iv[:4], _COUNT.unpack(cipher._iv[4:])
        start = place = _FRONT.size
        open_, packets, whose = self._open, 0, -1
        channel: Any = None
        while place < _PORTION and begun + HEAD <= end:
            (length,) = _LENGTH.unpack_from(view, begun)
            behind = begun + HEAD + length + SEAL
            if behind > end or not _FRONT.size < length <= LONGEST:
                break
            front = place - _FRONT.size
            covered = bytes(open_[front:place])
            sound = self._opens(fixed, count + packets, view[begun:behind], open_[front : front + length])
            padding, kind, number, size = _FRONT.unpack_from(open_, front)
            # Sound or not: what stood there is another's.
            open_[front:place] = covered
            if (
                not sound
                or kind != _DATA
                or not size
                or not padding
                or _FRONT.size + size + padding != length
            ):
                break
            if channel is None:
                whose, channel = number, self._channel(number)
            if channel is None or number != whose or place - start + size > channel._recv_window:
                break
            place += size
            packets += 1
            begun = behind
        if packets:
            library = self._library
            cipher._iv = fixed + _COUNT.pack((count + packets) & 0xFFFFFFFFFFFFFFFF)
            library._recv_seq = (library._recv_seq + packets) & 0xFFFFFFFF
            library._reset_keepalive_timer()
            channel._accept_data(bytes(open_[start:place]))
        return begun

    def _opens(self, fixed: bytes, count: int, packet: memoryview, room: memoryview) -> bool:
        """Open one packet; what is in the room of one that is not sound is no data."""
        nonce = fixed + _COUNT.pack(count & 0xFFFFFFFFFFFFFFFF)
        try:
            self._key.decrypt_into(nonce, packet[HEAD:], packet[:HEAD], room)
        except InvalidTag:
            return False
        return True

    def _ready(self) -> Any:
        """The cipher of what comes next, if the library stands between two packets."""
        library = self._library
        if library._inpbuf or library._recv_handler != library._recv_pkthdr or library._decompressor:
            return None
        cipher: Any = getattr(library._recv_encryption, "_cipher", None)
        if cipher is not self._cipher:
            # Keys are made anew every now and then.
            self._cipher = cipher
            self._able = _has(cipher, _CIPHER)
            self._key = AESGCM(cipher._key) if cipher is not None and self._able else None
        return cipher if self._able else None

    def _channel(self, number: int) -> Any:
        channel = self._library._channels.get(number)
        plain = type(channel) is asyncssh.SSHClientChannel and _has(channel, _CHANNEL)
        return channel if plain and channel._recv_state == "open" else None


def _has(owner: object, names: tuple[str, ...]) -> bool:
    return all(hasattr(owner, name) for name in names)
