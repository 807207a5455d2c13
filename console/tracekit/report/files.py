"""Writes an export to where a person wants it: a file that is whole or not there, or standard output for `-`."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tracekit.engine.view import RunView
from tracekit.report.chrome import chrome
from tracekit.report.ctrf import ctrf
from tracekit.report.junit import junit
from tracekit.report.perfetto import perfetto
from tracekit.store import bundle
from tracekit.store.recorded import DamagedFileError
from tracekit.store.runs import RunFolder
from tracekit.wire.problems import Problem, ProblemError


def journal(view: RunView) -> Iterator[str]:
    """The run's own lines, as they were recorded."""
    with view.journal() as file:
        for line in file:
            yield line.decode("ascii", "backslashreplace")


FORMATS: dict[str, Callable[[RunView], Iterable[str]]] = {
    "junit": junit,
    "ctrf": ctrf,
    "json": journal,
    "chrome": chrome,
}
BINARY: dict[str, Callable[[RunView], Iterable[bytes]]] = {"perfetto": perfetto}


def export(view: RunView, form: str, target: str) -> None:
    """Write one export; raises ProblemError when it cannot be written."""
    if form in BINARY:
        _export_binary(BINARY[form](view), target)
        return
    pieces = FORMATS[form](view)
    if target == "-":
        with _readable():
            for piece in pieces:
                sys.stdout.write(piece)
        _all_read(view)
        return
    with _whole(target) as part, _readable(), part.open("w", encoding="utf-8") as file:
        file.writelines(pieces)
        _all_read(view)


def _export_binary(pieces: Iterable[bytes], target: str) -> None:
    if target == "-":
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        return
    with _whole(target) as part, part.open("wb") as file:
        file.writelines(pieces)


def export_bundle(folder: RunFolder, target: str) -> None:
    """Write a run as a bundle; raises ProblemError when it cannot be written."""
    with _whole(target) as part, _readable(), part.open("wb") as file:
        bundle.write(folder, file)


def _all_read(view: RunView) -> None:
    """An export without output that was recorded is none."""
    if view.unread is not None:
        raise ProblemError(view.unread)


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """What cannot be read of the run is no fault of the file that is written."""
    try:
        yield
    except DamagedFileError as fault:
        raise ProblemError(fault.problem) from fault


def writable(target: str) -> None:
    """Raise ProblemError where an export could not be written now."""
    if target == "-":
        return
    path = Path(target)
    part = _part(path)
    try:
        part.touch()
        part.unlink()
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as fault:
        raise ProblemError(_unwritable(target, fault)) from fault


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _unwritable(target: str, fault: OSError) -> Problem:
    what = f"the export cannot be written: {fault.strerror or fault}"
    return Problem("cli.export", what, target, "name a file in a directory that exists")


@contextlib.contextmanager
def _whole(target: str) -> Iterator[Path]:
    """A place to write to that becomes the target at the end, or is gone."""
    path = Path(target)
    part = _part(path)
    try:
        yield part
        part.replace(path)
    except OSError as fault:
        raise ProblemError(_unwritable(target, fault)) from fault
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
