"""`tracekit attach`: follow a run that goes on without a console, or open it where it has ended."""

from __future__ import annotations

import argparse

from tracekit.cli import project


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "run", nargs="?", default="last", metavar="RUN", help="a run id, a part of it, or `last`"
    )
    parser.add_argument("--json", action="store_true", help="the journal, from its beginning, live")


def run(args: argparse.Namespace) -> int:
    """Attach and follow; ctrl-c leaves, and the run goes on."""
    from tracekit.cli.live import Signals, follow, submitted
    from tracekit.engine.engine import Engine
    from tracekit.engine.requests import Attach

    with Signals().caught() as signals, Engine(project.places()) as engine:
        view = submitted(engine, Attach(args.run), signals)
        return follow(engine, view, signals, as_json=args.json, ours=False)
