"""Run directories of this machine: made once, found again by id, prefix or age.

A run directory is append-only and has one writer a file; this room makes it, writes `run.json` and the console's own
facts, and reads the rest. It never writes into a box's directory.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tracekit.store import recorded
from tracekit.wire import lines
from tracekit.wire.ids import is_box_name, is_run_id
from tracekit.wire.names import JOURNAL_FILE, LINE_VERSION, RUN_FILE, RUN_SCHEMA, SPOOL_DIR
from tracekit.wire.problems import Problem, ProblemError

LOCAL_BOX = "local"
NEWEST = ("last", "latest")
PIN_FILE = "pin"
IMPORTED_FILE = "imported.json"
MAX_REASON = 500


class RunFolder(NamedTuple):
    """One run directory on this machine."""

    path: Path
    run_id: str

    @property
    def box_dir(self) -> Path:
        """Where the box's files are: used in place for a run of this machine, else its copy."""
        local = self.path / LOCAL_BOX
        if local.is_dir():
            return local
        try:
            boxes = self.facts().get("boxes")
        except ProblemError:
            boxes = None
        name = boxes[0] if isinstance(boxes, list) and boxes else LOCAL_BOX
        return self.path / name if isinstance(name, str) and is_box_name(name) else local

    @property
    def journal(self) -> Path:
        """The journal that everything on a screen is folded from."""
        return self.box_dir / JOURNAL_FILE

    @property
    def has_journal(self) -> bool:
        """Whether its journal is there, plain or packed."""
        return recorded.there(self.journal)

    @property
    def pinned(self) -> str | None:
        """Why somebody wants it kept, on one line and perhaps empty; None where nobody said so."""
        try:
            return (self.path / PIN_FILE).read_text(encoding="utf-8", errors="replace")[:MAX_REASON].strip()
        except FileNotFoundError:
            return None
        except OSError:
            return ""

    @property
    def imported(self) -> int:
        """When it was brought here from elsewhere, in nanoseconds; 0 for a run of this machine.

        What a stranger's run says of programs and hosts is never acted on.
        """
        try:
            return (self.path / IMPORTED_FILE).lstat().st_mtime_ns or 1
        except OSError:
            return 0

    def mark_imported(self, origin: Mapping[str, Any]) -> None:
        """Note that it was recorded elsewhere; raises OSError."""
        (self.path / IMPORTED_FILE).write_text(json.dumps({"schema": "tracekit.imported/1", **origin}) + "\n")

    def disk_bytes(self) -> int:
        """What its files weigh, the spool of a live one apart."""
        total = 0
        for place, folders, files in os.walk(self.path):
            folders[:] = [name for name in folders if name != SPOOL_DIR]
            for name in files:
                with contextlib.suppress(OSError):
                    total += (Path(place) / name).lstat().st_size
        return total

    def facts(self) -> dict[str, Any]:
        """What the launching engine wrote: plan, parent, root; raises ProblemError when it is damaged."""
        file = self.path / RUN_FILE
        try:
            obj = json.loads(file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as fault:
            raise ProblemError(
                damaged(self.run_id, f"{RUN_FILE} cannot be read: {fault}", str(file))
            ) from fault
        if not isinstance(obj, dict):
            raise ProblemError(damaged(self.run_id, f"{RUN_FILE} does not hold an object", str(file)))
        schema = str(obj.get("schema", ""))
        if schema.partition("/")[2] != RUN_SCHEMA.partition("/")[2]:
            raise ProblemError(
                Problem(
                    "store.other_version",
                    f"run {self.run_id} is {schema or 'of an unnamed format'}, this program reads {RUN_SCHEMA}",
                    str(file),
                    "open it with the version of tracekit that wrote it",
                )
            )
        if "plan" not in obj:
            obj.update(self._plan_of_the_box(obj))
        return obj

    def _plan_of_the_box(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """How a run was started that another machine began, as its box kept it."""
        boxes = facts.get("boxes")
        name = boxes[0] if isinstance(boxes, list) and boxes else ""
        try:
            kept = json.loads((self.path / name / RUN_FILE).read_bytes()) if is_box_name(str(name)) else {}
        except (OSError, ValueError, RecursionError, TypeError):
            return {}
        found = (
            {key: kept[key] for key in ("plan", "plan_hash") if key in kept} if isinstance(kept, dict) else {}
        )
        if isinstance(found.get("plan"), dict):
            found["parent"] = found["plan"].get("parent")
        return found

    def put(self, facts: Mapping[str, Any]) -> None:
        """Write `run.json` whole; raises OSError."""
        part = self.path / f"{RUN_FILE}.part"
        part.write_bytes(json.dumps({"schema": RUN_SCHEMA, **facts}, indent=1).encode() + b"\n")
        part.replace(self.path / RUN_FILE)

    def write(self, facts: Mapping[str, Any]) -> None:
        """Write `run.json` anew, before the run begins; raises ProblemError when the disk does not allow it."""
        try:
            self.put(facts)
        except OSError as fault:
            raise ProblemError(unwritable(self.path.parent.parent, fault)) from fault

    def note(self, console: str, fact: Mapping[str, Any]) -> None:
        """Append one of this console's own facts; they are lost silently when the disk is full, a run is not."""
        try:
            with (self.path / f"console-{console}.ndjson").open("ab") as file:
                file.write(lines.encode(dict(fact)))
        except OSError:
            return


class RunStore:
    """All run directories below one state directory."""

    def __init__(self, state: Path, here: str | None = None) -> None:
        self.state = state
        self.runs_dir = state / "runs"
        # Where somebody asks from: the last run is that of the project there, if it has any.
        self._here = here

    def create(self, run_id: str, facts: Mapping[str, Any]) -> RunFolder:
        """Make the directory of a new run; raises ProblemError when the disk or the permissions do not allow it."""
        folder = RunFolder(self.runs_dir / run_id, run_id)
        try:
            folder.path.mkdir(parents=True, mode=0o700)
            folder.put(facts)
        except OSError as fault:
            shutil.rmtree(folder.path, ignore_errors=True)
            raise ProblemError(unwritable(self.state, fault)) from fault
        return folder

    def folders(self) -> list[RunFolder]:
        """Every run, newest first: their ids sort by time."""
        try:
            names = [entry.name for entry in self.runs_dir.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise ProblemError(unwritable(self.state, fault)) from fault
        return [
            RunFolder(self.runs_dir / name, name) for name in sorted(filter(is_run_id, names), reverse=True)
        ]

    def find(self, text: str) -> RunFolder:
        """A run by its id, an unambiguous part of it, or `last`; raises ProblemError naming the nearest."""
        if is_run_id(text) and (self.runs_dir / text).is_dir():
            return RunFolder(self.runs_dir / text, text)
        folders = self.folders()
        if text in NEWEST and folders:
            return self._newest(folders)
        wanted = text.upper()
        found = [
            folder
            for folder in folders
            if len(wanted) >= 4 and (folder.run_id.startswith(wanted) or folder.run_id.endswith(wanted))
        ]
        if len(found) == 1:
            return found[0]
        if found:
            shown = ", ".join(folder.run_id for folder in found[:5])
            raise ProblemError(
                Problem("store.ambiguous_run", f"{len(found)} runs match", text, f"say which: {shown}")
            )
        near = difflib.get_close_matches(wanted, [folder.run_id for folder in folders], n=1, cutoff=0.7)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ProblemError(
            Problem("store.no_such_run", "no such run", text, f"{hint}`tracekit runs` lists them")
        )

    def _newest(self, folders: list[RunFolder]) -> RunFolder:
        """The last run of the project somebody is in, else of all; what a search asked is no run of its own."""
        here = self._here or _cwd()
        other: RunFolder | None = None
        for folder in folders:
            try:
                facts = folder.facts()
            except ProblemError:
                other = other or folder
                continue
            if purpose_of(facts):
                continue
            root = str(facts.get("root", ""))
            if here and root and Path(here).is_relative_to(root):
                return folder
            other = other or folder
        return other or folders[0]

    def children(self, run_id: str) -> Iterator[RunFolder]:
        """The reruns that stand directly under a run, oldest first."""
        for folder in reversed(self.folders()):
            try:
                if folder.run_id > run_id and folder.facts().get("parent") == run_id:
                    yield folder
            except ProblemError:
                continue


def chosen_of(facts: Mapping[str, Any]) -> int | None:
    """How many scenarios were chosen for a run, by its `run.json`; None where it was to run all there are."""
    plan = facts.get("plan")
    suites = plan.get("suites") if isinstance(plan, dict) else None
    narrowed = (
        [suite.get("only") for suite in suites if isinstance(suite, dict)] if isinstance(suites, list) else []
    )
    chosen = [only for only in narrowed if isinstance(only, list)]
    return sum(map(len, chosen)) if chosen else None


def purpose_of(facts: Mapping[str, Any]) -> str:
    """What a run was a question of, by its `run.json`; nothing for one that stands for itself."""
    plan = facts.get("plan")
    purpose = plan.get("purpose") if isinstance(plan, dict) else None
    return purpose if isinstance(purpose, str) else ""


def _cwd() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def known_version(journal: Path) -> None:
    """Refuse a journal whose lines are of a newer major version, by its first one; raises ProblemError."""
    try:
        with recorded.opened(journal) as file:
            version = lines.decode(file.readline(lines.MAX_LINE)).get("v")
    except (OSError, lines.LineError):
        return
    if isinstance(version, int) and version > LINE_VERSION:
        what = f"its lines are of version {version}, this program reads version {LINE_VERSION}"
        action = "open it with the version of tracekit that wrote it, or a newer one"
        raise ProblemError(Problem("store.other_version", what, str(journal), action))


def unwritable(state: Path, fault: OSError) -> Problem:
    """The problem of a state directory that cannot be used."""
    if fault.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Problem(
            "store.disk_full",
            "no space is left for a run directory",
            str(state),
            "free some space, or set XDG_STATE_HOME to another disk",
        )
    return Problem(
        "store.unwritable",
        f"the state directory cannot be used: {fault.strerror or fault}",
        str(state),
        "make it writable for you, or set XDG_STATE_HOME to a directory that is",
    )


def damaged(run_id: str, what: str, where: str) -> Problem:
    """The problem of a run directory that does not read as one."""
    return Problem("store.damaged_run", what, where, f"`tracekit verify {run_id}` shows what is left")
