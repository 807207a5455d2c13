"""The checksum of frames: the same as the interpreter's own, only quicker."""

from __future__ import annotations

import random
import zlib

import pytest

from tracekit import _native


def test_crc32__any_part_of_any_bytes__then_as_the_interpreter_has_it() -> None:
    chance = random.Random(7)
    for size in (0, 1, 7, 64, 1000, 70_000):
        data = chance.randbytes(size)
        for _ in range(20):
            start, end = sorted((chance.randint(0, size), chance.randint(0, size)))
            assert _native.crc32(data, start, end) == zlib.crc32(data[start:end])


@pytest.mark.parametrize(("start", "end"), [(0, 4), (3, 2), (9, 9)])
def test_crc32__no_such_part__then_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no such part"):
        _native.crc32(b"abc", start, end)
