"""The frame codec: `u32 length | u8 type | u16 file | u64 offset | payload | u32 crc32`, big-endian.

Length counts everything behind itself. A frame is at most 64 KiB, so that a cancel is never behind a flood; a longer
one is refused before a byte of it is kept.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

_LENGTH = struct.Struct(">I")
_HEAD = struct.Struct(">BHQ")
_CRC = struct.Struct(">I")
OVERHEAD = _LENGTH.size + _HEAD.size + _CRC.size
MAX_FRAME = 64 * 1024
MAX_PAYLOAD = MAX_FRAME - OVERHEAD


class FrameType(IntEnum):
    """What a frame is; control frames carry JSON, DATA carries bytes of a file."""

    HELLO = 1
    DATA = 2
    ACK = 3
    ATTACH = 4
    START = 5
    CANCEL = 6
    PING = 7
    PONG = 8
    FILE = 9
    LENGTHS = 10
    RUNS = 11
    ERROR = 12
    DETACH = 13
    STARTED = 14
    RETIRE = 15
    BYE = 16
    OFFER = 17
    NEED = 18
    PUT = 19
    HELD = 20


_KNOWN = frozenset(int(kind) for kind in FrameType)


class Frame(NamedTuple):
    """One frame; `type` stays a number, since a newer peer may send types that are not known here."""

    type: int
    file: int
    offset: int
    payload: bytes

    @property
    def known(self) -> bool:
        """Whether this protocol version has a name for the type; what it has not is skipped, not refused."""
        return self.type in _KNOWN


class FrameError(ValueError):
    """Bytes that are not frames, and why; the connection that sent them is over."""


def encode_frame(kind: int, payload: bytes = b"", *, file: int = 0, offset: int = 0) -> bytes:
    """Encode one frame; raises FrameError when the payload is too long for one."""
    if len(payload) > MAX_PAYLOAD:
        message = f"payload of {len(payload)} bytes, over {MAX_PAYLOAD}"
        raise FrameError(message)
    head = _HEAD.pack(kind, file, offset)
    length = len(head) + len(payload) + _CRC.size
    # Joined once: most of what is sent are whole pieces of files.
    return b"".join((_LENGTH.pack(length), head, payload, _CRC.pack(zlib.crc32(payload, zlib.crc32(head)))))


def checksum_of(data: bytes, start: int, end: int) -> int:
    """The CRC-32 of a part of some bytes."""
    with memoryview(data) as view:
        return zlib.crc32(view[start:end])


class FrameDecoder:
    """Cuts a stream into frames, whatever the chunking. After a FrameError it refuses everything.

    `checksum` gives the CRC-32 of a part of some bytes, for whoever has a faster one than this.
    """

    def __init__(self, checksum: Callable[[bytes, int, int], int] = checksum_of) -> None:
        self._checksum = checksum
        self._rest = b""
        self._fault = ""

    @property
    def pending(self) -> int:
        """Bytes held that are not yet a whole frame."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Frame]:
        """Give the frames that these bytes complete; raises FrameError on the first that is not one."""
        if self._fault:
            raise FrameError(self._fault)
        data = self._rest + data if self._rest else data
        frames: list[Frame] = []
        position, size = 0, len(data)
        while size - position >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, position)
            if length > MAX_FRAME - _LENGTH.size or length < _HEAD.size + _CRC.size:
                self._refuse(f"frame length {length} is outside {_HEAD.size + _CRC.size}..{MAX_FRAME}")
            if size - position - _LENGTH.size < length:
                break
            frames.append(self._one(data, position + _LENGTH.size, length))
            position += _LENGTH.size + length
        self._rest = data[position:]
        return frames

    def _one(self, data: bytes, start: int, length: int) -> Frame:
        end = start + length - _CRC.size
        (crc,) = _CRC.unpack_from(data, end)
        if self._checksum(data, start, end) != crc:
            self._refuse("frame checksum does not match")
        kind, file, offset = _HEAD.unpack_from(data, start)
        if offset >> 63:
            self._refuse(f"offset {offset} is not a place in a file")
        return Frame(kind, file, offset, data[start + _HEAD.size : end])

    def _refuse(self, why: str) -> None:
        self._fault = why
        self._rest = b""
        raise FrameError(why)
