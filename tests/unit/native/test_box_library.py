from __future__ import annotations

import ctypes
import os
import platform
import struct
import time
from pathlib import Path

import pytest

from tracekit import _native

ROOT = Path(__file__).parents[3]
LIMIT = 2 * 1024 * 1024
SYMTAB, DYNSYM = 2, 11
GLOBAL_OR_WEAK = {1, 2}


class Clock(ctypes.Structure):
    _fields_ = (
        ("tsc", ctypes.c_uint64),
        ("monotonic_ns", ctypes.c_uint64),
        ("realtime_ns", ctypes.c_uint64),
        ("spread_ns", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
    )


@pytest.fixture
def library(tmp_path: Path) -> ctypes.CDLL:
    path = tmp_path / "libtracekit_box.so"
    path.write_bytes(_native.box_library())
    loaded = ctypes.CDLL(os.fspath(path))
    for name in ("tsc", "monotonic_ns", "realtime_ns"):
        getattr(loaded, f"tracekit_box_{name}").restype = ctypes.c_uint64
    loaded.tracekit_box_version.restype = ctypes.c_char_p
    return loaded


def sections_of(image: bytes) -> list[tuple[int, ...]]:
    """The section headers of a 64-bit little-endian ELF library."""
    (table,) = struct.unpack_from("<Q", image, 0x28)
    entry_size, entries = struct.unpack_from("<HH", image, 0x3A)
    return [struct.unpack_from("<IIQQQQIIQQ", image, table + entry_size * n) for n in range(entries)]


def exported(image: bytes) -> list[str]:
    """The names that a library defines for others."""
    sections = sections_of(image)
    symbols = next(section for section in sections if section[1] == DYNSYM)
    strings = sections[symbols[6]][4]
    names = []
    for at in range(symbols[4], symbols[4] + symbols[5], 24):
        name, info, _other, section = struct.unpack_from("<IBBH", image, at)
        if section and info >> 4 in GLOBAL_OR_WEAK:
            start = strings + name
            names.append(image[start : image.index(b"\0", start)].decode())
    return sorted(names)


def test_box_library__in_the_wheel__then_small_and_stripped() -> None:
    image = _native.box_library()
    assert image.startswith(b"\x7fELF")
    assert len(image) <= LIMIT
    assert SYMTAB not in {section[1] for section in sections_of(image)}


def test_box_library__its_symbols__then_exactly_the_listed() -> None:
    listed = (ROOT / "native/box/exports.txt").read_text(encoding="utf-8").split()
    assert exported(_native.box_library()) == listed


def test_box_target__then_this_machine() -> None:
    architecture, libc = _native.box_target()
    assert architecture == platform.machine()
    assert libc in {"gnu", "musl"}


def test_box_library__loaded__then_tells_its_versions(library: ctypes.CDLL) -> None:
    assert library.tracekit_box_abi() == 1
    assert library.tracekit_box_version().decode() == _native.VERSION


def test_clocks__then_the_same_as_pythons(library: ctypes.CDLL) -> None:
    before = time.monotonic_ns()
    now = library.tracekit_box_monotonic_ns()
    assert before <= now <= time.monotonic_ns()
    before = time.time_ns()
    now = library.tracekit_box_realtime_ns()
    assert abs(now - before) < 60 * 10**9
    assert library.tracekit_box_tsc_trusted() in {0, 1}


def test_clock__all_at_once__then_one_moment(library: ctypes.CDLL) -> None:
    clock = Clock()
    before = time.monotonic_ns()
    assert library.tracekit_box_clock(ctypes.byref(clock)) == 0
    assert before <= clock.monotonic_ns <= time.monotonic_ns()
    assert clock.flags == library.tracekit_box_tsc_trusted()
    assert library.tracekit_box_tsc() >= clock.tsc
    assert library.tracekit_box_clock(None) == -1
