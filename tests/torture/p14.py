"""P14: nothing is left behind, here and over SSH, whoever ends the run and whatever dies; what should go on does."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.agents.driving import Box, box
from tests.torture import cargo_tests
from tests.torture.agents import HARD_TREE, NAMELESS, Run, kill, root, wait
from tests.torture.p14_boxes import over_ssh
from tests.torture.registry import Outcome, scaled

ROUNDS = 10
#: Recorders of the tracer that come and go, in one process and each in its own.
ACTIVATIONS = 10_000
RECORDERS = ("activations_in_processes", "activations_in_one_process")
WITHIN = 5.0
OPTIONS = {"tests": 3, "hang_at": "fake:t.py::test_1", "children": [HARD_TREE, NAMELESS]}
GOES_ON = {"tests": 100, "sleep": 0.01, "children": [HARD_TREE]}


def _begin(made: Box, outcome: Outcome, options: dict[str, object]) -> Run:
    run = Run(made, dict(options))
    if not run.under_way():
        outcome.fault("never under way")
    return run


def cancel(made: Box, outcome: Outcome) -> float:
    """At the moment the end is told, nothing lives."""
    run = _begin(made, outcome, OPTIONS)
    began = time.monotonic()
    run.link.client.cancel(run.id)
    run.link.end_of(run.id)
    taken = time.monotonic() - began
    if left := made.survivors():
        outcome.fault(f"cancel: {len(left)} left")
    return taken


def detach(made: Box, outcome: Outcome, number: int) -> None:
    """The console's end leaves the run to its own."""
    run = _begin(made, outcome, GOES_ON)
    run.link.process.send_signal(number)
    if not wait(run.over) or len(run.own_count()) != GOES_ON["tests"]:
        outcome.fault(f"detach by {number}: the run did not go on")
    if not wait(lambda: not made.survivors(), WITHIN):
        outcome.fault(f"detach by {number}: something is left after the end")


def dead_daemon(made: Box, outcome: Outcome) -> None:
    """It is started again and the run goes on."""
    run = _begin(made, outcome, GOES_ON)
    kill(made, "daemon")
    if not wait(run.over) or len(run.own_count()) != GOES_ON["tests"]:
        outcome.fault("dead daemon: the run did not go on")
    if not wait(lambda: not made.survivors(), WITHIN):
        outcome.fault("dead daemon: something is left after the end")


def dead_supervisor(made: Box, outcome: Outcome, *roles: str) -> float:
    """Nothing lives within five seconds."""
    run = _begin(made, outcome, OPTIONS)
    began = time.monotonic()
    kill(made, *roles)
    if not wait(lambda: not made.survivors(), WITHIN):
        outcome.fault(f"dead {'+'.join(roles)}: {len(made.survivors())} left after {WITHIN:g} s")
    taken = time.monotonic() - began
    if not wait(run.over):
        outcome.fault(f"dead {'+'.join(roles)}: the run was never ended")
    return taken


def all_dead(made: Box, outcome: Outcome) -> None:
    """Nothing lives once the next daemon has started."""
    run = _begin(made, outcome, OPTIONS)
    kill(made, "daemon", "superv", "warden")
    run.link.close()
    made.link("next").hello()
    if not wait(lambda: not made.survivors(), WITHIN):
        outcome.fault("all dead: something is left")
    if not wait(run.over):
        outcome.fault("all dead: the run was never ended")


def main(scale: float) -> Outcome:
    """Every way to end, several times; afterwards no process of the agent itself is left either."""
    outcome = Outcome()
    rounds = scaled(ROUNDS, scale)
    cancels: list[float] = []
    deaths: list[float] = []
    ways: list[Callable[[Box], object]] = [
        lambda made: cancels.append(cancel(made, outcome)),
        lambda made: detach(made, outcome, signal.SIGHUP),
        lambda made: detach(made, outcome, signal.SIGKILL),
        lambda made: dead_daemon(made, outcome),
        lambda made: deaths.append(dead_supervisor(made, outcome, "superv")),
        lambda made: deaths.append(dead_supervisor(made, outcome, "daemon", "superv")),
        lambda made: all_dead(made, outcome),
    ]
    with tempfile.TemporaryDirectory() as base:
        for number in range(rounds):
            for index, way in enumerate(ways):
                with box(root(base, f"{number}-{index}"), idle=0.3) as made:
                    way(made)
                    for link in made.links:
                        link.close()
                    if not wait(lambda made=made: not any(made.role_pids().values()), WITHIN):  # type: ignore[misc]
                        outcome.fault(f"way {index}: an agent process stays: {made.role_pids()}")
        boxes = over_ssh(Path(base) / "ssh", scale, outcome)
    told = cargo_tests.run(
        "tracekit-tracer-backend",
        "activations",
        "P14",
        {"TRACEKIT_ACTIVATIONS": scaled(ACTIVATIONS, scale)},
    )
    if not told.ok or len(told.lines) != len(RECORDERS):
        outcome.fault(f"recorders: {told.error or told.lines}")
    recorders = {name: line[name] for line in told.lines for name in RECORDERS if name in line}
    outcome.figures = {
        "rounds": rounds,
        "ends": rounds * len(ways),
        "left": len(outcome.faults),
        "slowest_cancel_s": f"{max(cancels, default=0):.2f}",
        "slowest_death_s": f"{max(deaths, default=0):.2f}",
        **boxes,
        **recorders,
    }
    return outcome
