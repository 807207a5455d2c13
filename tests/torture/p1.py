"""P1: what a process had recorded when it was killed is there: whole, in order, as far as the ring's window goes.

The killing is done by `native/tracer_backend/tests/kill.rs`, with a process of three threads that is ended at a random
moment, half of the time while it is drained.
"""

from __future__ import annotations

from tests.torture.cargo_tests import run
from tests.torture.registry import Outcome, scaled

FULL = 1000


def main(scale: float) -> Outcome:
    """Every round's records are compared with what the process itself had counted."""
    outcome = Outcome()
    kills = scaled(FULL, scale)
    told = run("tracekit-tracer-backend", "kill", "P1", {"TRACEKIT_KILLS": kills})
    for line in told.lines:
        outcome.figures.update(line)
    if not told.ok:
        outcome.fault(told.error)
    if outcome.figures.get("kills") != str(kills):
        outcome.fault(f"{outcome.figures.get('kills')} processes were killed instead of {kills}")
    return outcome
