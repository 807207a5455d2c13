"""Reads spools: what processes of a run appended since the last look becomes a batch for the recording.

Lines are prefixed textually and only those that must be rewritten are parsed, so that a flood of events costs next to
nothing. Captured output is copied, redacted, and its line told where it went. It writes nothing itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

from tracekit.agent.recording import Batch, Restored
from tracekit.agent.redact import Redactor, StreamRedactor
from tracekit.agent.system import System, read_range, size_of
from tracekit.wire.lines import LineError, decode, encode, whole_lines
from tracekit.wire.names import LINE_VERSION, E

READ = 1 << 20
BATCH = 4 << 20
# A spool that has been silent this long is looked at only now and then: a suite may fork thousands.
QUIET_SECONDS = 2.0
QUIET_EVERY = 8
#: What a probe's page beside its spool is called: where the output lies that it has not taken over yet.
HELD = ".held"
_NAME = re.compile(r"([a-z][a-z0-9_]{0,30})-(\d+)-(\d+)\.ndjson")
_RAW = re.compile(r"([A-Za-z0-9_.]{1,60})\.(out|err)")
_RESERVED = frozenset({"daemon", "supervisor", "warden"})
_OUTPUT = b'"e":"' + E.OUTPUT.encode() + b'"'


@dataclass
class Spool:
    """One file that one process appends to."""

    name: str
    path: str
    launch: str
    stream: str  # "" for lines, else stdout or stderr
    prefix: bytes = b""
    read: int = 0
    grown: float = 0.0
    streams: dict[str, StreamRedactor[Any]] = field(default_factory=dict)

    @property
    def committed(self) -> int:
        """How far this spool need never be read again; bytes kept back are read again by the next daemon."""
        if not self.stream:
            return self.read
        kept = self.streams.get(self.stream)
        return self.read - (sum(len(piece) for _, piece in kept.held) if kept else 0)


class Ingest:
    """All spools of one run."""

    def __init__(self, system: System, directory: str, run: str, box: str, redactor: Redactor) -> None:
        self._system = system
        self.directory = directory
        self._run = run
        self._box = box
        self.redactor = redactor
        self.supervisor = ""
        self.spools: dict[str, Spool] = {}
        self._restored = Restored()
        self._ignored: set[str] = set()
        self._pages: list[str] = []
        self._damaged = 0
        self._looks = 0

    def restore(self, restored: Restored) -> None:
        """Go on where an earlier daemon committed."""
        self._restored = restored
        for name in {**restored.at, **restored.launches}:
            self._adopt(name, restored.launches.get(name, ""))
        for name, streams in restored.held.items():
            spool = self.spools.get(name)
            if spool is not None and isinstance(streams, dict):
                self._restore_held(spool, streams)

    def of_launch(self, launch: str) -> list[Spool]:
        """The line spools that a launch's processes wrote."""
        return [spool for spool in self.spools.values() if spool.launch == launch and not spool.stream]

    def heard(self, launch: str) -> float:
        """When a launch's own output last grew, 0.0 where it has printed nothing."""
        return max(
            (spool.grown for spool in self.spools.values() if spool.stream and spool.launch == launch),
            default=0.0,
        )

    def collect(
        self, batch: Batch, base: int, launch: str, only_supervisor: bool = False
    ) -> list[dict[str, Any]]:
        """Add what is new to the batch; gives the supervisor's decoded lines. `base` is where output will begin."""
        self._looks += 1
        self.discover(batch, launch)
        told = self._supervisor_lines(batch)
        if only_supervisor:
            return told
        now = self._system.clock.seconds()
        for spool in list(self.spools.values()):
            if spool.name == self.supervisor:
                continue
            quiet = now - spool.grown > QUIET_SECONDS
            if quiet and not told and (self._looks + len(spool.name)) % QUIET_EVERY:
                continue
            self._look(spool, batch, base, now)
            if batch.output_size > BATCH:
                break
        self._note(batch)
        return told

    def drain(self, batch: Batch, base: int, launch: str) -> bool:
        """Read on for one launch; True when everything its dead processes wrote is in the batch."""
        self.discover(batch, launch)
        return self._drain(batch, base, {launch, ""})

    def rest(self, batch: Batch, base: int) -> None:
        """Read on in every spool there ever was."""
        self._drain(batch, base, {spool.launch for spool in self.spools.values()})

    def _drain(self, batch: Batch, base: int, launches: set[str]) -> bool:
        before = {spool.name: spool.read for spool in self.spools.values()}
        now = self._system.clock.seconds()
        for spool in list(self.spools.values()):
            if spool.launch in launches and spool.name != self.supervisor:
                self._look(spool, batch, base, now)
        self._note(batch)
        return all(before.get(spool.name) == spool.read for spool in self.spools.values())

    def finish(self, batch: Batch, base: int, launch: str) -> None:
        """A launch is over: what was kept back is certain now, and a line without its end is a gap."""
        torn = 0
        for spool in self.spools.values():
            if spool.launch != launch:
                continue
            for kept in spool.streams.values():
                for tag, data in kept.flush():
                    self._own_output(batch, base, tag, data)
            if spool.stream:
                batch.at[spool.name] = spool.read
            elif spool.name != self.supervisor:
                torn += max(0, size_of(spool.path) - spool.read)
        if torn:
            batch.own.append(
                {"e": E.GAP, "what": "torn line", "count": torn, "why": "its process died while writing"}
            )
        if self._damaged:
            gap = {"e": E.GAP, "what": "damaged line", "count": self._damaged, "why": "not a JSON object"}
            batch.own.append(gap)
            self._damaged = 0
        batch.note.pop("held", None)

    # -- finding spools

    def discover(self, batch: Batch, launch: str) -> None:
        """Meet the processes that came since the last look."""
        try:
            names = os.listdir(self.directory)
        except OSError:
            return
        for name in names:
            if name == self.supervisor or name in self.spools or name in self._ignored:
                continue
            if self._adopt(name, launch):
                batch.note.setdefault("launches", {})[name] = self.spools[name].launch

    def words_of(self, launch: str) -> list[str]:
        """The pages by which processes of a launch say where their last words would be."""
        bases = {spool.path[: -len(".ndjson")] for spool in self.of_launch(launch)}
        return [page for page in self._pages if page[: -len(HELD)] in bases]

    def _adopt(self, name: str, launch: str) -> bool:
        path = os.path.join(self.directory, name)
        read = self._restored.at.get(name, 0)
        now = self._system.clock.seconds()
        found = _NAME.fullmatch(name)
        if found is not None and (found.group(1) not in _RESERVED or name == self.supervisor):
            source = f"{self._box}/{found.group(1)}/{found.group(2)}-{found.group(3)}"
            prefix = f'{{"v":{LINE_VERSION},"src":"{source}","run":"{self._run}",'.encode()
            self.spools[name] = Spool(name, path, launch, "", prefix, read, now)
            return True
        raw = _RAW.fullmatch(name)
        if raw is not None:
            stream = "stdout" if raw.group(2) == "out" else "stderr"
            self.spools[name] = Spool(name, path, raw.group(1), stream, b"", read, now)
            return True
        self._ignored.add(name)
        if name.endswith(HELD):
            self._pages.append(path)
        return False

    # -- reading

    def _supervisor_lines(self, batch: Batch) -> list[dict[str, Any]]:
        spool = self.spools.get(self.supervisor)
        if spool is None:
            if not self.supervisor or not os.path.exists(os.path.join(self.directory, self.supervisor)):
                return []
            self._adopt(self.supervisor, "")
            spool = self.spools[self.supervisor]
        data = self._fresh(spool)
        if not data:
            return []
        spool.read += len(data)
        batch.at[spool.name] = spool.read
        told = []
        for line in data.splitlines(keepends=True):
            try:
                told.append(decode(line))
            except LineError:
                self._damaged += 1
                continue
            batch.lines.append(spool.prefix + self.redactor.line(line)[1:])
        return told

    def _look(self, spool: Spool, batch: Batch, base: int, now: float) -> None:
        if spool.stream:
            data = self._raw(spool)
            if not data:
                return
            spool.grown = now
            spool.read += len(data)
            kept = spool.streams.setdefault(spool.stream, StreamRedactor(self.redactor))
            for tag, piece in kept.feed({"launch": spool.launch, "stream": spool.stream}, data):
                self._own_output(batch, base, tag, piece)
            batch.at[spool.name] = spool.committed
            return
        data = self._fresh(spool)
        if data:
            spool.grown = now
            spool.read += len(data)
            batch.at[spool.name] = spool.read
            self._lines(spool, data, batch, base)

    def _fresh(self, spool: Spool) -> bytes:
        """The whole lines behind what was read."""
        if size_of(spool.path) <= spool.read:
            return b""
        size = READ
        while True:
            data = read_range(spool.path, spool.read, size)
            whole = whole_lines(data)
            if whole or len(data) < size:
                return data[:whole]
            size *= 2

    def _raw(self, spool: Spool) -> bytes:
        return read_range(spool.path, spool.read, READ) if size_of(spool.path) > spool.read else b""

    def _lines(self, spool: Spool, data: bytes, batch: Batch, base: int) -> None:
        count = data.count(b"\n")
        sound = data.startswith(b"{") and data.count(b"}\n") == count and data.count(b"\n{") == count - 1
        if sound and _OUTPUT not in data and not self.redactor.touches(data):
            batch.lines.append(spool.prefix + data[1:].replace(b"\n{", b"\n" + spool.prefix))
            return
        for line in data.splitlines(keepends=True):
            if not (line.startswith(b"{") and line.endswith(b"}\n")):
                self._damaged += 1
                continue
            rewritten = self._output_line(spool, line, batch, base) if _OUTPUT in line else None
            batch.lines.append(spool.prefix + (rewritten or self.redactor.line(line))[1:])

    def _output_line(self, spool: Spool, line: bytes, batch: Batch, base: int) -> Optional[bytes]:
        """Copy captured bytes and give the line that says where they went; None when it is no such line."""
        try:
            obj = decode(line)
        except LineError:
            return None
        cap, length = obj.pop("cap", None), obj.get("length")
        if (
            obj.get("e") != E.OUTPUT
            or type(cap) is not int
            or type(length) is not int
            or cap < 0
            or length < 0
        ):
            return None
        captured = read_range(f"{spool.path[: -len('.ndjson')]}.cap", cap, min(length, 64 * READ))
        if len(captured) < length:
            self._damaged += 1
        name = str(obj.get("stream", "stdout"))
        kept = spool.streams.setdefault(name, StreamRedactor(self.redactor))
        tag: dict[str, Any] = {
            key: obj[key] for key in ("scenario", "attempt", "step", "stream") if key in obj
        }
        tag["end"] = cap + len(captured)
        now: list[bytes] = []
        for whose, piece in kept.feed(tag, captured):
            if {**whose, "end": 0} == {**tag, "end": 0}:
                now.append(piece)
            else:
                self._own_output(batch, base, whose, piece)
        data = b"".join(now)
        obj.setdefault("attribution", "exact")
        obj["offset"], obj["length"] = base + batch.add_output(data), len(data)
        return self.redactor.line(encode(obj))

    @staticmethod
    def _own_output(batch: Batch, base: int, tag: dict[str, Any], data: bytes) -> None:
        place = base + batch.add_output(data)
        facts = {key: value for key, value in tag.items() if key != "end"}
        batch.own.append(
            {"e": E.OUTPUT, **facts, "offset": place, "length": len(data), "attribution": "exact"}
        )

    # -- what is kept back, as places in the capture files: never as bytes, they may begin a secret

    def _note(self, batch: Batch) -> None:
        if not self.redactor.active or batch.empty:
            return
        held: dict[str, dict[str, list[Any]]] = {}
        for spool in self.spools.values():
            for name, kept in spool.streams.items() if not spool.stream else ():
                if kept.held:
                    held.setdefault(spool.name, {})[name] = list(_places(kept))
        if held:
            batch.note["held"] = held
        else:
            batch.note.pop("held", None)

    def _restore_held(self, spool: Spool, streams: dict[str, Any]) -> None:
        cap = f"{spool.path[: -len('.ndjson')]}.cap"
        for name, places in streams.items():
            kept: StreamRedactor[Any] = StreamRedactor(self.redactor)
            kept.held.extend((tag, read_range(cap, tag["end"] - size, size)) for tag, size in places)
            spool.streams[name] = kept


def _places(kept: StreamRedactor[Any]) -> Iterator[list[Any]]:
    for tag, piece in kept.held:
        yield [tag, len(piece)]
