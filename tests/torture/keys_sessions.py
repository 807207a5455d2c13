"""One session of the torture by keys: a console, its steps, and what is looked at on the way and at the end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
import traceback
import unicodedata
from dataclasses import dataclass
from typing import Any, cast

import pyte
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.pilot import Pilot
from textual.worker import WorkerCancelled, WorkerFailed

from tests.support.consoles import screen_text, strips_of
from tests.support.terminal import emulated
from tests.torture.keys_real import Machine, real
from tests.torture.keys_steps import Player
from tests.torture.keys_worlds import SIZE, World, prepared
from tracekit.ui.app import ConsoleApp
from tracekit.ui.screens.finding import Help
from tracekit.ui.widgets.events import EventsPane

PATIENCE, LAST = 60.0, 10.0
RESTLESS = 400
REAL_TURN = 0.002
#: Stands in every cell of a terminal that has another size: what is not painted is seen.
STRANGE = "\u2592"
BACK = 12  # so many levels deep nothing is


@dataclass(frozen=True)
class Breach:
    """What was broken; the key is the same for the same fault."""

    key: str
    words: str


@dataclass
class Session:
    """What came of it."""

    steps: int = 0
    paints: int = 0
    breach: Breach | None = None


class BrokenError(Exception):
    """Something that must hold does not."""


class Glass:
    """A terminal that is given just what the console writes of each painting, beside one that is given what the library
    would write: cell by cell they must show the same. The console is asked nothing.
    """

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app
        self.paints = 0
        self.wrong = ""  # the first painting after which they did not
        self._size = (0, 0)
        self._whole = False  # all of it was painted at this size
        self._pairs = [(screen, pyte.Stream(screen)) for screen in (pyte.Screen(1, 1), pyte.Screen(1, 1))]

    def take(self, screen: object, update: object) -> None:
        """One painting, as the library hands it over, in the bytes that the console makes of it."""
        if not isinstance(update, CompositorUpdate) or self._app._batch_count or self._app.outgrown(screen):
            return
        self.paints += 1
        if self._app.size != self._size:
            self._resize()
        (ours, here), (theirs, there) = self._pairs
        plain = _of_whole_parts(update).render_segments(self._app.console)
        here.feed(
            emulated(cast("CompositorUpdate", self._app.fewer(update)).render_segments(self._app.console))
        )
        there.feed(emulated(plain))
        self._whole |= isinstance(update, LayoutUpdate)
        if not self._whole or self.wrong:
            return
        for row in range(self._size[1]):
            one, other = ours.buffer[row], theirs.buffer[row]
            for at in range(self._size[0]):
                if one[at] != other[at]:
                    self.wrong = f"painting: row {row}, column {at} is {one[at]} and should be {other[at]}"
                    return

    def _resize(self) -> None:
        width, height = self._size = self._app.size
        self._whole = False
        for screen, _ in self._pairs:
            screen.resize(height, width)
            screen.reset()
            for row in range(height):
                # What a terminal makes of its lines at another size is nobody's to know.
                screen.cursor_position(row + 1, 1)
                screen.draw(STRANGE * width)

    @property
    def text(self) -> list[str]:
        """Row by row."""
        return [unicodedata.normalize("NFC", line.rstrip()) for line in self._pairs[0][0].display]


def _of_whole_parts(update: CompositorUpdate) -> CompositorUpdate:
    """The same, each part of a line to its ends: the library cuts it where the change ends, the console does not."""
    if not isinstance(update, ChopsUpdate):
        return update
    spans = []
    for y, since, until in update.spans:
        parts = [
            (x, end)
            for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False)
            if strip is not None and x < until and end > since
        ]
        spans.append((y, min([since, *(x for x, _ in parts)]), max([until, *(end for _, end in parts)])))
    return ChopsUpdate(update.chops, spans, update.chop_ends)


def play(name: str, seed: int, steps: list[str], on: Machine | None = None) -> Session:
    """One session, of the real ones on a machine; what breaks is told, never raised."""
    told, before = Session(), set(threading.enumerate())
    late: list[str] = []
    try:
        with real(name, on) if on is not None else contextlib.nullcontext(prepared(name, seed)) as world:
            asyncio.run(_session(world, seed, steps, told, late))
    except BrokenError as broken:
        told.breach = Breach(str(broken).partition(":")[0], str(broken))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the console's
        told.breach = _of(error)
    gc.collect()
    if told.breach is None and late:
        told.breach = Breach(late[0].rpartition("\n")[2], f"nobody heard of this:\n{late[0]}")
    left = _threads(before)
    if told.breach is None and left:
        told.breach = Breach("threads", f"threads: {left} are left")
    return told


def _threads(before: set[threading.Thread]) -> list[str]:
    """Threads that the console began; whoever was told to end needs a moment."""
    end = time.monotonic() + LAST
    while (left := set(threading.enumerate()) - before) and time.monotonic() < end:
        time.sleep(0.01)
    return sorted(thread.name for thread in left)


def _of(error: BaseException) -> Breach:
    """The fault's own words, and where it came from: its last place in the console."""
    while error.__cause__ is not None:
        error = error.__cause__
    inner = getattr(error, "error", None)  # a worker's
    if isinstance(inner, BaseException):
        error = inner
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        f"{frame.filename.rpartition('/')[2]}:{frame.name}"
        for frame in frames
        if "/tracekit/" in frame.filename
    ]
    key = f"{type(error).__name__} {ours[-1] if ours else frames[-1].name if frames else ''}"
    words = "".join(traceback.format_exception(error))
    return Breach(key, f"{key}\n{words[-3500:]}")


