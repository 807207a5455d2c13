"""Packing the files of ended runs: a packed file takes the place of a plain one only after it was read back and found
to hold the same. Whenever this ends, at whatever step, one of the two is there whole.

It judges nothing: whoever calls it knows that the run has ended and that nobody writes it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tracekit.agent.system import Files
from tracekit.store import recorded
from tracekit.store.recorded import DamagedFileError, Unpacking
from tracekit.wire.names import JOURNAL_FILE, OUTPUT_FILE
from tracekit.wire.problems import Problem, ProblemError

#: A smaller file takes as much of a disk packed as plain.
WORTH_IT = 4096
# Output goes first: where the journal is packed, there is nothing left to do.
NAMES = (OUTPUT_FILE, JOURNAL_FILE)
DISK_FULL = "store.disk_full"
_PART = ".part"
_PIECE = 256 * 1024

Write = Callable[[bytes], None]
Going = Callable[[], bool]


class _LeftError(Exception):
    """Whoever wanted it has no more time: what is half done goes, and the plain file stays."""


def plain_bytes(place: Path, smallest: int = WORTH_IT) -> int:
    """How much of a box's folder there is to pack."""
    return sum(length for name in NAMES if (length := _length(place / name)) >= smallest)


def pack(
    place: Path,
    files: Files,
    *,
    smallest: int = WORTH_IT,
    still: Going = lambda: True,
    going: Going = lambda: True,
) -> int:
    """Pack a box's folder; gives the bytes that this freed, 0 where another console is at it.

    `still` is asked once nobody else can pack or unpack here any more: whether it is still to be done; `going` before
    every piece: whether there is time for it. Raises ProblemError when it could not be done. Whatever happens, every
    plain file that was not packed is where it was.
    """
    freed = 0
    try:
        with _alone(place, wait=False) as ours:
            if not ours or not still():
                return 0
            for name in NAMES:
                if _length(place / name) >= smallest:
                    freed += _packed(place / name, files, going)
    except _LeftError:
        return freed
    except DamagedFileError as fault:
        raise ProblemError(fault.problem) from fault
    except OSError as fault:
        raise ProblemError(_failed(place, "packed", fault)) from fault
    return freed


def unpack(place: Path, files: Files, *, all_of_it: bool = True) -> None:
    """Make the files of a box's folder plain again, for somebody who is about to write there. Raises ProblemError.

    With `all_of_it` false, what does not unpack is left alone: whoever comes has it from elsewhere.
    """
    if not any(recorded.packed(place / name).exists() for name in NAMES):
        return
    try:
        with _alone(place, wait=True):
            for name in reversed(NAMES):
                try:
                    _unpacked(place / name, files)
                except DamagedFileError as fault:
                    if all_of_it:
                        raise ProblemError(fault.problem) from fault
    except OSError as fault:
        raise ProblemError(_failed(place, "unpacked", fault)) from fault


def clear(place: Path) -> None:
    """Take away the half file of a packing that was cut short: never the only one, and never one that is written."""
    parts = [place / f"{each}{_PART}" for name in NAMES for each in (name, recorded.packed(Path(name)).name)]
    if not any(part.exists() for part in parts):
        return
    with contextlib.suppress(OSError), _alone(place, wait=False) as ours:
        if ours:
            for part in parts:
                part.unlink(missing_ok=True)


def differing(file: Path, going: Going = lambda: True) -> bool:
    """Whether a plain file and a packed one stand beside each other and do not hold the same; raises OSError."""
    beside = recorded.packed(file)
    if not (file.is_file() and beside.is_file()):
        return False
    with file.open("rb") as plain, Unpacking(beside) as other:
        return _digest(plain, going) != _digest(io.BufferedReader(other, _PIECE), going)


