"""Records as rows of JSON, and back when somebody looks at one.

A restored run of 60,000 scenarios keeps its rows as the text they were; a row becomes a record at the first
look. Sources are numbers in a row and names in a record.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import orjson

from tracekit.model.reading import read_json
from tracekit.model.records import Record, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Row = list[Any]
_OUTSIDE_ASCII = re.compile(r"[^\x00-\x7f]+")
_encode_any = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def encode(value: Any) -> str:
    """JSON without a letter outside ASCII: half a character stays what it is, and a file of it is read fast."""
    try:
        data = orjson.dumps(value)
    except (TypeError, ValueError):  # half a character, a number of more than 64 bits, a key that is no text
        return _encode_any(value)
    return data.decode("ascii") if data.isascii() else _OUTSIDE_ASCII.sub(_escaped, data.decode("utf-8"))


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


class Frozen:
    """Rows that nobody has looked at yet, by the key of their record."""

    def __init__(self, rows: dict[int, str], sources: Sequence[str]) -> None:
        self.rows = rows
        self.sources = sources
        self.damaged = 0

    def __contains__(self, key: int) -> bool:
        return key in self.rows

    def thaw(self, key: int) -> Record | None:
        """Take a row out as a record. A row that makes no sense gives an empty record and is counted."""
        return self._read(self.rows.pop(key, None))

    def peek(self, key: int) -> Record | None:
        """A row as a record, and it stays a row: whoever looks at all of them once keeps none."""
        return self._read(self.rows.get(key))

    def _read(self, row: str | None) -> Record | None:
        if row is None:
            return None
        try:
            return _record(read_json(row), self.sources)
        except (TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError):
            self.damaged += 1
            return Record()


def freeze(
    records: dict[int, Record], frozen: Frozen | None, numbers: dict[str, int]
) -> Iterator[tuple[int, str]]:
    """Every record as a row; rows that were never thawed pass through as they are."""
    if frozen is not None:
        yield from frozen.rows.items()
    for key, record in records.items():
        yield key, encode(_row(record, numbers))


def span_row(span: Span, numbers: dict[str, int]) -> Row:
    """A piece of output with its source as a number."""
    return [span[0], numbers[span[1]], *span[2:]]


def span_from(row: Row, sources: Sequence[str]) -> Span:
    """Read a piece of output; raises TypeError, ValueError or IndexError on anything that was not written
    here.
    """
    offset, src, n, stream, length, exact, step, t = row
    return int(offset), sources[src], int(n), str(stream), int(length), bool(exact), step, int(t)


def _row(record: Record, numbers: dict[str, int]) -> Row:
    started: Any = 0
    ended: Any = 0
    if record.started is not None:
        started = [record.started[0], numbers[record.started[1]], *record.started[2:]]
    if record.ended is not None:
        ended = [*record.ended[:2], numbers[record.ended[2]], *record.ended[3:]]
    row: Row = [
        started,
        ended,
        [span_row(span, numbers) for span in record.outputs or ()] or 0,
        [[key[0], numbers[key[1]], key[2], line] for key, line in record.evidence or ()] or 0,
        record.red_children,
        int(record.told_red),
        int(record.teardown_failed),
        sorted(record.teardown_steps or ()) or 0,
        sorted(record.red_steps or ()) or 0,
        record.stalls,
    ]
    while row and row[-1] == 0:
        row.pop()
    return row


def _record(row: Row, sources: Sequence[str]) -> Record:
    record = Record()
    whole = row + [0] * (10 - len(row))
    started, ended, outputs, evidence, children, told, teardown, teardowns, reds, stalls = whole
    if started:
        t, src, n, m, pid, worker, launch = started
        record.started = (int(t), sources[src], int(n), int(m), pid, worker, launch)
    if ended:
        rank, t, src, n, verdict, cause, duration, durations, reason, code, signal, failed = ended
        record.ended = (
            int(rank), int(t), sources[src], int(n), str(verdict), cause, int(duration),
            None if durations is None else dict(durations), reason, code, signal, int(failed),
        )  # fmt: skip
    if outputs:
        record.outputs = [span_from(span, sources) for span in outputs]
    if evidence:
        record.evidence = [((int(t), sources[src], int(n)), dict(line)) for t, src, n, line in evidence]
    record.red_children, record.stalls = int(children), int(stalls)
    record.told_red, record.teardown_failed = bool(told), bool(teardown)
    record.teardown_steps = {str(step) for step in teardowns} if teardowns else None
    record.red_steps = {str(step) for step in reds} if reds else None
    return record
