"""P2: SIGKILLs over daemon, supervisor, both and console, mid-run; each run says what its tests counted themselves.

Once with a run alone, once with eight live ones at a time, whose daemon they share, and once over SSH.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.agents.driving import box
from tests.torture.agents import Run, kill, root, wait
from tests.torture.p2_boxes import over_ssh
from tests.torture.registry import Outcome, scaled

KILLS = 200
CONSOLES = 50
PER_RUN = 5
AT_ONCE = 8
KILLS_AT_ONCE = 40
SEED = 20_02


@dataclass
class Tally:
    """What all runs add up to."""

    random: random.Random
    kills: int = 0
    consoles: int = 0
    runs: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    gaps: int = 0
    outcome: Outcome = field(default_factory=Outcome)

    def judge(self, run: Run, *, whole: bool, name: str) -> None:
        self.runs += 1
        if not wait(run.over):
            self.outcome.fault(f"{name}: the run never ended")
            return
        lost, doubled, torn, gaps = run.faults(whole=whole)
        self.lost, self.doubled = self.lost + lost, self.doubled + doubled
        self.torn, self.gaps = self.torn + torn, self.gaps + gaps
        if lost or doubled or torn or gaps:
            self.outcome.fault(f"{name}: lost {lost} doubled {doubled} torn {torn} gaps {gaps}")


def _daemons(base: str, tally: Tally, count: int, consoles: int) -> None:
    """One run in which daemon and console die again and again; it must end by itself, whole."""
    with box(root(base, f"d{tally.runs}")) as made:
        run = Run(made, {"tests": 200, "sleep": 0.01, "output": ["a line\n"]})
        if not run.under_way():
            tally.outcome.fault("daemon: never under way")
            return
        for index in range(count):
            time.sleep(tally.random.uniform(0, 0.1))
            before = made.daemon_pid()
            tally.kills += kill(made, "daemon")
            if index < consoles:
                run.link.process.kill()
                run.link.process.wait()
                run.link = made.link("next")
                tally.consoles += 1
            if not wait(lambda before=before: run.over() or made.daemon_pid() not in {0, before}):  # type: ignore[misc]
                tally.outcome.fault("daemon: not started again")
                return
            if run.over():
                break
        tally.judge(run, whole=True, name="daemon")


def _supervisors(base: str, tally: Tally, roles: tuple[str, ...]) -> None:
    """One run whose supervisor dies: what was told until then is all there, and the rest is ended with the reason."""
    with box(root(base, f"s{tally.runs}")) as made:
        run = Run(made, {"tests": 2000, "sleep": 0.002})
        if not run.under_way():
            tally.outcome.fault("supervisor: never under way")
            return
        time.sleep(tally.random.uniform(0, 0.2))
        tally.kills += kill(made, *roles)
        tally.judge(run, whole=False, name="+".join(roles))
        if made.survivors():
            tally.outcome.fault(f"{'+'.join(roles)}: processes were left")


def _at_once(base: str, tally: Tally, count: int) -> int:
    """Eight runs of one daemon: it and their consoles die again and again, and a supervisor now and then."""
    killed = 0
    with box(root(base, f"e{tally.runs}")) as made:
        runs = [Run(made, {"tests": 120, "sleep": 0.02}, name=f"count{n}") for n in range(AT_ONCE)]
        for number, run in enumerate(runs):
            if not run.under_way():
                tally.outcome.fault(f"at once: run {number} never under way")
                return count
        broken: set[int] = set()
        while killed < count and not all(run.over() for run in runs):
            time.sleep(tally.random.uniform(0, 0.1))
            chosen = tally.random.randrange(AT_ONCE)
            kind = tally.random.choice(("daemon", "daemon", "console", "supervisor"))
            if kind == "supervisor" and len(broken) < AT_ONCE // 4:
                broken.add(chosen)
                killed += runs[chosen].kill_supervisor()
            elif kind == "console":
                runs[chosen].link.process.kill()
                runs[chosen].link.process.wait()
                runs[chosen].link = made.link("next")
                tally.consoles += 1
            else:
                before = made.daemon_pid()
                killed += kill(made, "daemon")
                if not wait(lambda before=before: made.daemon_pid() not in {0, before}):  # type: ignore[misc]
                    tally.outcome.fault("at once: daemon not started again")
                    return count
        for number, run in enumerate(runs):
            tally.judge(run, whole=number not in broken, name=f"at once {number}")
        if made.survivors():
            tally.outcome.fault("at once: processes were left")
    return max(killed, 1)


def main(scale: float) -> Outcome:
    """Half of the kills over daemons, a quarter over supervisors, a quarter over both at once; then eight runs."""
    tally = Tally(random.Random(SEED))
    kills, consoles = scaled(KILLS, scale, 4), scaled(CONSOLES, scale)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as base:
        while tally.kills < kills // 2 and len(tally.outcome.faults) < 10:
            left = max(0, consoles - tally.consoles)
            _daemons(base, tally, min(PER_RUN, kills // 2 - tally.kills), left)
        while tally.kills < kills * 3 // 4 and len(tally.outcome.faults) < 10:
            _supervisors(base, tally, ("superv",))
        while tally.kills < kills and len(tally.outcome.faults) < 10:
            _supervisors(base, tally, ("daemon", "superv"))
        alone, left = tally.runs, scaled(KILLS_AT_ONCE, scale, 4)
        while left > 0 and len(tally.outcome.faults) < 10:
            left -= _at_once(base, tally, min(left, AT_ONCE))
        boxes = over_ssh(Path(base) / "ssh", scale, tally.outcome)
    tally.outcome.figures = {
        "kills": tally.kills,
        "consoles": tally.consoles,
        "runs": alone,
        "at_once": tally.runs - alone,
        "lost": tally.lost,
        "doubled": tally.doubled,
        "torn": tally.torn,
        **boxes,
    }
    return tally.outcome
