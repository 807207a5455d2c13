"""P8: the N-th call of the recording fails, for every N until none does; verdicts stay, and what is missing is told."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import Any

from tests.support.agents.driving import box, fake_agent
from tests.torture import p8_disks, p8_store
from tests.torture.agents import Run, root
from tests.torture.registry import Outcome

TESTS = 6
OPTIONS = {"tests": TESTS, "output": ["a line\n"], "stdout": "collected", "exit": 3, "sleep": 0.005}
MOST = 400
EXTRA = "from tests.support.agents.faulty import failing; system = failing({at}, lasting={lasting}, flag={flag!r})"


def _one(base: str, at: int, lasting: bool, outcome: Outcome) -> bool:
    """One run whose call number `at` fails; says whether any call was made to fail."""
    place = root(base, f"{'all' if lasting else 'one'}{at}")
    flag = str(place / "failed")
    name = f"{'from' if lasting else 'at'} call {at}"
    with box(place, fake_agent(EXTRA.format(at=at, lasting=lasting, flag=flag)), idle=1.0) as made:
        try:
            run = Run(made, OPTIONS)
            told = run.link.until(
                lambda event: (
                    event["type"] == "error" or (event["type"] == "lengths" and event["state"] == "ended")
                ),
                30.0,
            )
        except AssertionError as fault:
            outcome.fault(f"{name}: {str(fault)[:200]}")
            return True
        failed = os.path.exists(flag)  # noqa: PTH110
        for text in _breaches(run, told, failed=failed, lasting=lasting):
            outcome.fault(f"{name}: {text}")
        return failed


def _breaches(run: Run, told: dict[str, Any], *, failed: bool, lasting: bool) -> list[str]:
    if told["type"] == "error" or told["reason"] == "failed-to-start":
        # A disk that holds nothing at all, for good, cannot begin a run; that is said, and no verdict is given.
        return [] if lasting and failed and not run.own_count() else [f"not started: {told}"]
    found = []
    if told["verdicts"] != {"passed": TESTS} or told["reason"] != "finished":
        found.append(f"verdicts {told['verdicts']} reason {told['reason']}")
    if len(run.own_count()) != TESTS:
        found.append(f"the tests counted {len(run.own_count())}")
    lost = doubled = torn = gaps = 0
    with contextlib.suppress(FileNotFoundError):
        lost, doubled, torn, gaps = run.faults(whole=False)
    if doubled or torn or gaps:
        found.append(f"journal doubled {doubled} torn {torn} gaps {gaps}")
    if (lost or not run.over()) and not told["incomplete"]:
        found.append(f"{lost} lost and not told")
    return found


def main(scale: float) -> Outcome:
    """Every N at full scale, each tenth at a tenth; once for a single failure, once for a disk that stays full."""
    outcome = Outcome()
    step = max(1, round(1 / scale))
    runs = 0
    with tempfile.TemporaryDirectory() as base:
        for lasting in (False, True):
            for at in range(1, MOST, step):
                runs += 1
                if not _one(base, at, lasting, outcome) or len(outcome.faults) > 20:
                    break
    store = p8_store.torture(scale, outcome)
    disks = p8_disks.torture(outcome)
    outcome.figures = {"runs": runs, "store": store, "disks": disks, "verdicts_changed": len(outcome.faults)}
    return outcome
