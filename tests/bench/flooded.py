"""A person's console over a flooded run, for benches: started as a person starts it, keys typed, an emulator looked at.

Everything is the product's own: the console, its engine, the agent with its pipe, the drain, the spools. What the
console's threads use and wait for is read from the kernel.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.flood_project import FloodProject, flood_project
from tests.bench.places import PYTHON, Place, place
from tests.support.terminal import Terminal
from tracekit.store.trust import TrustStore
from tracekit.wire.names import E

if TYPE_CHECKING:
    from collections.abc import Iterator

TUI = "import sys; from tracekit.cli.main import tui; sys.exit(tui())"
MARK = "▌"
#: From the traced test to its file, to the next file, to a test of that, and back: each time other rows are shown.
WAY = "kjjjkk"
#: What the writers alone record.
LANE = "name:*.tick,*.flood"
#: Keys a second while one is held down: no keyboard repeats them faster by itself.
HELD = 30.0
#: Seconds that nothing here takes, however busy the machine is.
PATIENCE = 240.0
_ROWS = re.compile(r" ([\d,]+)(?: of ([\d,]+))?(?:  (?:FOLLOW|held)\b.*)?$")


class Watched(Terminal):
    """A terminal that notes what its emulator itself takes."""

    emulated = 0.0
    taken = 0

    def _show(self, data: bytes) -> None:
        began = time.perf_counter()
        super()._show(data)
        self.emulated += time.perf_counter() - began
        self.taken += len(data)

    def _settle(self) -> None:
        """A key takes until it is seen, and in a flood nothing is ever quiet."""

    @property
    def row(self) -> int:
        """The line on which the tree's cursor stands; -1 while it is nowhere."""
        return next((y for y in range(self.screen.lines) if self.screen.buffer[y][0].data == MARK), -1)

    def rest(self, seconds: float) -> None:
        """Show what comes for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(min(left, 0.05))

    def need(self, text: str, patience: float = PATIENCE) -> None:
        """Wait until a text is shown; raises RuntimeError with the screen where it does not come."""
        if not self.until(lambda: self.shows(text), patience):
            raise RuntimeError("\n".join([f"{text!r} was never shown", *self.display]))


class Used(NamedTuple):
    """Seconds that a thread had a processor, and that it was ready and had none."""

    cpu: float
    waited: float

    def since(self, before: Used) -> Used:
        """What came behind another look."""
        return Used(self.cpu - before.cpu, self.waited - before.waited)


def used(pid: int, *, rest: bool = False) -> Used:
    """A process's first thread, which is the screen's; or all its others together."""
    found = Used(0.0, 0.0)
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task.name == str(pid)) is not rest:
            with contextlib.suppress(OSError):
                cpu, waited, _ = (task / "schedstat").read_text(encoding="ascii").split()
                found = Used(found.cpu + int(cpu) / 1e9, found.waited + int(waited) / 1e9)
    return found


@dataclass
class Typed:
    """What keys took, in milliseconds: each whole, the emulator's own part of it, and waiting for a processor."""

    whole: list[float] = field(default_factory=list)
    emulator: list[float] = field(default_factory=list)
    #: That a thread was ready and had no processor: of the screen, and of whoever reads the terminal.
    screen_waited: list[float] = field(default_factory=list)
    reader_waited: list[float] = field(default_factory=list)
    #: What is left without the emulator and without waiting.
    rest: list[float] = field(default_factory=list)
    seconds: float = 0.0
    screen: Used = field(default_factory=lambda: Used(0.0, 0.0))
    others: Used = field(default_factory=lambda: Used(0.0, 0.0))
    painted: int = 0


