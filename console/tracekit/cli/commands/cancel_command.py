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


def _one(engine: Engine, view: RunView, text: str) -> int:
    from tracekit.cli.live import submitted
    from tracekit.engine.requests import Cancel
    from tracekit.model.matching import meant, one_of
    from tracekit.model.state import Status

    def running() -> list[str]:
        with view.lock:
            state = view.state
            return [
                each for each, status in zip(state.ids, state.status, strict=True) if status == Status.RUNNING
            ]

    def status() -> Status:
        with view.lock:
            return Status(view.state.status[view.state.index[scenario]])

    # What is recorded so far is being read while we look.
    _within(_CAUGHT_UP, lambda: bool(meant(text, running())))
    # A part of an id is enough where it is the only one that runs.
    scenario = one_of(text, meant(text, running()) or list(view.state.ids), view.run_id)
    if (found := status()) != Status.RUNNING:
        what = f"the scenario is not running, it is {found.word}"
        raise ProblemError(
            Problem("cli.not_running", what, scenario, f"`tracekit show {view.run_id}` lists them")
        )
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
