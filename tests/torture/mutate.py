"""Mutated inputs from a corpus of good ones; the same seed gives the same, so a breach can be repeated."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Values at the edges of what the formats hold.
NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
WORDS = [
    b"",
    b"\0",
    b"\n",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[" * 70,
    b"]" * 70,
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"1e999",
    b"-0",
    b"NaN",
    b"9" * 400,
    b"null",
    b"true",
    b'"\\u0000"',
    b"\x1b]52;c;AAAA\x07",
    b"\xe2\x80\xae",
    b"=",
    b"a.b.c",
    b"'''",
    b"#",
]
LONGEST = 1 << 16


class Mutator:
    """Draws one mutated input after another."""

    def __init__(self, corpus: Sequence[bytes], seed: int) -> None:
        self.random = random.Random(seed)
        self.corpus = list(corpus)
        self._ways: list[Callable[[bytearray], None]] = [
            self._flip,
            self._set,
            self._number,
            self._word,
            self._cut,
            self._double,
            self._splice,
            self._truncate,
        ]

    def draw(self) -> bytes:
        """One input: a good one with one to four changes."""
        data = bytearray(self.random.choice(self.corpus))
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 4))):
            self.random.choice(self._ways)(data)
        del data[LONGEST:]
        return bytes(data)

    def _place(self, data: bytearray) -> int:
        return self.random.randrange(len(data) + 1)

    def _span(self, data: bytearray) -> tuple[int, int]:
        start = self._place(data)
        return start, min(len(data), start + self.random.choice((1, 2, 4, 8, 64, 1024)))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)

    def _set(self, data: bytearray) -> None:
        if data:
            data[self.random.randrange(len(data))] = self.random.randrange(256)

    def _number(self, data: bytearray) -> None:
        size = self.random.choice((1, 2, 4, 8))
        value = self.random.choice(NUMBERS) & ((1 << 8 * size) - 1)
        start = self._place(data)
        data[start : start + size] = value.to_bytes(size, self.random.choice(("big", "little")))

    def _word(self, data: bytearray) -> None:
        start, end = self._span(data)
        data[start : end if self.random.random() < 0.5 else start] = self.random.choice(WORDS)

    def _cut(self, data: bytearray) -> None:
        start, end = self._span(data)
        del data[start:end]

    def _double(self, data: bytearray) -> None:
        start, end = self._span(data)
        data[start:start] = data[start:end] * self.random.choice((1, 2, 16))

    def _splice(self, data: bytearray) -> None:
        other = self.random.choice(self.corpus)
        start = self.random.randrange(len(other) + 1)
        place = self._place(data)
        data[place:] = other[start:]

    def _truncate(self, data: bytearray) -> None:
        del data[self._place(data) :]
