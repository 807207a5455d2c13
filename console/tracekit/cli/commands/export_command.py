"""`tracekit export`: a recorded run as one portable file, or in another tool's format."""

from __future__ import annotations

import argparse

from tracekit.cli import edge, project


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "run", nargs="?", default="last", metavar="RUN", help="a run id, a part of it, or `last`"
    )
    forms = parser.add_mutually_exclusive_group(required=True)
    forms.add_argument(
        "--bundle", metavar="FILE", help="the whole run as one file, for `tracekit import` and `replay`"
    )
    forms.add_argument(
        "--junit", metavar="FILE", help="JUnit XML, with flaky and rerun attempts; - prints it"
    )
    forms.add_argument("--ctrf", metavar="FILE", help="the Common Test Report Format; - prints it")
    forms.add_argument(
        "--perfetto",
        metavar="FILE",
        help="the trace, for ui.perfetto.dev and its trace processor; - prints it",
    )
    forms.add_argument("--chrome", metavar="FILE", help="the trace as Chrome's trace events; - prints it")
    forms.add_argument("--json", metavar="FILE", help="the journal, line by line; - prints it")


def run(args: argparse.Namespace) -> int:
    """Write it."""
    if args.bundle is not None:
        return _bundle(args.run, args.bundle)
    from tracekit.cli.live import submitted
    from tracekit.engine.engine import Engine
    from tracekit.engine.requests import Replay
    from tracekit.report.files import BINARY, FORMATS, export

    with Engine(project.places(writable=False)) as engine:
        view = submitted(engine, Replay(args.run))
        form = next(form for form in (*FORMATS, *BINARY) if getattr(args, form) is not None)
        export(view, form, getattr(args, form))
    return edge.OK


def _bundle(name: str, target: str) -> int:
    from tracekit.report.files import export_bundle
    from tracekit.store.runs import RunStore

    export_bundle(RunStore(project.places(writable=False).state).find(name), target)
    return edge.OK
