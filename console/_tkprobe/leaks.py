"""What an attempt leaves behind in its process, and what it used: children, listening ports, open files, threads.

Counters are read once at an attempt's end; only where one has grown is anything looked at more closely. What the setup
of a wider fixture (module, session, …) opens is that fixture's and not the test's: the counters are read again behind
every such setup, and what is there by then is known. So a test that opens something itself *before* it asks for a wider
fixture is not told of; nothing is told that is not a leak. A red test's traceback keeps its files open: only its
processes and threads are told. Linux only; elsewhere, and whenever a look fails, nothing is told.
"""

from __future__ import annotations

import os
import resource
import threading
from typing import Any, Callable, Dict, List, Set, Tuple

from _tkprobe.spool import HIGH_DESCRIPTOR, encode, move_up

Leak = Dict[str, str]
#: Open descriptors, threads, and the children of the main thread as the kernel lists them.
Counts = Tuple[int, int, bytes]

#: A leaking test tells this many things at most.
LIMIT = 20
TEXT = 300
#: What an attempt used is told from this duration on (nanoseconds): below it the numbers say nothing.
WORTH_TELLING = 5_000_000
#: Helpers that the standard library starts once per process, for good.
STANDARD_HELPERS = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")
LISTENING = "0A"
LISTED = 4096
SELF = resource.RUSAGE_SELF


class Leaks:
    """The counters of one process, and what they are made of as far as it was looked at."""

    def __init__(self, ours: str) -> None:
        #: The folder of the spool: what is open there is the probe's own.
        self.ours = ours
        # Bound here: tests replace what modules hold.
        self._fstat = os.fstat
        self._pread = os.pread
        self._usage: Callable[[int], Any] = resource.getrusage
        self._threads: Any = getattr(threading, "_active", {})
        self.worth_telling: float = WORTH_TELLING
        self.off = False
        self.began = False
        self.descriptors = self.listed = -1
        self.counts: Counts = (-1, 0, b"")
        self.files: Set[Tuple[int, str]] = set()
        self.children: Set[int] = set()
        self.threads: Set[int] = set()
        #: Processes that ended attempts left and that live on: what is printed may be theirs.
        self.lingering: Set[int] = set()
        self.at_start: Any = None

    def begin(self) -> None:
        """An attempt begins."""
        self.at_start = self._usage(SELF)
        if not self.began:
            self.began = True
            try:
                self.descriptors = move_up(os.open("/proc/self/fd", os.O_RDONLY | os.O_CLOEXEC))
                self.listed = move_up(os.open("/proc/thread-self/children", os.O_RDONLY | os.O_CLOEXEC))
            except Exception:
                self.off = True
            self.settle()

    def settle(self) -> None:
        """Whatever is there now is not the running test's."""
        if self.off:
            return
        try:
            counts = self._read()
            if counts != self.counts:
                self.counts = counts
                self.files, self.children, self.threads = _files(self.ours), _children(), set(self._threads)
        except Exception:  # a fixture may have replaced whatever is called here
            self.off = True

    def _read(self) -> Counts:
        # Newer kernels say here how many descriptors are open, older ones 0: files are not told there.
        files = self._fstat(self.descriptors).st_size
        return files, len(self._threads), self._pread(self.listed, LISTED, 0)

    def end(self, elapsed: int, passed: bool) -> str:
        """The members of `attempt.ended` that say what the attempt used and left; mostly none."""
        told = ""
        if elapsed >= self.worth_telling:
            told = self._used()
        if self.off:
            return told
        try:
            now = self._read()
            if now == self.counts:
                return told
            before, self.counts = self.counts, now
            left = self._look(before, now, passed)
        except Exception:
            self.off = True
            return told
        if left:
            told += f',"leaks":{encode(left[:LIMIT])}'
        return told

    def _used(self) -> str:
        start, now = self.at_start, self._usage(SELF)
        if start is None:
            return ""
        user, system = max(0.0, now.ru_utime - start.ru_utime), max(0.0, now.ru_stime - start.ru_stime)
        return f',"rusage":{{"user":{user:.6f},"system":{system:.6f},"peak_kib":{now.ru_maxrss}}}'

    def _look(self, before: Counts, now: Counts, passed: bool) -> List[Leak]:
        left: List[Leak] = []
        if now[2] != before[2] or now[1] > 1:
            children, known = _children(), self.children
            self.children = children
            self.lingering &= children
            for pid in sorted(children - known):
                told = _process(pid)
                if told:
                    self.lingering.add(pid)
                left += told
        threads, known_threads = dict(self._threads), self.threads
        self.threads = set(threads)
        left += [_thread(one) for ident, one in threads.items() if ident not in known_threads]
        if now[0] != before[0]:
            files, known_files = _files(self.ours), self.files
            self.files = files
            if passed and now[0] > before[0]:
                left += _opened(sorted(files - known_files))
        return left


def _files(ours: str) -> Set[Tuple[int, str]]:
    """Open descriptors and what they lead to; the probe's own left out."""
    found: Set[Tuple[int, str]] = set()
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd < HIGH_DESCRIPTOR:
            try:
                link = os.readlink(f"/proc/self/fd/{name}")
                if not link.startswith(ours):
                    found.add((fd, link))
            except OSError:
                continue  # the descriptor that listed the folder
    return found


def _children() -> Set[int]:
    found: Set[int] = set()
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/children", "rb") as listed:
                found.update(int(word) for word in listed.read().split())
        except OSError:
            continue  # the thread has ended
    return found


def _process(pid: int) -> List[Leak]:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            state = stat.read().rpartition(b")")[2].split()[0]
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            command = line.read()
    except (OSError, IndexError):
        return []
    if state in (b"Z", b"X") or any(helper in command for helper in STANDARD_HELPERS):
        return []
    words = command.replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return [{"kind": "process", "what": f"pid {pid}", "detail": words[:TEXT]}]


def _thread(thread: Any) -> Leak:
    target = getattr(thread, "_target", None)
    code = getattr(target, "__code__", None)
    where = f"{code.co_filename}:{code.co_firstlineno}" if code is not None else type(thread).__name__
    kind = "daemon " if thread.daemon else ""
    return {"kind": "thread", "what": str(thread.name)[:TEXT], "detail": f"{kind}{where}"[:TEXT]}


def _opened(files: List[Tuple[int, str]]) -> List[Leak]:
    sockets = {link for _, link in files if link.startswith("socket:[")}
    ports = _listening() if sockets else {}
    told: List[Leak] = []
    for fd, link in files:
        address = ports.get(link[len("socket:[") : -1]) if link in sockets else None
        kind, what = ("port", address) if address else ("file", link)
        told.append({"kind": kind, "what": str(what)[:TEXT], "detail": f"descriptor {fd}"})
    return told


def _listening() -> Dict[str, str]:
    """Addresses of listening TCP sockets of this network, by inode."""
    found: Dict[str, str] = {}
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/self/net/{table}", encoding="ascii") as rows:
                lines = rows.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if len(words) > 9 and words[3] == LISTENING:
                host, _, port = words[1].partition(":")
                found[words[9]] = f"{_host(host)}:{int(port, 16)}"
    return found


def _host(text: str) -> str:
    if len(text) == 8:
        return ".".join(str(int(text[at : at + 2], 16)) for at in (6, 4, 2, 0))
    return "[::]" if not text.strip("0") else "[" + text.lower() + "]"
