"""As much of the wire format of protocol buffers as tests need to read what we write, and to ask others about it."""

from __future__ import annotations

import struct
from collections.abc import Iterator


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message, in order."""
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        if key & 7 == 0:
            value, at = _number(data, at)
            yield key >> 3, value
            continue
        if key & 7 == 1:
            yield key >> 3, data[at : at + 8]
            at += 8
            continue
        assert key & 7 == 2, f"wire type {key & 7}"
        length, at = _number(data, at)
        yield key >> 3, data[at : at + length]
        at += length


def numbers(packed: bytes) -> Iterator[int]:
    """The numbers of a packed field."""
    at = 0
    while at < len(packed):
        value, at = _number(packed, at)
        yield value - (1 << 64) if value >> 63 else value


def doubles(packed: bytes) -> Iterator[float]:
    """The same of a field of floating point."""
    return (value for (value,) in struct.iter_unpack("<d", packed))


def message(*parts: tuple[int, int | bytes]) -> bytes:
    """A message of these fields."""
    written = bytearray()
    for field, value in parts:
        if isinstance(value, int):
            written += _varint(field << 3) + _varint(value)
        else:
            written += _varint(field << 3 | 2) + _varint(len(value)) + value
    return bytes(written)


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
