"""P15: same input, same screen. Every golden many times under load; one run by every way that there is to see it.

The run is watched live by a console that begins it, by one whose pipe to the agent is cut again and again, and by one
that dies and is started anew in its midst; then it is replayed, read in other pieces, packed into a bundle, opened from
that and from where it was brought in. All of them show the same final screens, and hold the same.
"""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

from tests.support.cli import Sandbox
from tests.support.consoles import screen_text
from tests.support.golden import differences, folded
from tests.torture.keys_sessions import Glass, Watch
from tests.torture.keys_steps import Player
from tests.torture.p15_goldens import CASES, goldens
from tests.torture.registry import Outcome, scaled
from tracekit.engine.engine import Engine
from tracekit.engine.places import Places
from tracekit.engine.requests import Attach, Launch, Replay, Request
from tracekit.engine.view import RunView
from tracekit.link import bridge, local
from tracekit.model.runfacts import ELSEWHERE
from tracekit.ui.app import ConsoleApp
from tracekit.ui.ports import Ports
from tracekit.wire.names import JOURNAL_FILE

if TYPE_CHECKING:
    from tracekit.ui.ports import EngineFace

TIMES, CI_TIMES = 50, 3
HOURS, CI_SECONDS = 1.8, 240.0
ROUNDS, CUTS = 5, 4
SEED = 20_15
PATIENCE = 120.0
SPREAD = 3  # a short round looks at so many fewer screens
SIZES = ((120, 36), (80, 24), (160, 48))
#: Ways that see it as recorded elsewhere.
FROM_ELSEWHERE = frozenset({"bundle", "import"})
#: A walk over everything that a run says.
WALK: tuple[tuple[str, ...], ...] = (
    ("0",),
    *(("g", *"J" * red, tab) for red in range(3) for tab in "12345678"),
    ("2", "tab", "G"),
    ("escape", "G"),
    ("3",),
    ("4",),
    ("g", "1"),
)
SUITE = """
import logging, pathlib, time, pytest

HERE = pathlib.Path(__file__).parent
log = logging.getLogger("shop")

@pytest.mark.parametrize("number", range(20))
def test_goes_on(number):
    for turn in range(10):
        print(f"turn {turn} of {number} \\u754c\\u0301")
        time.sleep(0.01)
    log.warning("number %s is over", number)

def test_is_red():
    print("\\x1b[31mred\\x1b[0m \\x1b]0;owned\\x07")
    assert [1, 2, 3] == [1, 2, 4]

def test_is_red_by_another():
    try:
        {}["key"]
    except KeyError as error:
        raise ConnectionError("no connection within 5 s") from error

@pytest.mark.skip(reason="needs redis")
def test_is_skipped(): ...

def test_waits_until_everybody_has_seen_something():
    while not (HERE / "gate").exists():
        print("waits")
        time.sleep(0.02)
"""


def main(scale: float) -> Outcome:
    """The goldens, and then runs by every way; in CI one run, and what goldens there is time for, as a rule all."""
    outcome, full = Outcome(), scale >= 1
    told = goldens(TIMES if full else CI_TIMES, 3600 * HOURS if full else CI_SECONDS, time.time_ns(), outcome)
    if told.goldens < (len(CASES) if full else 1):
        outcome.fault(f"there was time for {told.goldens} of {len(CASES)} goldens")
    ways: dict[str, int] = {}
    for number in range(scaled(ROUNDS, scale)):
        with tempfile.TemporaryDirectory(prefix="tracekit-p15-") as base:
            ways = asyncio.run(Round(Path(base), random.Random(SEED + number), outcome, full=full).all())
    outcome.figures = {
        "goldens": f"{told.goldens}/{len(CASES)}",
        "times": TIMES if full else CI_TIMES,
        "rendered": told.rendered,
        "runs": scaled(ROUNDS, scale),
        **ways,
        "differences": len(outcome.faults),
    }
    return outcome


def run(scale: float) -> str:
    """The promise as one line."""
    return main(scale).line("P15")


