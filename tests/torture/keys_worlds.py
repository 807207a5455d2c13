"""What the torture by keys is pressed upon: consoles over prepared runs whose answers come late, and over real ones.

A prepared console is the same each time: what it asks of other threads is answered on its own one, so many turns of the
loop later as the seed says. A real one has an engine, an agent and what they recorded in this very minute.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.support import journals
from tests.support.consoles import FakeBox, FakeBoxes, FakeEngine, FakeView, console
from tests.support.journals import ROOT, SECOND, Journal
from tests.ui import past_screens
from tracekit.engine.requests import Cancel, Discover, Launch, Replay, Request, Rerun
from tracekit.ui.app import ConsoleApp
from tracekit.ui.ports import ViewFace
from tracekit.wire.problems import Problem

LATE = (0, 0, 1, 2, 5, 12, 40, 150)
SIZE = (120, 36)


@dataclass
class World:
    """A console, and what happens around it."""

    app: ConsoleApp
    feed: Callable[[], None] = lambda: None
    clock: Callable[[], None] = lambda: None
    late: LateExecutor | None = None  # what stands in for other threads; a real console has them


class LateExecutor(ThreadPoolExecutor):
    """Does at once what another thread should do, and tells of it some turns of the loop later."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(max_workers=1)
        self._chance = chance

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as a thread would: whoever waits is told
            done.set_exception(error)
        after(self._chance.choice(LATE), future, done)
        return future


def after(turns: int, future: Future[Any], done: Future[Any]) -> None:
    """Let a future say what another one says, so many turns of the loop later."""
    loop = asyncio.get_running_loop()

    def turn(left: int) -> None:
        if left:
            loop.call_soon(turn, left - 1)
        elif future.set_running_or_notify_cancel():
            error = done.exception()
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(done.result())

    turn(turns)


class LateEngine(FakeEngine):
    """Answers late; each launch is a run of its own, that goes on as it is fed."""

    def __init__(self, chance: random.Random, **answers: FakeView | Problem | Exception | None) -> None:
        super().__init__(**answers)
        self._chance = chance
        self._numbers = itertools.count(1)
        self.views: list[FakeView] = [view for view in answers.values() if isinstance(view, FakeView)]

    def submit(self, request: Request) -> Future[ViewFace]:
        if isinstance(request, Launch | Rerun) and "launch" not in self.answers:
            self.answers["launch" if isinstance(request, Launch) else "rerun"] = self._begun(request)
            done = super().submit(request)
            self.answers.pop("launch", None)
        else:
            done = super().submit(request)
        if not done.done():
            return done
        future: Future[ViewFace] = Future()
        after(self._chance.choice(LATE), future, done)
        return future

    def _begun(self, request: Launch | Rerun) -> FakeView:
        made = journals.running() if isinstance(request, Launch) else journals.rerun_of(journals.failing())
        if isinstance(request, Launch) and self._chance.random() < 0.5:
            made.finish()
        view = FakeView(_numbered(made, next(self._numbers)), fed=self._chance.randrange(4), live=True)
        self.views.append(view)
        return view

    def feed(self) -> None:
        """Every run goes on a little; one that was asked to stop ends."""
        stopped = {each.run for each in self.asked if isinstance(each, Cancel)}
        for view in self.views:
            if view.run_id in stopped and not view.state.run.ended:
                view.journal.finish("cancelled")
                view.feed(len(view.journal.lines))
            elif view.live:
                view.feed(self._chance.choice((1, 3, 12)))


def _numbered(journal: Journal, number: int) -> Journal:
    """The same run under another name."""
    journal.run = f"01KAH0C5M0DEMORVN{number:09d}"
    journal.lines = [{**line, "run": journal.run} for line in journal.lines]
    return journal


def _engine(chance: random.Random, **answers: FakeView | Problem | None) -> LateEngine:
    engine = LateEngine(chance, **answers)
    engine.shelf = past_screens.runs().engine.shelf
    engine.shelf.held = past_screens.held()
    trending = past_screens.trending(30).engine.shelf
    engine.shelf.trended, engine.shelf.stories = trending.trended, trending.stories
    engine.before.answer = journals.before()
    return engine


def _boxes() -> FakeBoxes:
    dead = Problem("ssh.refused", "nothing listens there", "ci@lab3", "is its sshd running? Try `ssh lab3`")
    changed = Problem("ssh.host_key_changed", "the host key has changed", "ci@lab4:22", "look at it")
    return FakeBoxes(
        FakeBox("local"),
        FakeBox("box7", "ci@box7.lab", words="python 3.11.2 · load 0.42"),
        FakeBox("lab3", "ci@lab3", well=False, problems=(dead,)),
        FakeBox("lab4", "ci@lab4", well=False, problems=(changed,)),
    )


def _recorded(chance: random.Random) -> tuple[Request, LateEngine, bool]:
    view = FakeView(journals.failing())
    return Replay(view.run_id), _engine(chance, replay=view, attach=view, cancel=view), True


def _live(chance: random.Random) -> tuple[Request, LateEngine, bool]:
    journal = journals.running()
    if chance.random() < 0.5:
        journal.finish()
    view = FakeView(journal, fed=chance.randrange(len(journal.lines)), live=True)
    other = FakeView(_numbered(journals.failing(), 999))
    return Launch(ROOT), _engine(chance, launch=view, replay=other, attach=view, cancel=view), True


def _empty(chance: random.Random) -> tuple[Request, LateEngine, bool]:
    engine = LateEngine(chance, discover=FakeView(journals.nothing_found()))
    return Discover(ROOT), engine, False


def _found(chance: random.Random) -> tuple[Request, LateEngine, bool]:
    old, new = FakeView(journals.discovered()), FakeView(journals.discovered())
    old.stale = True
    engine = _engine(chance, discover=old, again=new, replay=FakeView(journals.failing()))
    return Discover(ROOT, at_once=True), engine, True


def _broken(chance: random.Random) -> tuple[Request, LateEngine, bool]:
    """Everything that is asked is refused."""
    refused = Problem("agent.gone", "the agent is gone", "local", "press a to start it again")
    engine = LateEngine(chance, launch=refused, rerun=refused, replay=refused, attach=refused, cancel=refused)
    engine.answers["discover"] = FakeView(journals.flagged())
    engine.shelf.kept = past_screens.runs().engine.rows
    engine.shelf.broken = Problem("store.unreadable", "the runs cannot be read", "/srv/runs", "mend it")
    engine.before.answer = engine.shelf.broken
    return Discover(ROOT), engine, True


PREPARED = {"recorded": _recorded, "live": _live, "empty": _empty, "found": _found, "broken": _broken}


def prepared(name: str, seed: int) -> World:
    """One of the consoles over fakes."""
    chance = random.Random(seed * 31 + 7)
    start, engine, trusted = PREPARED[name](chance)
    shown = console(
        start, engine=engine, trusted=trusted, boxes=_boxes(), root=ROOT, ascii_only=seed % 7 == 0
    )

    def clock() -> None:
        shown.clock[0] += chance.choice((SECOND // 10, SECOND, 7 * SECOND))

    return World(shown.app, engine.feed, clock, LateExecutor(chance))
