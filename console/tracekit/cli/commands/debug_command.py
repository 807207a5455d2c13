"""`tracekit debug`: run one recorded scenario again in the foreground, with its debugger, as it was launched."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracekit.cli import edge, project
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.engine.debugging import ByHand
    from tracekit.engine.spots import Spot


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
            "tracekit.debug/1",
            {
                "scenario": scenario,
                "command": list(found.words),
                "cwd": found.cwd,
                **({"box": found.box.name} if found.box is not None else {}),
            },
        )
        return edge.OK
    there = f"on {found.box.name}: " if found.box is not None else ""
    edge.write(edge.clean(f"{there}cd {shlex.quote(found.cwd)} && {shlex.join(found.words)}"))
    if found.without:
        _left_out(found.without, "whose secret is not known any more")
    if args.only_print:
        return edge.OK
    if found.box is not None:
        return _there(found, found.box)
    try:
        return subprocess.run(found.words, cwd=found.cwd, env=found.environ, check=False).returncode
    except OSError as fault:
        what = f"it could not be started: {fault.strerror or fault}"
        raise ProblemError(
            Problem("debug.start", what, found.words[0], "is its interpreter there?")
        ) from fault
    except KeyboardInterrupt:
        return 130


def _there(found: ByHand, box: Spot) -> int:
    """Be a terminal on the box that ran it, until the debugger there ends."""
    import anyio

    from tracekit.cli import asking, once
    from tracekit.engine.boxes import Ways
    from tracekit.link.shell import command, shell

    ways = Ways(project.places(), asker=asking.asker(), once=once.handed())
    link = ways.link(box.host, box.user, box.port, box.pinned)

    def line(room: str) -> str:
        if found.secret and not room:
            _left_out(sorted(found.secret), "for whose secret the box has no safe way in")
        return command(found.cwd, found.environ, found.words, room)

    return anyio.run(shell, link, line, found.secret)


def _left_out(names: Sequence[str], why: str) -> None:
    edge.say_error(edge.clean(f"without {', '.join(names)}, {why}"))
