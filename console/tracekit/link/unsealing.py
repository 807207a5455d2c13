"""The data packets of a flood are opened here, many in one go; the library takes each through a dozen calls and copies.

What is taken is plain data of an open session, sealed with the library's own key in the order in which it comes.
Anything else is left to the library as it came, and so is what does not open: it says what is wrong with it. The
library finds its counters as if it had opened the rest itself. It has no word for that, so the names of its own that
are needed here are looked for first: where one is missing nothing is taken, and all is as it was but slower.
"""

# ruff: noqa: SLF001 - the library tells none of this in another way; what is missing is looked for first

from __future__ import annotations

import struct
from sys import getrefcount
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
_NONCE = struct.Struct(">4sQ")
_LAST = 0xFFFFFFFFFFFFFFFF
# So much is handed on at once: nobody else runs while it is read.
_PORTION = 512 << 10
# As much is worth being lent instead of copied, and so many rooms of that may be lent at once.
_MUCH, _ROOMS = 128 << 10, 12
#: No packet is longer than that to the library either; what says so is not the head of one.
LONGEST = 1 << 19
_ROOM = _FRONT.size + _PORTION + LONGEST
_CONNECTION = (
    "_inpbuf", "_recv_handler", "_recv_pkthdr", "_recv_encryption", "_recv_seq", "_channels", "_decompressor",
    "_reset_keepalive_timer",
)  # fmt: skip
_CIPHER = ("_key", "_iv")
_CHANNEL = ("_recv_state", "_recv_window", "_accept_data")


def _referrers(rooms: list[bytearray]) -> list[int]:
    return [getrefcount(room) for room in rooms]


# How often a room is referred to into which nobody looks; versions of Python count differently.
_OURS = _referrers([bytearray()])[0]


class Unsealing:
    """Opens what comes over one connection of the library."""

    def __init__(self, connection: Any) -> None:
        self._library = connection
        self._able = _has(connection, _CONNECTION) and hasattr(AESGCM, "decrypt_into")
        self._cipher: Any = None
        self._key: Any = None
        # The rooms that are lent, and the one that never is, for when all of them are.
        self._lent: list[bytearray] = []
        self._own = bytearray()

    @property
    def ready(self) -> bool:
        """Whether the library stands between two packets whose lengths are told in clear."""
        return self._able and self._ready() is not None

    def take(self, view: memoryview, begun: int, end: int) -> int:
        """Open the packets that begin at `begun`, as many as are whole; gives where the rest begins."""
        while self._able and (taken := self._some(view, begun, end)) > begun:
            begun = taken
        return begun

    def _some(self, view: memoryview, begun: int, end: int) -> int:
        cipher = self._ready()
        if cipher is None or end - begun <= _FRONT.size:
            return begun
        fixed, (count,) = cipher._iv[:4], _COUNT.unpack(cipher._iv[4:])
        room, kept = self._room()
        # What is opened is put behind what was, over its own front: so it needs no joining. The first needs room.
        start = place = _FRONT.size
        open_, packets, whose, most = memoryview(room), 0, -1, 0
        channel: Any = None
        decrypt, length_at, front_at, nonce = (
            self._key.decrypt_into, _LENGTH.unpack_from, _FRONT.unpack_from, _NONCE.pack,
        )  # fmt: skip
        while place < _PORTION and begun + HEAD <= end:
            (length,) = length_at(view, begun)
            sealed = begun + HEAD
            behind = sealed + length + SEAL
            if behind > end or not _FRONT.size < length <= LONGEST:
                break
            front = place - _FRONT.size
            covered = room[front:place]
            try:
                number = (count + packets) & _LAST
                decrypt(
                    nonce(fixed, number),
                    view[sealed:behind],
                    view[begun:sealed],
                    open_[front : front + length],
                )
            except InvalidTag:
                open_[front:place] = covered
                break
            padding, kind, number, size = front_at(open_, front)
            # Sound or not: what stood there is another's.
            open_[front:place] = covered
            if kind != _DATA or not size or not padding or _FRONT.size + size + padding != length:
                break
            if channel is None:
                whose, channel = number, self._channel(number)
                most = channel._recv_window if channel is not None else 0
            if number != whose or place - start + size > most:
                break
            place += size
            packets += 1
            begun = behind
        if packets:
            library = self._library
            cipher._iv = fixed + _COUNT.pack((count + packets) & _LAST)
            library._recv_seq = (library._recv_seq + packets) & 0xFFFFFFFF
            library._reset_keepalive_timer()
            # Of little a copy is made: it may wait for long, and would keep a whole room.
            much = kept and place - start >= _MUCH
            channel._accept_data(open_[start:place] if much else bytes(open_[start:place]))
        return begun

    def _room(self) -> tuple[bytearray, bool]:
        """Where packets are opened, and whether that may be lent to who reads them.

        One is free again when nobody looks into it any more. To write into the same memory over and over is several
        times as quick as into new memory.
        """
        for room, referrers in zip(self._lent, _referrers(self._lent), strict=True):
            if referrers == _OURS:
                return room, True
        if len(self._lent) < _ROOMS:
            self._lent.append(bytearray(_ROOM))
            return self._lent[-1], True
        self._own = self._own or bytearray(_ROOM)
        return self._own, False

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
