"""The frame codec: `u32 length | u8 type | u16 file | u64 offset | payload | u32 crc32`, big-endian.

Length counts everything behind itself. A frame is at most 64 KiB, so that a cancel is never behind a flood; a longer
one is refused before a byte of it is kept.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, Union, cast

_LENGTH = struct.Struct(">I")
_HEAD = struct.Struct(">BHQ")
_CRC = struct.Struct(">I")
OVERHEAD = _LENGTH.size + _HEAD.size + _CRC.size
MAX_FRAME = 64 * 1024
MAX_PAYLOAD = MAX_FRAME - OVERHEAD
# Of a frame that comes in crumbs; then they are joined.
_MOST_PIECES = 64


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
    CARRY = 21


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
    return b"".join(frame_pieces(kind, payload, file=file, offset=offset))


def frame_pieces(
    kind: int, payload: Union[bytes, memoryview], *, file: int = 0, offset: int = 0
) -> tuple[bytes, Union[bytes, memoryview], bytes]:
    """One frame as what stands before its payload, that, and what stands behind it: for who need not copy it."""
    if len(payload) > MAX_PAYLOAD:
        message = f"payload of {len(payload)} bytes, over {MAX_PAYLOAD}"
        raise FrameError(message)
    head = _HEAD.pack(kind, file, offset)
    length = _LENGTH.pack(len(head) + len(payload) + _CRC.size)
    return length + head, payload, _CRC.pack(zlib.crc32(payload, zlib.crc32(head)))


def checksum_of(data: bytes, start: int, end: int) -> int:
    """The CRC-32 of a part of some bytes."""
    with memoryview(data) as view:
        return zlib.crc32(view[start:end])


class FrameDecoder:
    """Cuts a stream into frames, whatever the chunking. After a FrameError it refuses everything.

    `checksum` gives the CRC-32 of a part of some bytes, for whoever has a faster one than this. With `views` the
    payloads of DATA are views into the bytes that came, for whoever is done with them at once: most of a stream is
    that, and every copy of it is felt.
    """

    def __init__(
        self, checksum: Callable[[bytes, int, int], int] = checksum_of, *, views: bool = False
    ) -> None:
        self._checksum = checksum
        self._views = views
        # The pieces of a frame that has been begun, their size, and how much is wanted before looking again.
        self._pieces: list[bytes] = []
        self._held = 0
        self._wanted = _LENGTH.size
        self._fault = ""

    @property
    def pending(self) -> int:
        """Bytes held that are not yet a whole frame."""
        return self._held

    def feed(self, data: bytes) -> list[Frame]:
        """Give the frames that these bytes complete; raises FrameError on the first that is not one."""
        if self._fault:
            raise FrameError(self._fault)
        frames: list[Frame] = []
        position, size = self._mend(data, frames) if self._held else 0, len(data)
        while size - position >= _LENGTH.size:
            length = self._length(data, position)
            if size - position - _LENGTH.size < length:
                self._wanted = _LENGTH.size + length
                break
            frames.append(self._one(data, position + _LENGTH.size, length))
            position += _LENGTH.size + length
        if position < size:
            self._hold(data[position:])
        return frames

    def _mend(self, data: bytes, frames: list[Frame]) -> int:
        """Take what the frame lacks that has been begun, and no more: the rest need not be copied."""
        taken = 0
        while self._held:
            piece = data[taken : taken + self._wanted - self._held]
            taken += len(piece)
            self._hold(piece)
            if self._held < self._wanted:
                break
            whole = b"".join(self._pieces)
            if self._wanted == _LENGTH.size:
                self._pieces = [whole]
                self._wanted += self._length(whole, 0)
            else:
                frames.append(self._one(whole, _LENGTH.size, self._wanted - _LENGTH.size))
                self._drop()
        return taken

    def _hold(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._held += len(piece)
        if len(self._pieces) > _MOST_PIECES:
            self._pieces = [b"".join(self._pieces)]

    def _drop(self) -> None:
        self._pieces, self._held, self._wanted = [], 0, _LENGTH.size

    def _length(self, data: bytes, position: int) -> int:
        (length,) = _LENGTH.unpack_from(data, position)
        if length > MAX_FRAME - _LENGTH.size or length < _HEAD.size + _CRC.size:
            self._refuse(f"frame length {length} is outside {_HEAD.size + _CRC.size}..{MAX_FRAME}")
        return int(length)

    def _one(self, data: bytes, start: int, length: int) -> Frame:
        end = start + length - _CRC.size
        (crc,) = _CRC.unpack_from(data, end)
        if self._checksum(data, start, end) != crc:
            self._refuse("frame checksum does not match")
        kind, file, offset = _HEAD.unpack_from(data, start)
        if offset >> 63:
            self._refuse(f"offset {offset} is not a place in a file")
        if self._views and kind == FrameType.DATA:
            # Whoever asks for views only measures them, hashes them and writes them.
            return Frame(kind, file, offset, cast("bytes", memoryview(data)[start + _HEAD.size : end]))
        return Frame(kind, file, offset, data[start + _HEAD.size : end])

    def _refuse(self, why: str) -> None:
        self._fault = why
        self._drop()
        raise FrameError(why)
