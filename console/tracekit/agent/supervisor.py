"""One process per run: starts what the driver decided, reaps everything, writes exits to a spool of its own.

It is the only one that reaps. It outlives daemons: a restarted one finds here the launches, the plan and the secrets,
which it keeps in memory alone. It never reads a spool and never decides what runs next.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from tracekit.agent import killing
from tracekit.agent.control import Channel, accept
from tracekit.agent.forking import fork
from tracekit.agent.locks import Locks, waits
from tracekit.agent.spoolfile import SpoolWriter
from tracekit.agent.system import System
from tracekit.wire.names import E
from tracekit.wire.problems import Problem

TICK = 0.02
WARDEN_EVERY = 0.5
# Without daemon and without anything left to run there is nothing to wait for.
ORPHAN_SECONDS = 60.0
RETRIES = 3
LOCKS_EVERY = 0.1


@dataclass
class Launch:
    """A launch and what became of it."""

    spec: dict[str, Any]
    pid: int = 0
    ended: bool = False
    code: Optional[int] = None
    signal: Optional[int] = None


@dataclass
class Charge:
    """What the supervisor holds for its run."""

    run: str
    token: str
    directory: str
    start: dict[str, Any]
    # Where the locks of this box are.
    locks: str
    launches: dict[str, Launch] = field(default_factory=dict)


class Supervisor:
    """The loop of one run's supervisor."""

    def __init__(
        self, system: System, charge: Charge, listener: socket.socket, make_warden: Callable[[], None]
    ) -> None:
        self._system = system
        self._charge = charge
        self._listener = listener
        self._make_warden = make_warden
        self._selector = selectors.DefaultSelector()
        self._channels: list[Channel] = []
        self._wardens: list[Channel] = []
        self._warden_asked = 0.0
        started = system.processes.started(os.getpid())
        self.spool = f"supervisor-{os.getpid()}-{started}.ndjson"
        self._lines = SpoolWriter(system, os.path.join(charge.directory, self.spool))
        self._unended: dict[int, Launch] = {}
        self._locks = Locks(system, charge.locks, charge.run)
        # Launches that wait for a lock, and whom each was last told to wait for.
        self._waiting: dict[str, tuple[str, str]] = {}
        self._asked_locks = 0.0
        self._deadline: Optional[float] = None
        self._condemned: dict[int, tuple[int, float]] = {}
        self._quit = False
        self._alone_since = system.clock.seconds()
        self._group = ""

    def run(self) -> None:
        """Serve until told to quit, or until nobody is left to serve."""
        self._system.processes.set_subreaper(True)
        self._group = killing.control_group(self._charge.run)
        wake_read, wake_write = os.pipe()
        for end in (wake_read, wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._listener, selectors.EVENT_READ, "listener")
        self._selector.register(wake_read, selectors.EVENT_READ, wake_read)
        while not self._quit:
            self._ensure_warden()
            for key, mask in self._selector.select(self._wait()):
                self._ready(key.data, mask)
            self._reap()
            self._step_cancel()
            self._step_condemned()
            self._step_waiting()
            self._lines.flush()
            self._watch_orphaned()
        self._kill_all()
        for channel in self._channels:
            channel.wait_write(0.5)
        if self._group:
            with contextlib.suppress(OSError):
                os.rmdir(self._group)

    # -- waiting and connections

    def _wait(self) -> float:
        if self._deadline is not None or self._lines.waiting or self._condemned or self._waiting:
            return TICK
        return WARDEN_EVERY if not self._wardens or not self._daemon_here() else 5.0

    def _daemon_here(self) -> bool:
        return any(channel not in self._wardens for channel in self._channels)

    def _ready(self, data: Any, mask: int) -> None:
        if data == "listener":
            peer = accept(self._listener)
            if peer is not None:
                channel = Channel(peer)
                self._channels.append(channel)
                self._selector.register(channel, selectors.EVENT_READ, channel)
        elif isinstance(data, int):
            with contextlib.suppress(OSError):
                while os.read(data, 512):
                    pass
        else:
            self._serve(data, mask)

    def _serve(self, channel: Channel, mask: int) -> None:
        number = channel.fileno()
        if mask & selectors.EVENT_WRITE:
            channel.flush()
        if mask & selectors.EVENT_READ:
            for message in channel.receive():
                self._handle(channel, message)
        if not channel.open:
            self._drop(channel, number)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.wants_write else 0)
        self._selector.modify(channel, wanted, channel)

    def _drop(self, channel: Channel, number: int) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(number)
        self._channels.remove(channel)
        if channel in self._wardens:
            self._wardens.remove(channel)

    def _handle(self, channel: Channel, message: dict[str, Any]) -> None:
        do = message.get("do")
        if do == "hello":
            channel.send(self._hello())
        elif do == "watch":
            self._wardens.append(channel)
        elif do == "spawn":
            self._spawn(message["spec"])
        elif do == "cancel":
            self._cancel(float(message.get("grace", 1.0)), int(message.get("signal", signal.SIGTERM)))
        elif do == "kill":
            quits = [(int(pid), int(started)) for pid, started in message.get("quit") or ()]
            grace = float(message.get("grace", 1.0))
            self._kill_one(int(message["pid"]), int(message["started"]), grace, quits)
        elif do == "quit":
            self._quit = True

    def _hello(self) -> dict[str, Any]:
        return {
            "is": "hello",
            "pid": os.getpid(),
            "spool": self.spool,
            "start": self._charge.start,
            "launches": {name: launch.spec for name, launch in self._charge.launches.items()},
            "exits": [
                self._exit(name, launch) for name, launch in self._charge.launches.items() if launch.ended
            ],
        }

    @staticmethod
    def _exit(name: str, launch: Launch) -> dict[str, Any]:
        return {"is": "exited", "id": name, "exit": launch.code, "signal": launch.signal}

    # -- starting

    def _spawn(self, spec: dict[str, Any]) -> None:
        name = str(spec["id"])
        if name in self._charge.launches:
            return
        launch = self._charge.launches[name] = Launch(spec)
        if self._deadline is not None:
            launch.ended = True
            self._ended(name, launch, {"why": "cancelled"})
            return
        self._waiting[name] = ("", "")
        self._asked_locks = 0.0
        self._step_waiting()

    def _step_waiting(self) -> None:
        """Begin what has its locks; a cancelled run waits no longer."""
        now = self._system.clock.seconds()
        if not self._waiting or (self._deadline is None and now - self._asked_locks < LOCKS_EVERY):
            return
        self._asked_locks = now
        for name, told in list(self._waiting.items()):
            launch = self._charge.launches[name]
            if self._deadline is not None:
                del self._waiting[name]
                launch.ended = True
                self._ended(name, launch, {"why": "cancelled"})
                continue
            try:
                lock, holder = self._locks.take(launch.spec.get("locks") or ())
            except OSError as fault:
                del self._waiting[name]
                self._unlocked(name, launch, fault)
                continue
            if not lock:
                del self._waiting[name]
                if told[0]:
                    self._lines.add({"e": E.PHASE_ENDED, "phase": "lock", "id": name, "lock": told[0]})
                self._begin(name, launch)
            elif (lock, holder) != told:
                self._waiting[name] = (lock, holder)
                self._lines.add(waits(name, str(launch.spec["suite"]), lock, holder))

    def _unlocked(self, name: str, launch: Launch, fault: OSError) -> None:
        launch.ended = True
        what = f"its locks cannot be taken: {fault.strerror or fault}"
        action = "make the directory writable, or remove `locks` from the suite"
        problem = Problem("launch.no_lock", what, self._charge.locks, action)
        self._ended(name, launch, {"problem": problem.to_json(), "command": launch.spec["command"]})

    def _begin(self, name: str, launch: Launch) -> None:
        spec = launch.spec
        facts = {"phase": "launch", "id": name, "suite": spec["suite"]}
        self._lines.add({"e": E.PHASE_STARTED, **facts, "command": spec["command"], "reason": spec["reason"]})
        try:
            launch.pid = self._start(spec)
        except (OSError, ValueError) as fault:
            launch.ended = True
            launch.code = 127
            problem = self._cannot_start(spec, fault)
            self._ended(name, launch, {"problem": problem.to_json(), "command": spec["command"]})
            return
        self._unended[launch.pid] = launch

    def _start(self, spec: dict[str, Any]) -> int:
        directory = self._charge.directory
        for name, text in spec.get("files", {}).items():
            self._patiently(os.path.join(directory, name), text.encode("latin-1"))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        streams = [
            os.open(os.path.join(directory, f"{spec['id']}.{end}"), flags, 0o600) for end in ("out", "err")
        ]
        environ = {
            **self._charge.start.get("environ", {}),
            **spec.get("env", {}),
            **self._secret_environ(spec),
        }
        for name in spec.get("unset", ()):
            environ.pop(name, None)
        environ[killing.TOKEN] = self._charge.token
        try:
            process = subprocess.Popen(
                spec["command"],
                cwd=spec["cwd"],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=streams[0],
                stderr=streams[1],
                start_new_session=True,
            )
        finally:
            for stream in streams:
                os.close(stream)
        process.returncode = 0  # our own table reaps; the object must neither wait nor warn
        self._join_group(process.pid)
        return process.pid

    def _secret_environ(self, spec: dict[str, Any]) -> dict[str, str]:
        """What a suite's secrets are worth; only here, so that no plan, launch or journal ever holds a value."""
        secrets = self._charge.start.get("secrets") or {}
        for suite in self._charge.start.get("plan", {}).get("suites", ()):
            if suite.get("name") == spec.get("suite"):
                return {name: secrets[name] for name in suite.get("secret_env", ()) if name in secrets}
        return {}

    def _patiently(self, path: str, data: bytes) -> None:
        """A disk that is full for a moment must not cost a launch."""
        for left in range(RETRIES, -1, -1):
            try:
                self._system.files.put(path, data)
            except OSError:
                if not left:
                    raise
                self._system.clock.sleep(TICK)
            else:
                return

    def _join_group(self, pid: int) -> None:
        if not self._group:
            return
        try:
            with open(os.path.join(self._group, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write(str(pid))
        except OSError:
            self._group = ""

    @staticmethod
    def _cannot_start(spec: dict[str, Any], fault: Exception) -> Problem:
        if not os.path.isdir(spec["cwd"]):
            what = "the suite's directory does not exist"
            return Problem(
                "launch.no_directory", what, spec["cwd"], "create it or correct `cwd` in the profile"
            )
        what = f"cannot start {spec['command'][0]}: {getattr(fault, 'strerror', None) or fault}"
        return Problem(
            "launch.cannot_start", what, spec["cwd"], "check the interpreter with `tracekit doctor`"
        )

    # -- ending

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            launch = self._unended.pop(pid, None)
            if launch is not None:
                self._settle(launch, status, usage)

    def _settle(self, launch: Launch, status: int, usage: Any) -> None:
        """A launch's own process is gone: what it left behind goes too, so that its spools are final."""
        if not self._unended:
            self._kill_all()
        launch.ended = True
        if os.WIFSIGNALED(status):
            launch.signal = os.WTERMSIG(status)
        else:
            launch.code = os.WEXITSTATUS(status)
        facts = {
            "user": round(usage.ru_utime, 6),
            "system": round(usage.ru_stime, 6),
            "peak_kib": usage.ru_maxrss,
        }
        self._ended(str(launch.spec["id"]), launch, {"rusage": facts})

    def _ended(self, name: str, launch: Launch, more: dict[str, Any]) -> None:
        facts = {"phase": "launch", "id": name, "suite": launch.spec["suite"]}
        self._lines.add({"e": E.PHASE_ENDED, **facts, "exit": launch.code, "signal": launch.signal, **more})
        for channel in self._channels:
            if channel not in self._wardens:
                channel.send({**self._exit(name, launch), **more})

    def _cancel(self, grace: float, number: int) -> None:
        first = self._deadline is None
        self._deadline = self._system.clock.seconds() + (grace if first else 0.0)
        if first:
            for pid in self._unended:
                self._system.processes.signal_group(pid, number)
                self._system.processes.signal_group(pid, signal.SIGCONT)

    def _step_cancel(self) -> None:
        if self._deadline is None:
            return
        if self._unended and self._system.clock.seconds() < self._deadline:
            return
        self._kill_all()
        self._reap()

    def _kill_all(self) -> None:
        if self._group:
            killing.kill_group(self._group)
        if self._has_children():
            killing.sweep(self._system, self._charge.token, os.getpid())

    def _has_children(self) -> bool:
        """Orphans come to us, so having no child at all means that nothing below us lives."""
        if self._unended:
            return True
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True

    def _kill_one(self, pid: int, started: int, grace: float, quits: Sequence[tuple[int, int]] = ()) -> None:
        """End one process: asked first, then made to. Where those below it tell their last, they are asked instead."""
        processes = self._system.processes
        if pid > 1 and processes.started(pid) == started:
            told = [
                processes.signal(one, signal.SIGQUIT) for one, at in quits if processes.started(one) == at
            ]
            if not any(told):
                processes.signal(pid, signal.SIGTERM)
            self._condemned[pid] = (started, self._system.clock.seconds() + grace)

    def _step_condemned(self) -> None:
        now = self._system.clock.seconds()
        for pid, (started, deadline) in list(self._condemned.items()):
            alive = self._system.processes.started(pid) == started
            if alive and now < deadline:
                continue
            if alive:
                self._system.processes.signal(pid, signal.SIGKILL)
            del self._condemned[pid]

    # -- company

    def _ensure_warden(self) -> None:
        now = self._system.clock.seconds()
        if self._wardens or now - self._warden_asked < WARDEN_EVERY * 2:
            return
        self._warden_asked = now
        # The warden must outlive us: it is orphaned while we adopt nobody.
        self._system.processes.set_subreaper(False)
        self._make_warden()
        self._system.processes.set_subreaper(True)

    def _watch_orphaned(self) -> None:
        now = self._system.clock.seconds()
        if self._unended or self._waiting or self._daemon_here():
            self._alone_since = now
        elif now - self._alone_since > ORPHAN_SECONDS:
            self._quit = True


def start(
    system: System, charge: Charge, listener: socket.socket, log: str, make_warden: Callable[[], None]
) -> int:
    """Fork a run's supervisor off the daemon; gives its pid. The listener stays with the child."""

    def body() -> None:
        Supervisor(system, charge, listener, make_warden).run()

    return fork(system, "tracekit-superv", log, body, keep=(listener.fileno(),))
