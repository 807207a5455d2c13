"""`tracekit import`: a bundle, or other tools' reports, become a run of this machine: looked at, never run again."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tracekit import __version__
from tracekit.cli import edge, project
from tracekit.model.words import weight
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.engine.places import Places
    from tracekit.store.foreign import Report
    from tracekit.store.runs import RunFolder, RunStore

_FORMATS = ("junit", "tap", "ctrf", "libtest", "gotest")
_TICK = 0.3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        f"{parser.description}; 0 when it is here, however its tests ended, 1 when a report is not whole and what "
        "came of it is here, 2 when it is none"
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="what `tracekit export RUN --bundle FILE` wrote; or JUnit XML, TAP, CTRF, libtest's JSON or what "
        "`go test -json` prints, several of which become one run; `-` is standard input",
    )
    parser.add_argument("--format", choices=_FORMATS, help="what the reports are, where they do not say")
    parser.add_argument(
        "--suite", default="", metavar="NAME", help="name the suite of the tests in the reports"
    )
    parser.add_argument(
        "--watch", metavar="DIR", help="go on: each report that comes or changes below DIR becomes a run"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line for each run")


def run(args: argparse.Namespace) -> int:
    """Bring it in; the same bundle or report twice is the same run."""
    if bool(args.files) == bool(args.watch):
        what = "nothing was named" if not args.files else "files and a directory to watch"
        action = "name files, or a directory with --watch"
        raise ProblemError(Problem("cli.usage", what, "tracekit import", action))
    from tracekit.store.runs import RunStore

    places = project.places()
    store = RunStore(places.state)
    if args.watch:
        return _watched(args, places, store)
    with _read(args.files) as paths:
        return _all(args, places, store, paths)


@contextlib.contextmanager
def _read(files: Sequence[str]) -> Iterator[list[Path]]:
    """The files, with what comes on standard input in one of its own."""
    with contextlib.ExitStack() as stack:
        paths = []
        for name in files:
            if name == "-":
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tracekit-import-")))
                with (folder / "standard input").open("wb") as file:
                    shutil.copyfileobj(sys.stdin.buffer, file)
                paths.append(folder / "standard input")
            else:
                paths.append(Path(name))
        yield paths


def _all(args: argparse.Namespace, places: Places, store: RunStore, paths: Sequence[Path]) -> int:
    from tracekit.store import bundle, foreign

    bundles = [path for path in paths if not args.format and bundle.is_bundle(path)]
    reports = [foreign.look(path, args.format or "") for path in paths if path not in bundles]
    for path in bundles:
        folder, new = bundle.bring_in(store, path, places.now_ns())
        _say(args, store, folder, new=new, whole=True)
    if reports:
        folder, new = _made(args, store, reports)
        _say(args, store, folder, new=new, whole=not any(report.fault for report in reports))
        for report in reports:
            if report.fault:
                edge.say_error(f"tracekit: {report.path}: the report is not whole: {report.fault}")
        if any(report.fault for report in reports):
            return edge.RED
    return edge.OK


def _made(args: argparse.Namespace, store: RunStore, reports: Sequence[Report]) -> tuple[RunFolder, bool]:
    from tracekit.config import roots
    from tracekit.store import foreign

    root = roots.find_root(os.path.abspath("."))
    return foreign.bring_in(store, reports, root, args.suite, __version__)


def _say(args: argparse.Namespace, store: RunStore, folder: RunFolder, *, new: bool, whole: bool) -> None:
    from tracekit.engine.history import History

    row = History(store).summary(folder)
    if args.json:
        edge.say_json(
            "tracekit.import/1", {"run": folder.run_id, "new": new, "whole": whole, "counts": row.counts}
        )
    else:
        did = "imported" if new else "is here already:"
        edge.say(f"{did} {folder.run_id}, {weight(folder.disk_bytes())}")
        edge.say(f"look at it: tracekit show {folder.run_id}")
    sys.stdout.flush()


def _watched(args: argparse.Namespace, places: Places, store: RunStore) -> int:
    """Until ctrl-c: what has not changed for a moment is read."""
    from tracekit.store import bundle, foreign

    directory = Path(args.watch)
    if not directory.is_dir():
        raise ProblemError(
            Problem("import.no_directory", "no such directory", args.watch, "name one that is")
        )
    edge.say_error(f"watching {args.watch} for reports; ctrl-c ends it")
    seen: dict[Path, tuple[int, int]] = {}
    waiting: list[Path] = []
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            changed = foreign.newer(seen, directory)
            for path in [one for one in waiting if one not in changed]:
                waiting.remove(path)
                if not (bundle.is_bundle(path) or args.format or foreign.may_be_report(path)):
                    continue
                try:
                    _all(args, places, store, [path])
                except ProblemError as fault:
                    edge.complain(fault.problems)
            waiting += [one for one in changed if one not in waiting]
            time.sleep(_TICK)
    return edge.OK
