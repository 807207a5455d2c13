"""`tracekit recover`: bring a run to an end after the death of everything that wrote it."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from tracekit.cli import edge, project
from tracekit.cli.painting import Paint, counted
from tracekit.model.words import count, weight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracekit.store.recovery import Recovered


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "directory", metavar="DIR", help="a run directory, a box's folder in one, or a run's id"
    )
    parser.add_argument(
        "--no-secrets",
        action="store_true",
        help="where secrets of the run are not set any more: leave out what cannot be checked for them",
    )
    parser.add_argument("--json", action="store_true", help="one JSON line")


def run(args: argparse.Namespace) -> int:
    """Recover, and tell in counts what was found."""
    from tracekit.engine.recovering import recover_at
    from tracekit.store.runs import RunStore

    store = RunStore(project.places().state)
    folder, done = recover_at(store, args.directory, os.environ, without_secrets=args.no_secrets)
    if args.json:
        edge.say_json("tracekit.recover/1", {**asdict(done), "directory": str(folder.path)})
        return edge.OK
    for line in _lines(done, Paint(on=edge.colours())):
        edge.write(line)
    here = folder.path.parent == store.runs_dir.resolve()
    command = f"tracekit show {done.run}" if here else f"tracekit replay {folder.path}"
    edge.say(f"look at it: {command}")
    return edge.OK


def _lines(done: Recovered, paint: Paint) -> Iterator[str]:
    if done.whole:
        yield f"nothing to recover: {done.run} has its end"
        return
    size = weight(done.output_bytes)
    yield f"recovered {done.run}: {count(done.lines, 'line')}, {size} of output"
    yield f"  {counted(done.verdicts, paint)}"
    if done.traced:
        yield f"  {count(done.traced, 'event')} were still in the rings"
    if done.ended:
        yield f"  {count(done.ended, 'attempt')} had no end, and got one with its reason"
    if done.unknown:
        yield f"  {count(done.unknown, 'attempt')} ended, and nobody knows how: the disk was full"
    if done.not_run:
        yield f"  {count(done.not_run, 'scenario')} had not run"
    if done.cut_bytes:
        yield paint.dim(f"  {done.cut_bytes:,} bytes were never committed, and are cut")
    if done.dropped_bytes:
        yield f"  {done.dropped_bytes:,} bytes could not be checked for secrets, and are left out"
