"""A day of one link by a clock of ours: both ends of the protocol, a hundred runs, two hundred rotations.

One console is never cut off, another five hundred times. Every byte that the box has must have come to both, once.
"""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass, field
from typing import Any

from tests.torture.registry import Outcome, scaled
from tests.torture.slopes import Limit, Slopes
from tracekit.agent.carry import MARKER
from tracekit.agent.client import Client
from tracekit.agent.protocol import Session
from tracekit.wire.ids import new_ulid

DAY = 24 * 3600
RUNS, RECONNECTS, ROTATIONS = 100, 500, 200
PING_EVERY = 10
SAMPLES = 96
#: Python's own free lists move by so much; one entry a run that is kept would be four times that.
BLOCKS = Limit(0.001, 25)
_JOURNAL, _OUTPUT = "journal.ndjson", "output.bin"


@dataclass
class Files:
    """What the box has of the run that goes on now."""

    run: str = ""
    lengths: dict[str, int] = field(default_factory=dict)
    state: str = "live"

    def info(self) -> dict[str, Any]:
        return {"files": dict(self.lengths), "state": self.state, "reason": ""}


class Copier:
    """One console, and its connection."""

    def __init__(self, files: Files, clock: list[int]) -> None:
        self._files, self._clock = files, clock
        self.has: dict[str, int] = {}
        self.ended = ""
        self.pongs = 0
        self.bytes = 0
        self.connect()

    def connect(self) -> None:
        """Begin anew, from what is here."""
        self.session = Session({"runs": []}, lambda: {"t": self._clock[0], "m": self._clock[0]})
        self.client = Client("c")
        self.client.receive(MARKER)
        if self._files.run and self.ended != self._files.run:
            self.attach()

    def begin(self) -> None:
        self.has = {}
        self.attach()

    def attach(self) -> None:
        held = dict(self.has)
        self.client.attach(self._files.run, "copy")
        self.session.receive(self.client.take())
        self.session.follow(
            self._files.run,
            copying=True,
            starts=lambda files, **_: {name: (held.get(name, 0), False) for name in files},
            window=1 << 20,
            traced=True,
        )

    def second(self) -> None:
        """Everything that there is to say and to send, both ways."""
        if self._files.run:
            self.session.update(self._files.run, self._files.info())
        while self.session.pending:
            want = self.session.want()
            if want is not None:
                self.session.data(want, bytes(want.length))
            for event in self.client.receive(self.session.take()):
                self._hear(event)
            self.session.receive(self.client.take())

    def _hear(self, event: dict[str, Any]) -> None:
        if event["type"] == "data":
            name = event["name"]
            if event["offset"] != self.has.get(name, 0):
                raise AssertionError(f"{name} came at {event['offset']}, not at {self.has.get(name, 0)}")
            size = sum(map(len, event["pieces"]))
            self.has[name] = event["offset"] + size
            self.bytes += size
        elif event["type"] == "lengths" and event["state"] == "ended":
            self.ended = event["run"]
            self.client.retire(event["run"])
        elif event["type"] == "pong":
            self.pongs += 1


def a_day(outcome: Outcome, scale: float) -> None:
    """So much of a day as the scale says."""
    seconds = scaled(DAY, scale, 4 * 3600)
    runs, cuts = scaled(RUNS, seconds / DAY), scaled(RECONNECTS, seconds / DAY)
    clock, files = [0], Files()
    steady, cut_off = Copier(files, clock), Copier(files, clock)
    # The process's own things are not what grows here.
    gc.collect()
    slopes = Slopes({"blocks": BLOCKS, "held": Limit(besides=0)})
    each, rotations, reconnects, done = seconds // runs, 0, 0, 0
    for second in range(seconds):
        clock[0] = second * 1_000_000_000
        at = second % each
        if at == 0 and done < runs:
            done += 1
            files.run, files.lengths = new_ulid(second * 1000, bytes(10)), {_JOURNAL: 0, _OUTPUT: 0}
            files.state = "live"
            for copier in (steady, cut_off):
                copier.begin()
        if files.state == "live" and at < each - 60:
            files.lengths[_JOURNAL] += 300
            files.lengths[_OUTPUT] += 2000
            if at % (each // 3) == 1 and at > 1:
                files.lengths[f"trace/seg-{len(files.lengths):06}.tks"] = 5000
                rotations += 1
        elif files.state == "live":
            files.state = "ended"
        if second % PING_EVERY == 0:
            steady.client.ping(clock[0])
            steady.session.receive(steady.client.take())
        if second % (seconds // cuts) == 7 and reconnects < cuts:
            cut_off.connect()
            reconnects += 1
        for copier in (steady, cut_off):
            copier.second()
        if second % (seconds // SAMPLES) == 0:
            gc.collect()
            slopes.take(blocks=sys.getallocatedblocks(), held=_held(steady))
        if at == each - 1:
            _whole(outcome, files, steady, cut_off)
    slopes.judge(outcome, "a day of the protocol")
    if steady.pongs < seconds // PING_EVERY:
        outcome.fault(f"a day of the protocol: {steady.pongs} answers to {seconds // PING_EVERY} pings")
    outcome.figures |= {
        "hours": seconds // 3600,
        "day_runs": done,
        "day_reconnects": reconnects,
        "rotations": rotations,
        "day_mib": (steady.bytes + cut_off.bytes) >> 20,
        "blocks": slopes.told("blocks"),
    }


def _held(copier: Copier) -> int:
    """What both ends know of files."""
    client, session = copier.client, copier.session
    return len(client._files) + len(client._lengths) + len(session._numbers) + len(session.follows)


def _whole(outcome: Outcome, files: Files, *copiers: Copier) -> None:
    """A run is over: everybody has all of it."""
    for copier in copiers:
        if copier.has != files.lengths or copier.ended != files.run:
            outcome.fault(f"{files.run}: {copier.has} instead of {files.lengths}")
