"""Runs tests as processes of their own, so many at a time, and tells their lives while they last.

Each has a process group, which is killed when its first process has ended, and two files for what it prints, which have
no name: whatever outlives its test writes where nobody reads. It knows no language; a job says what its end means.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional, Protocol

from tracekit.agent.hosts.telling import Teller
from tracekit.agent.paths import read_json, told_name
from tracekit.agent.system import System
from tracekit.wire.names import OWN_SCENARIO, E

TICK = 0.02
CHUNK = 256 * 1024
#: So many pieces of a stream are told before it is another's turn: one that floods keeps nobody waiting.
PIECES = 4
#: How much of the end of each stream a job is shown when its process has ended.
KEPT = 256 * 1024
# Below this what a process used says nothing.
_MEASURED = 0.005
_STREAMS = ("stdout", "stderr")


class End(NamedTuple):
    """How a test's process ended, and the last it printed."""

    code: Optional[int]
    signal: Optional[int]
    out: bytes
    err: bytes

    @property
    def how(self) -> str:
        """In words."""
        if self.signal is None:
            return f"exited with status {self.code}"
        try:
            return f"killed by {signal.Signals(self.signal).name}"
        except ValueError:
            return f"killed by signal {self.signal}"


class Word(NamedTuple):
    """What an end means."""

    verdict: str
    cause: Optional[str] = None
    reason: str = ""
    failure: Optional[dict[str, Any]] = None
    assertion: Optional[dict[str, Any]] = None


class Job(Protocol):
    """One test to be run."""

    @property
    def scenario(self) -> str: ...
    @property
    def command(self) -> list[str]: ...
    @property
    def cwd(self) -> str: ...
    @property
    def environ(self) -> dict[str, str]: ...

    def begin(self) -> None:
        """A process of it is about to start."""

    def own(self, data: bytes) -> bytes:
        """What of these bytes of standard output is the test's."""

    def ended(self, end: End) -> tuple[bytes, Word]:
        """The rest of its standard output, and what its end means."""


class _Over(NamedTuple):
    """How and when a process ended, what the agent said of that then, and how much it had printed."""

    status: int
    usage: Any
    ended: int
    told: Optional[dict[str, Any]]
    sizes: list[int]


@dataclass
class _Running:
    job: Job
    number: int
    pid: int
    began: int
    files: list[int]
    read: list[int] = field(default_factory=lambda: [0, 0])
    tails: list[bytes] = field(default_factory=lambda: [b"", b""])
    over: Optional[_Over] = None


