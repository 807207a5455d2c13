"""`tracekit gc`: let go of runs that are over the limits, pack old ones, and make again what can be made again."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracekit.cli import edge, project, runwords
from tracekit.cli.painting import Paint
from tracekit.model.words import count, weight

if TYPE_CHECKING:
    from tracekit.store.keeping import Choice, Limits, Swept


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be removed, and remove nothing"
    )
    parser.add_argument(
        "--rebuild", action="store_true", help="make the catalogue and the checkpoints again from the runs"
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON line a run that goes or stays, and one for the whole"
    )


def run(args: argparse.Namespace) -> int:
    """Sweep, and rebuild before it where asked."""
    from tracekit.engine.history import History
    from tracekit.engine.keeping import Keeper, limits
    from tracekit.store.runs import RunStore

    places = project.places()
    kept = limits(places.environ)
    history = History(RunStore(places.state))
    keeper = Keeper(history, places.now_ns)
    read = keeper.rebuild(runwords.reading) if args.rebuild and not args.dry_run else None
    if read is None:
        history.refresh(runwords.reading)
    swept = keeper.sweep(kept, dry=args.dry_run)
    if args.json:
        _say_json(swept, read, dry=args.dry_run)
    else:
        _say(swept, kept, read, dry=args.dry_run)
    edge.complain(swept.problems)
    return edge.exit_code(swept.problems) if swept.problems else edge.OK


def _say(swept: Swept, kept: Limits, read: int | None, *, dry: bool) -> None:
    from tracekit.config.durations import format_duration

    paint = Paint(on=edge.colours())
    if read is not None:
        edge.write(f"read {count(read, 'run')} again")
    verb = "would remove" if dry else "removed"
    if swept.removed:
        edge.write(f"{verb} {count(len(swept.removed), 'run')}, {weight(swept.freed)}")
        _rows(swept.removed, paint)
    else:
        edge.write("nothing to remove" if dry else "removed nothing")
    if swept.packed:
        how = "would pack" if dry else "packed"
        gain = f"{weight(swept.saved)} plain" if dry else f"{weight(swept.saved)} less"
        edge.write(f"{how} {count(swept.packed, 'run')}, {gain}")
    if swept.held:
        edge.write(f"{count(len(swept.held), 'run')} over the limits, still needed")
        _rows(swept.held, paint)
    pinned = f", {swept.pinned} pinned" if swept.pinned else ""
    edge.write(f"kept {count(swept.kept, 'run')}, {weight(swept.kept_bytes)}{pinned}")
    room = "set" if swept.room == kept.bytes else "a tenth of the free disk"
    edge.write(
        paint.dim(
            f"limits: {count(kept.runs, 'run')}, {format_duration(kept.seconds)},"
            f" {weight(swept.room)} ({room})"
        )
    )


def _rows(choices: Sequence[Choice], paint: Paint) -> None:
    for choice in choices:
        row = choice.row
        facts = f"{runwords.when(row.started_t)}  {weight(row.disk_bytes):>8}"
        edge.write(f"  {runwords.run_name(row.run_id)}  {paint.dim(facts)}  {edge.clean(choice.why)}")


def _say_json(swept: Swept, read: int | None, *, dry: bool) -> None:
    for kind, choices in (("removed", swept.removed), ("held", swept.held)):
        for choice in choices:
            edge.say_json(
                "tracekit.kept/1",
                {
                    "kind": kind,
                    "run": choice.row.run_id,
                    "why": choice.why,
                    "bytes": choice.row.disk_bytes,
                },
            )
    for problem in swept.problems:
        edge.say_json("tracekit.problem/1", problem.to_json())
    edge.say_json(
        "tracekit.gc/1",
        {
            "dry_run": dry,
            "removed": len(swept.removed),
            "freed": swept.freed,
            "packed": swept.packed,
            "saved": swept.saved,
            "held": len(swept.held),
            "kept": swept.kept,
            "bytes": swept.kept_bytes,
            "pinned": swept.pinned,
            "room": swept.room,
            "rebuilt": read,
        },
    )
