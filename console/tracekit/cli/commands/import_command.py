"""`tracekit import`: a bundle from elsewhere becomes a run of this machine: shown and replayed, never run again."""

from __future__ import annotations

import argparse
from pathlib import Path

from tracekit.cli import edge, project, runwords


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="what `tracekit export RUN --bundle FILE` wrote")
    parser.add_argument("--json", action="store_true", help="one JSON line")


def run(args: argparse.Namespace) -> int:
    """Bring it in; the same bundle twice is the same run."""
    from tracekit.engine.history import History
    from tracekit.store.bundle import bring_in
    from tracekit.store.runs import RunStore

    places = project.places()
    store = RunStore(places.state)
    folder, new = bring_in(store, Path(args.file), places.now_ns())
    row = History(store).summary(folder)
    if args.json:
        edge.say_json("tracekit.import/1", {"run": folder.run_id, "new": new, "counts": row.counts})
    else:
        did = "imported" if new else "is here already:"
        edge.say(f"{did} {folder.run_id}, {runwords.size(folder.disk_bytes())}")
        edge.say(f"look at it: tracekit show {folder.run_id}")
    return edge.OK
