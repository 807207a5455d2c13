"""The frame codec: `u32 length | u8 type | u16 file | u64 offset | payload | u32 crc32`, big-endian.

Length counts everything behind itself. A frame is at most 64 KiB, so that a cancel is never behind a flood; a longer
one is refused before a byte of it is kept.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, NoReturn, Union, cast

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
    ASK = 22
    TOLD = 23


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
    length = _LENGTH.pack(len(head) + len(payload) + _CRC.size)
    return b"".join((length, head, payload, _CRC.pack(zlib.crc32(payload, zlib.crc32(head)))))


def checksum_of(data: bytes, start: int, end: int, before: int = 0) -> int:
    """The CRC-32 of a part of some bytes, behind what has the CRC-32 `before`."""
    with memoryview(data) as view:
        return zlib.crc32(view[start:end], before)


#: Gives the CRC-32 of a part of some bytes behind others, as `checksum_of` does.
Checksum = Callable[[bytes, int, int, int], int]


def data_frames(
    data: bytes, file: int, offset: int, checksum: Checksum = checksum_of
) -> list[Union[bytes, memoryview]]:
    """DATA frames of some bytes of a file, as what is to be written one behind the other: nothing is put together."""
    view = memoryview(data)
    found: list[Union[bytes, memoryview]] = []
    behind = b""
    for at in range(0, len(data), MAX_PAYLOAD):
        end = min(at + MAX_PAYLOAD, len(data))
        head = _HEAD.pack(FrameType.DATA, file, offset + at)
        found.append(behind + _LENGTH.pack(len(head) + end - at + _CRC.size) + head)
        found.append(view[at:end])
        behind = _CRC.pack(checksum(data, at, end, zlib.crc32(head)))
    return [*found, behind] if behind else []


class _Part(NamedTuple):
    """Some of the bytes that came, where they lie."""

    data: bytes
    start: int
    end: int


class FrameDecoder:
    """Cuts a stream into frames, whatever the chunking. After a FrameError it refuses everything.

    `checksum` gives the CRC-32 of a part of some bytes, for whoever has a faster one than this. With `views` the
    payloads of DATA are views into the bytes that came, and a DATA frame that came in parts is given as several that
    follow one another, once all of it was checked. That is for whoever is done with them at once: most of a stream is
    that, and every copy of it is felt.
    """

    def __init__(self, checksum: Checksum = checksum_of, *, views: bool = False) -> None:
        self._checksum = checksum
        self._views = views
        # The parts of a frame that has been begun, their size, and how much is wanted before looking again.
        self._parts: list[_Part] = []
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
            self._hold(data, position, size)
        return frames

    def _mend(self, data: bytes, frames: list[Frame]) -> int:
        """Take what the frame lacks that has been begun, and no more: the rest need not be copied."""
        taken = 0
        while self._held:
            end = min(len(data), taken + self._wanted - self._held)
            self._hold(data, taken, end)
            taken = end
            if self._held < self._wanted:
                break
            if self._wanted == _LENGTH.size:
                whole = self._joined()
                self._parts = [_Part(whole, 0, len(whole))]
                self._wanted += self._length(whole, 0)
            else:
                frames += self._mended()
                self._drop()
        return taken

    def _hold(self, data: bytes, start: int, end: int) -> None:
        # Where nobody wants views, the little that is kept must not keep all that it came with.
        part = _Part(data, start, end) if self._views else _Part(data[start:end], 0, end - start)
        self._parts.append(part)
        self._held += end - start
        if len(self._parts) > _MOST_PIECES:
            self._parts = [_Part(self._joined(), 0, self._held)]

    def _joined(self) -> bytes:
        return b"".join(data[start:end] for data, start, end in self._parts)

    def _drop(self) -> None:
        self._parts, self._held, self._wanted = [], 0, _LENGTH.size

    def _length(self, data: bytes, position: int) -> int:
        (length,) = _LENGTH.unpack_from(data, position)
        if length > MAX_FRAME - _LENGTH.size or length < _HEAD.size + _CRC.size:
            self._refuse(f"frame length {length} is outside {_HEAD.size + _CRC.size}..{MAX_FRAME}")
        return int(length)

    def _mended(self) -> list[Frame]:
        """The frame that came in parts."""
        first, last = self._parts[0], self._parts[-1]
        before = first.start + _LENGTH.size + _HEAD.size
        behind = last.end - _CRC.size
        kind = first.data[first.start + _LENGTH.size] if first.end >= before else 0
        if not self._views or kind != FrameType.DATA or first is last or behind < last.start:
            return [self._one(self._joined(), _LENGTH.size, self._wanted - _LENGTH.size)]
        found = self._checksum(first.data, first.start + _LENGTH.size, first.end, 0)
        spans = [
            _Part(first.data, before, first.end),
            *self._parts[1:-1],
            _Part(last.data, last.start, behind),
        ]
        for span in spans[1:]:
            found = self._checksum(*span, found)
        (crc,) = _CRC.unpack_from(last.data, behind)
        if found != crc:
            self._refuse("frame checksum does not match")
        kind, file, offset = self._head(first.data, first.start + _LENGTH.size)
        frames = []
        for data, start, end in spans:
            if end > start:
                frames.append(Frame(kind, file, offset, _view(data, start, end)))
                offset += end - start
        return frames or [Frame(kind, file, offset, _view(b"", 0, 0))]

    def _one(self, data: bytes, start: int, length: int) -> Frame:
        end = start + length - _CRC.size
        (crc,) = _CRC.unpack_from(data, end)
        if self._checksum(data, start, end, 0) != crc:
            self._refuse("frame checksum does not match")
        kind, file, offset = self._head(data, start)
        begin = start + _HEAD.size
        # Whoever asks for views only measures them, hashes them and writes them.
        viewed = self._views and kind == FrameType.DATA
        return Frame(kind, file, offset, _view(data, begin, end) if viewed else data[begin:end])

    def _head(self, data: bytes, start: int) -> tuple[int, int, int]:
        kind, file, offset = _HEAD.unpack_from(data, start)
        if offset >> 63:
            self._refuse(f"offset {offset} is not a place in a file")
        return kind, file, offset

    def _refuse(self, why: str) -> NoReturn:
        self._fault = why
        self._drop()
        raise FrameError(why)


def _view(data: bytes, start: int, end: int) -> bytes:
    return cast("bytes", memoryview(data)[start:end])
