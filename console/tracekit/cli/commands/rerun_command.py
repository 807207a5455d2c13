"""`tracekit rerun`: scenarios of an earlier run again, as a child of it, with the same flags."""

from __future__ import annotations

import argparse

from tracekit.cli import asking, project
from tracekit.cli.project_arguments import count, isolate_argument, trace_argument


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "run", nargs="?", default="last", metavar="RUN", help="a run id, a part of it, or `last`"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--failed", action="store_true", help="what is red in that run (the default)")
    which.add_argument(
        "--outstanding", action="store_true", help="what was red anywhere up its tree and is not green since"
    )
    which.add_argument("--all", action="store_true", help="everything that run was asked to run")
    which.add_argument(
        "-s",
        "--select",
        action="append",
        metavar="ID",
        dest="ids",
        help="this scenario; or what a selector with a field chooses of that run: `suite:NAME`, `kind:fuzz`",
    )
    parser.add_argument(
        "--until-failure",
        type=count,
        default=0,
        metavar="N",
        help="again and again, up to N times, until something is red",
    )
    isolate_argument(parser)
    trace_argument(parser)
    parser.add_argument(
        "--in-order",
        action="store_true",
        help="run the scenarios of -s exactly in the order in which they are given, in one process",
    )
    parser.add_argument("--json", action="store_true", help="the journal, live, line by line")


def run(args: argparse.Namespace) -> int:
    """Run again and follow."""
    from tracekit.cli.github_job import GithubJob
    from tracekit.cli.live import follow, pace, submitted
    from tracekit.cli.signals import Signals
    from tracekit.engine.engine import Engine
    from tracekit.engine.requests import Rerun

    request = Rerun(args.run, "all" if args.until_failure and not args.failed else "failed")
    if args.outstanding:
        request = Rerun(args.run, "outstanding")
    elif args.all:
        request = Rerun(args.run, "all")
    elif args.ids:
        request = Rerun(args.run, "ids", tuple(args.ids))
    request = request._replace(
        until_failure=args.until_failure,
        in_order=args.in_order,
        isolate=tuple(args.isolate),
        trace=args.trace,
    )
    with (
        Signals().caught() as signals,
        Engine(project.places(), asker=asking.asker(), pace=pace(as_json=args.json)) as engine,
    ):
        view = submitted(engine, request, signals)
        job = GithubJob(engine.places, as_json=args.json)
        with job.outside_text():
            code = follow(engine, view, signals, as_json=args.json)
        job.tell(view)
        return code
