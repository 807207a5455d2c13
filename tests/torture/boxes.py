"""What torture over SSH shares: boxes behind real sshds, runs of the product's own console on them, and what they left.

The suite counts for itself, in a file, what it has run; a run is judged by that count, by the copy of its journal here
and by the processes of the box's user, who is nobody else's.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import sshd
from tests.support.pairs import Pair
from tests.torture.agents import HARD_TREE, NAMELESS, wait
from tests.torture.registry import Outcome

ROLES = ("daemon", "superv", "warden")
# Broken logins come one behind the other, and the agent is to leave soon after its last run.
SETTINGS = "MaxStartups 100:30:200\nLoginGraceTime 10\nSetEnv TRACEKIT_AGENT_IDLE=1\n"
PATIENCE = 120.0
ALL = 600
_MARK = re.compile(rb"<(\d+)>")
COUNTS = f"""
import pathlib, time
import pytest

HERE = pathlib.Path(__file__).parent

@pytest.mark.parametrize("n", range({ALL}))
def test_counts(n):
    time.sleep(0 if (HERE / "gate").exists() else 0.02)
    print(f"<{{n}}>")
    with (HERE / "count").open("a") as count:
        count.write(f"{{n}}\\n")
"""
HANGS = f"""
import pathlib, socket, subprocess, time

HERE = pathlib.Path(__file__).parent

def test_first():
    pass

def test_hangs():
    server = socket.create_server(("127.0.0.1", 0))
    subprocess.Popen(["sh", "-c", {HARD_TREE!r}])
    subprocess.Popen(["sh", "-c", {NAMELESS!r}])
    (HERE / "port").write_text(str(server.getsockname()[1]))
    while True:
        time.sleep(1)
"""


@dataclass(frozen=True)
class Lent:
    """One box, with a Python and pytest that its user may run."""

    box: sshd.Box
    python: str
    library: Path
    base: Path

    @property
    def uid(self) -> int:
        return pwd.getpwnam(self.box.user).pw_uid

    def processes(self) -> list[int]:
        """What lives of the box's user, but for what belongs to sshd."""
        return [pid for pid in sshd.processes_of(self.uid) if not _comm(pid).startswith("sshd")]

    def roles(self, *names: str) -> list[int]:
        """The agent's processes of these roles."""
        wanted = {f"tracekit-{name}" for name in names}
        return [pid for pid in sshd.processes_of(self.uid) if _comm(pid) in wanted]

    def kill(self, *names: str) -> int:
        """Kill the agent's processes of these roles; gives how many died by it."""
        found = self.roles(*names)
        # All stopped first: none of them sees another's death and acts upon it.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
        return len(found)

    def tests(self) -> list[int]:
        """What lives of what a run has started."""
        return [pid for pid in self.processes() if not _agents_own(pid)]

    def cut(self) -> None:
        """Break every connection to the box."""
        sshd.cut(self.box)


