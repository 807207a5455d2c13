"""One run inside the daemon: its supervisor, its wardens, its secrets, and who may ask what of it.

It makes the run's end true whatever dies: with the supervisor gone it kills by token, has the spools ingested and the
run closed. It opens no connection to a console and reads no spool itself.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, Optional

from tracekit.agent import artefacts, facts, killing, tracing
from tracekit.agent.control import Channel, connect
from tracekit.agent.ingest import Ingest
from tracekit.agent.kept import whole_files
from tracekit.agent.paths import Places, read_json, told_name
from tracekit.agent.pump import Pump
from tracekit.agent.recording import Recording, Restored
from tracekit.agent.redact import Redactor
from tracekit.agent.runners.base import Adapter, Context, LaunchSpec, adapter
from tracekit.agent.system import MOST_RESERVED, RESERVE, System, free_space
from tracekit.agent.watch import Alarm
from tracekit.wire.lines import encode
from tracekit.wire.names import JOURNAL_FILE, OUTPUT_FILE, RUN_FILE, SPOOL_DIR, E

POLL, ASLEEP = 0.03, 60.0
# So seldom is a run looked at whose readers want no more, or that nobody reads: its rings have room for that long.
SLOW = 0.07
RETRY = 0.25
GRACE = 1.0
LOCAL = "local"
# A warden finds a new daemon within a second of the old one's death; later than this none is coming.
WARDEN_WAIT = 1.5
_TOLD = (
    "environment",
    "profile",
    "parent",
    "seed",
    "trace",
    "root",
    "mode",
    "git",
    "versions",
    "fingerprint",
    "quarantine",
)
_SUITE = ("name", "runner", "cwd", "python", "paths", "slow")


class LiveRun:
    """A run that this daemon owns. `phase` is recovering, waiting (for secrets), live or ended."""

    def __init__(self, system: System, places: Places, entry: dict[str, Any], probe: str, cache: str) -> None:
        self.entry = entry
        self.run = str(entry["run"])
        self.console = str(entry.get("console", ""))
        self.directory = str(entry["dir"])
        self.box = str(entry.get("box", LOCAL))
        self.place = os.path.join(self.directory, self.box)
        self.token = str(entry["nonce"])
        self.plan_hash = str(entry.get("plan_hash", ""))
        self.phase = "recovering"
        self.wardens: list[Channel] = []
        self.channel: Optional[Channel] = None
        self.closed = False
        self.closed_at = 0.0
        self._system = system
        self._places = places
        self._probe = probe
        self._cache = cache
        self._spool = os.path.join(self.place, SPOOL_DIR)
        self._start: dict[str, Any] = {}
        self._secrets: Optional[dict[str, str]] = None
        self._pump: Optional[Pump] = None
        self._trace: Optional[tracing.Trace] = None
        self.followed = False
        # How many seconds apart it is looked at, and when it was looked at last.
        self._pace = POLL
        self._looked = 0.0
        self._since = system.clock.seconds()
        self._watched_at = self._since
        self._gone = False
        self._swept = False
        self._warden_seen = False
        # What of its files is there in one piece, and never grows.
        self._whole: dict[str, int] = {}

    # -- beginning

    @property
    def spool(self) -> str:
        return self._spool

    @property
    def plan(self) -> dict[str, Any]:
        return self._start.get("plan") or {"suites": []}

    def begin(self, start: dict[str, Any]) -> None:
        """Take on a new run: directories, files, first lines. Raises OSError when the disk has no room at all."""
        self._start = start
        self._secrets = dict(start.get("secrets") or {})
        files = self._system.files
        files.make_directory(self._spool)
        self._set_aside()
        redactor = Redactor(self._secrets)
        kept = {key: start.get(key) for key in ("plan", "nonce", "plan_hash", "console")}
        # Names alone: whoever ends this run after everybody's death must know what he cannot check.
        kept["secrets"] = sorted(self._secrets)
        files.put(os.path.join(self.place, RUN_FILE), redactor.line(encode(kept)))
        pump, _ = self._build(redactor)
        self._pump = pump
        self.phase = "live"
        pump.begin(self._first_lines())

    def discard(self) -> None:
        """Undo a beginning that failed, so that the same run can be started again."""
        if self._pump is not None:
            self._pump.close()
        with contextlib.suppress(OSError):
            self._system.files.remove_tree(self._spool)
        for name in (JOURNAL_FILE, OUTPUT_FILE, RUN_FILE, f"{RUN_FILE}.part"):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self.place, name))
        with contextlib.suppress(OSError):
            os.rmdir(self.place)

    def _set_aside(self) -> None:
        """Room for verdicts on a disk that fills up: a process of the tests frees it when it cannot write a line."""
        with contextlib.suppress(OSError):
            size = min(MOST_RESERVED, free_space(self._spool) // 4)
            self._system.files.put(os.path.join(self._spool, RESERVE), bytes(size))

    def _first_lines(self) -> list[dict[str, Any]]:
        line = first_line(self.plan, self.plan_hash, self.console)
        group = bool(killing.control_group(self.run))
        tracer = tracing.unavailable(self._probe) if tracing.traced(self.plan) else ""
        return [
            line,
            {"e": E.BOX_FACTS, **facts.box_line(self._places.state, group, tracer)},
            *left_out(self.plan),
        ]

    def _build(self, redactor: Redactor) -> tuple[Pump, Restored]:
        pid = os.getpid()
        source = f"{self.box}/daemon/{pid}-{self._system.processes.started(pid)}"
        recording = Recording(self._system, self.place, self.run, source, redactor)
        self._whole = whole_files(self.place)
        restored = recording.open()
        ingest = Ingest(self._system, self._spool, self.run, self.box, redactor)
        ingest.supervisor = str(self.entry.get("supervisor", ""))
        ingest.restore(restored)
        environ = dict(self._start.get("environ") or {})
        context = Context(self.plan, self._spool, self._probe, self._cache, self.token, environ)
        pump = Pump(self._system, recording, ingest, context, _adapter)
        copied = self.box != LOCAL
        self._trace = tracing.Trace(
            self.place, self._spool, self.plan, self._probe, redactor.pairs(), copied=copied
        )
        pump.ending = self._ending
        return pump, restored

    def _ending(self) -> list[dict[str, Any]]:
        """What is told in front of the end, once it is decided."""
        return [*(self._trace.end() if self._trace is not None else ()), *self._artefacts()]

    def _artefacts(self) -> list[dict[str, Any]]:
        """What the plan wants of the files that the run leaves, brought to where it is replicated."""
        globs, root = self.plan.get("artefacts"), str(self.plan.get("root", ""))
        if not globs or not os.path.isdir(root):
            return []
        redactor = Redactor(self._secrets or {})
        lines = artefacts.collect(self._system.files, root, map(str, globs), self.place, redactor)
        self._whole = whole_files(self.place)
        return lines

    def supervised(self, channel: Channel, spool: str) -> None:
        """The supervisor stands; what the driver already wants is asked of it."""
        self.channel = channel
        self.entry["supervisor"] = spool
        if self._pump is not None:
            self._pump.ingest.supervisor = spool
        self._ask()

    def supervisor_lost(self) -> None:
        """The supervisor did not come up at all."""
        self._gone = True

    # -- coming back

    def reconnect(self) -> None:
        """Look for the supervisor of a run that another daemon began."""
        peer = connect(str(self.entry.get("control", "")))
        if peer is None:
            self._gone = True
            return
        self.channel = Channel(peer)
        self.channel.send({"do": "hello"})

    def _resume(self, hello: dict[str, Any]) -> None:
        self._start = hello["start"]
        self._secrets = dict(self._start.get("secrets") or {})
        self.entry["supervisor"] = hello["spool"]
        pump, restored = self._build(Redactor(self._secrets))
        self._pump = pump
        self.phase = "live"
        for told in hello["exits"]:
            pump.told_exit(told)
        if restored.started:
            pump.resume(restored, {name: spec_of(spec) for name, spec in hello["launches"].items()})
        else:
            pump.begin(self._first_lines())
        if pump.driver.stopping:
            self._ask_cancel(self.grace)
        self._ask()

    def give_secrets(self, secrets: dict[str, str], *, warden: bool = False) -> None:
        """Secrets that a warden or a console still knows."""
        self._warden_seen = self._warden_seen or warden
        if self._secrets is None:
            self._secrets = dict(secrets)

    def _recover(self, now: float) -> None:
        """Nobody who ran this run lives: kill what is left, and end it by what is on the disk."""
        if not self._gone:
            return
        if not self._swept:
            self._swept = True
            killing.sweep(self._system, self.token)
        if not self._warden_seen and now - self._since < WARDEN_WAIT:
            return
        if self.phase != "waiting":
            # Before anybody hears of it: the first look may have been too early for a process that was being born.
            killing.sweep(self._system, self.token)
        if self._secrets is None and self.entry.get("secrets") and _holds(self._spool):
            self.phase = "waiting"
            return
        kept = read_json(os.path.join(self.place, RUN_FILE)) or {}
        self._start = {"plan": kept.get("plan") or {"suites": []}, "environ": {}}
        reason = "supervisor-died" if self._warden_seen else "agent-died"
        if self.entry.get("rebooted"):
            reason = "rebooted"
        try:
            os.makedirs(self.place, mode=0o700, exist_ok=True)
            pump, restored = self._build(Redactor(self._secrets or {}))
        except OSError:
            return
        self._pump = pump
        self.phase = "live"
        if restored.started:
            pump.resume(restored, {})
            pump.stop_dead(reason)
        else:
            pump.begin(self._first_lines(), stop=reason)
        self._gone = False

    # -- what is told of it

    def info(self) -> dict[str, Any]:
        """What followers are told."""
        pump = self._pump
        told: dict[str, Any] = {
            "files": {**self._whole, **self._traced(), **pump.recording.committed} if pump else {},
            "state": {"ended": "ended", "waiting": "waiting"}.get(self.phase, "live"),
            "reason": "",
            "incomplete": bool(pump and pump.recording.incomplete),
        }
        if pump and pump.recording.why:
            told["why"] = pump.recording.why
        if self.phase == "ended":
            finish = (pump.finish if pump else None) or {"reason": "agent-died"}
            told["reason"], told["verdicts"] = str(finish.get("reason", "")), finish.get("verdicts", {})
            # The journal says both too, unless the disk did not take it: then a console knows them from here alone.
            told["not_run_count"] = finish.get("not_run_count", 0)
            told["failed_to_start"] = bool(pump and pump.driver.failed_to_start)
        return told

    def _traced(self) -> dict[str, int]:
        """Of a trace a console of this machine sees all in place."""
        return self._trace.committed if self._trace is not None and self.box != LOCAL else {}

    def summary(self) -> dict[str, Any]:
        """What HELLO and RUNS say of this run."""
        return {
            "run": self.run,
            "dir": self.directory,
            "box": self.box,
            "mode": self.plan.get("mode", ""),
            "console": self.console,
            "started_t": self.entry.get("started_t"),
            "need": "secrets" if self.phase == "waiting" else "",
            **self.info(),
        }

    # -- what is asked of it

    @property
    def stopping(self) -> bool:
        return bool(self._pump and self._pump.driver.stopping)

    @property
    def grace(self) -> float:
        """How long processes may take to end by themselves after a cancel."""
        found = self.plan.get("grace")
        return float(found) if isinstance(found, (int, float)) else GRACE

    def cancel(self, reason: str, grace: float) -> None:
        """End the run now."""
        if self._pump is not None and self.phase == "live":
            self._pump.stop(reason)
            self._ask_cancel(grace)

    def cancel_scenario(
        self, scenario: str, verdict: str = "cancelled", reason: str = "cancelled", attempt: int = 0
    ) -> bool:
        """End the process that runs one scenario, or only that attempt of it; the rest of its suite goes on."""
        if self._pump is None or self.channel is None or not self._pump.driver.launch:
            return False
        started = self._pump.facts_of(self._pump.driver.launch).running.get(scenario)
        pid = started.get("pid") if started else None
        if started is None or type(pid) is not int or (attempt and started.get("attempt", 1) != attempt):
            return False
        self._pump.driver.end_scenario(scenario, verdict, reason, self._system.clock.mono())
        started_at = self._system.processes.started(pid)
        told = encode({"scenario": scenario, "verdict": verdict, "reason": reason})
        # For a host, and a director of workers: without it, it is a crash at first, which the driver sets right.
        with contextlib.suppress(OSError):
            self._system.files.put(os.path.join(self._spool, told_name(pid, started_at)), told)
        asked = self._asked_to_tell(pid, verdict)
        self.channel.send(
            {"do": "kill", "pid": pid, "started": started_at, "grace": self.grace, "quit": asked}
        )
        return True

    def _asked_to_tell(self, pid: int, verdict: str) -> list[tuple[int, int]]:
        """The processes below a test's that tell where they are when they are told to quit, as Go's programs do."""
        if self._pump is None or verdict != "timedout" or self._pump.driver.suite.get("runner") != "go":
            return []
        processes = self._system.processes
        below = killing.below(processes.table(), {pid})
        found = [one for one in below if processes.program(one).endswith(".test")]
        return [(one, processes.started(one)) for one in found]

    def _end_launch(self, alarm: Alarm) -> None:
        """End a launch that hangs where no test runs; what it has not run goes on in another one."""
        if self._pump is None or self.channel is None:
            return
        for pid, started in self._pump.members():
            self.channel.send({"do": "kill", "pid": pid, "started": started, "grace": self.grace})
        self._pump.driver.end_launch(f"said nothing for {alarm.seconds:g} s {alarm.when}")

    def note_request(self, line: dict[str, Any]) -> None:
        """Journal what another console asked."""
        if self._pump is not None and self.phase == "live" and self._pump.finish is None:
            self._pump.note(line)

    def keep_lease(self, now: float, followed: bool) -> None:
        """A run that nobody watches may go on only so long."""
        self.followed = followed
        if followed or self.phase != "live":
            self._watched_at = now
            return
        lease = self.plan.get("run_lease")
        if isinstance(lease, (int, float)) and now - self._watched_at > lease and not self.stopping:
            self.cancel("lease", self.grace)

    def keep_pace(self, wanted: list[float]) -> None:
        """Look as often as the most impatient of the readers wants, and now and then where nobody reads."""
        self._pace = max(POLL, min([*wanted, SLOW]))

    def _ask(self) -> None:
        if self._pump is None or self.channel is None:
            return
        for spec in self._pump.wanted:
            self.channel.send({"do": "spawn", "spec": spec_to(spec)})
        self._pump.wanted.clear()

    def _ask_cancel(self, grace: float) -> None:
        if self.channel is not None and self._pump is not None:
            number = self._pump.driver.stop_signal()
            self.channel.send({"do": "cancel", "grace": grace, "signal": number})

    # -- going on

    def wait(self) -> float:
        """How long nothing need be done."""
        if self.phase == "live":
            if self._trace is not None and self._trace.hurried:
                return POLL
            return max(0.0, min(self._looked + self._pace - self._system.clock.seconds(), self._pace))
        return ASLEEP if self.closed or (self.phase == "waiting" and self._secrets is None) else RETRY

    def tick(self) -> None:
        """Do what there is to do; never raises for what the disk or another process did."""
        if self.channel is not None and not self.channel.open:
            # It may have died between taking our connection and our first word: then nobody listens to it.
            self._gone = self._gone or self.phase in {"recovering", "live"}
        if self.phase in {"recovering", "waiting"}:
            self._recover(self._system.clock.seconds())
        pump, now = self._pump, self._system.clock.seconds()
        if pump is None or self.closed:
            return
        if self.phase == "live" and self._gone and not pump.driver.finished:
            self._gone = False
            killing.sweep(self._system, self.token)
            pump.stop_dead("supervisor-died")
        if self._trace is not None and not pump.driver.finished:
            for line in self._trace.step(now, watched=self.followed):
                pump.note(line)
        if now - self._looked < self._pace:
            return
        self._looked = now
        pump.step()
        self._ask()
        for alarm in pump.alarms():
            if alarm.when:
                self._end_launch(alarm)
                continue
            # The limit in the words of its configuration.
            reason = f"ran longer than {alarm.seconds:g}s, its timeout"
            reason += f": in {alarm.where}" if alarm.where else ""
            self.cancel_scenario(alarm.scenario, "timedout", reason, alarm.attempt)
        if pump.closed:
            self._close(pump)
        elif self.phase == "live" and pump.overdue():
            self._end()

    def hear(self) -> None:
        """Read what the supervisor says."""
        channel = self.channel
        if channel is None:
            return
        self._looked = 0.0
        for message in channel.receive():
            if message.get("is") == "hello" and self.phase == "recovering":
                try:
                    self._resume(message)
                except OSError:  # the disk is full: ask once more
                    channel.send({"do": "hello"})
            elif message.get("is") == "exited" and self._pump is not None:
                self._pump.told_exit(message)
        if not channel.open:
            self._gone = True

    # -- ending

    def broken(self) -> None:
        """A fault of our own: kill the run rather than leave it half alive."""
        killing.sweep(self._system, self.token)
        self._end()
        self._closed()

    def _close(self, pump: Pump) -> None:
        """The journal tells the end: nobody opens this run again."""
        pump.recording.sync()
        pump.close()
        self._end()
        with contextlib.suppress(OSError):
            self._system.files.remove_tree(self._spool)
        if self._trace is not None:
            with contextlib.suppress(OSError):
                self._system.files.remove_tree(self._trace.rings)
        self._places.forget_live(self.run)
        self._closed()

    def _closed(self) -> None:
        self.closed = True
        self.closed_at = self._system.clock.seconds()

    def forget(self) -> None:
        """Nobody asks for it any more: its parts hold each other, and a thousand runs pass before anybody looks."""
        if self._pump is not None:
            self._pump.release()
            self._pump = None

    def _end(self) -> None:
        self.phase = "ended"
        if self.channel is not None and self.channel.open:
            self.channel.send({"do": "quit"})
        for warden in self.wardens:
            warden.send({"is": "over"})
        control = self.entry.get("control")
        if isinstance(control, str):
            with contextlib.suppress(OSError):
                os.unlink(control)


def first_line(plan: dict[str, Any], plan_hash: str, console: str) -> dict[str, Any]:
    """How a run begins, by its plan."""
    line = {"e": E.RUN_STARTED, **{key: plan[key] for key in _TOLD if key in plan}}
    line["plan_hash"], line["console"] = plan_hash, console
    line["suites"] = [
        {key: suite.get(key) for key in _SUITE} | ({"trace": suite["trace"]} if suite.get("trace") else {})
        for suite in plan.get("suites", ())
    ]
    return line


def left_out(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """What of the project is not on the box, or not as it was committed: warnings that every reader shows."""
    tree = plan.get("tree") or {}
    names = [str(name) for name in tree.get("left_out") or ()]
    told = [{"e": E.WARNING, "message": str(text), "category": "sync"} for text in tree.get("notices") or ()]
    if not names:
        return told
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    message = f"not brought to the box, because it looks like a secret: {shown}"
    return [{"e": E.WARNING, "message": message, "category": "sync"}, *told]


def _adapter(name: str) -> Adapter:
    return adapter(name)


def _holds(directory: str) -> bool:
    """Whether anything was spooled."""
    try:
        return any(entry.stat().st_size for entry in os.scandir(directory))
    except OSError:
        return False


def spec_to(spec: LaunchSpec) -> dict[str, Any]:
    """A launch as it travels to the supervisor; file bytes as latin-1, which holds every byte."""
    return {
        "id": spec.id,
        "suite": spec.suite,
        "command": list(spec.command),
        "cwd": spec.cwd,
        "env": spec.env,
        "unset": list(spec.unset),
        "files": {name: data.decode("latin-1") for name, data in spec.files.items()},
        "reason": spec.reason,
        "locks": list(spec.locks),
    }


def spec_of(obj: dict[str, Any]) -> LaunchSpec:
    """The same, back."""
    files = {name: text.encode("latin-1") for name, text in obj["files"].items()}
    command, unset = tuple(obj["command"]), tuple(obj["unset"])
    locks = tuple(obj.get("locks") or ())
    return LaunchSpec(
        obj["id"], obj["suite"], command, obj["cwd"], obj["env"], unset, files, obj["reason"], locks
    )
