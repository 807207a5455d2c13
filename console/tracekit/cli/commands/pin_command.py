"""`tracekit pin`: keep a run whatever the limits say, with the reason beside it."""

from __future__ import annotations

import argparse

from tracekit.cli import edge, project
from tracekit.wire.problems import Problem, ProblemError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run", metavar="RUN", help="a run id, a part of it, or `last`")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--reason", metavar="TEXT", default="", help="why, for whoever finds it later")
    how.add_argument("--remove", action="store_true", help="leave the run to the limits again")
    parser.add_argument("--json", action="store_true", help="one JSON line")


def run(args: argparse.Namespace) -> int:
    """Pin, or take the pin away."""
    from tracekit.store.keeping import pin, unpin
    from tracekit.store.runs import MAX_REASON, RunStore

    folder = RunStore(project.places().state).find(args.run)
    if args.remove:
        was = unpin(folder)
        said = f"{folder.run_id} is left to the limits again" if was else f"{folder.run_id} was not pinned"
    else:
        if len(args.reason) > MAX_REASON:
            what = f"the reason is longer than {MAX_REASON} characters"
            raise ProblemError(Problem("cli.reason", what, folder.run_id, "say it shorter"))
        pin(folder, args.reason)
        said = f"{folder.run_id} is pinned" + (f": {folder.pinned}" if folder.pinned else "")
    if args.json:
        edge.say_json("tracekit.pin/1", {"run": folder.run_id, "pinned": folder.pinned})
    else:
        edge.say(said)
    return edge.OK
