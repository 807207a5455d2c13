"""Where lines begin in recorded output: an index over spans of `output.bin`, read once, in slices, keeping no text.

A line begins after a newline, where the stream changes, and every 16 KiB of a line without an end. The pane asks for
the bytes of the lines it paints and for no others.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tracekit.model.facts import OutputSpan
from tracekit.ui.ports import ViewFace

SLICE = 512 * 1024
LONGEST = 16 * 1024


class OutputIndex:
    """Lines of one sequence of spans; spans are only ever added."""

    def __init__(self, view: ViewFace) -> None:
        self.view = view
        self.spans: list[OutputSpan] = []
        self.span_of = array("l")  # by line: the span it begins in
        self.offset_of = array("q")  # by line: where in that span
        self.total = 0  # bytes known
        self._span = 0  # read so far
        self._offset = 0
        self._fresh = True  # the next byte begins a line
        self._length = 0  # of the line being read

    def __len__(self) -> int:
        return len(self.span_of)

    def extend(self, spans: Sequence[OutputSpan]) -> bool:
        """Take over spans that came since; says whether the earlier ones are still the same."""
        known = len(self.spans)
        if len(spans) < known or (known and spans[known - 1].offset != self.spans[-1].offset):
            return False
        for span in spans[known:]:
            self.spans.append(span)
            self.total += span.length
        return True

    @property
    def behind(self) -> bool:
        """Whether spans are known that have not been read."""
        return self._span < len(self.spans)

    def read(self, budget: int = SLICE) -> bool:
        """Read on for at most `budget` bytes; says whether lines came or grew."""
        grew = False
        while budget > 0 and self._span < len(self.spans):
            span = self.spans[self._span]
            if self._offset == 0 and self._span and span.stream != self.spans[self._span - 1].stream:
                self._fresh = True
            want = min(budget, span.length - self._offset)
            data = (
                self.view.output([replace(span, offset=span.offset + self._offset, length=want)])
                if want
                else b""
            )
            if want and not data:
                break
            grew = True
            budget -= max(1, len(data))
            self._scan(data)
            self._offset += len(data)
            if self._offset >= span.length:
                self._span, self._offset = self._span + 1, 0
        return grew

    def _scan(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if self._fresh or self._length >= LONGEST:
                self.span_of.append(self._span)
                self.offset_of.append(self._offset + at)
                self._fresh, self._length = False, 0
            end = data.find(b"\n", at, at + LONGEST - self._length)
            stop = end + 1 if end >= 0 else min(len(data), at + LONGEST - self._length)
            self._length += stop - at
            at = stop
            self._fresh = end >= 0

    def window(self, first: int, count: int) -> list[tuple[bytes, OutputSpan]]:
        """The bytes of these lines, each with the span it begins in."""
        last = min(first + count, len(self))
        wanted = [(self._pieces(line), self.spans[self.span_of[line]]) for line in range(first, last)]
        data = self.view.output([piece for pieces, _ in wanted for piece in pieces])
        lines, at = [], 0
        for pieces, span in wanted:
            length = sum(piece.length for piece in pieces)
            lines.append((data[at : at + length].rstrip(b"\n"), span))
            at += length
        return lines

    def _pieces(self, line: int) -> Iterable[OutputSpan]:
        span, offset = self.span_of[line], self.offset_of[line]
        if line + 1 < len(self):
            end_span, end_offset = self.span_of[line + 1], self.offset_of[line + 1]
        else:
            end_span, end_offset = self._span, self._offset
        pieces, left = [], LONGEST
        while span < len(self.spans) and (span, offset) < (end_span, end_offset) and left > 0:
            stop = end_offset if span == end_span else self.spans[span].length
            length = min(left, stop - offset)
            pieces.append(replace(self.spans[span], offset=self.spans[span].offset + offset, length=length))
            left -= length
            span, offset = span + 1, 0
        return pieces
