"""A run as one portable file: a zip whose first entry says what is in it, by name, size and hash.

The same run gives the same bytes. What comes back is a stranger's file: nothing is written before all of its names,
sizes and versions are known to be ours, and nothing stays unless every hash is right.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tracekit.agent.system import free_space
from tracekit.store import recorded
from tracekit.store.runs import RunFolder, RunStore, damaged, unwritable
from tracekit.wire.ids import is_box_name, is_run_id
from tracekit.wire.names import (
    BLOB_DIR,
    JOURNAL_FILE,
    LINE_VERSION,
    OUTPUT_FILE,
    RUN_FILE,
    SPOOL_DIR,
    STRINGS_FILE,
    TRACE_DIR,
)
from tracekit.wire.problems import Problem, ProblemError

NAME = "tracekit.bundle"
VERSION = 1
MANIFEST = "manifest.json"
_CHUNK = 1 << 20
_MOST_FILES = 20_000
_MOST_MANIFEST = 16 << 20
# Output may well be the same line a million times; a bomb is more than that, and larger than anybody wants.
_ALWAYS_ALLOWED = 1 << 30
_MOST_RATIO = 100
_LEFT_FREE = 64 << 20
_SEGMENT = re.compile(r"seg-[0-9]{6}\.tks")
# No box is called like what stands beside it.
_TAKEN = frozenset({RUN_FILE, "pin", "checkpoints", "imported.json", "copiers.json"})
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    OverflowError,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a bundle."""

    name: str
    size: int
    blake2b: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bundle says that it holds."""

    run: str
    box: str
    files: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """What it weighs unpacked."""
        return sum(entry.size for entry in self.files)


# -- out


def write(folder: RunFolder, file: BinaryIO) -> Contents:
    """Write a run's bundle; raises ProblemError for a run that goes on or has no journal, OSError for the disk."""
    if (folder.box_dir / SPOOL_DIR).is_dir():
        what = "the run has not ended, or its last lines still wait in its spool"
        action = f"wait for its end, or `tracekit recover {folder.path}`"
        raise ProblemError(Problem("bundle.not_ended", what, folder.run_id, action))
    if not folder.has_journal:
        raise ProblemError(damaged(folder.run_id, "the journal is missing", str(folder.journal)))
    contents = Contents(folder.run_id, folder.box_dir.name, tuple(_entries(folder)))
    manifest = {
        "schema": f"{NAME}/{VERSION}",
        "run": contents.run,
        "box": contents.box,
        "lines": LINE_VERSION,
        "files": [
            {"name": entry.name, "size": entry.size, "blake2b": entry.blake2b} for entry in contents.files
        ],
    }
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(_info(MANIFEST), json.dumps(manifest, indent=1) + "\n", compresslevel=6)
        for entry in contents.files:
            info = _info(entry.name)
            info.file_size = entry.size
            with recorded.opened(folder.path / entry.name) as source, packed.open(info, "w") as target:
                left = entry.size
                while left and (piece := source.read(min(_CHUNK, left))):
                    target.write(piece)
                    left -= len(piece)
    return contents


def _entries(folder: RunFolder) -> Iterator[Entry]:
    box = folder.box_dir
    blobs = sorted((box / BLOB_DIR).iterdir()) if (box / BLOB_DIR).is_dir() else []
    named = [
        folder.path / RUN_FILE,
        *(box / name for name in (RUN_FILE, JOURNAL_FILE, OUTPUT_FILE, STRINGS_FILE)),
    ]
    trace = box / TRACE_DIR
    segments = sorted(trace.iterdir()) if trace.is_dir() else []
    for path in (
        *named,
        *(blob for blob in blobs if _is_hash(blob.name)),
        *(segment for segment in segments if _SEGMENT.fullmatch(segment.name)),
    ):
        # What is packed here is a plain file there: any other machine reads it, and the same run is the same bundle.
        if recorded.there(path) and not (path.is_symlink() or recorded.packed(path).is_symlink()):
            size, digest = _measured(path)
            yield Entry(path.relative_to(folder.path).as_posix(), size, digest)


