"""P11, the other way round: a box that lies. Hostile streams and odd values where the console expects an agent.

Whatever it says, the console has a problem with words for it, soon and in little memory, and goes on.
"""

from __future__ import annotations

import contextlib
import copy
import json
import struct
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio

from tests.torture.registry import Outcome
from tracekit.agent.carry import MARKER
from tracekit.agent.client import MAX_NOISE, Client
from tracekit.cli import summary
from tracekit.cli.painting import Paint
from tracekit.engine.box import Box
from tracekit.engine.follow import Follower
from tracekit.engine.health import look
from tracekit.engine.view import RunView
from tracekit.store.copies import Copy
from tracekit.wire.frames import MAX_FRAME, FrameError, FrameType, encode_frame
from tracekit.wire.messages import encode_message
from tracekit.wire.names import PROTOCOL_MAJOR, PROTOCOL_MINOR
from tracekit.wire.problems import ProblemError

RUN = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
LINE = b'{"v":1,"n":1,"src":"box7/daemon/1-1","t":1,"m":1,"run":"x","e":"run.started"}\n'
HELLO: dict[str, Any] = {
    "major": PROTOCOL_MAJOR,
    "minor": PROTOCOL_MINOR,
    "agent": "a" * 64,
    "boot": "b",
    "machine": "m",
    "python": "3.11",
    "cpus": 2,
    "memory": 1 << 30,
    "disk": {"free": 1 << 40, "total": 1 << 40},
    "load": 0.5,
    "runs": [{"run": RUN, "state": "live", "files": {"journal.ndjson": 3}}],
}
TALK: list[tuple[FrameType, dict[str, Any]]] = [
    (FrameType.HELLO, HELLO),
    (FrameType.PONG, {"id": 1, "clock": {"t": 1, "m": 1}}),
    (FrameType.RUNS, {"runs": HELLO["runs"]}),
    (FrameType.NEED, {"run": RUN, "blobs": ["a" * 64]}),
    (FrameType.HELD, {"run": RUN, "root": "/there"}),
    (FrameType.LENGTHS, {"run": RUN, "state": "live", "files": {"journal.ndjson": len(LINE)}}),
    (
        FrameType.FILE,
        {"run": RUN, "id": 1, "name": "journal.ndjson", "start": 0, "length": 1, "replaced": False},
    ),
    (FrameType.DATA, {}),
    (FrameType.ERROR, {"for": "CANCEL", "run": RUN, "problems": [{"code": "a", "what": "b"}]}),
    (
        FrameType.LENGTHS,
        {
            "run": RUN,
            "state": "ended",
            "reason": "finished",
            "incomplete": True,
            "verdicts": {"passed": 1},
            "files": {"journal.ndjson": len(LINE)},
        },
    ),
]
ODD: list[Any] = [
    *(None, True, -1, 1 << 70, 1e308, "", "\x1b]0;x\x07", "../../../evil", "x" * 40_000),
    *([], [[]], {}, {"t": "x"}, [None], [5]),
]
STREAMS: dict[str, bytes] = {
    "noise without end": b"n" * (MAX_NOISE + 1),
    "length 2^31": MARKER + struct.pack(">I", 1 << 31) + b"x" * 64,
    "length 0": MARKER + struct.pack(">I", 0) * 100,
    "over the limit": MARKER + struct.pack(">I", MAX_FRAME + 1) + b"x" * 64,
    "bad checksum": MARKER + encode_frame(FrameType.HELLO, b"{}")[:-1] + b"\0",
    "nesting": MARKER + encode_frame(FrameType.HELLO, b"[" * 60_000),
    "not an object": MARKER + encode_frame(FrameType.HELLO, b"[1]"),
    "not JSON": MARKER + encode_frame(FrameType.HELLO, b"{]"),
    "not UTF-8": MARKER + encode_frame(FrameType.HELLO, b'{"a":"\xff"}'),
    "piece out of place": MARKER + encode_frame(FrameType.HELLO, b"{}", offset=1 << 40),
    "data of no file": MARKER + encode_frame(FrameType.DATA, b"x", file=9),
    "file without a number": MARKER + encode_message(FrameType.FILE, {"run": RUN, "name": "x"}),
}


