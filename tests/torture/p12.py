"""P12: hostile profiles are refused with file:line:key, at once and in little memory."""

from __future__ import annotations

from tests.torture.hostile_profiles import HOSTILE, judge, milliseconds
from tests.torture.registry import Outcome

LIMIT_MS = 100.0


def main(_scale: float) -> Outcome:
    """Every hostile profile, whatever the scale: there are few."""
    outcome = Outcome()
    slowest, slowest_name = 0.0, ""
    for name, text in HOSTILE.items():
        data = text.encode()
        for fault in judge(data):
            outcome.fault(f"{name}: {fault}")
        taken = milliseconds(data)
        if taken > LIMIT_MS:
            outcome.fault(f"{name}: {taken:.0f} ms, {LIMIT_MS:.0f} at most")
        if taken > slowest:
            slowest, slowest_name = taken, name.replace(" ", "-")
    outcome.figures = {
        "profiles": len(HOSTILE),
        "slowest_ms": f"{slowest:.0f}",
        "slowest": slowest_name,
        "broken": len(outcome.faults),
    }
    return outcome