class Crew:
    """The processes of one launch."""

    def __init__(self, system: System, spool: str, launch: str, size: int, attempts: dict[str, int]) -> None:
        self._system = system
        self._spool = spool
        self._launch = launch
        self.attempts = dict(attempts)
        #: The tests that took their process down.
        self.crashed: set[str] = set()
        self._tellers = [Teller(system, spool, f"slot{number}") for number in range(1, size + 1)]
        self._running: list[Optional[_Running]] = [None] * size
        self._selector = selectors.DefaultSelector()
        self._wake, wake = os.pipe()
        for end in (self._wake, wake):
            os.set_blocking(end, False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.stopping = False

    def stop(self) -> None:
        """Start nothing more, and ask what runs to end."""
        self.stopping = True
        for running in self._running:
            if running is not None and running.over is None:
                self._system.processes.signal_group(running.pid, signal.SIGTERM)

    def run(self, jobs: Iterable[Job]) -> None:
        """Run all of them, in their order, as far as nobody stops it."""
        waiting = iter(jobs)
        more, left = True, False
        while True:
            for slot, running in enumerate(self._running):
                while more and running is None and not self.stopping:
                    job = next(waiting, None)
                    if job is None:
                        more = False
                        break
                    running = self._running[slot] = self._start(slot, job)
            if not any(self._running):
                break
            self._selector.select(0 if left else TICK)
            with contextlib.suppress(OSError):
                os.read(self._wake, 4096)
            self._reap()
            left = False
            for slot, running in enumerate(self._running):
                if running is not None:
                    unread = self._look(slot, running)
                    left = left or unread
                    if running.over is not None and not unread:
                        self._conclude(slot, running, running.over)
        for teller in self._tellers:
            teller.settle()

    # -- one test

    def _start(self, slot: int, job: Job) -> Optional[_Running]:
        number = self.attempts[job.scenario] = self.attempts.get(job.scenario, 0) + 1
        job.begin()
        files: list[int] = []
        began = self._system.clock.mono()
        try:
            files += [self._file(slot, stream) for stream in (1, 2)]
            pid = _spawn(job, files)
        except OSError as fault:
            for file in files:
                os.close(file)
            self._unstarted(slot, job, number, fault)
            return None
        running = _Running(job, number, pid, began, files)
        facts = {"pid": pid, "worker": self._tellers[slot].role, "launch": self._launch}
        self._tellers[slot].line(E.ATTEMPT_STARTED, scenario=job.scenario, attempt=number, **facts)
        return running

    def _file(self, slot: int, stream: int) -> int:
        path = os.path.join(self._spool, f"slot{slot}.{stream}")
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.unlink(path)
        return file

    def _unstarted(self, slot: int, job: Job, number: int, fault: OSError) -> None:
        teller, what = self._tellers[slot], fault.strerror or str(fault)
        if fault.errno == errno.E2BIG:
            what = "its arguments and variables are more than the system takes"
        head = {"scenario": job.scenario, "attempt": number}
        teller.line(E.ATTEMPT_STARTED, **head, pid=None, worker=teller.role, launch=self._launch)
        reason = f"its process did not start: {what}"
        teller.line(
            E.ATTEMPT_ENDED, **head, verdict="error", cause="launch", d=0, durations={}, reason=reason
        )

    def _look(self, slot: int, running: _Running) -> bool:
        """Tell what was printed since, a part of it at a time; whether there is more."""
        more, over = False, running.over
        for stream, file in enumerate(running.files):
            for _ in range(PIECES):
                at = running.read[stream]
                # What outlives its test may go on writing: that is nobody's.
                size = CHUNK if over is None else min(CHUNK, max(0, over.sizes[stream] - at))
                data = os.pread(file, size, at) if size else b""
                if not data and (over is not None or stream):
                    break
                running.read[stream] += len(data)
                running.tails[stream] = (running.tails[stream] + data)[-KEPT:]
                self._tell(slot, running, stream, data if stream else running.job.own(data))
                if not data:
                    break
            else:
                more = True
        return more

    def _tell(self, slot: int, running: _Running, stream: int, data: bytes) -> None:
        if data:
            whose = {"scenario": running.job.scenario, "attempt": running.number, "step": "call"}
            self._tellers[slot].output(_STREAMS[stream], whose, data)

    def _reap(self) -> None:
        """Note the ends of all that have ended, before anything else is told: each lasted as long as it did."""
        for running in self._running:
            if running is None or running.over is not None:
                continue
            found = os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                continue
            ended = self._system.clock.mono()
            green = found.si_code == os.CLD_EXITED and not found.si_status
            started = 0 if green else self._system.processes.started(running.pid)
            # While it is not yet reaped its number names this group for certain.
            self._system.processes.signal_group(running.pid, signal.SIGKILL)
            _, status, usage = os.wait4(running.pid, 0)
            note = os.path.join(self._spool, told_name(running.pid, started))
            # What the agent says from now on is of somebody who lives.
            told = None if green else read_json(note)
            sizes = [os.fstat(file).st_size for file in running.files]
            running.over = _Over(status, usage, ended, told, sizes)

    def _conclude(self, slot: int, running: _Running, over: _Over) -> None:
        for file in running.files:
            os.close(file)
        self._running[slot] = None
        status, usage, ended = over.status, over.usage, over.ended
        teller, head = self._tellers[slot], {"scenario": running.job.scenario, "attempt": running.number}
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        code = None if killed is not None else os.WEXITSTATUS(status)
        rest, word = running.job.ended(End(code, killed, *running.tails))
        self._tell(slot, running, 0, rest)
        if self.stopping and killed is not None:
            return  # whoever stops the launch says what became of those that ran
        if over.told is not None:
            cause = "hang" if over.told.get("verdict") == "timedout" else None
            word = Word(str(over.told.get("verdict")), cause, str(over.told.get("reason", "")))
        for event, fields in ((E.ASSERTION, word.assertion), (E.FAILURE, word.failure)):
            if fields is not None:
                teller.line(event, **head, step="call", **fields)
        lasted = ended - running.began
        more: dict[str, Any] = {"reason": word.reason} if word.reason else {}
        if word.verdict == "crashed":
            self.crashed.add(running.job.scenario)
            more.update(exit=code, signal=killed)
        if usage.ru_utime + usage.ru_stime >= _MEASURED:
            facts = {"user": round(usage.ru_utime, 6), "system": round(usage.ru_stime, 6)}
            more["rusage"] = {**facts, "peak_kib": usage.ru_maxrss}
        # What was cut off had no phase that came to its end.
        durations = {} if word.verdict in {"crashed", "timedout", "cancelled"} else {"call": lasted}
        verdict = {"verdict": word.verdict, "cause": word.cause, "d": lasted, "durations": durations}
        teller.line(E.ATTEMPT_ENDED, **head, **verdict, **more)


def _spawn(job: Job, files: list[int]) -> int:
    if os.getcwd() != job.cwd:
        os.chdir(job.cwd)
    actions: list[Any] = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    actions += [(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate(files, 1)]
    return os.posix_spawn(
        job.command[0],
        job.command,
        # What it records with a tracer that it links, and what its children do, is this test's.
        {**job.environ, OWN_SCENARIO: job.scenario},
        file_actions=actions,
        setpgroup=0,
        setsigmask=(),
        # What an interpreter ignores from its start, a test must not find ignored.
        setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
    )
