"""The console's side of the agent's protocol, sans-I/O: what link, simulator and torture share.

It finds the marker behind a shell's noise, decodes what the agent says, and acknowledges copied bytes. It keeps no file
and knows no transport.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional

from tracekit.agent.carry import MARKER
from tracekit.wire.frames import (
    Checksum,
    Frame,
    FrameDecoder,
    FrameError,
    FrameType,
    checksum_of,
    encode_frame,
)
from tracekit.wire.messages import MessageAssembler, encode_message

MAX_NOISE = 64 * 1024
# Of what may be under way, so that neither side waits for the other's word; on a short line fewer words do, and each is
# felt by who hears as much as the line carries.
_ACKS, _FEW_ACKS = 4, 2
ACK_EVERY, _ACK_SELDOM = 512 * 1024, 2 << 20
# Pieces in one event: about a megabyte, of frames that come in two or three of them each.
MOST = 64


#: What a field of an agent's message is when it is there at all; what is in a list is an object each.
_SHAPES: dict[int, dict[str, type]] = {
    FrameType.HELLO: {"runs": list, "disk": dict},
    FrameType.RUNS: {"runs": list},
    FrameType.PONG: {"clock": dict},
    FrameType.ERROR: {"problems": list},
    FrameType.LENGTHS: {"files": dict, "verdicts": dict},
    FrameType.NEED: {"blobs": list},
    FrameType.TOLD: {"services": list},
}
_NUMBERS = frozenset({"disk", "clock", "files", "verdicts"})
_OBJECTS = frozenset({"runs", "problems", "services"})


class Client:
    """One connection to an agent."""

    def __init__(
        self,
        console: str,
        copier: str = "",
        checksum: Checksum = checksum_of,
        *,
        views: bool = False,
    ) -> None:
        self.console = console
        #: Whose copy it is that grows: every console of one store fills the same.
        self.copier = copier or console
        #: How much may be under way of a run that is copied; 0 leaves it as the attach said.
        self.window = 0
        self.noise = b""
        self.ready = False
        self._decoder = FrameDecoder(checksum, views=views)
        self._assembler = MessageAssembler()
        self._out = bytearray()
        self._files: dict[int, tuple[str, str]] = {}
        self._lengths: dict[str, dict[str, int]] = {}
        self._unacked = 0
        self._pings = 0

    # -- out

    @property
    def pending(self) -> bool:
        """Whether `take` has something."""
        return bool(self._out)

    def take(self) -> bytes:
        """What is to be written to the agent."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def _send(self, kind: int, message: dict[str, Any]) -> None:
        self._out += encode_message(kind, message)

    def start(self, message: dict[str, Any]) -> None:
        self._send(FrameType.START, {"console": self.console, "copier": self.copier, **message})

    def attach(
        self,
        run: str,
        mode: str = "inplace",
        files: Optional[dict[str, dict[str, Any]]] = None,
        secrets: Optional[dict[str, str]] = None,
        window: int = 1 << 20,
        *,
        stop: Iterable[str] = (),
        pace: float = 0.0,
    ) -> None:
        message: dict[str, Any] = {"run": run, "mode": mode, "files": files or {}, "window": window}
        message["trace"] = True
        message["stop"] = sorted(stop)
        if pace:
            message["pace"] = pace
        if secrets is not None:
            message["secrets"] = secrets
        self._send(FrameType.ATTACH, {"console": self.console, "copier": self.copier, **message})

    def cancel(self, run: str, scenario: Optional[str] = None) -> None:
        message: dict[str, Any] = {"run": run, "console": self.console}
        self._send(FrameType.CANCEL, message if scenario is None else {**message, "scenario": scenario})

    def detach(self, run: str) -> None:
        self._send(FrameType.DETACH, {"run": run})

    def runs(self) -> None:
        self._send(FrameType.RUNS, {})

    def ack(self, run: str, files: dict[str, int]) -> None:
        told = {"window": self.window} if self.window else {}
        self._send(FrameType.ACK, {"run": run, "console": self.console, "files": files, **told})

    def stop(self, run: str, kinds: Iterable[str]) -> None:
        """Have no more of some kinds of files sent: trace, blobs, output."""
        self._send(FrameType.ACK, {"run": run, "console": self.console, "files": {}, "stop": sorted(kinds)})

    def retire(self, run: str) -> None:
        self._send(FrameType.RETIRE, {"run": run, "console": self.console, "copier": self.copier})

    def ping(self, now_ns: int) -> int:
        self._pings += 1
        self._send(FrameType.PING, {"id": self._pings, "t": now_ns})
        return self._pings

    def ask(self, services: list[dict[str, Any]]) -> None:
        """Have the box ask its services whether they are well; TOLD says what each said."""
        self._send(FrameType.ASK, {"services": services})

    def bye(self, agent: str = "") -> None:
        """Ask a daemon without runs to make room for another agent."""
        self._send(FrameType.BYE, {"agent": agent})

    def offer(self, message: dict[str, Any]) -> None:
        """Say which files a run is made of; the agent answers with those it does not have."""
        self._send(FrameType.OFFER, {"console": self.console, **message})

    def put(self, offset: int, data: bytes) -> None:
        """Send the next bytes of what the agent needs."""
        self._out += encode_frame(FrameType.PUT, data, offset=offset)

    # -- in

    def receive(self, *pieces: bytes) -> list[dict[str, Any]]:
        """Take bytes of the agent; raises FrameError on what is neither noise before the marker nor a frame.

        What follows one another of one file is one event with several pieces.
        """
        events: list[dict[str, Any]] = []
        for piece in pieces:
            data = piece if self.ready else self._behind_noise(piece)
            for frame in self._decoder.feed(data):
                if frame.type == FrameType.DATA:
                    self._data(frame, events)
                elif frame.known:
                    events += self._message(frame)
        if self._unacked >= self._ack_every:
            self._unacked = 0
            for run, files in self._lengths.items():
                self.ack(run, files)
        return events

    @property
    def _ack_every(self) -> int:
        """After so many bytes the agent is told that they are here."""
        seldom = min(self.window // _FEW_ACKS, _ACK_SELDOM)
        return max(ACK_EVERY, self.window // _ACKS, seldom)

    def _behind_noise(self, data: bytes) -> bytes:
        self.noise += data
        found = self.noise.find(MARKER)
        if found < 0:
            if len(self.noise) > MAX_NOISE:
                raise FrameError(f"no agent answered within {MAX_NOISE} bytes")
            return b""
        data, self.noise = self.noise[found + len(MARKER) :], self.noise[:found]
        self.ready = True
        return data

    def _message(self, frame: Frame) -> list[dict[str, Any]]:
        message = self._assembler.feed(frame)
        if message is None:
            return []
        _check(frame.type, message)
        if frame.type == FrameType.FILE:
            run, name, start = str(message.get("run")), str(message.get("name")), message.get("start")
            number = message.get("id")
            if type(number) is not int or type(start) is not int or not 0 <= start < 1 << 62:
                raise FrameError("a FILE without its number or start")
            self._files[number] = (run, name)
            self._lengths.setdefault(run, {})[name] = start
        elif frame.type == FrameType.LENGTHS and message.get("state") == "ended":
            self._forget(str(message.get("run")))
        return [{"type": FrameType(frame.type).name.lower(), **message}]

    def _forget(self, run: str) -> None:
        """Behind this word nothing of the run comes any more: its numbers may be another's."""
        self._lengths.pop(run, None)
        self._files = {number: known for number, known in self._files.items() if known[0] != run}

    def _data(self, frame: Frame, events: list[dict[str, Any]]) -> None:
        known = self._files.get(frame.file)
        if known is None:
            raise FrameError(f"data of file {frame.file}, which was not announced")
        run, name = known
        if frame.offset != self._lengths[run][name]:
            raise FrameError(f"data of {name} at {frame.offset} does not follow {self._lengths[run][name]}")
        self._lengths[run][name] += len(frame.payload)
        self._unacked += len(frame.payload)
        # Nothing came between: then it follows what came last.
        last = events[-1] if events else {}
        if last.get("type") == "data" and (last["run"], last["name"]) == known and len(last["pieces"]) < MOST:
            last["pieces"].append(frame.payload)
            return
        told = {"type": "data", "run": run, "name": name, "offset": frame.offset, "pieces": [frame.payload]}
        events.append(told)


def _check(kind: int, message: dict[str, Any]) -> None:
    """Refuse what nobody who reads the message expects: a box may lie, and its console goes on."""
    for key, wanted in _SHAPES.get(kind, {}).items():
        if key not in message:
            continue
        value = message[key]
        sound = type(value) is wanted
        if sound and key in _NUMBERS:
            sound = all(type(each) is int and -(1 << 63) <= each < 1 << 63 for each in value.values())
        elif sound and key in _OBJECTS:
            sound = all(type(each) is dict for each in value)
        if not sound:
            raise FrameError(f"{key} of a {FrameType(kind).name} is not what it must be")
