"""The frame codec: `u32 length | u8 type | u16 file | u64 offset | payload | u32 crc32`, big-endian.

Length counts everything behind itself. A frame is at most 64 KiB, so that a cancel is never behind a flood; a longer
one is refused before a byte of it is kept.
"""

from __future__ import annotations

import struct
import zlib
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
    body = _HEAD.pack(kind, file, offset) + payload
    return _LENGTH.pack(len(body) + _CRC.size) + body + _CRC.pack(zlib.crc32(body))


class FrameDecoder:
    """Cuts a stream into frames, whatever the chunking. After a FrameError it refuses everything."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fault = ""

    @property
    def pending(self) -> int:
        """Bytes held that are not yet a whole frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """Give the frames that these bytes complete; raises FrameError on the first that is not one."""
        if self._fault:
            raise FrameError(self._fault)
        self._buffer += data
        frames: list[Frame] = []
        position, size = 0, len(self._buffer)
        while size - position >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, position)
            if length > MAX_FRAME - _LENGTH.size or length < _HEAD.size + _CRC.size:
                self._refuse(f"frame length {length} is outside {_HEAD.size + _CRC.size}..{MAX_FRAME}")
            if size - position - _LENGTH.size < length:
                break
            frames.append(self._one(position + _LENGTH.size, length))
            position += _LENGTH.size + length
        del self._buffer[:position]
        return frames

    def _one(self, start: int, length: int) -> Frame:
        end = start + length - _CRC.size
        body = bytes(self._buffer[start:end])
        (crc,) = _CRC.unpack_from(self._buffer, end)
        if zlib.crc32(body) != crc:
            self._refuse("frame checksum does not match")
        kind, file, offset = _HEAD.unpack_from(body)
        if offset >> 63:
            self._refuse(f"offset {offset} is not a place in a file")
        return Frame(kind, file, offset, body[_HEAD.size :])

    def _refuse(self, why: str) -> None:
        self._fault = why
        self._buffer.clear()
        raise FrameError(why)