def _measured(path: Path) -> tuple[int, str]:
    digest, size = hashlib.blake2b(digest_size=32), 0
    with recorded.opened(path) as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def _info(name: str) -> zipfile.ZipInfo:
    # The moment and the machine of packing are no part of a run.
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type, info.create_system = zipfile.ZIP_DEFLATED, 3
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    return info


# -- in


def is_bundle(path: Path) -> bool:
    """Whether a file begins like one."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def contents(path: Path) -> Contents:
    """What a bundle says that it holds, checked in every way that needs no unpacking. Raises ProblemError."""
    with _opened(path) as packed:
        return _checked(packed, path)


def unpack(path: Path, into: Path) -> RunFolder:
    """Unpack a bundle as a run directory below `into`; nothing of it is left when anything is wrong."""
    with _opened(path) as packed:
        found = _checked(packed, path)
        folder = RunFolder(into / found.run, found.run)
        try:
            if free_space(str(into)) < found.size + _LEFT_FREE:
                what = f"there is no room for the {found.size} bytes that are in it"
                raise ProblemError(Problem("bundle.no_room", what, str(path), "free some space"))
            folder.path.mkdir(mode=0o700)
            for entry in found.files:
                _extract(packed, entry, folder.path / entry.name, path)
        except OSError as fault:
            shutil.rmtree(folder.path, ignore_errors=True)
            raise ProblemError(unwritable(into, fault)) from fault
        except BaseException:
            shutil.rmtree(folder.path, ignore_errors=True)
            raise
    return folder


def bring_in(store: RunStore, path: Path, now_ns: int) -> tuple[RunFolder, bool]:
    """Make a bundle a run of this machine; says whether it was new. After a ProblemError nothing has changed."""
    found = contents(path)
    place = RunFolder(store.runs_dir / found.run, found.run)
    if place.path.exists():
        _same(place, found)
        return place, False
    part = store.runs_dir / f"{found.run}.part-{os.getpid()}"
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True, mode=0o700)
        folder = unpack(path, part)
        if folder.facts().get("run", found.run) != found.run:
            raise ProblemError(_damaged(path, "its run.json is of another run"))
        folder.mark_imported({"from": path.name, "t": now_ns})
        folder.path.rename(place.path)
    except OSError as fault:
        raise ProblemError(unwritable(store.state, fault)) from fault
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place, True


def _same(place: RunFolder, found: Contents) -> None:
    here = {entry.name: entry for entry in _entries(place)}
    if here != {entry.name: entry for entry in found.files}:
        what = "another run of this name is here already, and it is not the same"
        action = f"`tracekit delete {found.run}` first, if that one is not wanted"
        raise ProblemError(Problem("bundle.exists", what, found.run, action))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with path.open("rb") as file:
            try:
                with zipfile.ZipFile(file) as packed:
                    yield packed
            except _DAMAGE as fault:
                raise ProblemError(_damaged(path, str(fault) or type(fault).__name__)) from fault
    except OSError as fault:
        what = f"cannot be read: {fault.strerror or fault}"
        raise ProblemError(
            Problem("bundle.unreadable", what, str(path), "name a file that is there")
        ) from fault


def _checked(packed: zipfile.ZipFile, path: Path) -> Contents:
    infos = packed.infolist()
    by_name = {info.filename: info for info in infos}
    if len(by_name) != len(infos) or len(infos) > _MOST_FILES:
        raise ProblemError(_damaged(path, "it has too many entries, or one of them twice"))
    if MANIFEST not in by_name or by_name[MANIFEST].file_size > _MOST_MANIFEST:
        raise ProblemError(_damaged(path, f"it has no {MANIFEST}: it is no bundle of a run"))
    for info in infos:
        _ordinary(info, path)
    with packed.open(MANIFEST) as file:
        manifest = json.loads(file.read(_MOST_MANIFEST))
    found = _manifest(manifest, path)
    wanted = {entry.name: entry.size for entry in found.files}
    told = {info.filename: info.file_size for info in infos if info.filename != MANIFEST}
    if wanted != told or len(found.files) != len(wanted):
        raise ProblemError(_damaged(path, "its entries are not those that it names"))
    most = max(_ALWAYS_ALLOWED, path.stat().st_size * _MOST_RATIO)
    if found.size > most:
        what = f"unpacked it would be {found.size} bytes, more than {most} of a file of this size"
        raise ProblemError(Problem("bundle.bomb", what, str(path), "do not trust where it comes from"))
    return found


def _ordinary(info: zipfile.ZipInfo, path: Path) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG} or info.is_dir() or info.flag_bits & 1:
        raise ProblemError(_damaged(path, "an entry is not an ordinary file"))
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise ProblemError(_damaged(path, "an entry is packed in a way that is not ours"))


def _manifest(manifest: Any, path: Path) -> Contents:
    if not isinstance(manifest, dict):
        raise ProblemError(_damaged(path, f"its {MANIFEST} holds no object"))
    _version(str(manifest.get("schema", "")), NAME, VERSION, path)
    _version(f"lines/{manifest.get('lines')}", "lines", LINE_VERSION, path)
    run, box = manifest["run"], manifest["box"]
    if not (isinstance(run, str) and is_run_id(run)):
        raise ProblemError(_damaged(path, "it does not name its run"))
    if not (isinstance(box, str) and is_box_name(box) and box.isprintable() and box not in _TAKEN):
        raise ProblemError(_damaged(path, "it does not name its box"))
    if box.endswith((".lock", ".part")):
        raise ProblemError(_damaged(path, "it does not name its box"))
    entries = tuple(_entry(row, box, path) for row in manifest["files"])
    if f"{box}/{JOURNAL_FILE}" not in {entry.name for entry in entries}:
        raise ProblemError(_damaged(path, "it holds no journal"))
    return Contents(run, box, entries)


def _entry(row: Any, box: str, path: Path) -> Entry:
    name, size, digest = row["name"], row["size"], row["blake2b"]
    known = {
        RUN_FILE,
        *(f"{box}/{file}" for file in (RUN_FILE, JOURNAL_FILE, OUTPUT_FILE, STRINGS_FILE)),
    }
    place, _, last = str(name).rpartition("/")
    ours = isinstance(name, str) and (
        name in known
        or (place == f"{box}/{BLOB_DIR}" and _is_hash(last))
        or (place == f"{box}/{TRACE_DIR}" and _SEGMENT.fullmatch(last) is not None)
    )
    if not ours or type(size) is not int or size < 0 or not _is_hash(str(digest)):
        raise ProblemError(_damaged(path, f"it holds what is no file of a run: {str(name)[:80]!r}"))
    return Entry(name, size, digest)


def _version(schema: str, name: str, known: int, path: Path) -> None:
    told, _, number = schema.partition("/")
    if told != name or not (number.isascii() and number.isdecimal()):
        raise ProblemError(_damaged(path, f"its format is {schema[:40]!r}, not {name}/{known}"))
    if number != str(known):
        what = f"the bundle is {schema[:40]}, this program reads {name}/{known}"
        action = "open it with the version of tracekit that wrote it, or a newer one"
        raise ProblemError(Problem("bundle.other_version", what, str(path), action))


def _extract(packed: zipfile.ZipFile, entry: Entry, target: Path, path: Path) -> None:
    digest, left = hashlib.blake2b(digest_size=32), entry.size
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file, packed.open(entry.name) as source:
        while piece := source.read(_CHUNK):
            left -= len(piece)
            if left < 0:
                break
            digest.update(piece)
            file.write(piece)
    if left or digest.hexdigest() != entry.blake2b:
        raise ProblemError(_damaged(path, f"{entry.name} is not what it was when it was packed"))


def _is_hash(text: str) -> bool:
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)


def _damaged(path: Path, what: str) -> Problem:
    return Problem(
        "bundle.refused", f"the bundle cannot be used: {what}", str(path), "have it exported again"
    )
