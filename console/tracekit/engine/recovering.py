"""Recovering a run directory after the death of everything that wrote it: finds it, makes sure that nobody writes, and
has the agent's own code do the rest. It never writes into a live run, and never takes over a byte that could be a
secret nobody can name.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracekit.agent import killing
from tracekit.agent.live import first_line
from tracekit.agent.paths import Places as AgentPlaces
from tracekit.agent.paths import read_json
from tracekit.agent.system import System
from tracekit.config import loader
from tracekit.config.plan import secrets as profile_secrets
from tracekit.store import recorded
from tracekit.store.copies import Copy
from tracekit.store.recovery import Recovered, recover, waiting
from tracekit.store.runs import LOCAL_BOX, RunFolder, RunStore
from tracekit.wire.ids import is_run_id
from tracekit.wire.names import JOURNAL_FILE, RUN_FILE, SPOOL_DIR
from tracekit.wire.problems import Problem, ProblemError
from tracekit.wire.secrets import secrets_in

_MARK = re.compile("«redacted:([^»]+)»")


@dataclass(frozen=True, slots=True)
class _Part:
    """The folder of a box, and what its files say of the run."""

    folder: RunFolder
    place: Path
    kept: Mapping[str, Any]
    facts: Mapping[str, Any]

    @property
    def plan(self) -> dict[str, Any]:
        for held in (self.kept, self.facts):
            plan = held.get("plan")
            if isinstance(plan, dict):
                return plan
        return {}

    @property
    def nonce(self) -> str:
        return str(self.kept.get("nonce") or self.facts.get("nonce") or "")


def recover_at(
    store: RunStore, target: str, environ: Mapping[str, str], *, without_secrets: bool = False
) -> tuple[RunFolder, Recovered]:
    """Recover a run directory, or a box's folder in one; raises ProblemError, and then nothing was taken over."""
    part = _found(store, target)
    with _alone(part, store):
        secrets = _secrets(part, environ, without=without_secrets)
        first = first_line(
            {"root": part.facts.get("root", ""), "environment": LOCAL_BOX, **part.plan},
            str(part.kept.get("plan_hash") or part.facts.get("plan_hash") or ""),
            str(part.kept.get("console") or part.facts.get("console") or ""),
        )
        done = recover(System(), part.place, part.folder.run_id, first, secrets)
    return part.folder, done


def _found(store: RunStore, target: str) -> _Part:
    path = Path(target)
    if not path.exists():
        folder = store.find(target)
        path = folder.path
    path = path.resolve()
    if recorded.there(path / JOURNAL_FILE) or (path / SPOOL_DIR).is_dir():
        place, path = path, path.parent
    else:
        place = RunFolder(path, path.name).box_dir
    if not (recorded.there(place / JOURNAL_FILE) or (place / SPOOL_DIR).is_dir()):
        what = "there is neither a journal nor a spool"
        raise ProblemError(
            Problem("recover.not_a_run", what, str(path), "name a run directory, such as runs/RUN")
        )
    kept = read_json(str(place / RUN_FILE)) or {}
    facts = (read_json(str(path / RUN_FILE)) or {}) if place != path else {}
    plan = kept.get("plan") if isinstance(kept.get("plan"), dict) else {}
    named = (
        plan.get("run") if isinstance(plan, dict) else None,
        facts.get("run"),
        path.name,
        _first_run(place),
    )
    run = next((name for name in named if isinstance(name, str) and is_run_id(name)), "")
    if not run:
        what = "no file says which run this is"
        raise ProblemError(
            Problem("recover.not_a_run", what, str(path), "call its directory by the run's id")
        )
    return _Part(RunFolder(path, run), place, kept, facts)


def _first_run(place: Path) -> str:
    with contextlib.suppress(OSError), recorded.opened(place / JOURNAL_FILE) as file:
        found = re.search(rb'"run":"([0-9A-Z]{26})"', file.read(4096))
        return found.group(1).decode() if found else ""
    return ""


@contextlib.contextmanager
def _alone(part: _Part, store: RunStore) -> Iterator[None]:
    """Nobody else writes here for as long as this lasts. Raises ProblemError when somebody does."""
    run = part.folder.run_id
    if part.nonce and killing.members(System(), part.nonce):
        raise ProblemError(_live(run, "processes of it are alive"))
    copy = (
        Copy(part.place) if part.place.name != LOCAL_BOX and not (part.place / SPOOL_DIR).is_dir() else None
    )
    if copy is not None and not copy.claim():
        raise ProblemError(_live(run, "another console is copying it"))
    try:
        with _no_agent(part.folder, store):
            yield
    finally:
        if copy is not None:
            copy.close()


@contextlib.contextmanager
def _no_agent(folder: RunFolder, store: RunStore) -> Iterator[None]:
    """No daemon takes the run on meanwhile, and none looks for it later. A copy far from any state has none."""
    state = folder.path.parent.parent
    if state != store.state.resolve() and not (state / "agent").is_dir():
        yield
        return
    agent = AgentPlaces(str(state))
    lock = _agent_lock(agent)
    try:
        if lock < 0 and folder.run_id in {str(entry.get("run")) for entry in agent.live_runs()}:
            raise ProblemError(_live(folder.run_id, "the agent has it"))
        yield
        agent.forget_live(folder.run_id)
    finally:
        if lock >= 0:
            os.close(lock)


def _agent_lock(agent: AgentPlaces) -> int:
    """The lock of the one daemon of a state directory, so that none starts meanwhile; -1 when one lives."""
    try:
        os.makedirs(agent.base, mode=0o700, exist_ok=True)  # noqa: PTH103 - the agent's own paths are text
        lock = os.open(agent.lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        what = f"the directory cannot be written: {fault.strerror or fault}"
        raise ProblemError(
            Problem("recover.disk", what, agent.state, "make it writable, or copy the run elsewhere")
        ) from fault
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return -1
    return lock


def _secrets(part: _Part, environ: Mapping[str, str], *, without: bool) -> dict[str, str] | None:
    """The secrets of the run, by whose forms its spools are redacted; None when they are to be left out."""
    values = secrets_in(environ)
    root = str(part.facts.get("root") or "")
    if root and Path(root).is_dir():
        flags = {"profile": part.facts.get("profile")}
        # Where the project does not say its secrets any more, they are simply missing.
        with contextlib.suppress(ProblemError):
            profile = loader.load(root, flags=flags, environ=environ, implicit=False).profile
            values |= profile_secrets(profile, environ)
    missing = sorted(_names(part) - values.keys())
    if not missing or not waiting(part.place):
        return values
    if without:
        return None
    names = ", ".join(missing)
    raise ProblemError(
        Problem(
            "recover.secrets",
            f"the run was given secrets that are not set now: {names}",
            part.folder.run_id,
            "export them and say it again, or add --no-secrets, which leaves out what nobody has checked",
        )
    )


def _names(part: _Part) -> set[str]:
    told = part.kept.get("secrets")
    names = {str(name) for name in told} if isinstance(told, list) else set()
    planned = part.plan.get("secret_names")
    names |= {str(name) for name in planned} if isinstance(planned, list) else set()
    return names | set(_MARK.findall(str(part.plan)))


def _live(run: str, why: str) -> Problem:
    return Problem(
        "recover.live",
        f"the run is live: {why}",
        run,
        f"`tracekit attach {run}` follows it, `tracekit cancel {run}` ends it",
    )
