"""The daemon: one per user, state directory and boot. It serves consoles, owns runs, and goes when idle.

One loop, no threads: every descriptor is non-blocking, every buffer has an end, an idle daemon does not wake up. It
never reaps a test process and never decides what a run does next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import socket
from typing import Any, Optional, Union

from tracekit.agent import asking, facts, killing, supervisor, tracing, warden
from tracekit.agent.consoles import Consoles
from tracekit.agent.control import Channel, accept, connect, listen
from tracekit.agent.doors import Doors
from tracekit.agent.forking import fork, orphan, report
from tracekit.agent.kept import Kept, KeptRun
from tracekit.agent.live import LiveRun
from tracekit.agent.locks import LOCKS_DIR
from tracekit.agent.paths import Places, Settings
from tracekit.agent.protocol import Session
from tracekit.agent.requests import Requests
from tracekit.agent.slots import Slots
from tracekit.agent.system import System, read_range
from tracekit.wire.frames import Checksum, FrameType, checksum_of
from tracekit.wire.lines import encode
from tracekit.wire.problems import ProblemError
from tracekit.wire.secrets import secrets_in

# Processes that ask services, all consoles together.
_MOST_ASKING = 8
# A frame of so many bytes is one of many.
_MUCH = 32 << 10
# How long after a supervisor's end its orphans are looked for.
ADOPTING = 1.0


class Daemon:
    """The loop."""

    def __init__(self, system: System, settings: Settings, places: Places, lock: int) -> None:
        self.system = system
        self.settings = settings
        self.places = places
        self.runs: dict[str, LiveRun] = {}
        self.kept = Kept(system, settings.state)
        self.slots = Slots(system, settings.state)
        self.leaving = False
        self._lock = lock
        self._selector = selectors.DefaultSelector()
        self._consoles = Consoles(self._selector)
        self._strangers: list[Channel] = []
        self._channels: dict[int, tuple[Channel, Optional[LiveRun]]] = {}
        # By the descriptor of a process that asks services: who wants to know.
        self._asking: dict[int, Session] = {}
        self._idle_since = system.clock.seconds()
        self._doors = Doors(places)
        self._requests = Requests(self)
        self._children: set[int] = set()
        self._adopting_until = 0.0
        self._woken, self._wake = os.pipe()
        self._quick: Optional[Checksum] = None

    def run(self) -> None:
        """Serve until idle or told to go."""
        # What a dead supervisor leaves comes to us, whatever it did to its environment.
        self.system.processes.set_subreaper(True)
        for end in (self._woken, self._wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for listener in (self._doors.face, self._doors.side, self._woken):
            self._selector.register(listener, selectors.EVENT_READ)
        note = {**self._doors.told(), "pid": os.getpid()}
        note["agent"] = self.settings.agent
        self._recover()
        self.kept.forget_old()
        self.slots.blobs.forget_old(self.system.clock.wall() / 1e9)
        with contextlib.suppress(OSError):  # a full disk: who looks for us looks for the socket, too
            self.system.files.put(self.places.note, encode(note))
        while not self.leaving:
            for key, mask in self._selector.select(self._wait()):
                try:
                    self._ready(key, mask)
                except Exception:  # noqa: BLE001 - one connection's fault must not take the runs down
                    self.log()
                    self._lose(key.fd)
            self._tick()
        self._leave()

    def hello(self) -> dict[str, Any]:
        """What every console is told first."""
        told = facts.machine(self.settings.state)
        # Which of the newer questions this agent answers.
        told["answers"] = ["services"]
        return {"agent": self.settings.agent, **told, "clock": self.clock(), "runs": self.summaries()}

    def clock(self) -> dict[str, int]:
        return {"t": self.system.clock.wall(), "m": self.system.clock.mono()}

    def summaries(self) -> list[dict[str, Any]]:
        live = [run.summary() for run in self.runs.values() if not run.closed]
        names = {run["run"] for run in live}
        return live + [run.summary() for run in self.kept.all() if run.run not in names]

    def find(self, run: str) -> Union[LiveRun, KeptRun, None]:
        """A run that is live here, ended just now, or waits for somebody's copy."""
        return self.runs.get(run) or self.kept.find(run)

    def log(self) -> None:
        """Keep the exception that is being handled where a person can find it."""
        report(self.places.log)

    # -- runs

    def _recover(self) -> None:
        for entry in self.places.live_runs():
            with contextlib.suppress(KeyError):
                run = LiveRun(self.system, self.places, entry, self.settings.probe, self.settings.cache)
                self.runs[run.run] = run
                run.reconnect()
                self._watch_channel(run)

    def launch(self, entry: dict[str, Any], start: dict[str, Any]) -> LiveRun:
        """Take on a run: note it, write its beginning, fork its supervisor. Raises OSError on a full disk."""
        entry["control"] = self._doors.path(str(entry["run"]))
        run = LiveRun(self.system, self.places, entry, self.settings.probe, self.settings.cache)
        self.places.note_live(self.system.files, run.run, {**entry, "supervisor": ""})
        try:
            run.begin(start)
        except BaseException:
            run.discard()
            self.places.forget_live(run.run)
            raise
        self.runs[run.run] = run
        if run.phase == "live":
            try:
                self._supervise(run, start)
            except Exception:  # noqa: BLE001 - it was taken on: without a supervisor it ends, and says so
                self.log()
                run.supervisor_lost()
        return run

    def _supervise(self, run: LiveRun, start: dict[str, Any]) -> None:
        path = str(run.entry["control"])
        locks = os.path.join(self.places.base, LOCKS_DIR)
        charge = supervisor.Charge(run.run, run.token, run.spool, start, locks)
        facts_of = {
            "run": run.run,
            "token": run.token,
            "secrets": dict(start.get("secrets") or {}),
            "control": path,
        }
        body = warden.starter(self.system, self.places, facts_of, self._starter())
        with listen(path) as listener:
            pid = supervisor.start(self.system, charge, listener, self.places.log, body)
        self._children.add(pid)
        peer = connect(path)
        if peer is None:
            run.supervisor_lost()
            return
        spool = f"supervisor-{pid}-{self.system.processes.started(pid)}.ndjson"
        run.supervised(Channel(peer), spool)
        with contextlib.suppress(OSError):
            self.places.note_live(self.system.files, run.run, run.entry)
        self._watch_channel(run)

    def _starter(self) -> Any:
        system, settings = self.system, self.settings
        return lambda: spawn(system, settings)

    def _watch_channel(self, run: LiveRun) -> None:
        if run.channel is not None and run.channel.open:
            self._channels[run.channel.fileno()] = (run.channel, run)
            self._selector.register(run.channel, selectors.EVENT_READ)

    # -- the loop

    def _busy(self) -> bool:
        """Whether there is a reason to stay; a run that only waits for a disk or for secrets can wait for the next."""
        idle = {"ended", "waiting"}
        return bool(self._consoles.all) or any(run.phase not in idle for run in self.runs.values())

    def _wait(self) -> Optional[float]:
        now = self.system.clock.seconds()
        waits = [run.wait() for run in self.runs.values()]
        if now < self._adopting_until:
            waits.append(ADOPTING / 4)
        if not self._busy():
            waits.append(max(0.0, self.settings.idle - (now - self._idle_since)))
        return min(waits) if waits else None

    def _ready(self, key: selectors.SelectorKey, mask: int) -> None:
        if key.fileobj is self._doors.face:
            if self._doors.ours():
                self._consoles.accept(
                    self._doors.face, lambda: Session(self.hello(), self.clock, self._checksum)
                )
            else:
                self._shut()
        elif key.fileobj is self._doors.side:
            peer = accept(self._doors.side)
            if peer is not None:
                channel = Channel(peer)
                self._channels[channel.fileno()] = (channel, None)
                self._selector.register(channel, selectors.EVENT_READ)
        elif key.fd == self._woken:
            with contextlib.suppress(OSError):
                while os.read(self._woken, 512):
                    pass
        elif key.fd in self._channels:
            self._channel(key.fd)
        elif key.fd in self._consoles:
            self._consoles.serve(key.fd, mask, self._requests.handle)

    def _tick(self) -> None:
        now = self.system.clock.seconds()
        for run in list(self.runs.values()):
            self._tick_run(run, now)
        for console in list(self._consoles.all):
            self._consoles.push(console, self._read)
        self._reap(now)
        if self._busy():
            self._idle_since = now
        elif now - self._idle_since >= self.settings.idle:
            self.leaving = True

    def _reap(self, now: float) -> None:
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self._children:
                self._children.discard(pid)
                self._adopting_until = now + ADOPTING
        if now < self._adopting_until:
            killing.sweep_adopted(self.system, self._children)

    def _tick_run(self, run: LiveRun, now: float) -> None:
        followers = [console for console in self._consoles.all if run.run in console.session.follows]
        try:
            run.tick()
            run.keep_lease(now, bool(followers))
            run.keep_pace([console.session.pace(run.run) for console in followers])
        except Exception:  # noqa: BLE001 - one run's fault must not take the others down
            self.log()
            run.broken()
        if followers:
            info = run.info()
            for console in followers:
                console.session.update(run.run, info)
        channel = run.channel
        if channel is not None and channel.open and channel.fileno() in self._channels:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.wants_write else 0)
            self._selector.modify(channel, wanted)
        if run.closed and not followers and now - run.closed_at >= self.settings.remembered:
            self.runs.pop(run.run).forget()

    def _channel(self, number: int) -> None:
        channel, run = self._channels[number]
        channel.flush()
        if number in self._asking:
            self._answer(number, channel)
        elif run is not None:
            run.hear()
            if run.channel is not channel:
                self._watch_channel(run)
        else:
            for message in channel.receive():
                self._warden(channel, message)
        if not channel.open:
            self._forget(number)
            if run is None:
                for other in self.runs.values():
                    if channel in other.wardens:
                        other.wardens.remove(channel)

    def _warden(self, channel: Channel, message: dict[str, Any]) -> None:
        run = self.runs.get(str(message.get("run")))
        if message.get("is") != "warden":
            return
        if run is None or run.phase == "ended" or message.get("token") != run.token:
            channel.send({"is": "over"})
            return
        run.wardens.append(channel)
        run.give_secrets(dict(message.get("secrets") or {}), warden=True)

    def _forget(self, number: int) -> None:
        self._channels.pop(number, None)
        self._asking.pop(number, None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(number)

    # -- services

    def ask(self, session: Session, checks: list[dict[str, Any]]) -> bool:
        """Have services asked in a process of its own, whose word goes to that console; False when too many are."""
        if len(self._asking) >= _MOST_ASKING:
            return False
        here, there = socket.socketpair()
        with there:

            def body() -> None:
                # What a command puts into a session of its own comes to us when the command ends, and goes with us.
                self.system.processes.set_subreaper(True)
                channel = Channel(there)
                channel.send({"services": asking.ask(checks, secrets=secrets_in(os.environ))})
                channel.wait_write(asking.PATIENCE)
                killing.sweep_adopted(self.system, ())

            try:
                pid = fork(self.system, "tracekit-asking", self.places.log, body, [there.fileno()])
            except BaseException:
                here.close()
                raise
        here.setblocking(False)
        self._children.add(pid)
        channel = Channel(here)
        self._asking[channel.fileno()] = session
        self._channels[channel.fileno()] = (channel, None)
        self._selector.register(channel, selectors.EVENT_READ)
        return True

    def _answer(self, number: int, channel: Channel) -> None:
        messages = channel.receive()
        if not messages and channel.open:
            return
        # One that died tells nothing: then nobody is known to be well, and nobody waits.
        told = messages[0].get("services") if messages else []
        self._asking[number].send(FrameType.TOLD, {"services": told})
        self._forget(number)
        channel.close()

    # -- consoles

    def _read(self, run: str, name: str, offset: int, length: int) -> bytes:
        """Bytes of a file of a run, as far as they can be read now."""
        found = self.find(run)
        return read_range(os.path.join(found.place, name), offset, length) if found else b""

    def _checksum(self, data: bytes, start: int, end: int, before: int) -> int:
        """By the box library, which is loaded for whoever sends much and not before."""
        if self._quick is None and end - start >= _MUCH:
            self._quick = tracing.checksum(self.settings.probe)
        return (self._quick or checksum_of)(data, start, end, before)

    def _lose(self, number: int) -> None:
        if number in self._consoles:
            self._consoles.lose(number)
        elif number in self._channels:
            self._channels[number][0].close()
            self._forget(number)

    # -- leaving

    def _shut(self) -> None:
        """Take nobody in any more: whoever knocks is another daemon's, in a directory that stands where ours stood."""
        for listener in (self._doors.face, self._doors.side):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(listener)
        self._doors.close()

    def _leave(self) -> None:
        # The sockets go before the lock, so that the next daemon's are never the ones removed.
        self._doors.close()
        os.close(self._lock)


def serve(system: System, settings: Settings) -> int:
    """Be the daemon, unless there is one already."""
    places = Places(settings.state)
    try:
        places.prepare()
        lock = os.open(places.lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return 0
        Daemon(system, settings, places, lock).run()
    except (OSError, ProblemError):
        report(places.log)
        return 1
    return 0


def spawn(system: System, settings: Settings) -> None:
    """Start a daemon that belongs to nobody; several at once are harmless, the lock lets one live."""

    def body() -> None:
        serve(system, settings)

    orphan(system, "tracekit-daemon", Places(settings.state).log, body)
