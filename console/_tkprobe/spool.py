"""The spool: one process's append-only file of journal lines, and the raw bytes its tests printed beside it.

Lines are counted without gaps, written whole, and lost rather than ever raising into a test: a full disk or a closed
descriptor costs lines, which are counted and told as soon as writing works again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from _json import encode_basestring_ascii
from typing import Callable, Dict, List, Optional

#: A JSON string literal of any text, surrogates included, in ASCII.
quote: Callable[[str], str] = encode_basestring_ascii

#: Descriptors of ours live up here, out of the way of tests that close the first few dozen.
HIGH_DESCRIPTOR = 700

#: A file in the spool that holds room for the lines of a run whose disk fills up.
RESERVE = "reserve"
FULL = (errno.ENOSPC, errno.EDQUOT)

#: What is left out first where room is short: no verdict depends on it.
_SPARED = ('"step.', '"assertion"', '"warning"')
#: After this line nothing more is told.
_LAST = '"e":"session.ended"'


def start_time(pid: int) -> str:
    """The kernel's start time of a process (with the pid it names one process for good)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[19].decode("ascii")
    except (OSError, IndexError, UnicodeDecodeError):
        return str(int(time.time()))


# Defaults are bound once: what a test puts into these modules does not reach them.
def move_up(
    fd: int, control: Callable[..., int] = fcntl.fcntl, close: Callable[[int], None] = os.close
) -> int:
    """The same open file under a high, close-on-exec number, or `fd` itself where that is not allowed."""
    try:
        high = control(fd, fcntl.F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR)
    except OSError:
        return fd
    close(fd)
    return high