@dataclass
class Flooded:
    """A console on a terminal, over a flood that goes on."""

    here: Place
    project: FloodProject
    terminal: Watched
    #: The console's own process, where it is one of this machine.
    pid: int

    def type(self, keys: int, pause: float = 0.0) -> Typed:
        """Move the tree's cursor so often, as a held key does, each time until another line has it.

        A key that is late makes the next one late: so many a second is the most that there are.
        """
        typed, terminal = Typed(), self.terminal
        began, painted = time.monotonic(), terminal.taken
        screen, others = used(self.pid), used(self.pid, rest=True)
        for number in range(keys):
            terminal.rest(began + number / HELD - time.monotonic())
            self._one(WAY[number % len(WAY)], typed)
            if pause:
                terminal.rest(pause)
        typed.seconds = time.monotonic() - began
        typed.screen = used(self.pid).since(screen)
        typed.others = used(self.pid, rest=True).since(others)
        typed.painted = terminal.taken - painted
        return typed

    def _one(self, key: str, typed: Typed) -> None:
        terminal, me = self.terminal, os.getpid()
        wanted, emulated = terminal.row + (1 if key == "j" else -1), terminal.emulated
        screen, reader = used(self.pid), used(me)
        before = time.perf_counter()
        terminal.keys(key)
        if not terminal.until(lambda: terminal.row == wanted, 20.0):
            raise RuntimeError("\n".join([f"{key} moved nothing", *terminal.display]))
        whole, emulator = 1000 * (time.perf_counter() - before), 1000 * (terminal.emulated - emulated)
        waited = 1000 * used(self.pid).since(screen).waited
        typed.whole.append(whole)
        typed.emulator.append(emulator)
        typed.screen_waited.append(waited)
        typed.reader_waited.append(1000 * used(me).since(reader).waited)
        typed.rest.append(max(0.0, whole - emulator - waited))

    def counted(self, words: str) -> tuple[int, int]:
        """How many rows the events pane says pass a filter, and of how many, once it has looked at them all."""
        terminal = self.terminal
        # To the first row, which is a file: without a scenario the rows are all there are.
        terminal.keys("g")
        terminal.rest(1.0)
        terminal.keys("\t/")
        terminal.need("kind:log")
        for letter in words:
            terminal.keys(letter)
            terminal.rest(0.1)
        terminal.keys("\r")
        terminal.need(f"/{words}")
        end, found, before = time.monotonic() + PATIENCE, self._count(words), (-1, -1)
        while found[0] < 0 or found != before:
            if time.monotonic() > end:
                raise RuntimeError("\n".join(["the events were never counted", *terminal.display]))
            terminal.rest(1.0)
            before, found = found, self._count(words)
        return found

    def _count(self, words: str) -> tuple[int, int]:
        """The events pane's head; nothing while it says that there is more to look at."""
        for line in self.terminal.display:
            counting = "…" in line
            if f"/{words}" in line and not counting and (found := _ROWS.search(line)) is not None:
                number, of = (int(word.replace(",", "")) if word else 0 for word in found.groups())
                return number, of or number
        return -1, -1

    def end(self) -> None:
        """No more comes; wait until the run is over, which the journal says."""
        self.project.stop()
        end = time.monotonic() + PATIENCE
        while not self.lines(E.RUN_ENDED):
            self.terminal.read()
            if time.monotonic() > end:
                raise RuntimeError("\n".join(["the run never ended", *self.terminal.display]))

    @property
    def box(self) -> Path:
        """The run directory's part of this box; raises RuntimeError when there is none."""
        for journal in self.here.base.glob("state_home/tracekit/runs/*/local/journal.ndjson"):
            if b'"mode":"run"' in journal.read_bytes()[:4096]:
                return journal.parent
        raise RuntimeError("nothing was launched")

    def lines(self, event: str) -> list[dict[str, object]]:
        """The journal's lines of one kind, near its end."""
        with (self.box / "journal.ndjson").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - (1 << 20)))
            near = file.read().splitlines()
        mark = f'"e":"{event}"'.encode()
        return [json.loads(line) for line in near if mark in line and line.startswith(b"{")]

    def recorded(self) -> int:
        """About how many records the writers have made by now."""
        return sum(2 * int(path.read_text() or "0") for path in self.project.root.glob("so-far-*"))

    def lost(self) -> int:
        """Records of the writers' lanes that were dropped, as the agent counted them."""
        (told,) = self.lines(E.TRACE_ENDED)
        missing = told["missing"]
        assert isinstance(missing, list)
        pids = self.project.sent().records
        return sum(int(one["lost"]) for one in missing if one["pid"] in pids and one["tid"] != one["pid"])


def environment(here: Place) -> dict[str, str]:
    """As a person's terminal has it."""
    bare = {name: value for name, value in here.env.items() if name not in {"NO_COLOR", "PYTHONHASHSEED"}}
    return {**bare, "HOME": str(here.base)}


@contextlib.contextmanager
def flooded(*, events: int, lines: int, most: float) -> Iterator[Flooded]:
    """A console of this machine over a run that is flooded; it shows the events of its test."""
    with flood_place(events=events, lines=lines, most=most) as (here, project):
        terminal = Watched(["-c", TUI, str(project.root)], env=environment(here))
        try:
            begin(terminal)
            yield Flooded(here, project, terminal, terminal.process.pid)
        finally:
            project.stop()
            terminal.close()


@contextlib.contextmanager
def flood_place(*, events: int, lines: int, most: float) -> Iterator[tuple[Place, FloodProject]]:
    """The project, whose code may run, in a place of its own."""
    with place() as here:
        project = flood_project(here.project, PYTHON, events=events, lines=lines, most=most)
        TrustStore(here.base / "state_home" / "tracekit").remember(str(project.root))
        yield here, project


def begin(terminal: Watched) -> None:
    """Run everything there is, and show what its test records."""
    terminal.need("test_flood")
    terminal.keys("a")
    terminal.need("running everything")
    terminal.keys("4")
    terminal.need("writer.tick")
    # Rows come and the cursor goes with its own: until those are all there, it moves without a key.
    terminal.rest(2.0)
