"""The only writer of a run's replicated files: output first, then the journal lines that point into it.

A batch is one write per file and ends with an `ingested` line; what stands behind the last one is cut at the next
start. A write that fails loses nothing: the batch is kept and tried again, the failure is counted as a gap. It never
raises into the run.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field
from typing import Any, Optional

from tracekit.agent.redact import Redactor
from tracekit.agent.system import MOST_RESERVED, System, free_space
from tracekit.wire.lines import LineError, decode, encode, whole_lines
from tracekit.wire.names import JOURNAL_FILE, LINE_VERSION, OUTPUT_FILE, E

_SCAN = 1 << 20
_HEAD = re.compile(rb'\{"v":1,"src":"([^"\\]*)","run":"[^"\\]*","n":(\d+),')


@dataclass
class Batch:
    """What one commit appends: lines of spools, output, lines of our own, and how far spools are read."""

    lines: list[bytes] = field(default_factory=list)
    output: list[bytes] = field(default_factory=list)
    output_size: int = 0
    own: list[dict[str, Any]] = field(default_factory=list)
    at: dict[str, int] = field(default_factory=dict)
    note: dict[str, Any] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not (self.lines or self.output or self.own or self.at or self.note)

    def add_output(self, data: bytes) -> int:
        """Append output, give its place relative to the batch."""
        place = self.output_size
        self.output.append(data)
        self.output_size += len(data)
        return place


@dataclass
class Restored:
    """What the journal of an earlier daemon says."""

    at: dict[str, int] = field(default_factory=dict)
    launches: dict[str, str] = field(default_factory=dict)
    driver: Optional[dict[str, Any]] = None
    held: dict[str, Any] = field(default_factory=dict)
    started: bool = False
    ended: Optional[dict[str, Any]] = None


class Recording:
    """`journal.ndjson` and `output.bin` of one run, and their committed lengths."""

    def __init__(self, system: System, directory: str, run: str, source: str, redactor: Redactor) -> None:
        self._system = system
        self._files = system.files
        self.directory = directory
        self._redactor = redactor
        self._source = source
        self._prefix = f'{{"v":{LINE_VERSION},"src":"{source}","run":"{run}",'.encode()
        self._n = 0
        self._journal = -1
        self._output = -1
        self.journal_length = 0
        self.output_length = 0
        self.faults = 0
        #: Whether the tests' own processes had no room, and left things out.
        self.starved = False
        self._unreported = 0
        self.why = ""

    @property
    def committed(self) -> dict[str, int]:
        return {JOURNAL_FILE: self.journal_length, OUTPUT_FILE: self.output_length}

    @property
    def incomplete(self) -> bool:
        """Whether anything of the run may be missing in it."""
        return bool(self.faults) or self.starved

    @property
    def next_output(self) -> int:
        """Where the next batch's output will begin."""
        return self.output_length

    def open(self) -> Restored:
        """Open both files, cut what no commit covers, and tell how far an earlier daemon came; raises OSError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        self._journal = self._files.open(os.path.join(self.directory, JOURNAL_FILE), flags)
        self._output = self._files.open(os.path.join(self.directory, OUTPUT_FILE), flags)
        restored = self._scan()
        self._cut()
        return restored

    def close(self) -> None:
        for descriptor in (self._journal, self._output):
            if descriptor >= 0:
                with contextlib.suppress(OSError):
                    self._files.close(descriptor)
        self._journal = self._output = -1

    def commit(self, batch: Batch) -> bool:
        """Append a batch whole; False when the disk refused, and then nothing of it counts."""
        if batch.empty:
            return True
        # Once it was full, what is free at first is the room that was set aside for the tests' own lines.
        if self.faults and free_space(self.directory) < MOST_RESERVED + batch.output_size:
            return False
        number = self._n
        own = list(batch.own)
        if self._unreported:
            own.insert(0, {"e": E.GAP, "what": "recording", "count": self._unreported, "why": self.why})
        out = self.output_length + batch.output_size
        own.append({"e": E.INGESTED, "at": batch.at, "out": out, **batch.note})
        pieces = list(batch.lines)
        for line in own:
            number += 1
            pieces.append(self._line(number, line))
        journal = b"".join(pieces)
        try:
            if batch.output_size:
                self._files.write_all(self._output, b"".join(batch.output))
            self._files.write_all(self._journal, journal)
        except OSError as fault:
            self._failed(fault)
            return False
        self._n = number
        self._unreported = 0
        self.output_length = out
        self.journal_length += len(journal)
        return True

    def sync(self) -> None:
        """Make the files durable; a disk that cannot is noted, no more."""
        for descriptor in (self._output, self._journal):
            try:
                self._files.sync(descriptor)
            except OSError as fault:
                self.faults += 1
                self.why = fault.strerror or str(fault)

    def note_fault(self, fault: OSError) -> None:
        """Count a fault of the disk that happened elsewhere in the recording."""
        self.faults += 1
        self._unreported += 1
        self.why = fault.strerror or str(fault)

    def _failed(self, fault: OSError) -> None:
        self.note_fault(fault)
        self._cut()

    def _cut(self) -> None:
        for descriptor, length in ((self._output, self.output_length), (self._journal, self.journal_length)):
            with contextlib.suppress(OSError):
                if os.fstat(descriptor).st_size > length:
                    self._files.truncate(descriptor, length)

    def _line(self, number: int, line: dict[str, Any]) -> bytes:
        clock = self._system.clock
        full = {"n": number, "t": clock.wall(), "m": clock.mono(), **line}
        try:
            body = self._redactor.line(encode(full))
        except LineError as fault:
            body = encode({"n": number, "t": full["t"], "m": full["m"], "e": E.GAP, "what": "line", "count": 1,
                           "why": str(fault)})  # fmt: skip
        return self._prefix + body[1:]

    def _scan(self) -> Restored:
        """Read the journal once from the start, up to its last commit."""
        restored = Restored()
        marker = b'"e":"' + E.INGESTED.encode() + b'"'
        ended = b'"e":"' + E.RUN_ENDED.encode() + b'"'
        started = b'"e":"' + E.RUN_STARTED.encode() + b'"'
        gap = b'"e":"' + E.GAP.encode() + b'","what":"recording"'
        box = self._source.split("/")[0].encode() + b"/daemon/"
        position, rest = 0, b""
        last_end: Optional[bytes] = None
        while True:
            chunk = os.pread(self._journal, _SCAN, position + len(rest))
            if not chunk:
                break
            data = rest + chunk
            whole = whole_lines(data)
            for line in data[:whole].splitlines(keepends=True):
                position += len(line)
                head = _HEAD.match(line)
                if head is None or not head.group(1).startswith(box):
                    continue
                if head.group(1) == self._source.encode():
                    self._n = max(self._n, int(head.group(2)))
                if marker in line:
                    self._take(restored, line, position)
                    restored.ended = _decoded(last_end) if last_end else None
                elif gap in line:
                    # What was lost before stays lost, whoever goes on.
                    self.faults += 1
                elif ended in line:
                    last_end = line
                elif started in line:
                    restored.started = True
            rest = data[whole:]
        return restored

    def _take(self, restored: Restored, line: bytes, position: int) -> None:
        obj = _decoded(line)
        if obj is None:
            return
        restored.at.update(obj.get("at", {}))
        restored.launches.update(obj.get("launches", {}))
        restored.driver = obj.get("driver", restored.driver)
        restored.held = obj.get("held", {})
        self.output_length = int(obj.get("out", 0))
        self.journal_length = position


def _decoded(line: bytes) -> Optional[dict[str, Any]]:
    try:
        return decode(line)
    except LineError:
        return None
