"""`tracekit replay`: a recorded run in the console; without a terminal, what it would have printed live."""

from __future__ import annotations

import argparse

from tracekit.cli import edge, project, summary
from tracekit.wire.problems import ProblemError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "target",
        nargs="?",
        default="last",
        metavar="RUN|FILE",
        help="a run, a bundle, a run directory, a journal",
    )
    parser.add_argument("--json", action="store_true", help="the journal's lines")
    parser.add_argument("--headless", action="store_true", help="print instead of opening the console")


def run(args: argparse.Namespace) -> int:
    """Replay; the exit code is the one the run had."""
    if not args.json and not args.headless and edge.on_terminal():
        from tracekit.cli.commands.tui_command import replay

        return replay(args.target)
    from tracekit.cli.live import show_recorded
    from tracekit.engine.history import History
    from tracekit.store.runs import RunStore

    view = History(RunStore(project.places().state)).replay(args.target)
    show_recorded(view, as_json=args.json)
    if view.unread is not None and args.json:
        raise ProblemError(view.unread)
    return summary.outcome(view)
