"""The console on a real terminal, fed with hostile text, walked through every pane; run as a program by the P9 test.

After each pane it tells on descriptor 9 what the compositor meant to show and waits for an answer on descriptor 8.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from rich.cells import cell_len

from tests.security.payloads import PAYLOADS, as_text, hostile_journal
from tests.support.consoles import Console, FakeRow, FakeView, press, settle, showing
from tests.support.journals import BEGAN
from tracekit.engine.past import Before, Difference, Held, TrendPoint, Trends, story_of
from tracekit.model.comparing import Why, compare
from tracekit.model.results import Result
from tracekit.store.catalogue import RunSummary, Verdict
from tracekit.store.sources import Changed
from tracekit.ui import safe as safe_module
from tracekit.wire.problems import Problem

Step = Callable[[Any, Console, str], Awaitable[None]]


def keys(*pressed: str) -> Step:
    """Go to a pane by keys."""

    async def step(pilot: Any, shown: Console, _text: str) -> None:
        await press(pilot, shown, *pressed)

    return step


async def _filtered(pilot: Any, shown: Console, text: str) -> None:
    await press(pilot, shown, "escape", "slash")
    shown.app.board_screen.query_one("#filter").value = text  # type: ignore[attr-defined]
    await settle(pilot, shown)


async def _said(pilot: Any, shown: Console, text: str) -> None:
    await press(pilot, shown, "escape", "escape")
    shown.app.board_screen.failed((Problem("x", text, text, text),))
    await settle(pilot, shown)


async def _runs(pilot: Any, shown: Console, text: str) -> None:
    shown.engine.rows = [FakeRow(text, root=text, started_t=BEGAN, reason=text, counts={text: 1})]
    await press(pilot, shown, "H")


async def _asked(pilot: Any, shown: Console, text: str) -> None:
    await press(pilot, shown, "escape")
    shown.app.ask("Sure?", (text,), (("no", "no"), ("yes", "yes")), lambda _answer: None)
    await settle(pilot, shown)


PANES: tuple[tuple[str, Step], ...] = (
    ("notice", keys()),
    ("notice-collect", keys("j", "j")),
    ("tree", keys("J")),
    ("why", keys("2")),
    ("why-end", keys("tab", "G")),
    ("steps", keys("1", "g")),
    ("steps-end", keys("G")),
    ("output", keys("3")),
    ("repro", keys("8")),
    ("run", keys("0")),
    ("events", keys("4")),
    ("timeline", keys("5")),
    ("env", keys("6")),
    ("history", keys("7")),
    ("zoomed", keys("2", "z")),
    ("container", keys("escape", "escape", "g")),
    ("runner-output", keys("G")),
    ("all-events", keys("4")),
    ("overview", keys("1")),
    ("filter", _filtered),
    ("problem", _said),
    ("runs", _runs),
    ("comparison", keys("escape", "escape", "escape", "J", "d")),
    ("comparison-end", keys("G", "tab")),
    ("trends", keys("escape", "escape", "P", "G")),
    ("then", keys("escape", "escape", "[")),
    ("palette", keys(")", "escape", "colon")),
    ("question", _asked),
)


def remember(shown: Console, text: str) -> None:
    """What was recorded before says the same text wherever it says anything from outside."""
    run = RunSummary(
        run_id="01KAH0C5M0DEMORVN00000H0ST",
        root=text,
        profile=text,
        environment=text,
        parent=text,
        started_t=BEGAN,
        ended_t=BEGAN + 1,
        ended=True,
        reason=text,
        counts={"passed": 1, text: 1},
        fingerprint=text,
        facts={"git": {"commit": text, "branch": text, "dirty": True}},
    )
    green, red = Result(text, "passed", flags=(text,)), Result(text, "failed")
    told = story_of(text, text, [Verdict(run, red), Verdict(run, green)])
    apart = (Difference(text, text, text),)
    shown.engine.before.answer = Before(told, told.verdicts[1], apart, (Changed(text, "changed"),))
    shelf = shown.engine.shelf
    shelf.held = Held(run, run, compare([green], [red], why_after={text: Why("k", text)}), apart)
    point = TrendPoint(run.run_id, BEGAN, 1, run.counts, text, text)
    shelf.trended = Trends(text, text, (point,), 0, (told,), (told,), (told,))


class Raw:
    """Layer 1 switched off: text as it came, to see what the last filter does."""

    def __init__(self, text: str | bytes, _columns: int = 0) -> None:
        self.text = (as_text(text) if isinstance(text, bytes) else text)[:4096]
        self.spans: list[tuple[int, int, str]] = []
        self.columns, self.pictured, self.cut = cell_len(self.text), 0, 0


def without_layer_one() -> None:
    """Replace the sanitiser everywhere the screen uses it."""
    for module in [module for name, module in sys.modules.items() if name.startswith("tracekit.ui")]:
        if hasattr(module, "safe") and callable(module.safe):
            module.safe = Raw  # type: ignore[attr-defined]
        if hasattr(module, "safe_lines"):
            module.safe_lines = lambda data: [Raw(line) for line in data.split(b"\n")]  # type: ignore[attr-defined]
    safe_module._remembered.cache_clear()


async def visit(shown: Console, text: str, check: Callable[[str, Console], None]) -> None:
    """Every pane, one after the other."""
    async with shown.app.run_test(headless=False, size=None) as pilot:
        await settle(pilot, shown)
        for name, step in PANES:
            await step(pilot, shown, text)
            check(name, shown)


def main(numbers: list[int], *, layer_one: bool) -> None:
    """These payloads, one console after the other."""
    tell, hear = os.fdopen(9, "w"), os.fdopen(8)
    if not layer_one:
        without_layer_one()
    for name, payload in [PAYLOADS[number] for number in numbers]:

        def check(pane: str, shown: Console, name: str = name) -> None:
            tell.write(json.dumps([name, pane, shown.screen_text(), shown.app.safety.caught]) + "\n")
            tell.flush()
            hear.readline()

        shown = showing(FakeView(hostile_journal(payload)))
        remember(shown, as_text(payload))
        asyncio.run(visit(shown, as_text(payload), check))
    tell.write("done\n")
    tell.flush()


if __name__ == "__main__":
    main([int(number) for number in sys.argv[2].split(",")], layer_one=sys.argv[1] == "on")
