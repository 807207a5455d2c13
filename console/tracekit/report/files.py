"""Writes an export to where a person wants it: a file that is whole or not there, or standard output for `-`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tracekit.engine.view import RunView
from tracekit.report.ctrf import ctrf
from tracekit.report.junit import junit
from tracekit.wire.names import JOURNAL_FILE
from tracekit.wire.problems import Problem, ProblemError


def journal(view: RunView) -> Iterator[str]:
    """The run's own lines, as they were recorded."""
    with (view.box_dir / JOURNAL_FILE).open(encoding="ascii", errors="backslashreplace") as file:
        yield from file


FORMATS: dict[str, Callable[[RunView], Iterable[str]]] = {"junit": junit, "ctrf": ctrf, "json": journal}


def export(view: RunView, form: str, target: str) -> None:
    """Write one export; raises ProblemError when it cannot be written."""
    pieces = FORMATS[form](view)
    if target == "-":
        for piece in pieces:
            sys.stdout.write(piece)
        return
    path = Path(target)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
        part.replace(path)
    except OSError as fault:
        part.unlink(missing_ok=True)
        what = f"the export cannot be written: {fault.strerror or fault}"
        raise ProblemError(
            Problem("cli.export", what, target, "name a file in a directory that exists")
        ) from fault
