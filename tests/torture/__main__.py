"""`make torture [T=P2,P4] [SCALE=ci]`: each promise in a process of its own, its figures on one line.

A promise that takes longer than its time is broken: it is ended with everything it started. Exit 1 when one
is broken.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time

from tests.torture.registry import PROMISES, WHOLE, Outcome, module_name, written
from tools.tasks.common import say

CI_SCALE = 0.1
# Far above what a promise takes on two cores: a hang must end, a slow machine must not fail.
PATIENCE = {"ci": 900.0, "full": 7200.0}
SHOWN = 10


def scale_of(text: str, promise: str) -> float:
    """The scale of one promise: `ci` is a tenth but for those that run whole; a number is itself."""
    if text == "ci":
        return 1.0 if promise in WHOLE else CI_SCALE
    return float(text or "1")


def inline(promise: str, scale: float) -> int:
    """Run one promise here and print its line."""
    outcome: Outcome = importlib.import_module(module_name(promise)).main(scale)
    for fault in outcome.faults[:SHOWN]:
        say(f"{promise}: {fault}")
    say(outcome.line(promise))
    return 1 if outcome.faults else 0


def apart(promise: str, scale: float, patience: float) -> int:
    """Run one promise in a process group of its own, for so long and no longer."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.torture", "--inline", promise, str(scale)],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        say(f"{promise} BROKEN (no end after {patience:.0f} s)")
        code = 1
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code < 0:
        say(f"{promise} BROKEN (died of signal {-code})")
    return 1 if code else 0


def main(arguments: list[str]) -> int:
    """Run the named promises, or all of them."""
    if arguments[:1] == ["--inline"]:
        return inline(arguments[1], float(arguments[2]))
    text = os.environ.get("SCALE", "")
    names = arguments or os.environ.get("T", "").replace(",", " ").split() or list(PROMISES)
    names = [name.upper() for name in names]
    if unknown := [name for name in names if name not in PROMISES]:
        say(f"unknown promise {', '.join(unknown)}; here: {', '.join(PROMISES)}")
        return 2
    broken = []
    for name in names:
        before = time.monotonic()
        say(f"-- {name}: {PROMISES[name]}")
        if not written(name):
            say(f"{name} MISSING: nothing shows it")
            broken.append(name)
            continue
        if apart(name, scale_of(text, name), PATIENCE["ci" if text == "ci" else "full"]):
            broken.append(name)
        say(f"   {time.monotonic() - before:.1f} s")
    if broken:
        say(f"broken: {', '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
