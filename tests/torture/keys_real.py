"""The real consoles of the torture by keys: an engine, an agent of its own, and runs that were recorded just now."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tests.support.cli import Sandbox, processes_with
from tests.support.consoles import FakeClipboard, FakeDebugger, FakeEditor
from tests.torture.keys_worlds import World
from tracekit.engine.engine import Engine
from tracekit.engine.places import Places
from tracekit.engine.requests import Cancel, Discover, Launch, Replay, Request
from tracekit.ui.app import ConsoleApp
from tracekit.ui.ports import Ports
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from tracekit.ui.ports import EngineFace

WORLDS = ("real-live", "real-recorded", "real-bundle", "real-empty")
PATIENCE = 60.0
SUITE = """
import logging, time, pytest

log = logging.getLogger("shop")

def price(item):
    log.warning("the price of %s", item)
    return len(item)

@pytest.mark.parametrize("number", range(6))
def test_goes_on(number):
    for turn in range(20):
        print(f"turn {turn} of {number}")
        time.sleep(0.005)

def test_is_red():
    assert price("ab") == 3

def test_is_red_too():
    raise ConnectionError("no connection within 5 s")

@pytest.mark.skip(reason="needs redis")
def test_is_skipped(): ...

def test_says_things():
    print("\\x1b[31mred\\x1b[0m \\x1b]0;owned\\x07 \\u754c\\u202e")
"""


@dataclass
class Machine:
    """A person's own state, with a project, an empty one, a recorded run and a bundle of it."""

    sandbox: Sandbox
    project: Path
    empty: Path
    bundle: Path
    run: str

    def mend(self) -> None:
        """A run that a session has deleted is there again for the next."""
        runs, kept = self.sandbox.state / "runs", self.sandbox.home / "kept"
        for folder in kept.iterdir():
            if not (runs / folder.name).exists():
                shutil.copytree(folder, runs / folder.name)

    def request(self, name: str) -> tuple[Request, str]:
        """What the console of a world begins with, and its root."""
        if name == "real-live":
            return Launch(str(self.project)), str(self.project)
        if name == "real-empty":
            return Discover(str(self.empty), at_once=True), str(self.empty)
        return Replay(str(self.bundle) if name == "real-bundle" else self.run), ""

    def left(self) -> list[int]:
        """Processes of its agent, its runs and its tests; they end by themselves, within their time."""
        end = time.monotonic() + PATIENCE
        while (found := processes_with(str(self.sandbox.home))) and time.monotonic() < end:
            time.sleep(0.1)
        return found


@contextlib.contextmanager
def machine() -> Iterator[Machine]:
    """Such a machine, for as long as it is tortured."""
    with tempfile.TemporaryDirectory(prefix="tracekit-keys-") as base:
        sandbox = Sandbox(Path(base) / "home")
        project = sandbox.project({"test_shop.py": SUITE})
        done = sandbox.run("run", project, "--json")
        assert done.code == 1, done.err
        bundle = Path(base) / "run.bundle"
        exported = sandbox.run("export", "last", "--bundle", bundle)
        assert exported.code == 0, exported.err
        shutil.copytree(sandbox.state / "runs", sandbox.home / "kept")
        yield Machine(sandbox, project, sandbox.project({}, "empty"), bundle, done.run_id())


@contextlib.contextmanager
def real(name: str, on: Machine) -> Iterator[World]:
    """One of the consoles over such a machine; what it began is stopped with it."""
    on.mend()
    request, root = on.request(name)
    places = Places(
        on.sandbox.state, on.sandbox.home / "cache" / "tracekit", on.sandbox.environ, agent_idle=1.0
    )
    with Engine(places) as engine:
        ports = Ports(
            cast("EngineFace", engine),
            editor=FakeEditor(),
            clipboard=FakeClipboard(),
            debugger=FakeDebugger(),
        )
        try:
            yield World(ConsoleApp(ports, request, root=root))
        finally:
            for run in engine.runs():
                if run.live:
                    with contextlib.suppress(ProblemError):
                        engine.submit(Cancel(run.run_id)).result(PATIENCE)
