"""The agent's side of the link, sans-I/O: bytes and clock in, requests and bytes out.

Control goes before journal, journal before output, output before trace; file bytes are cut when they are asked for and
never further ahead than the reader's window, so that a slow reader costs no memory. It opens nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional, Protocol, Union

from tracekit.wire.frames import (
    MAX_PAYLOAD,
    Checksum,
    FrameDecoder,
    FrameError,
    FrameType,
    checksum_of,
    data_frames,
)
from tracekit.wire.messages import MessageAssembler, encode_message
from tracekit.wire.names import (
    JOURNAL_FILE,
    OUTPUT_FILE,
    PROTOCOL_MAJOR,
    PROTOCOL_MINOR,
    RUN_FILE,
    STRINGS_FILE,
    TRACE_DIR,
)
from tracekit.wire.problems import Problem

WINDOW = 1 << 20
TAIL = 64 * 1024
# As much of a file goes out in one breath: words wait behind no more than that, and fewer breaths cost less.
BREATH = 8 * MAX_PAYLOAD
# Answers that a peer does not read; past it, nothing more is read from that peer.
CONGESTED = 1 << 20
_MOST_FILES = 0xFFFF
_PRIORITY = {RUN_FILE: 0, JOURNAL_FILE: 1, OUTPUT_FILE: 2, STRINGS_FILE: 4}
_BLOB, _TRACE = 3, 5
KINDS = frozenset({"trace", "blobs", "output"})
_REQUESTS = frozenset(
    {
        FrameType.ATTACH,
        FrameType.START,
        FrameType.CANCEL,
        FrameType.ACK,
        FrameType.DETACH,
        FrameType.RUNS,
        FrameType.RETIRE,
        FrameType.BYE,
        FrameType.OFFER,
        FrameType.ASK,
    }
)


Piece = Union[bytes, memoryview]


class Request(NamedTuple):
    """What the peer asks for."""

    kind: int
    message: dict[str, Any]


class Want(NamedTuple):
    """A range of a file that should go out next."""

    run: str
    name: str
    offset: int
    length: int


class Starts(Protocol):
    """Says of files that are there from now on where each is copied from, and whether the peer's copy is void."""

    def __call__(self, files: dict[str, int], *, first: bool) -> dict[str, tuple[int, bool]]: ...


@dataclass
class _Copy:
    """One file that a reader copies."""

    number: int
    name: str
    sent: int
    acked: int
    committed: int = 0
    announced: bool = False
    replaced: bool = False


@dataclass
class _Follow:
    """One run that a reader follows."""

    starts: Starts
    copies: dict[str, _Copy] = field(default_factory=dict)
    copying: bool = False
    #: Whether the files of its trace are wanted, too; older consoles know none.
    traced: bool = False
    window: int = WINDOW
    #: The kinds of which the reader takes no more.
    stopped: frozenset[str] = frozenset()
    #: How many seconds apart the reader wants to be told what is new; 0.0 is as soon as it is.
    pace: float = 0.0
    told: Optional[dict[str, Any]] = None
    news: Optional[dict[str, Any]] = None


