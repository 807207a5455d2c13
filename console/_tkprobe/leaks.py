"""What an attempt leaves behind in its process, and what it used: children, listening ports, open files, threads.

Counters are read once at an attempt's end; only where one has grown is anything looked at more closely. What the setup
of a wider fixture (module, session, …) opens is that fixture's and not the test's: the counters are read again behind
every such setup, and what is there by then is known (unittest sets classes and modules up between tests: there they are
read as each test begins). So a test that opens something itself *before* it asks for a wider fixture is not told of;
nothing is told that is not a leak, and an event loop that is closed behind its test is none. A red test's traceback
keeps its files open: only its processes and threads are told. Linux only; elsewhere, and whenever a look fails, nothing
is told.
"""

from __future__ import annotations

import os
import resource
import threading
from _thread import allocate_lock
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
#: How often, and how long apart, a process is looked at that has no command line yet (seconds).
LOOKS, MOMENT = 20, 0.0005
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
                self.lingering &= self.children
        except Exception:  # a fixture may have replaced whatever is called here
            self.off = True

    def _read(self) -> Counts:
        # Newer kernels say here how many descriptors are open, older ones 0: files are not told there.
        files = self._fstat(self.descriptors).st_size
        return files, len(self._threads), self._pread(self.listed, LISTED, 0)

    def end(self, elapsed: int, passed: bool, loop: Any = None) -> str:
        """The members of `attempt.ended` that say what the attempt used and left; mostly none.

        `loop` is the event loop that its runner closes only behind it.
        """
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
            left = self._look(before, now, passed, loop)
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

    def _look(self, before: Counts, now: Counts, passed: bool, loop: Any) -> List[Leak]:
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
        spared, pool, all_known = _of_loop(loop)
        threads, known_threads = dict(self._threads), self.threads
        self.threads = set(threads)
        new = [one for ident, one in threads.items() if ident not in known_threads]
        left += [_thread(one) for one in new if one not in pool]
        if now[0] != before[0]:
            files, known_files = _files(self.ours), self.files
            self.files = files
            if passed and all_known and now[0] > before[0]:
                left += _opened(sorted(one for one in files - known_files if one[0] not in spared))
        return left


def _of_loop(loop: Any) -> Tuple[Set[int], Set[Any], bool]:
    """The descriptors and threads that an event loop holds for itself, and whether that is known."""
    if loop is None:
        return set(), set(), True
    try:
        numbers = {one.fileno() for one in (loop._selector, loop._ssock, loop._csock)}  # noqa: SLF001
        return numbers, set(getattr(loop._default_executor, "_threads", ())), True  # noqa: SLF001
    except Exception:  # none of asyncio's own, or closed already
        return set(), set(), False


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
    pause, name, command = allocate_lock(), b"", b""
    pause.acquire()
    for _ in range(LOOKS):
        try:
            with open(f"/proc/{pid}/stat", "rb") as stat:
                name, _, rest = stat.read().rpartition(b")")
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                command = line.read()
            ended = rest.split()[0] in (b"Z", b"X")
        except (OSError, IndexError):
            return []
        if ended or any(helper in command for helper in STANDARD_HELPERS):
            return []
        if command:
            break
        # It is just becoming another program, and has a command line in a moment.
        pause.acquire(True, MOMENT)
    words = (command or name.partition(b"(")[2]).replace(b"\0", b" ").decode("utf-8", "replace").strip()
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
