"""`tracekit runs`: recorded and live runs, newest first; a rerun names the run it stands under."""

from __future__ import annotations

import argparse
import time

from tracekit.cli import edge, project
from tracekit.cli.painting import Paint, counted
from tracekit.engine.history import History
from tracekit.model.words import seconds
from tracekit.store.runs import RunStore


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "-n", "--newest", type=_count, default=20, metavar="N", help="how many (default: 20; 0: all)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line a run")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a number from 0 on")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """List the runs."""
    summaries = History(RunStore(project.places().state)).summaries(limit=args.newest or None)
    paint = Paint(on=edge.colours())
    for each in summaries:
        if args.json:
            edge.say_json(
                "tracekit.runs/1",
                {
                    "run": each.run_id,
                    "root": each.root,
                    "profile": each.profile,
                    "environment": each.environment,
                    "parent": each.parent,
                    "started": each.started_t,
                    "ended": each.ended_t if each.ended else None,
                    "reason": each.reason,
                    "counts": each.counts,
                    "live": each.live,
                    "pinned": each.pinned,
                    "imported": bool(each.imported),
                    "bytes": each.disk_bytes,
                    "fingerprint": each.fingerprint,
                    **each.facts,
                },
            )
            continue
        at = (
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each.started_t / 1e9))
            if each.started_t
            else "?"
        )
        took = seconds(each.ended_t - each.started_t) if each.ended else each.reason or "not ended"
        reason = f"  {edge.clean(each.reason)}" if each.ended and each.reason != "finished" else ""
        child = paint.dim(f"  rerun of {each.parent}") if each.parent else ""
        if purpose := each.facts.get("purpose"):
            child = paint.dim(f"  asked by {edge.clean(str(purpose))}")
        if (chosen := each.facts.get("chosen")) is not None and not each.parent:
            child += paint.dim(f"  {chosen:,} chosen")
        if each.pinned is not None:
            child += paint.dim(f"  pinned: {edge.clean(each.pinned)}" if each.pinned else "  pinned")
        if each.imported:
            child += paint.dim("  imported")
        counts, root = counted(each.counts, paint), edge.clean(each.root)
        edge.write(f"{each.run_id}  {paint.dim(at)}  {took:>9}  {counts}  {root}{reason}{child}")
    if not summaries and not args.json:
        edge.say("no runs yet: `tracekit run` makes the first, `tracekit demo` shows how")
    return edge.OK
