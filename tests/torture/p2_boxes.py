"""P2 over SSH: daemon, supervisor, warden and console die in every combination while a run of a box is watched."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from pathlib import Path

from tests.torture.agents import wait
from tests.torture.boxes import COUNTS, PATIENCE, ROLES, Lent, Remote, Way, nothing_left, over_boxes
from tests.torture.registry import Outcome, scaled

#: Half over what a run survives, half over everything else.
KILLS, CONSOLES, PER_RUN = 200, 50, 5
SEED = 20_22
ENDING = [
    tuple(chosen)
    for size in range(1, 4)
    for chosen in itertools.combinations(ROLES, size)
    if "superv" in chosen
]
GOING_ON = [("daemon",), ("warden",), ("daemon", "warden")]


class Tally:
    """What all runs add up to; ways of two boxes add to it at once."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.random = random.Random(SEED)
        self.sums: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, **found: int) -> None:
        with self._lock:
            self.sums.update(found)

    def judge(self, run: Remote, name: str, *, whole: bool) -> None:
        """The run has ended, here, and says what its tests counted."""
        code = run.ended()
        if code is None or not run.over():
            self.outcome.fault(f"{name}: the run never ended here (console: {code})")
            return
        if whole and code:
            self.outcome.fault(f"{name}: the console ended with {code}")
        found = run.faults(whole=whole)
        self.add(runs=1, consoles=run.consoles - 1, **found)
        if any(found.values()):
            self.outcome.fault(f"{name}: {found}")
        if said := run.verified():
            self.outcome.fault(f"{name}: {said}")


def _goes_on(tally: Tally, roles: tuple[str, ...], count: int, consoles: int) -> Way:
    """The agent dies again and again, its supervisor apart; the run comes to its own end, whole."""

    def way(box: Lent, label: str) -> None:
        name = "+".join(roles)
        run = Remote(box, label, COUNTS)
        try:
            if not run.grown():
                tally.outcome.fault(f"{name}: never under way")
                return
            for index in range(count):
                wait(lambda: all(box.roles(role) for role in roles), PATIENCE)
                tally.add(kills=box.kill(*roles))
                if index < consoles:
                    run.next_console()
                if not run.grown():
                    tally.outcome.fault(f"{name}: nothing comes any more")
                    return
            run.open_gate()
            tally.judge(run, name, whole=True)
            nothing_left(box, tally.outcome, name, PATIENCE)
        finally:
            run.close()

    return way


def _ends(tally: Tally, roles: tuple[str, ...], *, console: bool) -> Way:
    """The supervisor dies, alone or with others: what was told stands, the rest says why, and nothing lives."""

    def way(box: Lent, label: str) -> None:
        name = "+".join([*roles, *(["console"] if console else [])])
        run = Remote(box, label, COUNTS)
        try:
            if not run.grown():
                tally.outcome.fault(f"{name}: never under way")
                return
            wait(lambda: all(box.roles(role) for role in roles), PATIENCE)
            threading.Event().wait(tally.random.uniform(0, 0.2))
            tally.add(kills=box.kill(*roles))
            if console:
                run.next_console()
            tally.judge(run, name, whole=False)
            nothing_left(box, tally.outcome, name, PATIENCE)
        finally:
            run.close()

    return way


def over_ssh(base: Path, scale: float, outcome: Outcome) -> dict[str, int]:
    """Every combination, as often as the scale says; gives the figures."""
    tally = Tally(outcome)
    # A run over SSH takes its time: short rounds have half as many.
    scale = scale if scale >= 1 else scale / 2
    half, consoles = scaled(KILLS, scale, 4) // 2, scaled(CONSOLES, scale)
    ways: list[tuple[str, Way]] = []
    planned = 0
    for roles in itertools.cycle(GOING_ON):
        if planned >= half:
            break
        count = min(PER_RUN, -(-(half - planned) // len(roles)))
        planned += count * len(roles)
        with_console = min(count, consoles)
        consoles -= with_console
        ways.append(("+".join(roles), _goes_on(tally, roles, count, with_console)))
    for console, roles in itertools.cycle(itertools.product((True, False), ENDING)):
        if planned >= 2 * half and (scale < 1 or consoles <= 0):
            break
        planned += len(roles)
        consoles -= console
        ways.append(("+".join(roles), _ends(tally, roles, console=console)))
    over_boxes(base, ways, outcome)
    return {
        f"ssh_{name}": tally.sums[name] for name in ("kills", "consoles", "runs", "lost", "doubled", "torn")
    }
