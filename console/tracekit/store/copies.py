"""The copy of a box's run directory on this machine: grown by what the link brings, by one console at a time.

Files are only ever appended to. What the box says does not fit what is here is set aside, never overwritten and never
thrown away. A name that the box sends is a name of ours or it is refused, and so is more than may be taken of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tracekit.agent.protocol import TAIL
from tracekit.agent.system import Files
from tracekit.store.allowance import FILE, MOST, Allowance
from tracekit.store.packing import unpack
from tracekit.wire.ids import is_blob_name, is_segment_name
from tracekit.wire.names import BLOB_DIR, JOURNAL_FILE, OUTPUT_FILE, RUN_FILE, STRINGS_FILE, TRACE_DIR
from tracekit.wire.problems import Problem, ProblemError

NAMES = (RUN_FILE, JOURNAL_FILE, OUTPUT_FILE, STRINGS_FILE)
_COPIER = "copier"
# A run may have thousands of blobs, and a process a few hundred descriptors.
_MOST_OPEN = 64
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


class _Open:
    """One file that grows: where the box is in it, and what is known of its bytes."""

    def __init__(self, start: int, size: int) -> None:
        self.descriptor = -1
        #: How far the box is in it, whether or not it was taken.
        self.length = start
        #: What a blob will have.
        self.size = size
        #: What was here when it was begun: up to there the box's bytes are compared, and not written again.
        self.held = start
        #: Of a blob that began here, so that it need not be read again at its end.
        self.digest = hashlib.blake2b(digest_size=32) if not start else None
        #: Not all of it was taken.
        self.short = False


class Copy:
    """One box's part of one run, as far as it is here."""

    def __init__(self, place: Path, most: int = MOST) -> None:
        self.place = place
        self.set_aside = ""
        self.allowance = Allowance(place, most)
        #: Blobs that have all their bytes, and must be read again before they get their names: `seal` does it.
        self.unsealed: list[str] = []
        self._lock = -1
        self._files: dict[str, _Open] = {}
        # The files that are held open, the one that was used last at the end.
        self._opened: dict[str, None] = {}
        # The ends of blobs that are whole: they never change, and there may be thousands.
        self._tails: dict[str, dict[str, Any]] = {}
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
        self.allowance.count([self.place, *self.place.parent.glob(f"{self.place.name}.old-*")])
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
        self.look()
        found: dict[str, dict[str, Any]] = {}
        for name in (*NAMES, *self._segments(), *self._blobs()):
            end = self._tails.get(name) or self._end(name)
            if end is not None:
                found[name] = end
        return found

    def look(self) -> None:
        """Read the ends of what is whole, which may take a while: in a thread, before `held` is asked."""
        for name in self._blobs():
            if name not in self._tails and (self.place / name).exists():
                end = self._end(name)
                if end is not None:
                    self._tails[name] = end

    def _end(self, name: str) -> dict[str, Any] | None:
        file = self._path(name)
        try:
            with (file if file.exists() else self.place / name).open("rb") as opened:
                length = opened.seek(0, os.SEEK_END)
                opened.seek(max(0, length - TAIL))
                tail = hashlib.blake2b(opened.read(TAIL), digest_size=16).hexdigest()
        except OSError:
            return None
        return {"length": length, "tail": tail}

    def begin(self, name: str, start: int, *, replaced: bool, size: int = 0) -> bool:
        """A file will be appended to from `start`; `replaced`: what is here is not the box's.

        `size` is what a blob will have; it takes its name when it has it, and is what the name says. Says whether
        what was here has been set aside.
        """
        if name not in NAMES and not _is_segment(name) and not _is_blob(name):
            what = f"the box sends a file that is none of a run's: {name!r}"
            raise ProblemError(
                Problem("box.odd_file", what, str(self.place), "update the agent, or distrust the box")
            )
        aside = replaced and any((self.place / each).exists() for each in NAMES if each not in self._begun)
        if aside:
            self._put_aside()
        held = self._length_here(name)
        if start > held:
            what = f"the box goes on with {name} at {start}, and {held} bytes of it are here"
            raise ProblemError(
                Problem("box.odd_start", what, str(self.place), "update the agent, or distrust the box")
            )
        self._begun.add(name)
        self._let_go(name)
        self._files[name] = file = _Open(start, size)
        if not self._path(name).exists() and not self._may(name, FILE):
            file.short = True
            return aside
        try:
            descriptor = self._descriptor(name, file)
            if _is_blob(name):
                # What it is, its name says: what is here of it beyond, or in the wrong place, was never it.
                os.ftruncate(descriptor, start)
            else:
                file.held = held
        except OSError as fault:
            raise ProblemError(self._unwritable(fault)) from fault
        if _is_blob(name):
            self._settle(name, file)
        return aside

    def write(self, name: str, offset: int, *pieces: bytes) -> bool:
        """Append what the link brought, one piece behind the other; raises ProblemError when the disk takes no more.

        Where the box has said something else before, that is set aside; says whether it was so.
        """
        file = self._files.get(name)
        if file is None or offset != file.length:
            what = f"{name} came at {offset}, which does not follow {file.length if file else None}"
            raise ProblemError(Problem("box.gap", what, str(self.place), "update the agent there"))
        aside = False
        try:
            if not file.short and offset < file.held:
                aside, rest = self._compare(name, file, b"".join(pieces))
                pieces = (rest,)
            size = sum(map(len, pieces))
            if size and not self._refuses(name, file, size):
                self._append(self._descriptor(name, file), file, pieces)
                if file.digest is not None and _is_blob(name):
                    for piece in pieces:
                        file.digest.update(piece)
        except OSError as fault:
            raise ProblemError(self._unwritable(fault)) from fault
        if _is_blob(name):
            self._settle(name, file)
        return aside

    def _append(self, descriptor: int, file: _Open, pieces: Sequence[bytes]) -> None:
        views = [memoryview(piece) for piece in pieces]
        while views:
            done = os.pwritev(descriptor, views, file.length)
            file.length += done
            self.allowance.took(done)
            while views and done >= len(views[0]):
                done -= len(views.pop(0))
            if done:
                views[0] = views[0][done:]

    def _compare(self, name: str, file: _Open, data: bytes) -> tuple[bool, bytes]:
        """Hold bytes against those that are here already; gives what is to be written behind them."""
        known = min(len(data), file.held - file.length)
        descriptor = self._descriptor(name, file)
        if os.pread(descriptor, known, file.length) == data[:known]:
            file.length += known
            return False, data[known:]
        self._keep(name)
        os.ftruncate(descriptor, file.length)
        file.held = file.length
        return True, data

    def _refuses(self, name: str, file: _Open, more: int) -> bool:
        """Whether bytes are not taken; what was refused once stays short, and its box still has it."""
        if not file.short and self._may(name, more):
            return False
        file.short = True
        file.length += more
        return True

    def _may(self, name: str, more: int) -> bool:
        if self.allowance.takes(name, more):
            return True
        if name in (RUN_FILE, JOURNAL_FILE):
            raise ProblemError(self.too_much())
        return False

    def too_much(self) -> Problem:
        """What is said of a box that sends more than may be taken."""
        allowance = self.allowance
        missing = ", ".join(kind for kind in ("trace", "blobs", "output") if kind in allowance.refused)
        short = f"; not whole: {missing}" if missing else ""
        if allowance.disk_is_full:
            what = f"this disk is almost full, and takes no more of what the box sends{short}"
            action = "free space here; `tracekit attach` brings the rest"
        else:
            what = f"the box sends more of this run than is taken here ({allowance.most >> 20} MiB){short}"
            action = "raise `copy_size` in config.toml; `tracekit attach` brings the rest"
        return Problem("box.quota", what, str(self.place), action)

    def seal(self, name: str) -> None:
        """Read a blob that came in parts, and give it its name; raises ProblemError.

        It may take a while: in a thread.
        """
        digest = hashlib.blake2b(digest_size=32)
        try:
            with self._path(name).open("rb") as file:
                while data := file.read(1 << 20):
                    digest.update(data)
        except OSError as fault:
            raise ProblemError(self._unwritable(fault)) from fault
        self._named(name, digest.hexdigest())

    def length(self, name: str) -> int:
        """How much of a file is here, and is what the box says."""
        file = self._files.get(name)
        return file.length if file is not None else 0

    def size(self, name: str) -> int:
        """How much of a file is on the disk, whoever brought it."""
        for path in (self.place / name, self._path(name)):
            with contextlib.suppress(OSError):
                return path.stat().st_size
        return 0

    def end(self) -> None:
        """The box has told all: what is here beyond it is none of the run's, and is set aside."""
        for name, file in self._files.items():
            if not _is_blob(name) and not file.short and file.length < file.held:
                with contextlib.suppress(OSError):
                    self._keep(name)
                    os.truncate(self.place / name, file.length)

    def close(self) -> None:
        """Let go of files and lock."""
        for name in tuple(self._files):
            self._let_go(name)
        self._files.clear()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _descriptor(self, name: str, file: _Open) -> int:
        """A file to read and write; of many at once only those that were used last stay open."""
        if file.descriptor < 0:
            while len(self._opened) >= _MOST_OPEN:
                self._shut(next(iter(self._opened)))
            path = self._path(name)
            path.parent.mkdir(exist_ok=True, mode=0o700)
            if not path.exists():
                self.allowance.took(FILE)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            file.descriptor = os.open(path, flags, 0o600)
        self._opened.pop(name, None)
        self._opened[name] = None
        return file.descriptor

    def _shut(self, name: str) -> None:
        self._opened.pop(name, None)
        file = self._files.get(name)
        if file is not None and file.descriptor >= 0:
            os.close(file.descriptor)
            file.descriptor = -1

    def _let_go(self, name: str) -> None:
        self._shut(name)
        self._files.pop(name, None)

    def _length_here(self, name: str) -> int:
        """How much there is of a file that would grow; of a blob that is whole nothing grows."""
        try:
            return self._path(name).stat().st_size
        except OSError:
            return self.size(name)

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

    def _settle(self, name: str, file: _Open) -> None:
        """A blob that has all its bytes takes its name, if they are what that says."""
        if file.length < file.size or file.short:
            return
        self._let_go(name)
        if file.digest is not None:
            self._named(name, file.digest.hexdigest())
        else:
            self.unsealed.append(name)

    def _named(self, name: str, digest: str) -> None:
        path = self._path(name)
        try:
            if digest == name.partition("/")[2]:
                path.replace(self.place / name)
                return
            path.unlink()
        except OSError as fault:
            raise ProblemError(self._unwritable(fault)) from fault
        what = f"the bytes of {name} are not what its name says"
        raise ProblemError(
            Problem("box.bad_blob", what, str(self.place), "update the agent, or distrust the box")
        )

    def _aside(self) -> Path:
        """A name beside the copy that is not taken yet."""
        number = 1
        while (old := self.place.with_name(f"{self.place.name}.old-{number}")).exists():
            number += 1
        return old

    def _put_aside(self) -> None:
        """Keep the old copy beside the new one: nothing that a box ever said is lost."""
        for name in tuple(self._files):
            self._let_go(name)
        self._begun.clear()
        self._tails.clear()
        old = self._aside()
        try:
            self.place.rename(old)
            self.place.mkdir(mode=0o700)
        except OSError as fault:
            raise ProblemError(self._unwritable(fault)) from fault
        self.set_aside = old.name

    def _keep(self, name: str) -> None:
        """Keep one file as it was beside the copy. Raises ProblemError where that would be too much, and OSError."""
        self._may(JOURNAL_FILE, self.size(name) + FILE)
        old = self._aside()
        path = old / name
        path.parent.mkdir(parents=True, mode=0o700)
        shutil.copyfile(self.place / name, path)
        self.allowance.took(self.size(name) + FILE)
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
