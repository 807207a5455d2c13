"""The last words of test processes: what a test printed just before it took its process down.

A probe reads what its runner captured a few times a second, and tells it by lines that it writes a few times a second.
What was printed in between would die with the process: it lies in files without a name, which are held open here
meanwhile. A process sends them itself before its first test, into a socket that outlives it, since it may be gone
before anybody looks; those of a process whose message got lost are opened while it lives. What is found behind a death
is written into the dead process's own spool, as it would have been by itself.
"""

from __future__ import annotations

import array
import contextlib
import os
import re
import socket
import stat
import struct
from collections.abc import Callable
from typing import Any, NamedTuple, Optional

from tracekit.agent.ingest import HELD
from tracekit.agent.progress import Facts
from tracekit.agent.system import System, read_range, read_tail, size_of
from tracekit.wire.lines import LineError, decode, encode
from tracekit.wire.names import E

#: More than this was not printed between two looks; the end of it is what counts.
MOST = 16 << 20
#: The socket's name in the folder of a run's processes.
WORDS = "words"
_LONGEST = 200
# Between two looks no more processes begin than this; whoever sends without an end keeps nobody from their work.
_MESSAGES = 1024
_PAGE = struct.Struct("=4Q")
_NAME = re.compile(r"[a-z][a-z0-9_]*-(?P<pid>\d+)-(?P<started>\d+)")
_OUTPUT = b'"e":"' + E.OUTPUT.encode() + b'"'
_STREAMS = ("stdout", "stderr")


class _Held(NamedTuple):
    pid: int
    files: tuple[int, ...]


