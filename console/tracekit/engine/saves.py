"""What was saved since somebody last looked, and what only looks like it: files that the tests themselves write.

Events of the system only say that a look is worth while; what counts is how the files stand now and how they stood
before, so that a burst of events, a file that was replaced and an event that was lost all come to the same.

A file that is no source (no Python, no configuration) and changes while tests run is theirs as long as tests run. A
source that changes while tests run is a save if its content is another one. One that does so run after run is theirs as
well: one that appeared during a run after its second, any other after its tenth. What changes while nothing runs is a
save, whoever wrote it before; a file of the tests that alone ends ten waits on end is written by something they left
behind, and is no save any more.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from tracekit.engine.ignores import walk
from tracekit.store.survey import CONFIGS

NEW_ROW, KNOWN_ROW = 2, 10
_MAX_HASHED = 4 << 20
_CONFIG_ENDS = (".toml", ".cfg", ".ini")


class Seen(NamedTuple):
    """How a file stood: enough to see that it was written or replaced."""

    mtime_ns: int
    size: int
    inode: int


class Save(NamedTuple):
    """One file that a person has changed."""

    path: str
    deleted: bool = False


@dataclass
class Look:
    """What a look has brought: saves, and files that were found to be the tests' own."""

    saves: list[Save] = field(default_factory=list)
    theirs: list[str] = field(default_factory=list)


def is_source(path: str) -> bool:
    """Whether a change of it is a person's, as far as its name tells."""
    name = path.rpartition("/")[2]
    return name.endswith(".py") or name in CONFIGS or name.endswith(_CONFIG_ENDS)


class Saves:
    """The files of one project, looked at again and again."""

    def __init__(self, root: str, environ: Mapping[str, str], apart: Sequence[str] = ()) -> None:
        self._root = root
        self._environ = environ
        self._apart = apart
        self._seen = self._now()
        self._content = {path: self._hash(path) for path in self._seen if is_source(path)}
        self._theirs: set[str] = set()
        self._young: set[str] = set()  # sources that appeared while tests ran
        self._rows: dict[str, int] = {}  # in how many runs on end a source changed
        self._in_run: set[str] = set()
        self._late: dict[str, int] = {}  # how many waits on end a file of the tests has ended

    @property
    def files(self) -> list[str]:
        """Every file that counts, by its path from the root."""
        return list(self._seen)

    def begin(self) -> None:
        """A run begins: what changes from here on may be its own doing."""
        for path in [path for path in self._rows if path not in self._in_run]:
            del self._rows[path]
        self._in_run.clear()

    def look(self, *, running: bool) -> Look:
        """What has changed since the last look; the first look of an idle time belongs to the run before it."""
        found = Look()
        now = self._now()
        before, self._seen = self._seen, now
        for path in sorted(before.keys() | now.keys()):
            if before.get(path) == now.get(path):
                continue
            if self._counts(path, running=running, new=path not in before, found=found):
                found.saves.append(Save(path, path not in now))
        if found.saves and not running:
            saved = set(paths(found.saves))
            self._late = {path: count for path, count in self._late.items() if path in saved}
        return found

    def _counts(self, path: str, *, running: bool, new: bool, found: Look) -> bool:
        content = self._hash(path) if is_source(path) else None
        same = path in self._content and self._content[path] == content
        if is_source(path):
            self._content[path] = content
        if not running:
            if path in self._theirs and not is_source(path):
                self._late[path] = self._late.get(path, 0) + 1
                return self._late[path] <= KNOWN_ROW
            self._theirs.discard(path)
            self._young.discard(path)
            self._rows.pop(path, None)
            return True
        if path in self._theirs or (same and is_source(path)):
            return False
        if not is_source(path):
            self._own(path, found)
            return False
        if new:
            self._young.add(path)
        if path not in self._in_run:
            self._in_run.add(path)
            self._rows[path] = self._rows.get(path, 0) + 1
        if self._rows[path] > (NEW_ROW if path in self._young else KNOWN_ROW):
            self._own(path, found)
            return False
        return True

    def _own(self, path: str, found: Look) -> None:
        self._theirs.add(path)
        found.theirs.append(path)

    def _now(self) -> dict[str, Seen]:
        return {
            path: Seen(facts.st_mtime_ns, facts.st_size, facts.st_ino)
            for path, facts in walk(self._root, self._environ, self._apart)
        }

    def _hash(self, path: str) -> bytes | None:
        """A short name for what stands in a file; None where there is none to be read."""
        try:
            with open(os.path.join(self._root, path), "rb") as file:
                return blake2b(file.read(_MAX_HASHED), digest_size=16).digest()
        except OSError:
            return None


def paths(saves: Iterable[Save]) -> list[str]:
    """The files by name."""
    return [save.path for save in saves]