def streams(outcome: Outcome) -> tuple[float, int]:
    """Time and memory of each refusal by the console's side of the protocol."""
    slowest, largest = 0.0, 0
    for name, data in STREAMS.items():
        times = []
        for number in range(9):
            client = Client("c")
            if not number:
                tracemalloc.start()
            began = time.process_time()
            try:
                client.receive(data)
                outcome.fault(f"lie: {name}: accepted")
            except FrameError:
                pass
            times.append((time.process_time() - began) * 1e3)
            if not number:
                largest = max(largest, tracemalloc.get_traced_memory()[1] - len(data))
                tracemalloc.stop()
                times.clear()
        slowest = max(slowest, sorted(times)[len(times) // 2])
    return slowest, largest


class Liar:
    """A way to a box that says what it is told to, once and word by word, and then nothing any more.

    Each word comes alone: what is wrong with a later one must not hide what an earlier one does.
    """

    def __init__(self, said: list[bytes]) -> None:
        self._said = [MARKER, *said]
        self.heard = anyio.Event()

    async def open(self, early: bytes = b"") -> Liar:
        return self

    async def receive(self) -> Sequence[bytes]:
        await anyio.lowlevel.checkpoint()
        if not self._said:
            self.heard.set()
            return []
        return [self._said.pop(0)]

    async def send(self, data: bytes) -> None:
        await anyio.lowlevel.checkpoint()

    async def close(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.heard.set()


def said_by(talk: list[tuple[FrameType, dict[str, Any]]]) -> list[bytes]:
    """A talk as it comes over the line."""
    return [
        encode_frame(FrameType.DATA, LINE, file=1)
        if kind == FrameType.DATA
        else encode_message(kind, message)
        for kind, message in talk
    ]


def told() -> Iterator[tuple[str, list[bytes]]]:
    """The whole talk, each time with one value that is another than it should be, or that is not there."""
    for index, (kind, message) in enumerate(TALK):
        for place in _places(message):
            for odd in (*ODD, _GONE):
                changed = copy.deepcopy(message)
                _put(changed, place, odd)
                talk = [*TALK[:index], (kind, changed), *TALK[index + 1 :]]
                # A look asks for the time more than once.
                yield f"{kind.name} {place}: {str(odd)[:20]!r}", said_by([*talk, *([talk[1]] * 4)])


_GONE = object()


def _places(message: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key in message if isinstance(message, dict) else range(len(message)):
        yield (*at, key)
        if isinstance(message[key], (dict, list)):
            yield from _places(message[key], (*at, key))


def _put(message: Any, place: tuple[Any, ...], odd: Any) -> None:
    for key in place[:-1]:
        message = message[key]
    if odd is not _GONE:
        message[place[-1]] = odd
    else:
        del message[place[-1]]


async def _believed(said: list[bytes], place: Path) -> RunView:
    """Everything that a console does with a box, with this one; raises what no problem is."""
    with contextlib.suppress(ProblemError):
        health = await look(Liar(said), "box7")
        json.dumps([health.live, [str(problem) for problem in health.problems]])
    liar = Liar(said)
    box = Box(liar, "c", name="box7", copying=True)
    view = RunView(RUN, "/", place, link="connecting")
    async with anyio.create_task_group() as tasks:
        kept = Copy(place)
        kept.claim()

        async def follow() -> None:
            with contextlib.suppress(ProblemError):
                await box.follow(Follower(view, lambda _: None, copy=kept), tasks)

        tasks.start_soon(follow)
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(box.serve)
        with anyio.move_on_after(10) as waited:
            await liar.heard.wait()
            await anyio.lowlevel.checkpoint()
        json.dumps(view.problem.to_json() if view.problem else None)
        tasks.cancel_scope.cancel()
        kept.close()
    if waited.cancelled_caught:
        raise TimeoutError("it was not heard to its end")
    summary.outcome(view)
    list(summary.lines(view, Paint(on=False)))
    return view


def lies(base: Path, outcome: Outcome) -> int:
    """Every odd value; gives how many."""
    honest = base / "honest" / "box7"
    honest.parent.mkdir()
    believed = anyio.run(_believed, said_by(TALK), honest)
    if (honest / "journal.ndjson").read_bytes() != LINE or believed.link != "ended":
        outcome.fault(f"the honest talk was not believed: {believed.link} {believed.problem}")
    number = 0
    for number, (name, said) in enumerate(told(), 1):
        place = base / f"l{number}" / "box7"
        place.parent.mkdir()
        try:
            anyio.run(_believed, said, place)
        except BaseException as fault:  # noqa: BLE001 - whatever gets out ends the console
            faults = getattr(fault, "exceptions", [fault])
            outcome.fault(f"lie: {name}: {'; '.join(f'{type(each).__name__}: {each}' for each in faults)}")
    if strange := list(base.rglob("*evil*")):
        outcome.fault(f"lies: they made {strange}")
    return number
