"""P5: rings are right under every interleaving.

All interleavings of a small model, as the memory model allows them, and random schedules of a larger one whose writer
dies after any store. Both are programs of `native/tracer_backend/tests`.
"""

from __future__ import annotations

import os
import subprocess

from tests.torture.cargo_tests import run
from tests.torture.registry import Outcome, scaled
from tools.tasks.common import NATIVE

FULL = 1_000_000
CRATE = "tracekit-tracer-backend"


def main(scale: float) -> Outcome:
    """The model at any scale, the schedules by scale."""
    outcome = Outcome()
    command = [
        "cargo",
        "test",
        "--profile",
        "torture",
        "--locked",
        "-q",
        "-p",
        CRATE,
        "--test",
        "interleavings",
    ]
    model = subprocess.run(
        command,
        cwd=NATIVE,
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    outcome.figures["model"] = "exhaustive"
    if model.returncode:
        outcome.fault(f"model: {model.stdout[-1500:]}{model.stderr[-500:]}")
    count = scaled(FULL, scale)
    told = run(CRATE, "torture", "P5", {"TRACEKIT_TORTURE_SCHEDULES": count, "TRACEKIT_TORTURE_INPUTS": 1})
    for line in told.lines:
        outcome.figures.update(line)
    if not told.ok:
        outcome.fault(told.error)
    return outcome
