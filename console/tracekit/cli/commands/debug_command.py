"""`tracekit debug`: run one recorded scenario again in the foreground, with its debugger, as it was launched."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess

from tracekit.cli import edge, project
from tracekit.wire.problems import Problem, ProblemError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run", metavar="RUN", help="a run id, a part of it, or `last`")
    parser.add_argument(
        "scenario", metavar="SCENARIO", help="a scenario of it: an id, an unambiguous part, or a glob"
    )
    parser.add_argument("--print", action="store_true", dest="only_print", help="print the command, and stop")
    parser.add_argument("--json", action="store_true", help="with --print: one JSON line")


def run(args: argparse.Namespace) -> int:
    """Step aside for the suite's own runner; its exit code becomes ours."""
    from tracekit.engine.debugging import by_hand
    from tracekit.engine.history import History
    from tracekit.model.matching import meant, one_of
    from tracekit.store.runs import RunStore

    store = RunStore(project.places(writable=False).state)
    folder = store.find(args.run)
    view = History(store).open(folder)
    with view.lock:
        scenario = one_of(args.scenario, meant(args.scenario, view.state.ids), folder.run_id)
        found = by_hand(folder, view.state, scenario, os.environ)
    if args.json:
        edge.say_json(
            "tracekit.debug/1", {"scenario": scenario, "command": list(found.words), "cwd": found.cwd}
        )
        return edge.OK
    edge.write(edge.clean(f"cd {shlex.quote(found.cwd)} && {shlex.join(found.words)}"))
    if args.only_print:
        return edge.OK
    try:
        return subprocess.run(found.words, cwd=found.cwd, env=found.environ, check=False).returncode
    except OSError as fault:
        what = f"it could not be started: {fault.strerror or fault}"
        raise ProblemError(
            Problem("debug.start", what, found.words[0], "is its interpreter there?")
        ) from fault
    except KeyboardInterrupt:
        return 130