def _packed(file: Path, files: Files, going: Going) -> int:
    """Pack one file; gives what it weighs less."""
    target = recorded.packed(file)
    before = _length(file)
    if target.exists():
        try:
            if differing(file, going):
                raise ProblemError(_two(file))
        except DamagedFileError:
            pass  # the plain one is the only one that can be read: it is packed again
        else:
            # Somebody died between the last two steps.
            return _dropped(file, before, files)
    part = target.with_name(target.name + _PART)
    try:
        with file.open("rb") as source, _written(part, files) as write:
            told = _frame(source, before, write, going)
        with Unpacking(part) as again:
            if _digest(io.BufferedReader(again, _PIECE), going) != told:
                raise OSError(errno.EIO, "what was read back is not what was written", str(part))
        files.rename(str(part), str(target))
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    return _dropped(file, before, files)


def _dropped(file: Path, before: int, files: Files) -> int:
    # The other's name is on the disk before this one goes: a power cut leaves one of them.
    _settle(file.parent, files)
    file.unlink()
    return before - _length(recorded.packed(file))


def _frame(source: BinaryIO, length: int, write: Write, going: Going) -> tuple[int, str]:
    """Pack what a file holds; gives its length and hash as they were read."""
    from tracekit._native import Packer

    packer, digest, taken = Packer(length), hashlib.blake2b(digest_size=32), 0
    try:
        for piece in _pieces(source, going):
            digest.update(piece)
            taken += len(piece)
            if some := packer.pack(piece):
                write(some)
        write(packer.finish())
    except ValueError as fault:
        raise OSError(errno.EIO, "it changed while it was read", source.name) from fault
    return taken, digest.hexdigest()


def _unpacked(file: Path, files: Files) -> None:
    target = recorded.packed(file)
    if not target.exists():
        return
    if file.exists():
        if differing(file):
            return
    else:
        part = file.with_name(file.name + _PART)
        try:
            with Unpacking(target) as packed, _written(part, files) as write:
                source = io.BufferedReader(packed, _PIECE)
                while piece := source.read(_PIECE):
                    write(piece)
            files.rename(str(part), str(file))
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise
    _settle(file.parent, files)
    target.unlink()


@contextlib.contextmanager
def _written(part: Path, files: Files) -> Iterator[Write]:
    """A new file, on the disk when the block has ended."""
    descriptor = files.open(str(part), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW)
    try:
        yield lambda data: files.write_all(descriptor, data)
        files.sync(descriptor)
    finally:
        files.close(descriptor)


@contextlib.contextmanager
def _alone(place: Path, *, wait: bool) -> Iterator[bool]:
    """Nobody else packs or unpacks here meanwhile; False where somebody does. The lock leaves nothing behind."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as fault:
        os.close(descriptor)
        # Some file systems of other machines lock no folder: nothing is packed there.
        if fault.errno not in {errno.EWOULDBLOCK, errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.EINVAL}:
            raise
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)


def _settle(folder: Path, files: Files) -> None:
    """What was renamed is so after a power cut too, as far as the file system knows how to say that."""
    descriptor = files.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        files.sync(descriptor)
    except OSError as fault:
        if fault.errno not in {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}:
            raise
    finally:
        files.close(descriptor)


def _pieces(source: BinaryIO | io.BufferedReader, going: Going) -> Iterator[bytes]:
    while piece := source.read(_PIECE):
        if not going():
            raise _LeftError
        yield piece


def _digest(source: BinaryIO | io.BufferedReader, going: Going) -> tuple[int, str]:
    digest, taken = hashlib.blake2b(digest_size=32), 0
    for piece in _pieces(source, going):
        digest.update(piece)
        taken += len(piece)
    return taken, digest.hexdigest()


def _length(file: Path) -> int:
    """The length of a plain file; -1 where there is none."""
    try:
        return file.stat().st_size
    except OSError:
        return -1


def _failed(place: Path, done: str, fault: OSError) -> Problem:
    what = f"the run cannot be {done}: {fault.strerror or fault}"
    action = "free space there, or make it writable: its files stay as they are until then"
    full = fault.errno in {errno.ENOSPC, errno.EDQUOT}
    return Problem(DISK_FULL if full else f"store.not_{done}", what, str(place), action)


def _two(file: Path) -> Problem:
    what = f"{file.name} and {recorded.packed(file).name} do not hold the same"
    action = "the plain one is read: look at both, and remove the one that is wrong"
    return Problem("store.two_files", what, str(file), action)
