"""tree-100k: our tree of scenarios with 100,000 of them, mounted and folded beside the library's own tree.

Processor time, in turn. `mount` is a whole tree over rows that the board holds already, up to its painted screen. The
console itself reads a run frame by frame: `first` is its first painted rows, `whole` all of them, the board's part
included. Then one row is closed and opened. Two shapes: thousands of files, and everything in one.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from textual.app import App
from textual.widgets import Tree

from tests.bench.bench_fold import events
from tests.bench.figures import Figure, median
from tracekit.model.fold import Fold
from tracekit.ui.board import Board
from tracekit.ui.theme import palette
from tracekit.ui.widgets.tree import ScenarioTree

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot
    from textual.widget import Widget

    from tracekit.model.state import RunState

SCENARIOS = 100_000
LIMITS_MS = {"mount": 100.0, "first": 100.0, "whole": None, "close": 40.0, "open": 40.0}
TOGGLES = 6
SIZE = (120, 36)


class _View:
    """A run that has come to its end."""

    def __init__(self, state: RunState) -> None:
        self.state, self.generation, self.lock = state, state.generation, threading.Lock()
        self.link, self.problem, self.live = "ended", None, False


class Taken(NamedTuple):
    """Milliseconds of one round."""

    mount: float
    first: float
    whole: float
    close: float
    open: float


def measure(scenarios: int = SCENARIOS, rounds: int = 3) -> list[Figure]:
    """Both shapes, ours and theirs in turn."""
    figures: list[Figure] = []
    for shape, files in (("files", max(1, scenarios // 40)), ("one-file", 1)):
        state = _state(scenarios, files)
        ours: list[Taken] = []
        theirs: list[Taken] = []
        for _ in range(rounds):
            ours.append(asyncio.run(_ours(state)))
            theirs.append(asyncio.run(_theirs(scenarios, files)))
        for part, limit in LIMITS_MS.items():
            value, reference = (median([getattr(each, part) for each in taken]) for taken in (ours, theirs))
            figures.append(Figure(f"{shape}-{part}", round(value, 2), "ms", round(reference, 2), limit))
    return figures


def _state(scenarios: int, files: int) -> RunState:
    """A folded run in which everything was found and nothing has run."""
    fold, first = Fold(), next(events(1))
    fold.feed(first)
    each = scenarios // files
    for number in range(files):
        path = f"tests/test_{number:04}.py"
        names = [f"test_case[{i}]" for i in range(each)]
        found = {"id": f"pytest:{path}::", "suite": "", "runner": "pytest", "path": [path], "file": path}
        told = {"names": names, "lines": [3] * each, "marks": {}, "tags": []}
        fold.feed({**first, "n": number + 2, "e": "scenarios.found", **found, **told})
    if len(fold.state.ids) != each * files:
        raise RuntimeError(f"{len(fold.state.ids)} scenarios are not {each * files}")
    return fold.state


async def _ours(state: RunState) -> Taken:
    board, tree, whole = Board(), ScenarioTree(palette()), ScenarioTree(palette())
    board.push(cast("Any", _View(state)))

    def begin() -> None:
        tree.use(board)
        tree.sync(board.look())

    def rest() -> None:
        while board.behind:
            tree.sync(board.look())
        tree.settle(force=True)

    def build() -> None:
        whole.use(board)
        whole.rebuild()

    def toggle(opened: bool) -> None:
        tree.move("top")
        if not tree.fold(opened=opened):
            raise RuntimeError("nothing was folded")

    app: App[None] = App()
    async with app.run_test(size=SIZE) as pilot:
        first = await _mounted(pilot, tree, begin)
        more = await _cost(pilot, rest)
        closing, opening = await _toggled(pilot, toggle)
    app = App()
    async with app.run_test(size=SIZE) as pilot:
        mount = await _mounted(pilot, whole, build)
    for each in (tree, whole):
        if each.virtual_size.height < len(state.ids):
            raise RuntimeError(f"{each.virtual_size.height} rows are not the whole tree")
    return Taken(mount, first, first + more, closing, opening)


async def _theirs(scenarios: int, files: int) -> Taken:
    tree: Tree[int] = Tree("all")

    def fill() -> None:
        tree.root.expand()
        for number in range(files):
            file = tree.root.add(f"tests/test_{number:04}.py", expand=True)
            for i in range(scenarios // files):
                file.add_leaf(f"test_case[{i}]", data=i)

    def toggle(opened: bool) -> None:
        first = tree.root.children[0]
        if opened:
            first.expand()
        else:
            first.collapse()

    app: App[None] = App()
    async with app.run_test(size=SIZE) as pilot:
        mount = await _mounted(pilot, tree, fill)
        closing, opening = await _toggled(pilot, toggle)
    return Taken(mount, mount, mount, closing, opening)


async def _mounted(pilot: Pilot[None], tree: Widget, fill: Callable[[], None]) -> float:
    """What it costs to fill a tree, mount it and paint it."""
    gc.collect()
    before = time.process_time()
    fill()
    await pilot.app.screen.mount(tree)
    return 1000 * (time.process_time() - before) + await _cost(pilot, lambda: None)


async def _toggled(pilot: Pilot[None], toggle: Callable[[bool], None]) -> tuple[float, float]:
    """What it costs to close and to open a row."""
    closing: list[float] = []
    opening: list[float] = []
    for _ in range(TOGGLES):
        closing.append(await _cost(pilot, lambda: toggle(False)))
        opening.append(await _cost(pilot, lambda: toggle(True)))
    return median(closing), median(opening)


async def _cost(pilot: Pilot[None], part: Callable[[], None]) -> float:
    """Milliseconds of processor time until a part is done, with all it asked for, and the screen is painted."""
    before = time.process_time()
    part()
    await pilot.pause()
    pilot.app.screen._compositor.render_update(full=True)
    return 1000 * (time.process_time() - before)
