"""`tracekit cancel`: stop a run, or one scenario of it, and everything it started."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tracekit.cli import edge, project
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.engine.engine import Engine
    from tracekit.engine.view import RunView

_PATIENCE = 60.0
_CAUGHT_UP = 5.0
_TICK = 0.05


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
        if args.scenario is not None:
            return _one(engine, view, args.scenario)
        submitted(engine, Cancel(view.run_id))
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


def _one(engine: Engine, view: RunView, scenario: str) -> int:
    from tracekit.cli.live import submitted
    from tracekit.engine.requests import Cancel
    from tracekit.model.state import Status

    def status() -> Status | None:
        with view.lock:
            index = view.state.index.get(scenario)
            return None if index is None else Status(view.state.status[index])

    # What is recorded so far is being read while we look.
    if not _within(_CAUGHT_UP, lambda: status() == Status.RUNNING):
        found = status()
        what = (
            "no such scenario in this run"
            if found is None
            else f"the scenario is not running, it is {found.word}"
        )
        code = "select.nothing" if found is None else "cli.not_running"
        raise ProblemError(Problem(code, what, scenario, f"`tracekit show {view.run_id}` lists them"))
    submitted(engine, Cancel(view.run_id, scenario))
    if not _within(_PATIENCE, lambda: status() != Status.RUNNING):
        raise ProblemError(
            Problem("run.not_ended", "the scenario has not ended yet", scenario, "cancel the whole run")
        )
    edge.say(f"cancelled {scenario}; the rest of {view.run_id} goes on")
    return edge.OK


def _within(seconds: float, fact: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > end:
            return False
        time.sleep(_TICK)
    return True
