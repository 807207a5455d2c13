"""The checksum of frames: the same as the interpreter's own, only quicker."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import pytest

from tracekit import _native
from tracekit.agent import tracing


def test_crc32__any_part_of_any_bytes__then_as_the_interpreter_has_it() -> None:
    chance = random.Random(7)
    for size in (0, 1, 7, 64, 1000, 70_000):
        data = chance.randbytes(size)
        for _ in range(20):
            start, end = sorted((chance.randint(0, size), chance.randint(0, size)))
            assert _native.crc32(data, start, end) == zlib.crc32(data[start:end])
            lent = memoryview(bytearray(b"-" + data))[1:]
            assert _native.crc32(lent, start, end, 5) == zlib.crc32(data[start:end], 5)


@pytest.mark.parametrize(("start", "end"), [(0, 4), (3, 2), (9, 9)])
def test_crc32__no_such_part__then_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no such part"):
        _native.crc32(b"abc", start, end)


def test_crc32__bytes_that_do_not_lie_in_one_piece__then_refused() -> None:
    with pytest.raises((ValueError, BufferError)):
        _native.crc32(memoryview(b"abcdef")[::2], 0, 2)


def test_box_library__its_checksum__then_as_the_interpreter_has_it(tmp_path: Path) -> None:
    path = tmp_path / "box.so"
    path.write_bytes(_native.box_library())
    crc32 = tracing.load(str(path)).crc32
    chance = random.Random(8)
    for size in (0, 1, 64, 70_000):
        data = chance.randbytes(size)
        for _ in range(20):
            start, end = sorted((chance.randint(0, size), chance.randint(0, size)))
            before = chance.randrange(1 << 32)
            assert crc32(data, start, end, before) == zlib.crc32(data[start:end], before)
    for odd in (
        (b"abc", 0, 4, 0),
        (b"abc", 3, 2, 0),
        (bytearray(b"abc"), 0, 1, 0),
        (b"abc", 0, 1, 1 << 32),
        (),
    ):
        with pytest.raises(ValueError, match="no such part"):
            crc32(*odd)


def test_checksum__no_library_for_this_machine__then_the_interpreters_own(tmp_path: Path) -> None:
    found = tracing.checksum(str(tmp_path / "probe"))
    assert found(b"abcdef", 1, 4, 7) == zlib.crc32(b"bcd", 7)
