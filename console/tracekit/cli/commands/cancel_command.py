"""`tracekit cancel`: stop a run, or one scenario of it, and everything it started."""

from __future__ import annotations

import argparse

from tracekit.cli import edge, project
from tracekit.wire.problems import Problem, ProblemError

_PATIENCE = 60.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "run", nargs="?", default="last", metavar="RUN", help="a run id, a part of it, or `last`"
    )
    parser.add_argument(
        "scenario", nargs="?", metavar="SCENARIO", help="only this scenario; the rest goes on"
    )


def run(args: argparse.Namespace) -> int:
    """Cancel and wait until nothing is left."""
    from tracekit.cli.live import submitted
    from tracekit.engine.engine import Engine
    from tracekit.engine.requests import Attach, Cancel

    with Engine(project.places()) as engine:
        view = submitted(engine, Attach(args.run))
        if not view.live:
            edge.say(f"run {view.run_id} has ended already ({view.state.run.reason or 'no end recorded'})")
            return edge.OK
        submitted(engine, Cancel(view.run_id, args.scenario))
        if args.scenario is not None:
            edge.say(f"asked {view.run_id} to stop {args.scenario}")
            return edge.OK
        if not view.done.wait(_PATIENCE):
            raise ProblemError(
                Problem(
                    "run.not_ended",
                    "the run has not ended yet",
                    view.run_id,
                    "`tracekit doctor` shows what runs",
                )
            )
        edge.say(f"cancelled {view.run_id}")
    return edge.OK
