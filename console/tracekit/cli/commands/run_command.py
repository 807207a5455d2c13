"""`tracekit run`: start scenarios and follow them until they end."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracekit.cli import early, edge
from tracekit.cli.project_arguments import (
    at_once_argument,
    count,
    isolate_argument,
    project_arguments,
    trace_argument,
)
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.cli.project import Project
    from tracekit.cli.signals import Signals
    from tracekit.engine.engine import Engine
    from tracekit.engine.places import Places
    from tracekit.engine.requests import Launch
    from tracekit.link.bridge import Bridge

#: Runners whose tests have to be built before anybody can say which there are.
_BUILT = frozenset({"cargo", "go"})


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    project_arguments(parser)
    parser.add_argument("--json", action="store_true", help="the journal, live, line by line")
    stays = parser.add_mutually_exclusive_group()
    stays.add_argument(
        "--detach", action="store_true", help="leave once the agent has accepted; the run goes on"
    )
    parser.add_argument(
        "--accept-new", action="store_true", help="trust a box whose host key is not known yet, from now on"
    )
    parser.add_argument(
        "--junit", metavar="FILE", help="write JUnit XML at the end, whatever the verdicts are"
    )
    parser.add_argument(
        "--retries",
        type=count,
        default=0,
        metavar="N",
        help="run what is red again, up to N times; each adds an attempt",
    )
    parser.add_argument(
        "--share", action="store_true", help="deal the scenarios to the boxes of --env a,b, longest first"
    )
    parser.add_argument(
        "--lost-after",
        type=count,
        default=60,
        metavar="SECONDS",
        help="with several boxes: how long one may be away before it is lost (default: 60)",
    )
    isolate_argument(parser)
    trace_argument(parser)
    parser.add_argument(
        "--fail-on-flaky", action="store_true", help="exit 1 when a scenario passed only after a red attempt"
    )
    parser.add_argument(
        "--strict-recording",
        action="store_true",
        help="exit 6 when nothing is red and the record of the run is not whole, as on a full disk",
    )
    at_once_argument(parser)
    parser.add_argument(
        "--shuffle", action="store_true", help="in an order drawn from the seed; a rerun keeps both"
    )
    parser.add_argument(
        "--seed", type=count, metavar="S", help="the seed of the run; drawn and told otherwise"
    )
    stays.add_argument(
        "--watch",
        action="store_true",
        help="then wait: a saved file runs what failed, else what it concerns; ctrl-c ends",
    )
    parser.set_defaults(args=())
    parser.usage = "tracekit run [options] [PATH] [-- ARGS]"
    parser.description = (
        f"{parser.description}; ARGS behind -- reach the runner untouched and stay with every rerun"
    )


def run(args: argparse.Namespace) -> int:
    """Run and follow."""
    _held(args)
    with early.bridge(args.environment) as bridge:
        # Behind its start: reading a project's configuration takes as long as an agent takes to load.
        from tracekit.cli import project

        found = project.project(args, runs=True)
        if args.junit is not None:
            from tracekit.report.files import writable

            # Whoever waits for a run is not told behind it that its report has no place.
            writable(args.junit)
        places = project.places()
        begun = project.begun(places, here=found.here, early=bridge)

    from tracekit.cli.signals import Signals

    with Signals().caught() as signals:
        request = _request(args, found)
        ahead = None
        if bridge is not None and begun is bridge and not args.watch and not args.share:
            ahead = early.run(bridge, request, places)
        return _followed(args, signals, request._replace(begun=ahead), places, begun)


def _request(args: argparse.Namespace, found: Project) -> Launch:
    from tracekit.engine.requests import Launch

    return Launch(
        found.root,
        found.profile,
        found.settings.environment,
        selectors=found.selectors,
        args=tuple(args.args),
        seed=args.seed,
        retries=args.retries,
        shuffle=args.shuffle,
        isolate=tuple(args.isolate),
        trace=args.trace,
        at_once=args.at_once,
        looking=_looking,
    )


def _followed(
    args: argparse.Namespace, signals: Signals, request: Launch, places: Places, begun: Bridge | None
) -> int:
    """What goes on from here needs the engine, which loads while the tests of a run that has begun start."""
    from tracekit.cli import asking
    from tracekit.cli.github_job import GithubJob
    from tracekit.cli.live import follow, pace, submitted
    from tracekit.engine.engine import Engine

    with Engine(
        places,
        asker=asking.asker(),
        accept_new=args.accept_new,
        begun=begun,
        pace=pace(as_json=args.json),
        console=request.begun.console if request.begun is not None else "",
    ) as engine:
        boxes = request.environment.split(",")
        if len(boxes) > 1 or args.share:
            return _several(args, engine, signals, request, boxes)
        if args.watch:
            from tracekit.cli.watching import watch

            return watch(engine, signals, request, as_json=args.json, junit=args.junit)
        view = submitted(engine, request, signals)
        if args.detach:
            edge.say(view.run_id)
            return edge.OK
        job = GithubJob(engine.places, as_json=args.json)
        with job.outside_text():
            code = follow(engine, view, signals, as_json=args.json, fail_on_flaky=args.fail_on_flaky)
        job.tell(view)
        if args.strict_recording:
            from tracekit.cli.strict import strictly

            code = strictly(view, code)
        if args.junit is not None and view.done.is_set():
            from tracekit.report.files import export

            export(view, "junit", args.junit)
        return code


def _held(args: argparse.Namespace) -> None:
    """Raise ProblemError for what cannot be kept: nobody here sees the end of a run that goes on alone."""
    for flag, given in (("--detach", args.detach), ("--watch", args.watch)):
        if given and args.strict_recording:
            what = f"--strict-recording is for a run that is followed to its end, which {flag} is not"
            raise ProblemError(
                Problem(
                    "cli.strict", what, flag, "leave one of them out; `tracekit verify RUN` looks at a record"
                )
            )


def _looking(suites: Sequence[tuple[str, str]]) -> None:
    """Say what is built before anything can be chosen of it: that may take minutes."""
    built = [f"{runner} ({name})" if name else runner for runner, name in suites if runner in _BUILT]
    if built:
        verb = "is" if len(built) == 1 else "are"
        edge.say_error(f"tracekit: looking for what is meant: {', '.join(built)} {verb} built first")


def _several(
    args: argparse.Namespace, engine: Engine, signals: Signals, request: Launch, boxes: list[str]
) -> int:
    """The same on several boxes, or shared among them."""
    import os

    from tracekit.cli.several import Several
    from tracekit.config import loader

    one = (("--watch", args.watch), ("--detach", args.detach), ("--junit", args.junit))
    for flag, given in (*one, ("--strict-recording", args.strict_recording)):
        if given:
            what = f"{flag} is for one environment"
            raise ProblemError(Problem("cli.several", what, ",".join(boxes), "name one, or leave it out"))
    if len(set(boxes)) < len(boxes):
        raise ProblemError(Problem("cli.several", "a box stands twice", ",".join(boxes), "name each once"))
    flags = {"profile": request.profile, "environment": boxes[0]}
    config = loader.load(request.root, flags=flags, environ=os.environ)
    how = {"lost_after": float(args.lost_after), "as_json": args.json, "share": args.share}
    return Several(engine, signals, request, boxes, config.profile, **how).run()
