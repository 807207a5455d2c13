"""KEYS: random keys, clicks and sizes on the whole console, and it stands, whenever what it waits for comes.

Sessions of random steps over prepared runs, whose answers come late by so many turns of the loop, and over real ones,
with an agent. A breach is an exception, a screen that paints nothing or something else than it holds, a line that is
wider than the terminal, a screen that esc does not lead back from, and whatever is left afterwards. What broke is made
small and printed; `python -m tests.torture.keys WORLD SEED [STEP …]` plays it again.
"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import sys
import time

from tests.torture.keys_real import WORLDS as REAL
from tests.torture.keys_real import Machine, machine
from tests.torture.keys_sessions import Breach, play
from tests.torture.keys_steps import plan
from tests.torture.keys_worlds import PREPARED
from tests.torture.registry import Outcome

MINUTES, CI_MINUTES = 60.0, 0.4
WORLDS = (*PREPARED, *REAL)
LENGTH, CI_LENGTH = 250, 100
SEED = 20_26
SMALLER_TRIES, SMALLER_SECONDS = 60, 60.0
MOST = 5
#: Of an hour's sessions, that many come before memory counts: every screen has been met and every cache filled.
WARM = 1 / 3
MOST_GROWN = 24 * 1024 * 1024


def main(scale: float) -> Outcome:
    """An hour of it at full scale, each time of other sessions; in CI as long as a minute holds."""
    if scale >= 1:
        return torture(random.SystemRandom().randrange(10_000, 10**9), 60 * MINUTES, LENGTH)
    return torture(SEED, 60 * CI_MINUTES, CI_LENGTH)


def torture(seed: int, seconds: float, length: int) -> Outcome:
    """Sessions with seeds from this one on, over each of the worlds in turn, for so long."""
    outcome, began = Outcome(), time.monotonic()
    end = began + seconds
    sessions = steps = paints = warm = 0
    seen: set[str] = set()
    with machine() as on:
        while time.monotonic() < end and len(outcome.faults) < MOST:
            world, number = WORLDS[sessions % len(WORLDS)], seed + sessions
            planned = plan(number, length)
            told = play(world, number, planned, on if world in REAL else None)
            sessions, steps, paints = sessions + 1, steps + told.steps, paints + told.paints
            if not warm and time.monotonic() > began + seconds * WARM:
                warm = held()
            if told.breach is not None and told.breach.key not in seen:
                seen.add(told.breach.key)
                small = smaller(world, number, planned[: told.steps], told.breach, on)
                outcome.fault(f"{world} {number}: {told.breach.words}\n   steps: {small!r}")
        if left := on.left():
            outcome.fault(f"{len(left)} processes are left: {left}")
    if seconds >= 60 * MINUTES and warm and (grown := held() - warm) > MOST_GROWN:
        outcome.fault(f"memory grew by {grown >> 20} MiB after the first {WARM * seconds / 60:.0f} minutes")
    outcome.figures = {
        "seed": seed,
        "warm_mib": warm >> 20,
        "end_mib": held() >> 20,
        "sessions": sessions,
        "steps": steps,
        "paints": paints,
        "breaches": len(outcome.faults),
    }
    return outcome


def held() -> int:
    """The bytes of memory that this process holds, without what only waits to be collected."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - a file of the kernel's
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run(scale: float) -> str:
    """The promise as one line."""
    return main(scale).line("KEYS")


def smaller(world: str, seed: int, steps: list[str], breach: Breach, on: Machine) -> list[str]:
    """Fewer steps that break the same thing, as far as that is found quickly."""
    end, tries, size = time.monotonic() + SMALLER_SECONDS, SMALLER_TRIES, max(1, len(steps) // 2)
    while size >= 1 and tries > 0 and time.monotonic() < end:
        at = 0
        while at < len(steps) and tries > 0 and time.monotonic() < end:
            fewer = [*steps[:at], *steps[at + size :]]
            again = play(world, seed, fewer, on if world in REAL else None).breach
            tries -= 1
            if again is not None and again.key == breach.key:
                steps = fewer
            else:
                at += size
        size //= 2
    return steps


def _again(arguments: list[str]) -> str:
    """Play one session again: world, seed, and its steps, or those that were planned."""
    world, seed = arguments[0], int(arguments[1])
    with machine() if world in REAL else contextlib.nullcontext() as on:
        breach = play(world, seed, arguments[2:] or plan(seed, LENGTH), on).breach
    return f"{breach.words if breach is not None else 'no breach'}\n"


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.stdout.write(_again(sys.argv[1:]))
    else:
        told = torture(random.randrange(1 << 30), float(sys.argv[1]) if sys.argv[1:] else 60.0, LENGTH)
        sys.stdout.write("\n".join([*told.faults, told.line("KEYS"), ""]))