class LastWords:
    """The open files of the test processes of one run, which write into `directory`."""

    def __init__(self, system: System, directory: str) -> None:
        self._system = system
        self._directory = directory
        self._held: dict[str, Optional[_Held]] = {}
        self._socket = _listen(directory)

    def close(self) -> None:
        """Nobody sends anything any more, and what was sent under a name that no launch asked for is let go."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        for held in self._held.values():
            if held is not None:
                _close(held)
        self._held.clear()

    def meet(self, pages: list[str]) -> None:
        """Take what new processes capture into; a page that is not whole yet is looked at again."""
        self._receive()
        for page in pages:
            if page not in self._held:
                words = _words(page)
                found = _NAME.fullmatch(os.path.basename(page)[: -len(HELD)])
                if words is None or not words[0] or found is None:
                    continue
                pid, started = int(found.group("pid")), int(found.group("started"))
                self._held[page] = self._open(pid, started, words)

    def _receive(self) -> None:
        """Whatever was sent, by processes that live and by those that are gone already."""
        for _ in range(_MESSAGES):
            if self._socket is None:
                return
            try:
                data, told, _, _ = self._socket.recvmsg(
                    _LONGEST, socket.CMSG_SPACE(8), socket.MSG_CMSG_CLOEXEC
                )
            except OSError:
                return
            files = array.array("i")
            for level, kind, rights in told:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    files.frombytes(rights[: len(rights) // files.itemsize * files.itemsize])
            name = data.decode("ascii", "replace")
            found = _NAME.fullmatch(name)
            page = os.path.join(self._directory, name + HELD)
            held = _Held(int(found.group("pid")) if found else 0, tuple(files))
            mine = found is not None and len(files) == len(_STREAMS) and not self._held.get(page)
            if mine and not any(_named(fd) for fd in files):
                self._held[page] = held
            else:
                _close(held)

    def _open(self, pid: int, started: int, words: tuple[int, ...]) -> Optional[_Held]:
        files: list[int] = []
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            files.extend(os.open(f"/proc/{pid}/fd/{number}", flags) for number in (words[0], words[2]))
        except OSError:
            for fd in files:
                os.close(fd)
            return None
        held = _Held(pid, tuple(files))
        # A test may have closed it, and the number may be another file's by now: what is captured has no name.
        if any(_named(fd) for fd in files) or self._system.processes.started(pid) != started:
            _close(held)
            return None
        return held

    def tell(self, launch: str, pages: list[str], facts: Callable[[], Facts]) -> None:
        """A launch is over: what its processes had no time to tell goes into their spools, and all is let go."""
        self._receive()
        for page in pages:
            held = self._held.pop(page, None)
            if held is None:
                continue
            with contextlib.suppress(OSError):
                self._write(page[: -len(HELD)], held, launch, facts)
            _close(held)

    def _write(self, base: str, held: _Held, launch: str, facts: Callable[[], Facts]) -> None:
        spool, cap = f"{base}.ndjson", f"{base}.cap"
        places = (_words(f"{base}{HELD}") or ())[1::2]
        size = size_of(cap)
        pieces: list[tuple[str, int, int]] = []
        unread = b""
        for stream, fd, place in zip(_STREAMS, held.files, places):
            # What is left of something enormous begins somewhere in the middle, which is better than its beginning.
            end = os.fstat(fd).st_size
            data = os.pread(fd, MOST, max(place, end - MOST)) if end > place else b""
            if data:
                pieces.append((stream, size + len(unread), len(data)))
                unread += data
        if not (pieces or size):
            return  # nothing was ever printed: its lines need not be looked through
        last, told = _end_of(spool)
        if size > told:
            pieces.insert(0, ("stdout", told, size - told))
        if not pieces:
            return
        if unread:
            with open(cap, "ab") as file:
                file.write(unread)
        # The runner's own output has no scenario, and is its launch's.
        where = _where(held.pid, facts()) or {"launch": launch}
        now, mono = self._system.clock.wall(), self._system.clock.mono()
        lines = [
            encode(
                {
                    "n": last + number,
                    "t": now,
                    "m": mono,
                    "e": E.OUTPUT,
                    "stream": stream,
                    **where,
                    "cap": at,
                    "length": length,
                    "attribution": "exact" if "scenario" in where else "inferred",
                }
            )
            for number, (stream, at, length) in enumerate(pieces, 1)
        ]
        torn = not read_tail(spool, 1).endswith(b"\n")
        with open(spool, "ab") as file:
            file.write((b"\n" if torn else b"") + b"".join(lines))


def _listen(directory: str) -> Optional[socket.socket]:
    """Where processes send their files to, or None where a folder takes no socket."""
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(directory, WORDS))
    own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    own.setblocking(False)
    try:
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        own.close()
        return None
    try:
        # A socket's own path may have 107 bytes, which a folder in a deep home has by itself.
        own.bind(f"/proc/self/fd/{folder}/{WORDS}")
    except OSError:
        own.close()
        return None
    finally:
        os.close(folder)
    return own


def _named(fd: int) -> bool:
    """Whether a file is anything else than one without a name, which is what output is captured into."""
    state = os.fstat(fd)
    return not stat.S_ISREG(state.st_mode) or bool(state.st_nlink)


def _where(pid: int, facts: Facts) -> dict[str, Any]:
    """Whose words they are: the attempt's that ran in this process, else the runner's own."""
    told = ((key, _line(raw)) for key, raw in facts.started.items())
    own = [(line.get("m", 0), key) for key, line in told if line.get("pid") == pid and not line.get("parent")]
    if not own:
        return {}
    _, (scenario, attempt) = max(own)
    if (scenario, attempt) in facts.closed and facts.ended.get(scenario) != "crashed":
        return {}
    return {"scenario": scenario, "attempt": attempt}


def _line(raw: bytes) -> dict[str, Any]:
    try:
        return decode(raw)
    except LineError:
        return {}


def _end_of(spool: str) -> tuple[int, int]:
    """The number of a spool's last whole line, and how much of its captured output its lines have told."""
    number, told = 0, 0
    for raw in reversed(read_tail(spool, MOST).splitlines(keepends=True)):
        # Most lines tell of no output, and are not worth decoding.
        if not raw.endswith(b"}\n") or (number and _OUTPUT not in raw):
            continue
        line = _line(raw)
        found = line.get("n")
        number = number or (found if isinstance(found, int) else 0)
        cap, length = line.get("cap"), line.get("length")
        if line.get("e") == E.OUTPUT and isinstance(cap, int) and isinstance(length, int):
            told = cap + length
            break
    return number, told


def _words(page: str) -> Optional[tuple[int, ...]]:
    data = read_range(page, 0, _PAGE.size)
    return _PAGE.unpack(data) if len(data) == _PAGE.size else None


def _close(held: _Held) -> None:
    for fd in held.files:
        with contextlib.suppress(OSError):
            os.close(fd)
