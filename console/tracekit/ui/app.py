"""The application: theme, registry, pump and the ways in and out. Screens show, `doing` acts, ports touch the world.

It never prints outside text itself and never links; an exception of its own ends it with 3 and the terminal restored.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import cast

from rich.console import RenderableType
from textual import events
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App, SuspendNotSupported
from textual.screen import Screen
from textual.timer import Timer

from tracekit.engine.requests import Discover, Launch, Request
from tracekit.ui import actions as registry
from tracekit.ui import colours
from tracekit.ui.elsewhere import Elsewhere
from tracekit.ui.keystrokes import Keystrokes
from tracekit.ui.opening import Opening
from tracekit.ui.pacing import FAR, Pace, Screenwriter
from tracekit.ui.painting import Canvas, Patches, Whole
from tracekit.ui.ports import Ports, ViewFace
from tracekit.ui.pump import HERTZ, FramePump
from tracekit.ui.safe import SafetyFilter
from tracekit.ui.screens.console import ConsoleScreen
from tracekit.ui.screens.layout import CSS
from tracekit.ui.spelling import in_cells
from tracekit.ui.sweeping import Sweeping
from tracekit.ui.terminal import CRASHED, LOOK_AT_TERMINAL, Leaving, crash_report, gone
from tracekit.ui.theme import palette
from tracekit.ui.wearing import Wearing
from tracekit.wire.problems import Problem


class ConsoleApp(Wearing, Opening, Elsewhere, Keystrokes, App[int], inherit_bindings=False):
    """The console over an engine. `start` is what it asks for first."""

    CSS = CSS
    TITLE = "tracekit"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS = []

    def __init__(
        self,
        ports: Ports,
        start: Request | None,
        *,
        root: str = "",
        profile: str | None = None,
        environment: str = "local",
        keys: Mapping[str, str | Sequence[str]] | None = None,
        ascii_only: bool = False,
        theme: str = colours.DARK,
        pumped: bool = True,
        ahead: Future[ViewFace] | None = None,
        far: bool = False,
    ) -> None:
        """`far`: the terminal is at the other end of a login."""
        super().__init__(driver_class=Screenwriter)
        self.ports = ports
        self.start = start
        self._ahead = ahead
        self.root = root or _root_of(start)
        self.profile, self.environment = profile, environment
        self.ascii_only = ascii_only
        self.actions, self.key_problems = registry.resolve(keys)
        self.look = palette(ascii_only=ascii_only)
        self.begin_with(theme)
        self.safety = SafetyFilter()
        self.compared: tuple[str, str, str] | None = (
            None  # two runs, and the scenario that was opened from there
        )
        self.crash: BaseException | None = None
        self._pumped = pumped
        self._timer: Timer | None = None
        self.leaving = Leaving(self._told_to_leave)
        self._loop_of_screen: asyncio.AbstractEventLoop | None = None
        self.board_screen = ConsoleScreen(self)
        self.pump = FramePump(self.board_screen, ports.now)
        self.pace = Pace(time.monotonic, FAR if far else 0)
        self.sweeping = Sweeping(time.monotonic)
        self._canvas = Canvas()

    # -- in and out --------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Keys, the one screen, and the pump."""
        self.set_class(self.ascii_only, "-ascii")
        self.animation_level = "none"
        self.set_keymap(registry.keymap(self.actions))
        self.ports.clipboard.write = self.to_terminal
        self._loop_of_screen = asyncio.get_running_loop()
        if not self.is_headless:
            self.set_interval(LOOK_AT_TERMINAL, self._watch_terminal)
        if self.leaving.code is not None:
            self.leave(self.leaving.code)
        known = self._ahead is not None and self._ahead.done() and self._pumped
        self.board_screen.dress(self.size.width, self.size.height, known=known)
        self.push_screen(self.board_screen, callback=None)
        self.listen()
        if self._pumped:
            self.sweeping.begin()
            self._timer = self.set_interval(1 / HERTZ, self.frame)

    def frame(self) -> None:
        """One frame; none of a screen that is being taken apart, or of a terminal that cannot take it yet."""
        if self._exit or not self.board_screen.stands:
            return
        driver = self._driver
        if isinstance(driver, Screenwriter) and not self.pace.may(driver.written, driver.waiting):
            return
        began = time.monotonic()
        if self.pump.tick():
            self.sweeping.touch()
            if self.board_screen.paint_now():
                self.pace.painted(began)
            else:
                self.call_after_refresh(self.pace.painted, began)
        self.sweeping.look()

    async def on_event(self, event: events.Event) -> None:
        """Whoever types is not to wait for anything that can be done later; another size is another terminal."""
        if isinstance(event, events.InputEvent | events.Paste):
            if self._exit or not self.screen_stack:
                return  # it ends: a key that no widget took comes here when no screen is there any more
            self.sweeping.touch(typed=True)
        elif isinstance(event, events.Resize):
            self._canvas.forget()
            if isinstance(self._driver, Screenwriter):
                event = self._driver.as_it_is(event)
        await super().on_event(event)

    def _check_resize(self) -> None:
        """All of it is painted for a size that is told, be it the same again.

        The terminal may have had others in between, too briefly to be seen here. Nobody knows what it made of its
        lines then, and what was painted meanwhile for a size that it no longer had was not written.
        """
        told = self._resize_event
        super()._check_resize()
        if told is not None and self._resize_event is None and self.screen_stack:
            for screen in (self.screen, *self._background_screens):
                screen._compositor._dirty_regions.add(told.size.region)  # noqa: SLF001 - known nowhere else

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Of what the library would paint, what does not stand there yet."""
        if not self.outgrown(screen):
            super()._display(screen, cast("RenderableType | None", self.fewer(renderable)))

    def outgrown(self, screen: object) -> bool:
        """Whether a screen is still laid out for another size than the terminal has by now: its lines would wrap."""
        return isinstance(screen, Screen) and screen._compositor.size != self.size  # noqa: SLF001 - known nowhere else

    def fewer(self, update: object) -> object:
        """The same painting in fewer bytes; what is made of it must reach the terminal."""
        if isinstance(update, ChopsUpdate):
            return Patches(update, self._canvas)
        return Whole(update, self._canvas) if isinstance(update, LayoutUpdate) else update

    def redraw(self) -> None:
        """Paint all of the screen: what stands there is not what was painted."""
        self._canvas.forget()
        for widget in self.screen.query("*"):
            widget.refresh()

    def _watch_terminal(self) -> None:
        if gone():
            self.leave(128 + signal.SIGHUP)

    def begin(self) -> None:
        """The screen stands, and nothing is painted yet: what is known by now is part of the first frame."""
        if self.start is not None:
            self.board_screen.begin(self.start, self._ahead)
        if self._ahead is not None and self._ahead.done() and self._pumped:
            self.pump.tick()
            if self.ports.picture.wanted and not self.key_problems:
                self.board_screen.call_after_refresh(self._remember)
        for problem in self.key_problems[:1]:
            self.board_screen.say(f"{problem.where}: {problem.what} · {problem.action}", warn=True)

    def _remember(self) -> None:
        """The first frame is painted; the next time that it is the same, it can be shown before all else."""
        if self.screen is self.board_screen and self.is_running:
            lines = [strip.render(self.console) for strip in self.screen._compositor.render_strips()]  # noqa: SLF001 - what was painted
            keep = partial(self.ports.picture.keep, lines, (self.size.width, self.size.height))
            asyncio.get_running_loop().run_in_executor(None, keep)

    def on_unmount(self) -> None:
        """Let go of the files."""
        self.sweeping.end()
        self.ports.questions.listen(None)
        self.board_screen.stop_watching()

    def leave(self, code: int) -> None:
        """End, with this exit code."""
        self.exit(result=code, return_code=code)

    def _told_to_leave(self, code: int) -> None:
        """From a signal handler: wake the loop, which may be asleep."""
        if self._loop_of_screen is not None:
            self._loop_of_screen.call_soon_threadsafe(self.leave, code)

    def _handle_exception(self, error: Exception) -> None:
        """An exception of our own: exit 3, and a report that carries no locals and no control characters."""
        self._return_code = CRASHED
        self.crash = self.crash or error
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        """The library's own report shows locals with whatever bytes they hold; ours does not."""
        self._exit_renderables.clear()
        if self.crash is not None and not self.is_headless:
            sys.stderr.write(crash_report(self.crash))

    async def action_quit(self) -> None:
        """Quit is a question of the screen that has the keys."""
        self.board_screen.action_quit()

    # -- safety ------------------------------------------------------------------------------------------------------

    def copy_to_clipboard(self, text: str) -> None:
        """Through the port; the library would write an escape sequence whenever it saw fit."""
        self.ports.clipboard.copy(text)

    def to_terminal(self, words: str) -> None:
        """For what a person asked for, a copy or a bell: in its place between the frames, never inside one."""
        if self._driver is None or self.is_headless:
            raise OSError("no terminal")
        self._driver.write(words)
        self._driver.flush()

    def _set_pointer_shape(self, shape: str) -> None:
        """The terminal's pointer is its own; not one escape sequence more than painting needs."""

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        """Nothing on this screen is a link."""

    # -- stepping aside ---------------------------------------------------------------------------------------------

    def edit(self, root: str, file: str, line: int) -> Problem | None:
        """Open the editor; the screen steps aside for one that wants the terminal."""
        editor = self.ports.editor
        if not editor.takes_terminal:
            return editor.open(root, file, line)
        return self.stepped_aside(lambda: editor.open(root, file, line))

    def stepped_aside(self, do: Callable[[], Problem | None]) -> Problem | None:
        """Leave the terminal to something else for as long as it takes."""
        step_aside: contextlib.AbstractContextManager[object]
        try:
            step_aside = self.suspend()
            self._canvas.forget()
            with self.leaving.aside(), step_aside:
                return do()
        except SuspendNotSupported:
            return do()


def _root_of(start: Request | None) -> str:
    return start.root if isinstance(start, Discover | Launch) else ""


def run(app: ConsoleApp, *, mouse: bool = True) -> int:
    """Run the console in this terminal; gives the exit code."""
    app.leaving.install()
    try:
        with in_cells():
            app.run(mouse=mouse)
    finally:
        app.leaving.over()
    return app.return_code if app.return_code is not None else CRASHED