class Round:
    """One run, and everybody who sees it."""

    def __init__(self, base: Path, chance: random.Random, outcome: Outcome, *, full: bool) -> None:
        self.sizes = SIZES if full else SIZES[:1]
        self.walk = WALK if full else WALK[::SPREAD]
        self.here, self.there = Sandbox(base / "here"), Sandbox(base / "there")
        self.project = self.here.project({"test_shop.py": SUITE})
        self.bundle = base / "run.bundle"
        self.chance, self.outcome = chance, outcome
        # One clock for all of them: what a screen says of ages is not what is compared.
        self.now = time.time_ns() + 3_600_000_000_000
        self.screens: dict[str, list[str]] = {}
        self.held: dict[str, Any] = {}
        self.run, self.cuts = "", 0
        self._begun = asyncio.Event()
        self._told = 0

    async def all(self) -> dict[str, int]:
        """Watch it, then look at what was recorded."""
        pipes = _Pipes()
        with mock.patch.object(local, "Bridge", pipes.open):
            await asyncio.gather(
                self._live("live", Launch(str(self.project))),
                self._cut(pipes),
                self._restarted(),
                self._gate(),
            )
        await self._recorded("replay", self.here, self.run)
        self._pieces()
        done = self.here.run("export", self.run, "--bundle", self.bundle)
        assert done.code == 0, done.err
        await self._recorded("bundle", self.here, str(self.bundle))
        done = self.there.run("import", self.bundle)
        assert done.code == 0, done.err
        await self._recorded("import", self.there, self.run)
        self._judge()
        return {"ways": len(self.held), "screens": len(self.screens["live"]), "cuts": self.cuts}

    # -- ways to see it

    async def _gate(self) -> None:
        """The last test waits until the others have seen what they were to see."""
        await _until(lambda: self._told == 2)
        (self.project / "gate").touch()

    async def _live(
        self, name: str, request: Request, meanwhile: Callable[[RunView, int], Awaitable[None]] | None = None
    ) -> None:
        """A console on the run while it goes on, and its screens at the end."""
        with self._engine(self.here) as engine:
            app = self._app(engine, request)
            async with app.run_test(size=SIZES[0]) as pilot:
                view = await self._view(app)
                self.run = self.run or view.run_id
                self._begun.set()
                if meanwhile is not None:
                    await meanwhile(view, _thread(engine))
                    self._told += 1
                await _until(view.done.is_set)
                await self._look(name, app, pilot, view)

    async def _cut(self, pipes: _Pipes) -> None:
        await self._begun.wait()

        async def meanwhile(view: RunView, thread: int) -> None:
            for _ in range(CUTS):
                before, opened = view.folded, len(pipes.of[thread])
                await _until(lambda before=before: view.folded > before)  # type: ignore[misc]
                await asyncio.sleep(self.chance.uniform(0, 0.2))
                pipes.cut(thread)
                self.cuts += 1
                await _until(lambda opened=opened: len(pipes.of[thread]) > opened and view.link == "attached")  # type: ignore[misc]

        await self._live("reconnect", Attach(self.run), meanwhile)

    async def _restarted(self) -> None:
        await self._begun.wait()
        with self._engine(self.here) as engine:
            app = self._app(engine, Attach(self.run))
            async with app.run_test(size=SIZES[1]):
                view = await self._view(app)
                await _until(lambda: view.folded > 0)
                await asyncio.sleep(self.chance.uniform(0, 1.0))

        async def meanwhile(view: RunView, _thread: int) -> None:
            await _until(lambda: view.folded > 0)

        await self._live("restart", Attach(self.run), meanwhile)

    async def _recorded(self, name: str, sandbox: Sandbox, target: str) -> None:
        with self._engine(sandbox) as engine:
            app = self._app(engine, Replay(target))
            async with app.run_test(size=SIZES[0]) as pilot:
                await self._look(name, app, pilot, await self._view(app))

    def _pieces(self) -> None:
        """The same file, folded in pieces of any length."""
        box = self.here.state / "runs" / self.run / "local"
        data = (box / JOURNAL_FILE).read_bytes()
        for name, longest in (("bytes", 1), ("pieces", 300), ("blocks", 70_000)):
            view, at, waiting = RunView(self.run, str(self.project), box, link="replay"), 0, b""
            while at < len(data):
                size = self.chance.randint(1, longest)
                waiting += data[at : at + size]
                at += size
                waiting = waiting[view.feed(waiting) :]
            self.held[name] = folded(view)

    # -- what they see

    def _engine(self, sandbox: Sandbox) -> Engine:
        cache = sandbox.home / "cache" / "tracekit"
        return Engine(Places(sandbox.state, cache, sandbox.environ, agent_idle=1.0))

    def _app(self, engine: Engine, request: Request) -> ConsoleApp:
        ports = Ports(cast("EngineFace", engine), now=lambda: self.now)
        return ConsoleApp(ports, request, root=str(self.project))

    async def _view(self, app: ConsoleApp) -> RunView:
        await _until(lambda: app.board_screen.board.newest is not None or bool(app.board_screen.problems))
        assert not app.board_screen.problems, app.board_screen.problems
        return cast("RunView", app.board_screen.board.newest)

    async def _look(self, name: str, app: ConsoleApp, pilot: Any, view: RunView) -> None:
        """Every screen of the walk, at two sizes; and what the run holds."""
        glass = Glass(app)
        setattr(app, "_display", glass.take)  # noqa: B010 - the library calls it by this name
        watch = Watch(app, glass, pilot, still=True)
        player = Player(app, rest=watch.rest)
        seen = self.screens.setdefault(name, [])
        for size in self.sizes:
            await pilot.resize_terminal(size[0] - 1, size[1])  # so that all of it is painted
            await pilot.resize_terminal(*size)
            for keys in (("escape",) * 5, *self.walk):
                for key in keys:
                    await player.play(key)
                    await pilot.pause()
                await watch.rest()
                seen.append(_without_link(screen_text(app)))
        self.held[name] = folded(view)

    def _judge(self) -> None:
        wanted, screens = self.held["live"], self.screens["live"]
        for name, held in self.held.items():
            for difference in list(differences(wanted, held))[:3]:
                self.outcome.fault(f"{name} holds something else than live: {difference}")
        for name, seen in self.screens.items():
            for number, (one, other) in enumerate(zip(screens, seen, strict=True)):
                if name in FROM_ELSEWHERE:
                    one, other = _not_run_again(one), _not_run_again(other)
                rows = zip(one.split("\n"), other.split("\n"), strict=False)
                for row, (mine, theirs) in enumerate(rows):
                    if mine != theirs:
                        self.outcome.fault(f"screen {number} row {row}: live {mine!r}, {name} {theirs!r}")
                        break


