"""The application: theme, registry, pump and the ways in and out. Screens show, `doing` acts, ports touch the world.

It never prints outside text itself and never links; an exception of its own ends it with 3 and the terminal restored.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TypeVar

from textual.app import App, SuspendNotSupported
from textual.filter import LineFilter
from textual.timer import Timer

from tracekit.engine.requests import Discover, Launch, Request
from tracekit.ui import actions as registry
from tracekit.ui.elsewhere import Elsewhere
from tracekit.ui.ports import Ports, RunRow, ViewFace, same_root
from tracekit.ui.pump import HERTZ, FramePump
from tracekit.ui.safe import SafetyFilter
from tracekit.ui.screens.console import ConsoleScreen
from tracekit.ui.screens.dialogs import Help, PaletteScreen, Question, Runs
from tracekit.ui.screens.layout import CSS
from tracekit.ui.terminal import CRASHED, LOOK_AT_TERMINAL, Leaving, crash_report, gone
from tracekit.ui.theme import THEME, palette
from tracekit.wire.problems import Problem, ProblemError

Answer = TypeVar("Answer")


class ConsoleApp(Elsewhere, App[int], inherit_bindings=False):
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
        pumped: bool = True,
        ahead: Future[ViewFace] | None = None,
    ) -> None:
        super().__init__()
        self.ports = ports
        self.start = start
        self._ahead = ahead
        self.root = root or _root_of(start)
        self.profile, self.environment = profile, environment
        self.ascii_only = ascii_only
        self.actions, self.key_problems = registry.resolve(keys)
        few = "NO_COLOR" in os.environ or self.console.color_system in {None, "standard"}
        self.look = palette(ascii_only=ascii_only, few_colours=few and not self._headless_colours())
        self.safety = SafetyFilter()
        self.crash: BaseException | None = None
        self._pumped = pumped
        self._timer: Timer | None = None
        self.leaving = Leaving(self._told_to_leave)
        self._loop_of_screen: asyncio.AbstractEventLoop | None = None
        self.board_screen = ConsoleScreen(self)
        self.pump = FramePump(self.board_screen, ports.now)

    @staticmethod
    def _headless_colours() -> bool:
        return "TRACEKIT_GOLDEN" in os.environ

    # -- in and out --------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Theme, keys, the one screen, and the pump."""
        self.register_theme(THEME)
        self.theme = THEME.name
        self.animation_level = "none"
        self.set_keymap(registry.keymap(self.actions))
        self._loop_of_screen = asyncio.get_running_loop()
        if not self.is_headless:
            self.leaving.install()
            self.set_interval(LOOK_AT_TERMINAL, self._watch_terminal)
        known = self._ahead is not None and self._ahead.done() and self._pumped
        self.board_screen.dress(self.size.width, self.size.height, known=known)
        self.push_screen(self.board_screen, callback=None)
        self.listen()
        if self._pumped:
            self._timer = self.set_interval(1 / HERTZ, self.pump.tick)

    def _watch_terminal(self) -> None:
        if gone():
            self.leave(128 + signal.SIGHUP)

    def begin(self) -> None:
        """The screen stands, and nothing is painted yet: what is known by now is part of the first frame."""
        if self.start is not None:
            self.board_screen.begin(self.start, self._ahead)
        if self._ahead is not None and self._ahead.done() and self._pumped:
            self.pump.tick()
        for problem in self.key_problems[:1]:
            self.board_screen.say(f"{problem.where}: {problem.what} · {problem.action}", warn=True)

    def on_unmount(self) -> None:
        """Give the signals back, and let go of the files."""
        self.ports.questions.listen(None)
        self.board_screen.stop_watching()
        self.leaving.remove()

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

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What the library wants, and then the last look at every line."""
        return [*super().get_line_filters(), self.safety]

    def copy_to_clipboard(self, text: str) -> None:
        """Through the port: the library would write an escape sequence to the terminal."""
        self.ports.clipboard.copy(text)

    def _set_pointer_shape(self, shape: str) -> None:
        """The terminal's pointer is its own; not one escape sequence more than painting needs."""

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        """Nothing on this screen is a link."""

    # -- other screens -----------------------------------------------------------------------------------------------

    def ask(
        self,
        title: str,
        text: Sequence[str],
        answers: Sequence[tuple[str, str]],
        answered: Callable[[str | None], None],
    ) -> None:
        """A question; the first answer is the safe one, which enter gives."""
        self.push_screen(Question(self.look, title, text, answers), answered)

    def ask_trust(self, root: str, answered: Callable[[str | None], None]) -> None:
        """May the project's own code be run? Asked when another thread has seen what can be seen without that."""

        async def look() -> None:
            names = await _in_thread(lambda: self.ports.trust.preview(root))
            seen = [f"  {name}" for name in (names or ())[:8]]
            text = [
                root,
                "",
                "This imports the project's test code and runs its plugins.",
                *([""] if seen else []),
                *seen,
            ]
            answers = (("no", "not now"), ("yes", "let it run, and remember this for the project"))
            self.ask("First time here: may its code run?", text, answers, answered)

        self.run_worker(look())

    def find_live(self, root: str, found: Callable[[RunRow | None], None]) -> None:
        """The newest live run of a project that is not on the screen, read on another thread."""

        async def read() -> None:
            rows = await _in_thread(self.ports.engine.runs) or ()  # `H` tells what is wrong with the list
            shown = {view.run_id for view in self.board_screen.board.views}
            live = (row for row in rows if row.live and row.run_id not in shown and same_root(row.root, root))
            found(next(live, None))

        self.run_worker(read())

    def show_runs(self, answered: Callable[[tuple[str, bool] | None], None]) -> None:
        """The list of runs, read on another thread."""
        screen = Runs(self.look, self.ports.now())
        self.push_screen(screen, answered)

        async def read() -> None:
            try:
                rows: Sequence[RunRow] = await asyncio.to_thread(self.ports.engine.runs)
            except ProblemError as error:
                screen.dismiss(None)
                self.board_screen.failed(error.problems)
            else:
                screen.show_rows(rows)

        self.run_worker(read(), exit_on_error=False)

    def show_palette(self) -> None:
        """Find an action; it is then done as if its key had been pressed."""

        def chosen(handler: str | None) -> None:
            if handler:
                self.call_later(self.run_action, handler, self.board_screen)

        known = [action for action in self.actions if registry.CONSOLE in action.context]
        self.push_screen(PaletteScreen(self.look, known), chosen)

    def show_help(self) -> None:
        """Every key."""
        self.push_screen(Help(self.look, self.actions))

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
            with self.leaving.aside(), step_aside:
                return do()
        except SuspendNotSupported:
            return do()


async def _in_thread(ask: Callable[[], Answer]) -> Answer | None:
    """What another thread found, or None: a question that only helps must neither block nor end the console."""
    found = await asyncio.gather(asyncio.to_thread(ask), return_exceptions=True)
    return None if isinstance(found[0], BaseException) else found[0]


def _root_of(start: Request | None) -> str:
    return start.root if isinstance(start, Discover | Launch) else ""


def run(app: ConsoleApp, *, mouse: bool = True) -> int:
    """Run the console in this terminal; gives the exit code."""
    app.run(mouse=mouse)
    app.leaving.over()
    return app.return_code if app.return_code is not None else CRASHED
