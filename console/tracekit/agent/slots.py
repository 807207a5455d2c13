"""Where a project's files stand on a box while a run uses them, and what has to be done before its suites.

A slot is a directory of one project that one run has at a time; its tree has the same path in every run. It starts
nothing: it says which commands prepare the tree, and knows by a note which of them have been done.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Optional

from tracekit.agent.blobs import Blobs
from tracekit.agent.paths import read_json
from tracekit.wire.ids import is_blob_name

if TYPE_CHECKING:
    from tracekit.agent.system import System

TREE, NOTE = "tree", "prepared.json"
# How long a place is held for a run whose files are on their way.
RESERVED = 900.0
_RUN = "import sys; sys.path.insert(0, sys.argv[1]); from tracekit.agent.tree import main; sys.exit(main(sys.argv[2:]))"
# Written by the last command itself, so that it stands exactly when all have passed.
_NOTED = '( eval "$1" ) && printf %s "$2" > "$3.part" && mv "$3.part" "$3"'


class Slots:
    """The slots below one state directory."""

    def __init__(self, system: System, state: str) -> None:
        self._system = system
        self._projects = os.path.join(state, "projects")
        self.blobs = Blobs(system.files, os.path.join(state, "files"))
        self._reserved: dict[str, tuple[str, float]] = {}

    def reserve(self, run: str, project: str, used: Iterable[str]) -> str:
        """A slot of a project for a run; `used` are those of live runs. Raises OSError."""
        now = self._system.clock.seconds()
        self._reserved = {
            name: held for name, held in self._reserved.items() if name != run and now - held[1] < RESERVED
        }
        taken = {*used, *(slot for slot, _ in self._reserved.values())}
        number = 1
        while (slot := os.path.join(self._projects, project, str(number))) in taken:
            number += 1
        self._system.files.make_directory(slot)
        self._reserved[run] = (slot, now)
        return slot

    def take(self, run: str, project: str, used: Iterable[str]) -> str:
        """The slot that was reserved for a run which begins now. Raises OSError."""
        held = self._reserved.pop(run, None)
        used = set(used)
        if held is not None and held[0] not in used:
            return held[0]
        slot = self.reserve(run, project, used)
        self._reserved.pop(run, None)
        return slot

    def preparing(self, tree: dict[str, Any], slot: str) -> list[dict[str, Any]]:
        """What runs before the suites, as suites of a runner of its own."""
        target, note = os.path.join(slot, TREE), os.path.join(slot, NOTE)
        # Where the project is a part of what was brought.
        below = os.path.normpath(os.path.join(target, str(tree.get("below") or ".")))
        keep = [os.path.normpath(os.path.join(below, str(name))) for name in tree.get("keep") or ()]
        keep = [os.path.relpath(name, target) for name in keep]
        manifest = self.blobs.path(str(tree["manifest"]))
        app = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        command = [sys.executable, "-I", "-S", "-c", _RUN, app, manifest, self.blobs.directory, target, *keep]
        found: list[dict[str, Any]] = [_step("sync", "sync", command, slot, "bring the project's files")]
        commands = [str(text) for text in tree.get("commands") or ()]
        key = str(tree.get("key", ""))
        told = read_json(note) or {}
        here = all(os.path.lexists(os.path.join(target, str(name))) for name in told.get("kept") or ())
        if not commands or (told.get("key") == key and here):
            return found
        for number, text in enumerate(commands, 1):
            words = ["sh", "-c", text]
            if number == len(commands):
                kept = [name for name in keep if not name.startswith("..")]
                words = ["sh", "-c", _NOTED, "sh", text, _noted(key, kept), note]
            found.append(_step(f"prepare {number}", "prepare", words, below, text))
        return found


def _noted(key: str, keep: list[str]) -> str:
    import json

    return json.dumps({"key": key, "kept": keep})


def _step(name: str, kind: str, command: list[str], cwd: str, text: str) -> dict[str, Any]:
    # No profile can call a suite so: a name of theirs has no colon.
    return {
        "name": f":{name}",
        "runner": "prepare",
        "kind": kind,
        "command": command,
        "cwd": cwd,
        "text": text,
    }


def is_project(text: object) -> bool:
    """Whether a console may call a project so: the name becomes a directory."""
    return isinstance(text, str) and 0 < len(text) <= 64 and text.isalnum() and text.isascii()


def tree_of(plan: dict[str, Any]) -> Optional[dict[str, Any]]:
    """What a plan says of files that were brought; None where it says nothing that can be used."""
    tree = plan.get("tree")
    if not isinstance(tree, dict) or not is_project(tree.get("project")):
        return None
    return tree if is_blob_name(str(tree.get("manifest"))) else None
