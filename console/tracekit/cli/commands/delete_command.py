"""`tracekit delete`: take exactly these runs off the disk, or none of them."""

from __future__ import annotations

import argparse

from tracekit.cli import edge, project
from tracekit.model.words import count, weight


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run id, a part of it, or `last`")
    parser.add_argument(
        "--pinned", action="store_true", help="pinned runs too; a live run is never deleted: cancel it first"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line")


def run(args: argparse.Namespace) -> int:
    """Delete them; nothing is deleted when one of them must stay."""
    from tracekit.engine.history import History
    from tracekit.engine.keeping import Keeper
    from tracekit.store.runs import RunStore

    places = project.places()
    store = RunStore(places.state)
    folders = list({folder.run_id: folder for folder in map(store.find, args.runs)}.values())
    freed = Keeper(History(store), places.now_ns).delete(folders, pinned=args.pinned)
    if args.json:
        edge.say_json("tracekit.delete/1", {"runs": [folder.run_id for folder in folders], "bytes": freed})
    else:
        edge.say(f"deleted {count(len(folders), 'run')}, {weight(freed)}")
    return edge.OK
