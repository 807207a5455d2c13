"""What the application opens over the console: questions, runs, two runs compared, trends, the palette, help.

A part of the application. What has to be read for a screen is read on another thread; none of it blocks or ends the
console.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

from tracekit.ui import actions as registry
from tracekit.ui.ports import Opened, Ports, RunRow, same_root
from tracekit.ui.theme import Palette
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from textual.app import App

    from tracekit.ui.app import ConsoleApp
    from tracekit.ui.screens.console import ConsoleScreen
    from tracekit.ui.screens.finding import Pick

    _Base = App[int]
else:
    _Base = object

Answer = TypeVar("Answer")
#: Names that the question of trust shows; how many more there are is said.
MOST_SEEN = 8
#: And the runners and commands.
MOST_STARTED = 6


class Opening(_Base):
    """A part of the application."""

    ports: Ports
    look: Palette
    actions: tuple[registry.Action, ...]
    board_screen: ConsoleScreen
    root: str

    @property
    def _whole(self) -> ConsoleApp:
        return cast("ConsoleApp", self)

    @property
    def open_root(self) -> str:
        """The project that the console is open on; of a bundle, the one that its run was of."""
        view = self.board_screen.board.newest
        return (view.root if view is not None else "") or self.root

    def ask(
        self,
        title: str,
        text: Sequence[str],
        answers: Sequence[tuple[str, str]],
        answered: Callable[[str | None], None],
    ) -> None:
        """A question; the first answer is the safe one, which enter gives."""
        from tracekit.ui.screens.dialogs import Question

        self.push_screen(Question(self.look, title, text, answers), answered)

    def ask_trust(self, root: str, answered: Callable[[str | None], None]) -> None:
        """May the project's own code be run? Asked when another thread has seen what can be seen without that."""

        async def look() -> None:
            names = await _in_thread(lambda: self.ports.trust.preview(root))
            found, whole = names or ((), True)
            starts = await _in_thread(lambda: self.ports.trust.starts(root)) or ()
            wide = max((len(who) for who, _ in starts[:MOST_STARTED]), default=0)
            does = [f"  {who:<{min(wide, 12)}}  {what}" for who, what in starts[:MOST_STARTED]]
            if len(starts) > MOST_STARTED:
                does.append(f"  and {len(starts) - MOST_STARTED:,} more")
            seen = [f"  {name}" for name in found[:MOST_SEEN]]
            if len(found) > MOST_SEEN:
                more = f"{len(found) - MOST_SEEN:,} more"
                seen.append(f"  {more}" if whole else f"  at least {more}")
            text = [
                root,
                "",
                "To find its tests, code of the project runs:"
                if does
                else "To find its tests, code of the project runs.",
                *does,
                *([""] if seen else []),
                *seen,
            ]
            answers = (("no", "not now"), ("yes", "let it run, and remember this for the project"))
            self.ask("First time here: may its code run?", text, answers, answered)

        self.board_screen.run_worker(look)

    def find_live(self, root: str, found: Callable[[RunRow | None], None]) -> None:
        """The newest live run of a project that is not on the screen, read on another thread."""

        async def read() -> None:
            rows = await _in_thread(self.ports.engine.runs) or ()  # `H` tells what is wrong with the list
            shown = {view.run_id for view in self.board_screen.board.views}
            live = (row for row in rows if row.live and row.run_id not in shown and same_root(row.root, root))
            found(next(live, None))

        self.board_screen.run_worker(read)

    def show_runs(self, answered: Callable[[Opened | None], None]) -> None:
        """The recorded runs."""
        from tracekit.ui.screens.runs import RunsScreen

        self.push_screen(RunsScreen(self._whole), answered)

    def compare(
        self, before: str, after: str, answered: Callable[[Opened | None], None], *, at: str = ""
    ) -> None:
        """Two runs held against each other."""
        from tracekit.ui.screens.comparison import ComparisonScreen

        self.push_screen(ComparisonScreen(self._whole, before, after, at=at), answered)

    def show_trends(
        self, root: str, environment: str, answered: Callable[[Opened | None], None], *, scenario: str = ""
    ) -> None:
        """How a project, or one of its scenarios, did lately."""
        from tracekit.ui.screens.trends import TrendsScreen

        self.push_screen(TrendsScreen(self._whole, root, environment, scenario), answered)

    def compare_with_earlier(self, run: str, answered: Callable[[Opened | None], None]) -> None:
        """A run held against the one before it, which is looked for on another thread."""

        async def look() -> None:
            archive = self.ports.engine.archive()
            try:
                before, after = await asyncio.to_thread(archive.pair_of, run)
            except ProblemError as error:
                first = error.first
                self.board_screen.say(f"{first.what} · {first.action}", warn=True)
            else:
                self.compare(before, after, answered)

        self.board_screen.run_worker(look, exit_on_error=False)

    def show_palette(self) -> None:
        """Find an action, a scenario or a run; an action is done as if its key had been pressed."""
        from tracekit.ui.screens.finding import PaletteScreen

        console = self.board_screen

        def chosen(pick: Pick | None) -> None:
            if pick is None:
                return
            if pick.kind == "action":
                self.call_later(self.run_action, pick.what, console)
            elif pick.kind == "scenario":
                console.to_tree()
                console.go_to(pick.what)
            else:
                console.show_run(pick.what, live=pick.live)

        known = [action for action in self.actions if registry.CONSOLE in action.context]
        screen = PaletteScreen(self.look, known, console.board, self.ports.now())
        self.push_screen(screen, chosen)

        async def read() -> None:
            screen.know(await _in_thread(self.ports.engine.runs) or ())

        screen.run_worker(read)

    def show_help(self) -> None:
        """Every key of the screen that is shown."""
        from tracekit.ui.screens.finding import Help

        context = getattr(self.screen, "CONTEXT", "") or registry.CONSOLE
        self.push_screen(Help(self.look, self.actions, context))


async def _in_thread(ask: Callable[[], Answer]) -> Answer | None:
    """What another thread found, or None: a question that only helps must neither block nor end the console."""
    found = await asyncio.gather(asyncio.to_thread(ask), return_exceptions=True)
    return None if isinstance(found[0], BaseException) else found[0]