async def _session(world: World, seed: int, steps: list[str], told: Session, late: list[str]) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: late.append(_unheard(context)))
    if world.late is not None:
        asyncio.get_running_loop().set_default_executor(world.late)
    app, glass = world.app, Glass(world.app)
    left: list[int] = []
    really = seed % 3 == 0  # leaving is a way out for some sessions, and nothing for the others
    leave = app.leave

    def leaving(code: int) -> None:
        left.append(code)
        if really:
            leave(code)

    for method, stand_in in (
        ("leave", leaving),
        ("_display", glass.take),
        ("action_suspend_process", lambda: None),
    ):
        setattr(app, method, stand_in)
    try:
        async with asyncio.timeout(PATIENCE), app.run_test(size=SIZE) as pilot:
            watch = Watch(app, glass, pilot, still=world.late is not None)
            turn = 0 if world.late is not None else REAL_TURN
            player = Player(app, rest=watch.rest, feed=world.feed, clock=world.clock, turn=turn)
            for step in steps:
                told.steps += 1
                await player.play(step)
                if app._exception is not None or (really and left):
                    break
                if step == ".rest":
                    watch.look()
            if app._exception is None and not (really and left) and seed % 3:
                await watch.back(player)
            await asyncio.gather(*player.give_up(), return_exceptions=True)
            app.exit(0, return_code=0)  # as a person's terminal would: keys behind that are for nobody
            if app._task is not None:
                await asyncio.wait({app._task})
    except TimeoutError:
        if (error := app.crash) is not None:
            raise error from None
        raise BrokenError(f"stuck: it hangs after {told.steps} steps, {app.screen_stack}") from None
    finally:
        told.paints = glass.paints
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for _ in range(20):
        others = {task for task in others if not task.done()}
        await asyncio.sleep(0)
    if others:
        raise BrokenError(f"tasks: left behind: {[task.get_coro() for task in others]}")


def _unheard(context: dict[str, Any]) -> str:
    error = context.get("exception")
    words = "".join(traceback.format_exception(error))[-2500:] if isinstance(error, BaseException) else ""
    return f"{context.get('message')}\n{words}".strip()


class Watch:
    """Looks at a console while it is tortured."""

    def __init__(self, app: ConsoleApp, glass: Glass, pilot: Pilot[Any], *, still: bool) -> None:
        self.app, self.glass, self.pilot = app, glass, pilot
        self._still = still  # nothing happens that a step does not do

    async def rest(self) -> None:
        """Until nothing moves any more, and what is held is painted."""
        for _ in range(RESTLESS):
            if self._over():
                return
            await self._worked_off()
            if self.glass.wrong:
                raise BrokenError(self.glass.wrong)
            if self._calm and (self._over() or self.glass.text == self._held()):
                return
            await asyncio.sleep(0.005)  # poll: the library paints sixty times a second
        if not self._calm:
            raise BrokenError("restless: the console does not come to rest")
        told = zip(self._held(), self.glass.text, strict=False)
        row, held, painted = next((n, *both) for n, both in enumerate(told) if both[0] != both[1])
        raise BrokenError(
            f"stale: row {row} of {self.app.screen} holds {held!r}, and {painted!r} was painted"
        )

    def _over(self) -> bool:
        return self.app._exception is not None or self.app._exit

    async def _worked_off(self) -> None:
        """All messages, a frame, all workers, and what these have brought."""
        await self.pilot.pause()
        if self._over():
            return
        self.app.frame()
        self.app.board_screen.scenarios.settle(force=True)
        with contextlib.suppress(WorkerFailed, WorkerCancelled):  # the application knows of it
            await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    @property
    def _calm(self) -> bool:
        """Whether the newest is shown; a screen that is held still shows what it wants."""
        if self._over():
            return True
        screen = self.app.board_screen
        events = screen.detail.query_one("#events-pane", EventsPane)
        if not self._still:
            return True
        return (screen.paused or self.app.pump.idle) and not events.behind and not screen.detail.reading

    def _held(self) -> list[str]:
        shown = screen_text(self.app).split("\n")[:-1]
        return [unicodedata.normalize("NFC", emulated(line).rstrip()) for line in shown]

    def look(self) -> None:
        """Every line is within the screen."""
        width, height = self.app.size
        strips = strips_of(self.app)
        if len(strips) > height:
            raise BrokenError(f"outside: {len(strips)} lines on {height} rows of {self.app.screen}")
        for row, strip in enumerate(strips):
            if strip.cell_length > width:
                raise BrokenError(
                    f"outside: row {row} of {self.app.screen} has {strip.cell_length} columns of {width}"
                )

    async def back(self, player: Player) -> None:
        """The way back to the main screen is open, and it lives: help comes, is painted, and goes."""
        await player.play(f"@{SIZE[0]}x{SIZE[1]}")
        await self.rest()
        for _ in range(BACK):
            if self.app.screen is self.app.board_screen:
                break
            await player.play("escape")
            await self.rest()
        else:
            raise BrokenError(f"no way back: esc does not lead out of {self.app.screen_stack}")
        for _ in range(BACK):
            await player.play("escape")
            await self.rest()
        before, text = self.glass.paints, self.glass.text
        await player.play("?")
        await self.rest()
        top: object = self.app.screen
        if not isinstance(top, Help) or not any("KEYS" in line for line in self.glass.text):
            raise BrokenError(f"dead: help does not come over {top}, keys go to {self.app.focused}")
        await player.play("escape")
        await self.rest()
        if self.app.screen is not self.app.board_screen or self.glass.paints <= before:
            raise BrokenError(f"dead: help does not go from {self.app.screen}")
        self.look()
        if self._still and text != self.glass.text:
            raise BrokenError("changed: what was shown before help is not what is shown after it")
