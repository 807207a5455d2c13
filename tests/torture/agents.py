"""What the torture of the agent shares: a run under way, and what its journal must say of it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.agents.driving import Box, Link

HARD_TREE = (
    "trap '' TERM INT HUP; (setsid sleep 5001 &) ; sleep 5002 & "
    "setsid sh -c 'trap \"\" TERM; setsid sleep 5003 & sleep 5004' & while :; do sleep 5005; done"
)
NAMELESS = "exec env -i sh -c 'trap \"\" TERM; while :; do sleep 5006; done'"


def wait(fact: Callable[[], Any], patience: float = 30.0) -> bool:
    """Whether a fact becomes true in time."""
    end = time.monotonic() + patience
    while not fact():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


class Run:
    """One run of a box, begun and attached to."""

    def __init__(self, box: Box, options: dict[str, Any], name: str = "count", **changes: Any) -> None:
        self.box = box
        self.count = box.root / name
        message = box.start_message({**options, "count_file": str(self.count)}, **changes)
        self.id = str(message["plan"]["run"])
        self.journal = box.state / "runs" / self.id / "local" / "journal.ndjson"
        self.link: Link = box.link()
        self.link.client.start(message)
        self.link.client.attach(self.id)
        self.link.pump()

    def holds(self, text: bytes) -> bool:
        self.link.pump(0.005)
        return self.journal.exists() and text in self.journal.read_bytes()

    def over(self) -> bool:
        told = self.journal.read_bytes() if self.journal.exists() else b""
        # The last batch may be on its way to the disk.
        return b'"e":"run.ended"' in told and told.endswith(b"\n")

    def under_way(self, text: bytes = b'"e":"attempt.ended"') -> bool:
        return wait(lambda: self.holds(text) and self.box.role_pids()["warden"])

    def kill_supervisor(self) -> int:
        """Kill this run's own supervisor, whatever others live beside it; gives how many died by it."""
        for spool in (self.journal.parent / "spool").glob("supervisor-*.ndjson"):
            try:
                os.kill(int(spool.name.split("-")[1]), signal.SIGKILL)
            except OSError:
                continue
            return 1
        return 0

    def own_count(self) -> list[str]:
        return self.count.read_text().splitlines() if self.count.exists() else []

    def faults(self, *, whole: bool) -> tuple[int, int, int, int]:
        """Lost, doubled, torn, and out-of-count lines of what the journal says, against the tests' own count."""
        torn = 0
        lines: list[dict[str, Any]] = []
        for raw in self.journal.read_bytes().splitlines(keepends=True):
            try:
                lines.append(json.loads(raw))
            except ValueError:
                torn += 1
        told = [str(line["scenario"]) for line in lines if line.get("verdict") == "passed"]
        lost = len(set(self.own_count()) - set(told))
        if whole:
            lost += len(set(told) - set(self.own_count()))
        # A test that was killed between telling and counting is one more, never two.
        elif len(set(told) - set(self.own_count())) > 1:
            lost += 1
        numbers: dict[str, list[int]] = {}
        for line in lines:
            numbers.setdefault(str(line["src"]), []).append(int(line["n"]))
        gaps = sum(found != list(range(1, len(found) + 1)) for found in numbers.values())
        return lost, len(told) - len(set(told)), torn, gaps


def kill(box: Box, *roles: str) -> int:
    """Kill the box's processes of these roles; gives how many died by it."""
    found = box.role_pids()
    killed = 0
    for role in roles:
        for pid in found[role]:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
            killed += 1
    return killed


def root(base: str, name: str) -> Path:
    made = Path(base) / name
    made.mkdir(parents=True)
    return made
