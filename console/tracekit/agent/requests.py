"""What consoles ask of the daemon: start, attach, cancel and the rest, each answered or refused with a problem.

It checks everything a peer sends before it becomes a path or a process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from tracekit.agent.asking import checks_of
from tracekit.agent.blobs import blobs_of
from tracekit.agent.digests import blake2b
from tracekit.agent.home import at_home, environment, own_secrets
from tracekit.agent.live import LiveRun
from tracekit.agent.paths import unwritable
from tracekit.agent.protocol import TAIL, WINDOW, Request, Session, Starts, kinds_of
from tracekit.agent.slots import TREE, is_project, tree_of
from tracekit.agent.system import read_range
from tracekit.wire.frames import FrameType
from tracekit.wire.ids import is_box_name, is_run_id
from tracekit.wire.names import JOURNAL_FILE, MODES, PACKED, PLAN_SCHEMA, E
from tracekit.wire.problems import Problem

if TYPE_CHECKING:
    from tracekit.agent.daemon import Daemon

START_TRIES = 4


class Requests:
    """Answers requests; one object for all consoles."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def handle(self, session: Session, request: Request) -> None:
        """Answer one request; a fault of our own is answered, too, and the connection stays."""
        try:
            self._handle(session, request)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the console must not wait for an answer
            self._daemon.log()
            what = f"the agent failed inside itself: {type(fault).__name__}"
            log = self._daemon.places.log
            problem = Problem("agent.internal", what, log, f"see {log} on the box, and report what it says")
            try:
                about = FrameType(request.kind).name
            except ValueError:
                about = str(request.kind)
            session.error(about, [problem], _run_of(request.message))

    def _handle(self, session: Session, request: Request) -> None:
        kind, message = request
        if kind == FrameType.START:
            self._start(session, message)
        elif kind == FrameType.ATTACH:
            self._attach(session, message)
        elif kind == FrameType.CANCEL:
            self._cancel(session, message)
        elif kind == FrameType.RUNS:
            session.send(FrameType.RUNS, {"runs": self._daemon.summaries()})
        elif kind == FrameType.RETIRE:
            self._retire(message)
        elif kind == FrameType.OFFER:
            self._offered(session, message)
        elif kind == FrameType.PUT:
            self._put(session, message)
        elif kind == FrameType.ASK:
            self._ask(session, message)
        elif kind == FrameType.BYE and all(run.closed for run in self._daemon.runs.values()):
            self._daemon.leaving = True

    def _login(self, session: Session) -> Mapping[str, str]:
        """The environment of the login by which a console came: the daemon's own may be of an older one."""
        told = self._daemon.system.processes.environ(session.bridge) if session.bridge else b""
        return environment(told) or os.environ

    # -- start

    def _start(self, session: Session, message: dict[str, Any]) -> None:
        problem = check_start(message)
        if problem is not None:
            session.error("START", [problem], _run_of(message))
            return
        if not message.get("dir"):
            message = at_home(message, self._login(session))
        plan = message["plan"]
        run = str(plan["run"])
        known = self._daemon.runs.get(run)
        if known is not None and known.closed:
            known = None
        directory = message.get("dir") or self._daemon.kept.default(run)
        if known is not None and known.plan_hash != message["plan_hash"]:
            what = "this run was started with another plan"
            session.error("START", [Problem("agent.other_plan", what, run, "start a new run")], run)
        elif known is not None:
            session.send(FrameType.STARTED, {"run": run, "again": True, "files": known.info()["files"]})
        elif _recorded(os.path.join(directory, str(message.get("box", "local")))):
            what = "this run was started before and is over"
            session.error("START", [Problem("agent.run_over", what, run, "start a new run")], run)
        else:
            self._launch(session, message, run, directory)

    def _launch(self, session: Session, message: dict[str, Any], run: str, directory: str) -> None:
        secrets = message.get("secrets") or {}
        entry = {
            "run": run,
            "dir": directory,
            "box": message.get("box", "local"),
            "nonce": message["nonce"],
            "plan_hash": message["plan_hash"],
            "console": message.get("console", ""),
            "started_t": self._daemon.system.clock.wall(),
            "secrets": len(secrets),
        }
        start = {
            key: message.get(key) for key in ("plan", "nonce", "plan_hash", "environ", "secrets", "console")
        }
        try:
            self._place(entry, start)
        except OSError as full:
            session.error("START", [unwritable(directory, full)], run)
            return
        fault = OSError()
        for _ in range(START_TRIES):
            try:
                live = self._daemon.launch(dict(entry), start)
            except OSError as found:  # a disk that is full for a moment must not cost a run
                fault = found
                self._daemon.system.clock.sleep(0.02)
            else:
                if not message.get("dir"):
                    self._daemon.kept.copies(directory, str(entry["box"]), _copier(message))
                session.send(FrameType.STARTED, {"run": run, "again": False, "files": live.info()["files"]})
                return
        session.error("START", [unwritable(directory, fault)], run)

    def _place(self, entry: dict[str, Any], start: dict[str, Any]) -> None:
        """Where the run's files were brought, and what has to be done before its suites; raises OSError."""
        plan = start["plan"]
        tree = tree_of(plan)
        if tree is None:
            return
        slots = self._daemon.slots
        entry["slot"] = slots.take(entry["run"], str(tree["project"]), self._used())
        start["plan"] = {**plan, "preparing": slots.preparing(tree, str(entry["slot"]))}

    # -- files

    def _used(self) -> list[str]:
        return [str(run.entry.get("slot", "")) for run in self._daemon.runs.values() if not run.closed]

    def _offered(self, session: Session, message: dict[str, Any]) -> None:
        """A console says what a run's files are: it hears which are missing, or where they will be."""
        run, project = str(message.get("run", "")), message.get("project")
        wanted = blobs_of(message.get("blobs"))
        if not is_run_id(run) or not is_project(project) or wanted is None:
            session.error("OFFER", [_refused("the offered files are not named as files are", "update")], run)
            return
        slots = self._daemon.slots
        try:
            slot = slots.reserve(run, str(project), self._used())
        except OSError as fault:
            session.error("OFFER", [unwritable(self._daemon.settings.state, fault)], run)
            return
        missing = slots.blobs.missing(wanted)
        if session.incoming is not None:
            session.incoming[1].drop()
        root = os.path.join(slot, TREE)
        session.incoming = ((run, root), slots.blobs.receive(missing)) if missing else None
        if missing:
            session.send(FrameType.NEED, {"run": run, "blobs": [blob.name for blob in missing]})
        else:
            session.send(FrameType.HELD, {"run": run, "root": root})

    def _put(self, session: Session, message: dict[str, Any]) -> None:
        if session.incoming is None:
            return
        (run, root), incoming = session.incoming
        try:
            follows = incoming.feed(message["offset"], message["data"])
        except OSError as fault:
            incoming.drop()
            session.incoming = None
            session.error("OFFER", [unwritable(self._daemon.settings.state, fault)], run)
            return
        if follows and not incoming.done:
            return
        session.incoming = None
        if not follows or incoming.wrong:
            incoming.drop()
            what = (
                f"{len(incoming.wrong)} files changed while they were sent"
                if follows
                else "bytes out of place"
            )
            session.error("OFFER", [Problem("sync.changed", what, run, "run again")], run)
        else:
            session.send(FrameType.HELD, {"run": run, "root": root})

    # -- services

    def _ask(self, session: Session, message: dict[str, Any]) -> None:
        """A console wants to know whether services of this machine are well."""
        checks = checks_of(message.get("services"))
        if checks is None:
            problem = _refused("the services are not named with one question each", "update the console")
            session.error("ASK", [problem])
        elif not self._daemon.ask(session, checks):
            what = "other consoles have services asked just now"
            session.error("ASK", [Problem("agent.busy", what, "ASK", "try again")])

    # -- attach

    def _attach(self, session: Session, message: dict[str, Any]) -> None:
        run = self._daemon.find(str(message.get("run", "")))
        if run is None:
            self._unknown(session, "ATTACH", message)
            return
        secrets = message.get("secrets")
        if isinstance(secrets, dict) and isinstance(run, LiveRun):
            told = {str(name): str(value) for name, value in secrets.items()}
            # This machine's own, too: the daemon that knew them may have been another.
            run.give_secrets(
                told if message.get("mode") == "inplace" else own_secrets(told, self._login(session))
            )
        copying = message.get("mode") == "copy"
        if copying and run.directory == self._daemon.kept.default(run.run):
            self._daemon.kept.copies(run.directory, run.box, _copier(message))
        theirs, window, pace = (message.get(key) for key in ("files", "window", "pace"))
        session.follow(
            run.run,
            copying=copying,
            starts=_starts(run.place, theirs if isinstance(theirs, dict) else {}),
            window=window if type(window) is int else WINDOW,
            traced=message.get("trace") is True,
            stopped=kinds_of(message.get("stop")),
            pace=float(pace) if isinstance(pace, (int, float)) else 0.0,
        )
        session.update(run.run, run.info())

    # -- what is not needed here any more

    def _retire(self, message: dict[str, Any]) -> None:
        """A console has the whole of an ended run: its directory goes, if it is one of ours and nobody else waits."""
        name = str(message.get("run", ""))
        if is_run_id(name):
            self._daemon.kept.has(name, _copier(message))

    # -- cancel

    def _cancel(self, session: Session, message: dict[str, Any]) -> None:
        run = self._known(session, "CANCEL", message)
        if run is None:
            return
        console, scenario = str(message.get("console", "")), message.get("scenario")
        if console != run.console:
            asked = {"e": E.REQUEST, "what": "cancel", "console": console}
            run.note_request(asked if scenario is None else {**asked, "scenario": str(scenario)})
        if scenario is None:
            run.cancel("cancelled", grace=0.0 if run.stopping else run.grace)
        elif not run.cancel_scenario(str(scenario)):
            what = "this scenario is not running now"
            action = "cancel the run, or wait until it starts"
            session.error("CANCEL", [Problem("agent.not_running", what, str(scenario), action)], run.run)

    def _known(self, session: Session, about: str, message: dict[str, Any]) -> Optional[LiveRun]:
        name = str(message.get("run", ""))
        run = self._daemon.runs.get(name)
        if run is None or run.closed:
            self._unknown(session, about, message)
            return None
        return run

    @staticmethod
    def _unknown(session: Session, about: str, message: dict[str, Any]) -> None:
        name = str(message.get("run", ""))
        what = "no such run is live on this box"
        problem = Problem("agent.unknown_run", what, name, "list the runs with `tracekit runs`")
        session.error(about, [problem], name)


