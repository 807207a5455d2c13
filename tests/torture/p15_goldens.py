"""Every golden again and again, in two processes, while others take the machine's time: the same text and picture."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from tests.torture.registry import Outcome
from tests.ui.conftest import GOLDENS, SCREENSHOTS, rendered
from tests.ui.screens import SHOTS

WORKERS, BUSY = 2, 1
CASES = [(number, size) for number, shot in enumerate(SHOTS) for size in shot.sizes]


@dataclass
class Told:
    """How many goldens were rendered how often."""

    goldens: int = 0
    rendered: int = 0


def goldens(times: int, seconds: float, seed: int, outcome: Outcome) -> Told:
    """Each golden so many times, in an order that the seed gives, for no longer than that."""
    cases, end, told = random.Random(seed).sample(CASES, len(CASES)), time.monotonic() + seconds, Told()
    spawn = multiprocessing.get_context("spawn")
    busy = [spawn.Process(target=_busy, daemon=True) for _ in range(BUSY)]
    for each in busy:
        each.start()
    try:
        with ProcessPoolExecutor(WORKERS, mp_context=spawn, initializer=_plain) as pool:
            waiting = [pool.submit(_render, *case, times, end) for case in cases]
            for done in as_completed(waiting):
                number, faults = done.result()
                told.goldens += number == times
                told.rendered += number
                for fault in faults:
                    outcome.fault(fault)
    finally:
        for each in busy:
            each.terminate()
            each.join()
    return told


def _plain() -> None:
    """The same colours in every terminal and in none, as the goldens were made."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        os.environ.pop(name, None)
    os.environ["TRACEKIT_GOLDEN"] = "1"


def _busy() -> None:
    while True:
        pass


def _render(number: int, size: tuple[int, int], times: int, end: float) -> tuple[int, list[str]]:
    """One golden so many times; how often there was time for it, and what differed."""
    shot = SHOTS[number]
    faults: list[str] = []
    name = f"{shot.name}.{size[0]}x{size[1]}"
    kept = ((GOLDENS / f"{name}.txt").read_text("utf-8"), (SCREENSHOTS / f"{name}.svg").read_text("utf-8"))
    for turn in range(times):
        if time.monotonic() > end:
            return turn, faults
        try:
            told = rendered(shot.make, size, shot.before)
        except Exception as error:  # noqa: BLE001 - a screen that breaks is no screen that is the same
            faults.append(f"{name}, time {turn + 1}: {type(error).__name__}: {error}")
            continue
        if told != kept:
            rows = zip(kept[0].split("\n"), told[0].split("\n"), strict=False)
            first = next(
                (f"row {n}: {a!r}, now {b!r}" for n, (a, b) in enumerate(rows) if a != b), "the picture"
            )
            faults.append(f"{name}, time {turn + 1} differs: {first}")
    return times, faults