class AppendFile:
    """A file that is only ever appended to, reopened by its path when a test closed our descriptor."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = -1
        self.end = -1
        self.torn = False
        # Bound here and not as module names: libraries that fake time or `os` replace what modules hold.
        self._write = os.write
        self._seek = os.lseek
        self._open = os.open
        self._close = os.close

    def open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self.fd = move_up(self._open(self.path, flags, 0o600))
        self.end = self._seek(self.fd, 0, os.SEEK_END)

    def ours(self) -> bool:
        """Whether our number still names our file: a test may have closed it, and another may hold it now.

        Nobody else writes to the file through this number, so its place is where our last write left it.
        """
        try:
            return self._seek(self.fd, 0, os.SEEK_CUR) == self.end
        except OSError:
            return False

    def append(self, data: bytes) -> int:
        """Write all of `data`; how many bytes went in. Raises OSError only when none did."""
        if self.fd < 0 or not self.ours():
            self.open()
        done = 0
        view = data
        while view:
            try:
                count = self._write(self.fd, view)
            except InterruptedError:
                continue
            except OSError:
                if not done:
                    raise
                break
            done += count
            self.end += count
            view = data[done:]
        return done

    def forget(self) -> None:
        """Close our descriptor if it is still ours (a forked child must not write into its parent's file)."""
        if self.fd >= 0 and self.ours():
            self._close(self.fd)
        self.fd = -1


class Spool:
    """Journal lines of one process. Every public method may be called from any thread."""

    def __init__(self, directory: str, role: str) -> None:
        self.directory = directory
        self.role = role
        self.lock = threading.RLock()
        self.mono = time.monotonic_ns
        # The time of day is counted on from here: suites that travel in time do so by replacing the clock of the day.
        self.ahead = max(time.time_ns() - self.mono() for _ in range(3))
        self.n = 0
        self.pid = os.getpid()
        self.buffer: List[str] = []
        self.dropped = 0
        self.dropped_bytes = 0
        self.told = 0
        self.why = ""
        self.base = base = os.path.join(directory, f"{role}-{self.pid}-{start_time(self.pid)}")
        self.lines = AppendFile(base + ".ndjson")
        self.output = AppendFile(base + ".cap")
        self.output_length = 0
        self.reserve = os.path.join(directory, RESERVE)
        self.full = False

    def put(self, body: str) -> None:
        """Take a line from somebody who holds the lock."""
        if self.full and body.startswith(_SPARED):
            self.dropped += 1
            return
        self.n = n = self.n + 1
        m = self.mono()
        self.buffer.append(f'{{"n":{n},"t":{m + self.ahead},"m":{m},"e":{body}}}\n')

    def put_now(self, body: str) -> None:
        """Take a line from somebody who holds the lock, and write everything taken so far."""
        self.put(body)
        lines, self.buffer = self.buffer, []
        self._write(lines)

    def add(self, body: str) -> None:
        """Take a line: `body` is its JSON text from the event's name on, `"attempt.ended","scenario":…`, unbraced."""
        with self.lock:
            self.put(body)

    def add_now(self, body: str) -> None:
        """Take a line and write everything taken so far."""
        with self.lock:
            self.put_now(body)

    def flush(self) -> None:
        with self.lock:
            lines = self.buffer
            if lines:
                self.buffer = []
                self._write(lines)

    def _write(self, lines: List[str]) -> None:
        real = len(lines)
        lost = self.dropped + self.dropped_bytes
        # On a full disk a line about each loss would take the room of the verdicts: it is told when it has doubled.
        telling = lost > 0 and (
            not self.full or lost >= self.told or any(_LAST in line for line in lines[-1:])
        )
        if telling:
            lines.append(self._gap())
        text = "".join(lines).encode("ascii", "backslashreplace")
        if self.lines.torn:
            text = b"\n" + text
        done = self._append(text)
        if done == len(text):
            self.lines.torn = False
            if telling:
                self.told += lost
                self.dropped = self.dropped_bytes = 0
            return
        if done:
            self.lines.torn = not text[:done].endswith(b"\n")
        self.dropped += text.count(b"\n", done) if done else real

    def _append(self, text: bytes) -> int:
        """Write as much as goes in; a full disk gets a second try once room has been made."""
        done = 0
        for last in (False, True):
            try:
                done += self.lines.append(text[done:])
            except OSError as error:
                self.why = error.strerror or str(error)
                if error.errno not in FULL:
                    break
            else:
                if done < len(text):
                    self.why = os.strerror(errno.ENOSPC)
            if done == len(text) or last or not self._make_room():
                break
        return done

    def _make_room(self) -> bool:
        """Free what the agent set aside for verdicts; from then on lines are written and output is not."""
        self.full = True
        try:
            os.unlink(self.reserve)
        except FileNotFoundError:
            return True  # another process of the run was first, and there may be room for both
        except OSError:
            return False
        return True

    def _gap(self) -> str:
        self.n += 1
        why, m = quote(self.why), self.mono()
        counts = f'"count":{self.dropped},"bytes":{self.dropped_bytes}'
        return (
            f'{{"n":{self.n},"t":{m + self.ahead},"m":{m},"e":"gap","what":"spool",{counts},"why":{why}}}\n'
        )

    def add_output(self, stream: str, where: str, data: bytes, attribution: str = "exact") -> None:
        """Keep bytes that a test printed. `where` is JSON text: scenario, attempt and step, or the launch."""
        with self.lock:
            if self.full:
                self.dropped_bytes += len(data)
                self.why = os.strerror(errno.ENOSPC)
                return
            try:
                done = self.output.append(data)
            except OSError as error:
                self.dropped_bytes += len(data)
                self.why = error.strerror or str(error)
                return
            if done < len(data):
                self.dropped_bytes += len(data) - done
                self.why = os.strerror(errno.ENOSPC)
            offset = self.output_length
            self.output_length += done
            self.add(
                f'"output","stream":"{stream}",{where},"cap":{offset},"length":{done},"attribution":"{attribution}"'
            )

    def child(self) -> None:
        """After a fork, in the child: the parent's files and lines are not ours."""
        self.lines.forget()
        self.output.forget()
        self.buffer = []


def encode(value: object, ceiling: Optional[int] = None) -> str:
    """JSON text of the plain values that lines hold. Slow path only: the per-test lines are written by hand."""
    import json

    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), default=repr)
    if ceiling is not None and len(text) > ceiling:
        return "null"
    return text


def fields(values: Dict[str, object]) -> str:
    """The members of an object without its braces, to be appended to a line's body."""
    return encode(values)[1:-1]
