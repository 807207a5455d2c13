"""The copy of a box's run directory on this machine: grown by what the link brings, by one console at a time.

Files are only ever appended to. What the box says does not fit what is here is set aside, never overwritten and never
thrown away. A name that the box sends is a name of ours or it is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from typing import Any

from tracekit.agent.protocol import TAIL
from tracekit.agent.system import Files
from tracekit.store.packing import unpack
from tracekit.wire.ids import is_blob_name, is_segment_name
from tracekit.wire.names import BLOB_DIR, JOURNAL_FILE, OUTPUT_FILE, RUN_FILE, STRINGS_FILE, TRACE_DIR
from tracekit.wire.problems import Problem, ProblemError

NAMES = (RUN_FILE, JOURNAL_FILE, OUTPUT_FILE, STRINGS_FILE)
_COPIER = "copier"
_PART = ".part"


def copier(state: Path, fresh: str) -> str:
    """The name under which boxes know the copies of this state directory: made once, of `fresh`, and kept."""
    file = state / _COPIER
    with contextlib.suppress(OSError):
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = file.with_name(f"{_COPIER}.{fresh}{_PART}")
        if not file.exists():
            part.write_text(fresh, encoding="ascii")
            # Linked, not renamed: of two consoles that start at once, the first one's name stays.
            with contextlib.suppress(FileExistsError):
                os.link(part, file)
            part.unlink()
        return file.read_text(encoding="ascii")[:64] or fresh
    return fresh


class Copy:
    """One box's part of one run, as far as it is here."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.set_aside = ""
        self._lock = -1
        self._files: dict[str, int] = {}
        self._lengths: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        # What was begun since the box last heard what is here: of a copy that is void, it is not part.
        self._begun: set[str] = set()

    def claim(self) -> bool:
        """Become the one writer; False when another console of this machine is. Raises ProblemError."""
        try:
            self.place.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(
                self.place.with_name(f"{self.place.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as fault:
            raise ProblemError(self._unwritable(fault)) from fault
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        try:
            # What was packed meanwhile is appended to and compared as it was. Nobody packs while this lock is held.
            unpack(self.place, Files(), all_of_it=False)
        except ProblemError:
            self.close()
            raise
        return True

    def held(self) -> dict[str, dict[str, Any]]:
        """What is here of each file: its length and the hash of its end, for the box to compare."""
        self._begun.clear()
        found: dict[str, dict[str, Any]] = {}
        for name in (*NAMES, *self._segments(), *self._blobs()):
            file = self._path(name)
            try:
                with (file if file.exists() else self.place / name).open("rb") as opened:
                    length = opened.seek(0, os.SEEK_END)
                    opened.seek(max(0, length - TAIL))
                    tail = hashlib.blake2b(opened.read(TAIL), digest_size=16).hexdigest()
            except OSError:
                continue
            found[name] = {"length": length, "tail": tail}
        return found

    def begin(self, name: str, start: int, *, replaced: bool, size: int = 0) -> None:
        """A file will be appended to from `start`; `replaced`: what is here is not the box's.

        `size` is what a blob will have; it takes its name when it has it, and is what the name says.
        """
        if name not in NAMES and not _is_segment(name) and not _is_blob(name):
            what = f"the box sends a file that is none of a run's: {name!r}"
            raise ProblemError(
                Problem("box.odd_file", what, str(self.place), "update the agent, or distrust the box")
            )
        if replaced and any((self.place / each).exists() for each in NAMES if each not in self._begun):
            self._put_aside()
        if not replaced and start > self.size(name):
            what = f"the box goes on with {name} at {start}, and {self.size(name)} bytes of it are here"
            raise ProblemError(
                Problem("box.odd_start", what, str(self.place), "update the agent, or distrust the box")
            )
        self._begun.add(name)
        try:
            descriptor = self._files.pop(name, -1)
            if descriptor >= 0:
                os.close(descriptor)
            path = self._path(name)
            path.parent.mkdir(exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            self._files[name] = descriptor
            # A write that was cut short by our own death leaves no more than the box will send again.
            os.ftruncate(descriptor, start)
            os.lseek(descriptor, start, os.SEEK_SET)
        except OSError as fault:
            raise ProblemError(self._unwritable(fault)) from fault
        self._lengths[name], self._sizes[name] = start, size
        self._settle(name)

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Append what the link brought; raises ProblemError when the disk takes no more."""
        if name not in self._files or offset != self._lengths[name]:
            what = f"{name} came at {offset}, which does not follow {self._lengths.get(name)}"
            raise ProblemError(Problem("box.gap", what, str(self.place), "attach again"))
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._files[name], view) :]
        except OSError as fault:
            raise ProblemError(self._unwritable(fault)) from fault
        self._lengths[name] += len(data)
        self._settle(name)

    def length(self, name: str) -> int:
        """How much of a file is here."""
        return self._lengths.get(name, 0)

    def size(self, name: str) -> int:
        """How much of a file is on the disk, whoever brought it."""
        for path in (self.place / name, self._path(name)):
            with contextlib.suppress(OSError):
                return path.stat().st_size
        return 0

    def close(self) -> None:
        """Let go of files and lock."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _blobs(self) -> list[str]:
        try:
            names = {entry.name.removesuffix(_PART) for entry in (self.place / BLOB_DIR).iterdir()}
        except OSError:
            return []
        return [f"{BLOB_DIR}/{name}" for name in sorted(names) if is_blob_name(name)]

    def _segments(self) -> list[str]:
        try:
            names = sorted(entry.name for entry in (self.place / TRACE_DIR).iterdir())
        except OSError:
            return []
        return [f"{TRACE_DIR}/{name}" for name in names if is_segment_name(name)]

    def _path(self, name: str) -> Path:
        """Where a file grows."""
        return self.place / (name + _PART if _is_blob(name) else name)

    def _settle(self, name: str) -> None:
        """A blob that is whole takes its name, if its bytes are what that says."""
        if not _is_blob(name) or self._lengths[name] < self._sizes[name]:
            return
        os.close(self._files.pop(name))
        path = self._path(name)
        digest = hashlib.blake2b(digest_size=32)
        try:
            with path.open("rb") as file:
                while data := file.read(1 << 20):
                    digest.update(data)
            if digest.hexdigest() == name.partition("/")[2]:
                path.replace(self.place / name)
                return
            path.unlink()
        except OSError as fault:
            raise ProblemError(self._unwritable(fault)) from fault
        what = f"the bytes of {name} are not what its name says"
        raise ProblemError(
            Problem("box.bad_blob", what, str(self.place), "update the agent, or distrust the box")
        )

    def _put_aside(self) -> None:
        """Keep the old copy beside the new one: nothing that a box ever said is lost."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()
        self._begun.clear()
        number = 1
        while (old := self.place.with_name(f"{self.place.name}.old-{number}")).exists():
            number += 1
        try:
            self.place.rename(old)
            self.place.mkdir(mode=0o700)
        except OSError as fault:
            raise ProblemError(self._unwritable(fault)) from fault
        self.set_aside = old.name

    def _unwritable(self, fault: OSError) -> Problem:
        what = f"the copy of the box's run cannot be written: {fault.strerror or fault}"
        return Problem(
            "store.copy", what, str(self.place), "free space there; the run on the box goes on meanwhile"
        )


def _is_segment(name: str) -> bool:
    folder, _, segment = name.partition("/")
    return folder == TRACE_DIR and is_segment_name(segment)


def _is_blob(name: str) -> bool:
    folder, _, digest = name.partition("/")
    return folder == BLOB_DIR and is_blob_name(digest)
