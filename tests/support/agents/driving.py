"""Drives a real agent from a test: its own state directory, a bridge over pipes, the sans-I/O client."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tracekit.agent import killing
from tracekit.agent.client import Client
from tracekit.agent.system import System
from tracekit.wire.ids import new_ulid

REPOSITORY = Path(__file__).resolve().parents[3]
CONSOLE = REPOSITORY / "console"
BOOT = (
    "import sys; sys.path[:0] = [{console!r}, {repository!r}]\n"
    "from tests.support.agents import fake_runner; fake_runner.install()\n"
    "{extra}\n"
    "from tracekit.agent.main import main; sys.exit(main(system=globals().get('system')))"
)


def fake_agent(extra: str = "") -> list[str]:
    """The command of an agent with the fake runner."""
    code = BOOT.format(console=str(CONSOLE), repository=str(REPOSITORY), extra=extra)
    return [sys.executable, "-I", "-c", code]


class Link:
    """One bridge and the client that talks through it."""

    def __init__(self, command: list[str], state: Path, console: str = "c1", idle: float = 5.0) -> None:
        words = [
            *command,
            "bridge",
            "--state",
            str(state),
            "--cache",
            str(state / "cache"),
            "--idle",
            str(idle),
        ]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.client = Client(console)
        self.events: list[dict[str, Any]] = []
        self.ended = False

    def pump(self, timeout: float = 0.05) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        data = self.client.take()
        if data:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(data)
                self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        if ready:
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            self.ended = self.ended or not data
            if data:
                self.events += self.client.receive(data)

    def until(self, wanted: Callable[[dict[str, Any]], bool], timeout: float = 20.0) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        seen = 0
        while True:
            for event in self.events[seen:]:
                seen += 1
                if wanted(event):
                    return event
            assert time.monotonic() < deadline, f"waited in vain; events: {self.events[-5:]}"
            assert not self.ended, f"the bridge ended; events: {self.events[-5:]}"
            self.pump()

    def hello(self) -> dict[str, Any]:
        return self.until(lambda event: event["type"] == "hello")

    def end_of(self, run: str, timeout: float = 30.0) -> dict[str, Any]:
        return self.until(
            lambda event: event["type"] == "lengths" and event["run"] == run and event["state"] == "ended",
            timeout,
        )

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Box:
    """A state directory, and everything that was started for it."""

    def __init__(self, root: Path, command: list[str] | None = None, idle: float = 5.0) -> None:
        self.state = root / "state"
        self.root = root
        self.command = command or fake_agent()
        self.idle = idle
        self.tokens: list[str] = []
        self.links: list[Link] = []

    def link(self, console: str = "c1") -> Link:
        link = Link(self.command, self.state, console, self.idle)
        self.links.append(link)
        return link

    def start_message(self, options: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        run = new_ulid(time.time_ns() // 1_000_000, os.urandom(10))
        token = uuid.uuid4().hex
        self.tokens.append(token)
        suite = {
            "name": "",
            "runner": "fake",
            "cwd": str(self.root),
            "python": sys.executable,
            "options": options or {},
        }
        plan = {
            "schema": "tracekit.plan/1",
            "run": run,
            "mode": "run",
            "root": str(self.root),
            "suites": [suite],
            "run_lease": 60,
            "grace": 0.3,
        }
        plan.update(changes.pop("plan", {}))
        return {
            "plan": plan,
            "nonce": token,
            "plan_hash": "h1",
            "environ": dict(os.environ),
            "secrets": {},
            "dir": str(self.state / "runs" / run),
            **changes,
        }

    def notes(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in self.state.glob("agent/*/daemon.json")]

    def daemon_pid(self) -> int:
        notes = self.notes()
        return int(notes[0]["pid"]) if notes else 0

    def role_pids(self) -> dict[str, list[int]]:
        """The agent's own processes of this box, by role."""
        found: dict[str, list[int]] = {"daemon": [], "superv": [], "warden": []}
        needle = os.fsencode(str(self.state))
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                comm = (place / "comm").read_text().strip()
                if comm.startswith("tracekit-") and needle in (place / "cmdline").read_bytes():
                    found[comm[len("tracekit-") :]].append(int(place.name))
        return found

    def survivors(self) -> set[int]:
        """Every process that carries one of our run tokens."""
        return {pid for token in self.tokens for pid in killing.members(System(), token)}

    def journal(self, run: str) -> list[dict[str, Any]]:
        path = self.state / "runs" / run / "local" / "journal.ndjson"
        return [json.loads(line) for line in path.read_bytes().splitlines()]

    def output(self, run: str) -> bytes:
        return (self.state / "runs" / run / "local" / "output.bin").read_bytes()

    def close(self) -> None:
        for link in self.links:
            link.close()
        for role in ("warden", "superv", "daemon", "warden", "superv", "daemon"):
            for pid in self.role_pids()[role]:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        for token in self.tokens:
            killing.sweep(System(), token)


@contextlib.contextmanager
def box(root: Path, command: list[str] | None = None, idle: float = 5.0) -> Iterator[Box]:
    """A box that is gone at the end of the test, whatever happened in it."""
    made = Box(root, command, idle)
    try:
        yield made
    finally:
        made.close()