def _starts(place: str, theirs: dict[str, Any]) -> Starts:
    """From where a peer's copies go on; of a run that is being recovered the files are known only later."""

    def starts(files: dict[str, int], *, first: bool) -> dict[str, tuple[int, bool]]:
        found = {
            name: _start_of(os.path.join(place, name), committed, theirs.get(name))
            for name, committed in files.items()
        }
        if any(replaced for _, replaced in found.values()):
            # They point into each other: a copy that differs in one is another run's whole. Of what comes later
            # nothing here points to what is there, so that it only begins anew.
            return dict.fromkeys(found, (0, first))
        return found

    return starts


def _start_of(path: str, committed: int, copy: Any) -> tuple[int, bool]:
    """From where a peer's copy goes on: its own length, if its last bytes are ours."""
    if not isinstance(copy, dict) or type(copy.get("length")) is not int or copy["length"] <= 0:
        return 0, False
    length = copy["length"]
    if length > committed:
        return 0, True
    tail = read_range(path, max(0, length - TAIL), min(length, TAIL))
    same = blake2b(tail, digest_size=16).hexdigest() == copy.get("tail")
    return (length, False) if same else (0, True)


def _copier(message: dict[str, Any]) -> str:
    """Whose copy a console fills: that of its store; an older console says only its own name."""
    return str(message.get("copier") or message.get("console", ""))