class Remote:
    """One run on a box, and the console that began it."""

    def __init__(self, lent: Lent, name: str, source: str) -> None:
        self.lent = lent
        self.pair = Pair(lent.box, lent.base / name, lent.python, lent.library)
        self.pair.project(source)
        self.pair.trust()
        self.there = self.pair.there
        self.console = self._start("run", self.pair.here, "--env", "box7", "--json")
        self.consoles = 1

    def _start(self, *words: object) -> subprocess.Popen[bytes]:
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return self.pair.sandbox.start(*words, **quiet, cwd=self.pair.here)

    @property
    def folder(self) -> Path:
        """The run's copy here."""
        return next((self.pair.sandbox.state / "runs").glob("*/box7"))

    def journal(self) -> bytes:
        with contextlib.suppress(StopIteration, OSError):
            return (self.folder / "journal.ndjson").read_bytes()
        return b""

    def own_count(self) -> list[str]:
        count = self.there / "count"
        return count.read_text().splitlines() if count.exists() else []

    def grown(self) -> bool:
        """Whether more tests come to their end here."""
        before = self.journal().count(b'"e":"attempt.ended"')
        return wait(lambda: self.over() or self.journal().count(b'"e":"attempt.ended"') > before, PATIENCE)

    def over(self) -> bool:
        """Whether the end has come here."""
        return b'"e":"run.ended"' in self.journal()

    def next_console(self) -> None:
        """Kill this one; another process takes the run up."""
        run = self.folder.parent.name
        self.console.kill()
        self.console.wait()
        self.console = self._start("attach", run, "--json")
        self.consoles += 1

    def open_gate(self) -> None:
        (self.there / "gate").touch()

    def ended(self) -> int | None:
        """The console's exit code once it has ended."""
        wait(lambda: self.console.poll() is not None, PATIENCE)
        return self.console.returncode

    def faults(self, *, whole: bool) -> dict[str, int]:
        """What the copy here does not say as the tests counted it."""
        torn = 0
        told: list[dict[str, Any]] = []
        for raw in self.journal().splitlines(keepends=True):
            try:
                told.append(json.loads(raw))
            except ValueError:
                torn += 1
        counted = self.own_count()
        ends = [line for line in told if line["e"] == "attempt.ended"]
        passed = [
            line["scenario"].rpartition("[")[2].rstrip("]") for line in ends if line["verdict"] == "passed"
        ]
        missing = len(set(counted) - set(passed))
        # Between counting and telling stands one test at most when its process dies.
        lost = missing if whole else max(0, missing - 1)
        lost += len(set(passed) - set(counted))
        if whole:
            lost += ALL - len(set(passed))
        printed = _marks(self.folder / "output.bin")
        lost += len(set(passed) - set(printed))
        numbers: dict[str, list[int]] = {}
        for line in told:
            numbers.setdefault(line["src"], []).append(line["n"])
        return {
            "lost": lost,
            "doubled": len(passed) - len(set(passed)) + len(printed) - len(set(printed)),
            "torn": torn,
            "gaps": sum(found != list(range(1, len(found) + 1)) for found in numbers.values()),
        }

    def verified(self) -> str:
        """What `verify` has against the run; empty when nothing."""
        done = self.pair.sandbox.run("verify", self.folder.parent.name)
        return done.out[:500] if done.code else ""

    def close(self) -> None:
        if self.console.poll() is None:
            self.console.kill()
        self.console.wait()


def _marks(output: Path) -> list[str]:
    """What the tests printed, between the runner's own dots."""
    found = _MARK.findall(output.read_bytes()) if output.exists() else []
    return [number.decode() for number in found]


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _agents_own(pid: int) -> bool:
    """Daemon, supervisor and warden, and the bridges of consoles, the shells that become them included."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
    return (
        not words
        or _comm(pid).startswith("tracekit-")
        or any(word in words for word in (b"bridge", b"arrive", b"TRACEKIT_PYTHON"))
    )


@contextlib.contextmanager
def lent(base: Path) -> Iterator[Lent]:
    """A box for torture."""
    base.mkdir(parents=True, exist_ok=True)
    with sshd.box(base / "box", settings=SETTINGS) as box:
        yield Lent(box, *sshd.lend_pytest(box), base)


Way = Callable[[Lent, str], None]


def over_boxes(base: Path, ways: Sequence[tuple[str, Way]], outcome: Outcome, *, boxes: int = 2) -> None:
    """Carry out each way on one of so many boxes at a time: one user's daemon is nobody else's."""
    waiting = list(enumerate(ways))

    def work(number: int) -> None:
        with lent(base / f"worker{number}") as box:
            while waiting and len(outcome.faults) < 10:
                index, (name, way) = waiting.pop(0)
                try:
                    way(box, f"w{index}")
                except Exception as fault:  # noqa: BLE001 - whatever breaks the test breaks the promise
                    outcome.fault(f"{name}: {type(fault).__name__}: {fault}")

    workers = [threading.Thread(target=work, args=(number,)) for number in range(boxes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def nothing_left(box: Lent, outcome: Outcome, name: str, within: float) -> None:
    """Not one process of the box's user, once the agent has gone, too."""
    if not wait(lambda: not box.processes(), within):
        left = [f"{pid} {_comm(pid)}" for pid in box.processes()]
        outcome.fault(f"{name}: left on the box: {', '.join(left)}")