class Session:
    """One connection."""

    def __init__(
        self,
        hello: dict[str, Any],
        clock: Callable[[], dict[str, int]],
        checksum: Checksum = checksum_of,
    ) -> None:
        self._checksum = checksum
        self._decoder = FrameDecoder()
        self._assembler = MessageAssembler()
        self._clock = clock
        self._control: deque[bytes] = deque()
        self._control_size = 0
        self._bulk: list[Piece] = []
        self._follows: dict[str, _Follow] = {}
        self._number = 0
        self._numbers: set[int] = set()
        #: Files that this console is sending, as whoever answers requests keeps them.
        self.incoming: Any = None
        #: The process that connected, which stays as long as the connection; 0 where nobody knows.
        self.bridge = 0
        self.send(FrameType.HELLO, {"major": PROTOCOL_MAJOR, "minor": PROTOCOL_MINOR, **hello})

    # -- in

    @property
    def congested(self) -> bool:
        """Whether the peer lets answers pile up; then it is not listened to."""
        return self._control_size > CONGESTED

    @property
    def follows(self) -> tuple[str, ...]:
        return tuple(self._follows)

    def receive(self, data: bytes) -> list[Request]:
        """Take bytes of the peer; raises FrameError on the first that is not of this protocol."""
        found: list[Request] = []
        for frame in self._decoder.feed(data):
            if frame.type == FrameType.PING:
                self._pong(frame.payload)
            elif not frame.known:
                continue
            elif frame.type == FrameType.PUT:
                found.append(Request(frame.type, {"offset": frame.offset, "data": frame.payload}))
            elif frame.type == FrameType.CARRY:
                found.append(Request(frame.type, {}))
            elif frame.type in _REQUESTS:
                message = self._assembler.feed(frame)
                if message is not None:
                    found.extend(self._request(frame.type, message))
            else:
                raise FrameError(f"frame type {frame.type} is not for an agent")
        return found

    def _pong(self, payload: bytes) -> None:
        message = MessageAssembler().feed(_single(payload))
        if message is not None:
            self.send(
                FrameType.PONG, {"id": message.get("id"), "t": message.get("t"), "clock": self._clock()}
            )

    def _request(self, kind: int, message: dict[str, Any]) -> list[Request]:
        if kind == FrameType.ACK:
            self._acknowledge(message)
        elif kind == FrameType.DETACH:
            self._forget(str(message.get("run")))
        return [Request(kind, message)]

    def _acknowledge(self, message: dict[str, Any]) -> None:
        follow = self._follows.get(str(message.get("run")))
        files = message.get("files")
        if follow is None or not isinstance(files, dict):
            return
        follow.stopped |= kinds_of(message.get("stop"))
        if type(message.get("window")) is int:
            follow.window = _sound(message["window"])
        for name, length in files.items():
            copy = follow.copies.get(name)
            if copy is not None and type(length) is int:
                copy.acked = max(copy.acked, min(length, copy.sent))

    # -- out

    def send(self, kind: int, message: dict[str, Any]) -> None:
        """Queue a control message."""
        data = encode_message(kind, message)
        self._control.append(data)
        self._control_size += len(data)

    def error(self, about: str, problems: list[Problem], run: str = "") -> None:
        self.send(
            FrameType.ERROR, {"for": about, "run": run, "problems": [one.to_json() for one in problems]}
        )

    def follow(
        self,
        run: str,
        *,
        copying: bool,
        starts: Starts,
        window: int,
        traced: bool = False,
        stopped: frozenset[str] = frozenset(),
        pace: float = 0.0,
    ) -> None:
        """Begin to follow a run; its files are known from the first `update` on, which may be later."""
        self._forget(run)
        self._follows[run] = _Follow(
            starts,
            copying=copying,
            traced=traced,
            window=_sound(window),
            stopped=stopped,
            pace=pace,
        )

    def pace(self, run: str) -> float:
        """How many seconds apart this reader wants to be told of a run that it follows."""
        follow = self._follows.get(run)
        return follow.pace if follow is not None else 0.0

    def update(self, run: str, info: dict[str, Any]) -> None:
        """Tell a follower what is committed; only the newest is kept for one that is slow."""
        follow = self._follows.get(run)
        if follow is None or info == follow.told:
            return
        follow.news = info
        if not follow.copying:
            return
        files = {
            name: length for name, length in info["files"].items() if follow.traced or not _is_trace(name)
        }
        self._begin(follow, {name: length for name, length in files.items() if name not in follow.copies})
        for name, copy in follow.copies.items():
            copy.committed = files.get(name, copy.committed)

    def _begin(self, follow: _Follow, files: dict[str, int]) -> None:
        """Copy files that have not been there before."""
        if not files or len(self._numbers) + len(files) > _MOST_FILES:
            return
        for name, (start, replaced) in follow.starts(files, first=not follow.copies).items():
            follow.copies[name] = _Copy(self._next_number(), name, start, start, replaced=replaced)

    def _next_number(self) -> int:
        """A number that no file has now; a connection of many days has more files than there are numbers."""
        while True:
            self._number = self._number % _MOST_FILES + 1
            if self._number not in self._numbers:
                self._numbers.add(self._number)
                return self._number

    def _forget(self, run: str) -> None:
        follow = self._follows.pop(run, None)
        if follow is not None:
            self._numbers.difference_update(copy.number for copy in follow.copies.values())

    def want(self) -> Optional[Want]:
        """The file bytes that should be handed to `data` next, the most urgent first, behind every word."""
        if self._bulk or self._control or self._has_news():
            return None
        best: Optional[tuple[int, Want]] = None
        for run, follow in self._follows.items():
            # What is not wanted any more is not acknowledged either.
            wanted = [copy for copy in follow.copies.values() if _kind(copy.name) not in follow.stopped]
            room = follow.window - sum(copy.sent - copy.acked for copy in wanted)
            for copy in wanted:
                length = min(copy.committed - copy.sent, room, BREATH)
                rank = _rank(copy.name)
                if length > 0 and (best is None or rank < best[0]):
                    best = (rank, Want(run, copy.name, copy.sent, length))
        return best[1] if best else None

    def data(self, want: Want, data: bytes) -> None:
        """Hand over the bytes that were wanted; fewer are fine, none means that the file cannot be read now."""
        follow = self._follows.get(want.run)
        copy = follow.copies.get(want.name) if follow else None
        if copy is None or copy.sent != want.offset or not data:
            return
        if not copy.announced:
            copy.announced = True
            announced = encode_message(
                FrameType.FILE,
                {"id": copy.number, "run": want.run, "name": copy.name, "kind": "append", "length": copy.committed,
                 "start": copy.sent, "replaced": copy.replaced},
            )  # fmt: skip
            self._bulk.append(announced)
        self._bulk += data_frames(data, copy.number, copy.sent, self._checksum)
        copy.sent += len(data)

    def take(self) -> bytes:
        """The next bytes to write: control as a whole, else a breath of a file."""
        return b"".join(self.pieces())

    def pieces(self) -> list[Piece]:
        """What `take` gives, without putting it together."""
        self._tell()
        if self._control:
            found: list[Piece] = list(self._control)
            self._control.clear()
            self._control_size = 0
            return found
        found, self._bulk = self._bulk, []
        return found

    @property
    def pending(self) -> bool:
        """Whether `take` or `want` has something."""
        return bool(self._control or self._bulk or self._has_news() or self.want())

    def _has_news(self) -> bool:
        return any(follow.news is not None and self._may_tell(follow) for follow in self._follows.values())

    @staticmethod
    def _may_tell(follow: _Follow) -> bool:
        # A copier learns of the end only behind the last byte.
        if follow.news is None or follow.news.get("state") != "ended":
            return follow.news is not None
        return all(
            copy.sent >= copy.committed or _kind(copy.name) in follow.stopped
            for copy in follow.copies.values()
        )

    def _tell(self) -> None:
        if self._bulk:
            return
        for run in list(self._follows):
            follow = self._follows[run]
            if follow.news is None or not self._may_tell(follow):
                continue
            self.send(FrameType.LENGTHS, {"run": run, **follow.news})
            follow.told, follow.news = follow.news, None
            if follow.told.get("state") == "ended":
                self._forget(run)


def _is_trace(name: str) -> bool:
    return name == STRINGS_FILE or name.startswith(TRACE_DIR)


def _sound(window: int) -> int:
    """What a reader says of its window, within reason."""
    return max(MAX_PAYLOAD, min(window, 64 * WINDOW))


def _kind(name: str) -> str:
    """What a reader may want no more of; nothing of what a run cannot be read without."""
    if name == OUTPUT_FILE:
        return "output"
    if _is_trace(name):
        return "trace"
    return "" if name in _PRIORITY else "blobs"


def kinds_of(found: object) -> frozenset[str]:
    """The kinds of files that a reader wants no more of, as it says them."""
    return frozenset(KINDS.intersection(map(str, found))) if isinstance(found, list) else frozenset()


def _rank(name: str) -> int:
    """What is sent first; strings before the blocks that need them."""
    return _PRIORITY.get(name, _TRACE if name.startswith(TRACE_DIR) else _BLOB)


def _single(payload: bytes) -> Any:
    from tracekit.wire.frames import Frame

    return Frame(FrameType.PING, 0, 0, payload)
