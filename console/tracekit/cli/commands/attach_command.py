"""`tracekit attach`: follow a run that goes on without a console, or open it where it has ended."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from tracekit.cli import asking, project
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from tracekit.engine.engine import Engine


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "run",
        nargs="?",
        default="",
        metavar="RUN",
        help="a run id, a part of it, or `last`; or a box: its newest run, whoever began it",
    )
    parser.add_argument("--env", metavar="E", dest="environment", help="look for the run on this box")
    parser.add_argument("--profile", metavar="P", help="the profile that names the box")
    parser.add_argument("--json", action="store_true", help="the journal, from its beginning, live")


def run(args: argparse.Namespace) -> int:
    """Attach and follow; ctrl-c leaves, and the run goes on."""
    from tracekit.cli.live import follow, pace, submitted
    from tracekit.cli.signals import Signals
    from tracekit.engine.engine import Engine
    from tracekit.engine.requests import Attach

    with (
        Signals().caught() as signals,
        Engine(project.places(), asker=asking.asker(), pace=pace(as_json=args.json)) as engine,
    ):
        request = Attach(args.run or "last")
        environment = args.environment or _box(engine, args)
        if environment is not None:
            wanted = "" if args.run in {environment, "last"} else args.run
            args.path, args.environment, args.selectors = ".", environment, ()
            found = project.project(args)
            request = Attach(wanted, found.root, found.profile, environment)
        view = submitted(engine, request, signals)
        return follow(engine, view, signals, as_json=args.json, ours=False)


def _box(engine: Engine, args: argparse.Namespace) -> str | None:
    """The box that was named instead of a run: only where no run here is called so."""
    if not args.run:
        return None
    from tracekit.config import loader, roots

    try:
        engine.store.find(args.run)
    except ProblemError:
        try:
            root = roots.find_root(os.path.abspath("."))
            flags = {"profile": args.profile, "environment": args.run}
            config = loader.load(root, flags=flags, environ=os.environ, implicit=False)
        except ProblemError:
            return None
        found = config.profile.environment(args.run)
        return args.run if found is not None and found.remote else None
    return None
