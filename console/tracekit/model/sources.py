"""Which lines were seen: every source numbers its own lines, so a second copy is dropped and a gap is
visible.

Within a source the numbers normally rise by one, and that costs one look-up. A line that fills an earlier gap
is taken; anything else that is not new was seen before.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any


class Source:
    """The lines of one process: the highest number, and the holes below it."""

    __slots__ = ("holes", "last", "missing", "zero")

    def __init__(self) -> None:
        self.last = 0
        self.missing = 0
        self.holes: list[tuple[int, int]] = []  # first and last missing number, ascending
        self.zero = False  # a source may begin at 0; nobody waits for that line

    def admit(self, n: int) -> bool:
        """Take a line that is not simply the next one; False when it was seen before."""
        if n > self.last:
            if n > self.last + 1:
                self.holes.append((self.last + 1, n - 1))
                self.missing += n - 1 - self.last
            self.last = n
            return True
        if n <= 0:
            new, self.zero = n == 0 and not self.zero, True
            return new
        return self._fill(n)

    def _fill(self, n: int) -> bool:
        at = bisect_right(self.holes, (n, self.last)) - 1
        if at < 0 or self.holes[at][1] < n:
            return False
        first, last = self.holes[at]
        self.holes[at : at + 1] = [hole for hole in ((first, n - 1), (n + 1, last)) if hole[0] <= hole[1]]
        self.missing -= 1
        return True

    def copy(self) -> Source:
        """Another one that has seen the same."""
        other = Source()
        other.last, other.missing, other.zero, other.holes = (
            self.last,
            self.missing,
            self.zero,
            list(self.holes),
        )
        return other

    def to_json(self) -> list[Any]:
        """As a checkpoint keeps it."""
        return [self.last, self.zero, self.holes]

    @classmethod
    def from_json(cls, row: list[Any]) -> Source:
        """Read back; raises TypeError or ValueError on anything that was not written here."""
        source = cls()
        last, zero, holes = row
        source.last, source.zero = int(last), bool(zero)
        source.holes = [(int(first), int(final)) for first, final in holes]
        source.missing = sum(final - first + 1 for first, final in source.holes)
        return source