# So many rows a command takes at most on these screens: the last rows of a pane are compared without as many.
_MOST_WORDS = 3


class _Pipes:
    """Notes the ways to the agent that each engine opens, on its own thread, and cuts them."""

    def __init__(self) -> None:
        self.of: defaultdict[int, list[bridge.Bridge]] = defaultdict(list)

    def open(self, *given: Any, **named: Any) -> bridge.Bridge:
        """A bridge as ever."""
        made = bridge.Bridge(*given, **named)
        self.of[threading.get_ident()].append(made)
        return made

    def cut(self, thread: int) -> None:
        """End the newest one of an engine in the middle of whatever it says."""
        self.of[thread][-1]._process.kill()


def _thread(engine: Engine) -> int:
    assert engine._portal is not None
    return engine._portal.call(threading.get_ident)


def _without_link(text: str) -> str:
    """Only the header's word for how a run is seen may differ."""
    return re.sub(r"(replay|      )(?=  drop \d+$)", "      ", text, count=1, flags=re.MULTILINE)


def _without_bar(row: str) -> str:
    """A row without the bar at its end: how long that is follows from rows that are out of sight, too."""
    return re.sub(r"[▁▂▃▄▅▆▇█]$", "", row).rstrip()


def _not_run_again(text: str) -> str:
    """The same without how it is run again, which what was recorded elsewhere is not: the rows behind it move up."""
    rows = text.rstrip("\n").split("\n")
    beside = any("▕" in row for row in rows)
    # Beside the tree, or below it between the header and the keys.
    cut = [row.partition("▕") if beside else ("", "", row) for row in rows]
    of_pane = [bool(bar) if beside else 0 < at < len(rows) - 1 for at, (_, bar, _) in enumerate(cut)]
    pane = [_without_bar(right) for (_, _, right), its in zip(cut, of_pane, strict=True) if its]
    again = next((at for at, row in enumerate(pane) if "tracekit run " in row or ELSEWHERE in row), len(pane))
    behind = again + 1
    while behind < len(pane) and pane[behind].startswith("      "):
        behind += 1
    kept = iter(pane[:again] + pane[behind:][: len(pane) - again - _MOST_WORDS])
    return "\n".join(
        left + bar + (next(kept, "") if its else right)
        for (left, bar, right), its in zip(cut, of_pane, strict=True)
    )


async def _until(fact: Callable[[], bool]) -> None:
    """Wait for something that another thread or process does."""
    end = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < end, "it does not come"
        await asyncio.sleep(0.01)  # poll: of another thread