def _recorded(place: str) -> bool:
    """Whether a run has been recorded there; its console may have packed it since."""
    return any(os.path.exists(os.path.join(place, JOURNAL_FILE + ending)) for ending in ("", PACKED))


def _run_of(message: dict[str, Any]) -> str:
    plan = message.get("plan")
    return str(plan.get("run", "") if isinstance(plan, dict) else message.get("run", ""))


def check_start(message: dict[str, Any]) -> Optional[Problem]:
    """What is wrong with a START, or None."""
    plan = message.get("plan")
    if not isinstance(plan, dict) or plan.get("schema") != PLAN_SCHEMA:
        return _refused("the plan is missing or of another schema", "update the console or the agent")
    if not is_run_id(str(plan.get("run", ""))):
        return _refused("the run id is not one", "start a new run")
    if plan.get("mode") not in MODES or not isinstance(plan.get("suites"), list):
        return _refused("the plan has no mode or no suites", "update the console or the agent")
    for name in ("nonce", "plan_hash"):
        if not isinstance(message.get(name), str) or not message[name]:
            return _refused(f"{name} is missing", "update the console or the agent")
    directory, box = message.get("dir"), str(message.get("box", "local"))
    if directory is not None and not (isinstance(directory, str) and os.path.isabs(directory)):
        return _refused("the run directory is not an absolute path", "start a new run")
    if not is_box_name(box):
        return _refused("the box name cannot be a directory", "rename the box")
    for name in ("environ", "secrets"):
        found = message.get(name)
        if found is not None and not _texts(found):
            return _refused(f"{name} holds something that is not text", "update the console")
    if not all(isinstance(suite, dict) for suite in plan["suites"]):
        return _refused("a suite is not an object", "update the console or the agent")
    return None


def _texts(obj: Any) -> bool:
    return isinstance(obj, dict) and all(isinstance(value, str) for value in obj.values())


def _refused(what: str, action: str) -> Problem:
    return Problem("agent.start_refused", what, "START", action)
