"""P14 over SSH: whoever ends a run of a box and whatever dies there, nothing lives on that should not."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from tests.support import sshd
from tests.torture.agents import wait
from tests.torture.boxes import ALL, COUNTS, HANGS, PATIENCE, Lent, Remote, Way, nothing_left, over_boxes
from tests.torture.registry import Outcome, scaled

ROUNDS = 10
WITHIN = 5.0
_SOON = 0.3
DEATHS = [("superv",), ("superv", "warden"), ("daemon", "superv"), ("daemon", "superv", "warden")]


class Ends:
    """Every way to end a run of a box."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.cancels: list[float] = []
        self.deaths: list[float] = []

    def _hanging(self, box: Lent, label: str) -> Remote:
        run = Remote(box, label, HANGS)
        if not wait(
            lambda: (run.there / "port").exists() and len(box.tests()) > len(("sh", "sleep")), PATIENCE
        ):
            self.outcome.fault("never under way")
        return run

    def _port(self, run: Remote, name: str) -> None:
        port = run.there / "port"
        # A process that is ending has no name any more and still its files.
        if port.exists() and not wait(lambda: not sshd.listens(int(port.read_text())), WITHIN):
            self.outcome.fault(f"{name}: its port is still open")

    def cancelled(self, number: signal.Signals) -> Way:
        """By ctrl-c or TERM: when the command has ended, nothing that it started lives."""

        def way(box: Lent, label: str) -> None:
            run = self._hanging(box, label)
            try:
                began = time.monotonic()
                run.console.send_signal(number)
                run.ended()
                left = [pid for pid in box.tests() if _alive(pid)]
                self.cancels.append(time.monotonic() - began)
                if left:
                    self.outcome.fault(f"{number.name}: {len(left)} left: {_named(left)}")
                if not run.over():
                    self.outcome.fault(f"{number.name}: its end is not told here")
                self._port(run, number.name)
                nothing_left(box, self.outcome, number.name, PATIENCE)
            finally:
                run.close()

        return way

    def detached(self, number: signal.Signals) -> Way:
        """The console goes in a way that leaves the run to its own end."""

        def way(box: Lent, label: str) -> None:
            run = Remote(box, label, COUNTS)
            try:
                run.grown()
                run.console.send_signal(number)
                run.ended()
                run.open_gate()
                self._whole(run, box, number.name)
            finally:
                run.close()

        return way

    def lost_link(self, box: Lent, label: str) -> None:
        """The line breaks and nobody mends it: the run goes on, and the console that wakes up later has all of it."""
        run = Remote(box, label, COUNTS)
        try:
            run.grown()
            run.console.send_signal(signal.SIGSTOP)
            box.cut()
            run.open_gate()
            self._whole(run, box, "lost link", gone=False)
            run.console.send_signal(signal.SIGCONT)
            if run.ended() or any(run.faults(whole=True).values()):
                self.outcome.fault(f"lost link: the console has {run.faults(whole=True)}")
            nothing_left(box, self.outcome, "lost link", PATIENCE)
        finally:
            with contextlib.suppress(OSError):
                run.console.send_signal(signal.SIGCONT)
            run.close()

    def _whole(self, run: Remote, box: Lent, name: str, *, gone: bool = True) -> None:
        if not wait(lambda: len(run.own_count()) == ALL, PATIENCE):
            self.outcome.fault(f"{name}: the run did not go on: {len(run.own_count())}")
        if not wait(lambda: not box.tests(), PATIENCE):
            self.outcome.fault(f"{name}: something is left after the end: {_named(box.tests())}")
        if gone:
            nothing_left(box, self.outcome, name, PATIENCE)

    def dead_daemon(self, box: Lent, label: str) -> None:
        """It is started again and the run goes on."""
        run = Remote(box, label, COUNTS)
        try:
            run.grown()
            box.kill("daemon")
            run.open_gate()
            if run.ended() or any(run.faults(whole=True).values()):
                self.outcome.fault(f"dead daemon: {run.console.returncode}, {run.faults(whole=True)}")
            nothing_left(box, self.outcome, "dead daemon", PATIENCE)
        finally:
            run.close()

    def dead(self, roles: tuple[str, ...], *, console: bool) -> Way:
        """Without its supervisor nothing of a run lives for longer than five seconds, or than the next daemon."""

        def way(box: Lent, label: str) -> None:
            name = "+".join(roles) + (" and console" if console else "")
            run = self._hanging(box, label)
            try:
                if console:
                    run.console.kill()
                    run.console.wait()
                began = time.monotonic()
                box.kill(*roles)
                if console and roles == DEATHS[-1]:
                    # Nobody is there who could: so somebody comes.
                    run.pair.sandbox.run("box", "check", "box7", cwd=run.pair.here)
                    began = time.monotonic()
                if not wait(lambda: not box.tests(), WITHIN):
                    self.outcome.fault(f"{name}: left after {WITHIN:g} s: {_named(box.tests())}")
                self.deaths.append(time.monotonic() - began)
                self._port(run, name)
                if not console and (run.ended() is None or not run.over()):
                    self.outcome.fault(f"{name}: its end is not told here")
                nothing_left(box, self.outcome, name, PATIENCE)
            finally:
                run.close()

        return way


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def _named(pids: list[int]) -> str:
    shown = subprocess.run(
        ["ps", "-o", "pid=,args=", "-p", ",".join(map(str, pids)) or "0"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "120"},
    )
    return "; ".join(shown.stdout.split("\n"))


def over_ssh(base: Path, scale: float, outcome: Outcome) -> dict[str, int | str]:
    """Every way so many times; gives the figures."""
    ends = Ends(outcome)
    ways: list[tuple[str, Way]] = [
        ("ctrl-c", ends.cancelled(signal.SIGINT)),
        ("TERM", ends.cancelled(signal.SIGTERM)),
        ("lost link", ends.lost_link),
        ("HUP", ends.detached(signal.SIGHUP)),
        *((f"dead {'+'.join(roles)}", ends.dead(roles, console=False)) for roles in DEATHS),
        ("all dead", ends.dead(DEATHS[-1], console=True)),
        # What stands behind this line is part of the full form alone.
        ("QUIT", ends.detached(signal.SIGQUIT)),
        ("KILL", ends.detached(signal.SIGKILL)),
        ("dead daemon", ends.dead_daemon),
        *((f"dead {'+'.join(roles)}", ends.dead(roles, console=True)) for roles in DEATHS[:-1]),
    ]
    chosen = ways * scaled(ROUNDS, scale) if scale >= _SOON else ways[0:9:2]
    over_boxes(base, chosen, outcome)
    return {
        "ssh_ends": len(chosen),
        "ssh_slowest_cancel_s": f"{max(ends.cancels, default=0):.2f}",
        "ssh_slowest_death_s": f"{max(ends.deaths, default=0):.2f}",
    }
