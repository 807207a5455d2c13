"""Runs of other machines' consoles that have ended and wait here until each console has its copy.

A run of this machine's own console is never here: it is used in place and belongs to that console's store. Such a run
has no list of copiers, and without that list nothing is ever removed.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, Optional

from tracekit.agent.paths import read_json
from tracekit.agent.system import System, read_range
from tracekit.wire.ids import is_blob_name, is_run_id, is_segment_name
from tracekit.wire.lines import LineError, decode, encode
from tracekit.wire.names import (
    BLOB_DIR,
    JOURNAL_FILE,
    OUTPUT_FILE,
    RUN_FILE,
    SPOOL_DIR,
    STRINGS_FILE,
    TRACE_DIR,
    E,
)

COPIERS = "copiers.json"
#: A console that has not come back by then is not coming back.
KEPT_SECONDS = 7 * 24 * 3600.0
# Behind the end of a run stand a commit, and what a full disk held back.
_TAIL, _LONGEST_TAIL = 64 << 10, 16 << 20


def whole_files(place: str) -> dict[str, int]:
    """The files of a run that never grow, with their sizes: its plan and its blobs, each there in one piece."""
    found: dict[str, int] = {}
    names = [RUN_FILE]
    with contextlib.suppress(OSError):
        blobs = sorted(os.listdir(os.path.join(place, BLOB_DIR)))
        names += [f"{BLOB_DIR}/{name}" for name in blobs if is_blob_name(name)]
    for name in names:
        with contextlib.suppress(OSError):
            found[name] = os.stat(os.path.join(place, name)).st_size
    return found


def trace_files(place: str) -> dict[str, int]:
    """The files of a trace with their sizes. They only grow, and whoever writes them knows when they are whole."""
    names = [STRINGS_FILE]
    with contextlib.suppress(OSError):
        names += [
            f"{TRACE_DIR}/{name}"
            for name in sorted(os.listdir(os.path.join(place, TRACE_DIR)))
            if is_segment_name(name)
        ]
    found: dict[str, int] = {}
    for name in names:
        with contextlib.suppress(OSError):
            found[name] = os.stat(os.path.join(place, name)).st_size
    return found


class KeptRun:
    """One ended run on the disk, with what a follower needs of it."""

    closed = True

    def __init__(self, run: str, directory: str, box: str) -> None:
        self.run = run
        self.directory = directory
        self.box = box
        self.place = os.path.join(directory, box)

    def info(self) -> dict[str, Any]:
        """What followers are told: everything is committed, nothing will come."""
        sizes = {**whole_files(self.place), **trace_files(self.place)}
        for name in (JOURNAL_FILE, OUTPUT_FILE):
            with contextlib.suppress(OSError):
                sizes[name] = os.stat(os.path.join(self.place, name)).st_size
        told = _end_of(os.path.join(self.place, JOURNAL_FILE), sizes.get(JOURNAL_FILE, 0))
        return {"files": sizes, "state": "ended", **told}

    def summary(self) -> dict[str, Any]:
        """What HELLO and RUNS say of it."""
        plan = (read_json(os.path.join(self.place, RUN_FILE)) or {}).get("plan")
        mode = plan.get("mode", "") if isinstance(plan, dict) else ""
        return {"run": self.run, "dir": self.directory, "box": self.box, "mode": mode, **self.info()}


def _end_of(journal: str, size: int) -> dict[str, Any]:
    """How a run ended, by its journal's own word: a late console is told what an early one was."""
    wanted = b'"e":"' + E.RUN_ENDED.encode() + b'"'
    length = _TAIL
    while True:
        data = read_range(journal, max(0, size - length), min(size, length))
        for line in reversed(data.splitlines()):
            if wanted not in line:
                continue
            with contextlib.suppress(LineError):
                found = decode(line)
                if found.get("e") == E.RUN_ENDED:
                    verdicts = found.get("verdicts")
                    return {
                        "reason": str(found.get("reason", "")),
                        "verdicts": verdicts if isinstance(verdicts, dict) else {},
                        "incomplete": found.get("recording") == "incomplete",
                    }
        if length >= size or length >= _LONGEST_TAIL:
            return {"reason": "", "incomplete": False}
        length *= 4


class Kept:
    """The ended runs below one state directory."""

    def __init__(self, system: System, state: str) -> None:
        self._system = system
        self._runs = os.path.join(state, "runs")
        # Where each was found: whoever copies one asks for every piece of it.
        self._found: dict[str, KeptRun] = {}

    def default(self, run: str) -> str:
        """Where a run goes that names no directory: the console is on another machine."""
        return os.path.join(self._runs, run)

    def find(self, run: str) -> Optional[KeptRun]:
        """An ended run that somebody may still want."""
        known = self._found.pop(run, None) or self._look_for(run)
        if known is None or not os.path.isfile(os.path.join(known.place, JOURNAL_FILE)):
            return None
        self._found[run] = known
        return known

    def _look_for(self, run: str) -> Optional[KeptRun]:
        directory = self.default(run)
        listed = self._listed(directory) if is_run_id(run) else None
        if listed is None:
            return None
        box = str(listed.get("box", ""))
        place = os.path.join(directory, box)
        if os.path.isdir(os.path.join(place, SPOOL_DIR)) or not os.path.isfile(
            os.path.join(place, JOURNAL_FILE)
        ):
            return None
        return KeptRun(run, directory, box)

    def all(self) -> list[KeptRun]:
        """Every one of them, oldest first."""
        try:
            names = sorted(name for name in os.listdir(self._runs) if is_run_id(name))
        except OSError:
            return []
        return [found for found in map(self.find, names) if found is not None]

    def copies(self, directory: str, box: str, console: str) -> None:
        """Somebody copies a run: its directory stays until they have it."""
        listed = self._listed(directory) or {"box": box, "consoles": {}}
        listed["consoles"][console] = False
        with contextlib.suppress(OSError):
            self._system.files.put(os.path.join(directory, COPIERS), encode(listed))

    def has(self, run: str, console: str) -> None:
        """Somebody has the whole of a run; the last one to say so ends it here."""
        found = self.find(run)
        listed = self._listed(found.directory) if found is not None else None
        if found is None or listed is None or console not in listed["consoles"]:
            return
        listed["consoles"][console] = True
        if all(listed["consoles"].values()):
            self._remove(found.directory)
        else:
            with contextlib.suppress(OSError):
                self._system.files.put(os.path.join(found.directory, COPIERS), encode(listed))

    def forget_old(self) -> None:
        """Remove what has waited for longer than anybody stays away."""
        now = self._system.clock.wall() / 1e9
        for found in self.all():
            with contextlib.suppress(OSError):
                ended = os.stat(os.path.join(found.place, JOURNAL_FILE)).st_mtime
                if now - ended > KEPT_SECONDS:
                    self._remove(found.directory)

    def _remove(self, directory: str) -> None:
        self._found.pop(os.path.basename(directory), None)
        with contextlib.suppress(OSError):
            self._system.files.remove_tree(directory)

    @staticmethod
    def _listed(directory: str) -> Optional[dict[str, Any]]:
        listed = read_json(os.path.join(directory, COPIERS))
        consoles = listed.get("consoles") if listed is not None else None
        return listed if isinstance(consoles, dict) else None
