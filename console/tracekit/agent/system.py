"""The one seam to the machine: clock, randomness, files, processes.

Everything Linux-only (prctl, /proc, cgroups) stands here, so that tests own time and faults. It decides nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

_PR_SET_CHILD_SUBREAPER = 36
_ZOMBIE = (b"Z", b"X")


class Clock:
    """Wall clock for people, monotonic clock for durations, both in nanoseconds."""

    def wall(self) -> int:
        return time.time_ns()

    def mono(self) -> int:
        return time.monotonic_ns()

    def seconds(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Files:
    """File calls of the recording; a test injects one whose N-th write fails."""

    def open(self, path: str, flags: int, mode: int = 0o600) -> int:
        return os.open(path, flags | os.O_CLOEXEC, mode)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def write(self, descriptor: int, data: bytes) -> int:
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, length: int) -> None:
        os.ftruncate(descriptor, length)

    def sync(self, descriptor: int) -> None:
        os.fdatasync(descriptor)

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new)

    def make_directory(self, path: str) -> None:
        os.makedirs(path, mode=0o700, exist_ok=True)

    def remove_tree(self, path: str) -> None:
        shutil.rmtree(path)

    def write_all(self, descriptor: int, data: bytes) -> None:
        """Write everything or raise; a short write is how a full disk often shows itself first."""
        view = memoryview(data)
        while view:
            view = view[self.write(descriptor, view) :]  # type: ignore[arg-type]

    def put(self, path: str, data: bytes) -> None:
        """Replace a small file by one rename, so that a reader sees the old or the new one."""
        part = f"{path}.part"
        descriptor = self.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            self.write_all(descriptor, data)
        except OSError as fault:
            # A write does not say where it failed, and a person must know which disk it was.
            raise type(fault)(fault.errno, fault.strerror, path) from fault
        finally:
            self.close(descriptor)
        self.rename(part, path)


# What a run sets aside in its spool, and what a disk that was full must have before it is written to again.
RESERVE = "reserve"
MOST_RESERVED = 1 << 20


def free_space(path: str) -> int:
    """Bytes that this user may still write on the disk of a path."""
    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize


def read_range(path: str, offset: int, length: int) -> bytes:
    """Read up to `length` bytes of a file; a file that is not there is empty."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)


def read_tail(path: str, length: int) -> bytes:
    """Read the last bytes of a file; a file that is not there is empty."""
    size = size_of(path)
    return read_range(path, max(0, size - length), length) if size else b""


def size_of(path: str) -> int:
    """How long a file is; a file that is not there is empty."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


class Process(NamedTuple):
    """A row of the process table."""

    pid: int
    parent: int
    group: int
    session: int
    started: int
    zombie: bool


def _row(pid: int) -> Optional[Process]:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    # The command name may hold blanks and brackets; the last bracket ends it.
    words = text[text.rindex(b")") + 2 :].split()
    return Process(pid, int(words[1]), int(words[2]), int(words[3]), int(words[19]), words[0] in _ZOMBIE)


class Processes:
    """The process table and signals."""

    def __init__(self) -> None:
        #: Children of ours that look at the processes of runs and belong to none: whoever sweeps spares them.
        self.helpers: set[int] = set()

    def table(self) -> dict[int, Process]:
        rows = (_row(int(name)) for name in os.listdir("/proc") if name.isdigit())
        return {row.pid: row for row in rows if row is not None}

    def row(self, pid: int) -> Optional[Process]:
        return _row(pid)

    def started(self, pid: int) -> int:
        """Start time in clock ticks since boot, which with the pid names a process for good; 0 when it is gone."""
        row = _row(pid)
        return row.started if row else 0

    def name(self, pid: int) -> str:
        """What process lists show, or "" when it is gone."""
        try:
            with open(f"/proc/{pid}/comm", "rb") as file:
                return file.read().strip().decode("utf-8", "replace")
        except OSError:
            return ""

    def program(self, pid: int) -> str:
        """The program that a process runs, "" where nobody may know."""
        try:
            return os.readlink(f"/proc/{pid}/exe")
        except OSError:
            return ""

    def environ(self, pid: int) -> bytes:
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return file.read()
        except OSError:
            return b""

    def signal(self, pid: int, number: int) -> bool:
        try:
            os.kill(pid, number)
        except OSError:
            return False
        return True

    def signal_group(self, group: int, number: int) -> bool:
        try:
            os.killpg(group, number)
        except OSError:
            return False
        return True

    def set_subreaper(self, on: bool) -> bool:
        """Make orphans below this process its own children; False where the system has no such thing."""
        import ctypes  # only supervisors and daemons need it, and it is slow to load

        try:
            return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) == 0)
        except (OSError, AttributeError):
            return False

    def set_name(self, name: str) -> None:
        """Show in process lists what this process is."""
        with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as file:
            file.write(name[:15])


@dataclass(frozen=True)
class System:
    """The machine as the agent sees it."""

    clock: Clock = field(default_factory=Clock)
    files: Files = field(default_factory=Files)
    processes: Processes = field(default_factory=Processes)

    def random(self, count: int) -> bytes:
        return os.urandom(count)


def close_inherited(keep: Iterable[int] = ()) -> None:
    """Close every descriptor above 2 but these: a forked process must not hold its parent's locks and sockets."""
    kept = set(keep)
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        numbers = list(range(3, 4096))
    for number in numbers:
        if number > 2 and number not in kept:
            with contextlib.suppress(OSError):
                os.close(number)


def become_background(log: str = os.devnull) -> None:
    """Leave terminal, session and working directory; standard streams go nowhere but the log."""
    with contextlib.suppress(OSError):
        os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    try:
        errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:
        errors = null
    for number, source in ((0, null), (1, null), (2, errors)):
        os.dup2(source, number)
    for number in {null, errors}:
        if number > 2:
            os.close(number)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
