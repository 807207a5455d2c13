"""What the application shows of other machines: environments, a shell there, what a login asks, a key that is refused.

Questions come from other threads and are shown one behind the other; their answers go back and are kept nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import TYPE_CHECKING, Any

from tracekit.ui.asking import NEVER, Asked, Pending
from tracekit.ui.ports import BoxHealth, BoxRow, Ports
from tracekit.ui.theme import Palette
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from textual.app import App

    from tracekit.ui.screens.console import ConsoleScreen
    from tracekit.ui.screens.environments import Environments
    from tracekit.ui.screens.once import Once

    _Base = App[int]
else:
    _Base = object


class Elsewhere(_Base):
    """A part of the application."""

    ports: Ports
    look: Palette
    root: str
    environment: str
    #: Where a run of everything, or of a choice, begins as well.
    beside: tuple[str, ...] = ()
    board_screen: ConsoleScreen
    stepped_aside: Callable[[Callable[[], Problem | None]], Problem | None]
    _asking: Pending | None = None
    _soon: Callable[[Callable[[], None]], None]

    # -- what a login asks

    def listen(self) -> None:
        """Be told of questions, from any thread."""
        loop, here = asyncio.get_running_loop(), contextvars.copy_context()

        def soon(do: Callable[[], None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: so has the screen
                # Another thread's context knows no application.
                loop.call_soon_threadsafe(do, context=here)

        self._soon = soon
        self.ports.questions.listen(lambda: soon(self._next_question))

    def _next_question(self) -> None:
        if self._asking is not None:
            return
        pending = self._asking = self.ports.questions.take()
        if pending is None:
            return
        asked, answer = pending
        screen = self._screen_of(asked)

        def gone(told: Future[str | None]) -> None:
            if told.cancelled():
                self._soon(lambda: self._withdraw(screen))

        answer.add_done_callback(gone)
        self.push_screen(screen, self._answered)

    def _screen_of(self, asked: Asked) -> Once[str | None]:
        from tracekit.ui.screens.asked import Secret, new_key

        return new_key(self.look, asked) if asked.kind == "host-key" else Secret(self.look, asked)

    def _withdraw(self, screen: Once[Any]) -> None:
        """Whoever asked does not wait any more: the login is over."""
        if screen in self.screen_stack:
            screen.withdrawn()

    def _answered(self, answer: str | None) -> None:
        pending, self._asking = self._asking, None
        if pending is not None:
            with contextlib.suppress(InvalidStateError):
                if pending[1].set_running_or_notify_cancel():
                    pending[1].set_result(answer)
        self._next_question()

    def show_refused(self, problem: Problem) -> None:
        """A key that nobody may accept."""
        from tracekit.ui.screens.asked import Refused

        self.push_screen(Refused(self.look, problem))

    # -- environments

    def show_environments(self) -> None:
        """The list, and how each box is; looked at on other threads, all at once."""

        async def show() -> None:
            rows: Sequence[BoxRow] = ()
            try:
                rows = await asyncio.to_thread(self.ports.boxes.rows, self.root)
            except ProblemError as fault:
                self.board_screen.failed(fault.problems)
                return
            from tracekit.ui.screens.environments import Environments

            screen = Environments(self.look, rows, (self.environment, *self.beside))
            self.push_screen(screen, self._chosen)

            def check(name: str) -> None:
                screen.run_worker(lambda: self._look(screen, name))

            screen.check = check
            for row in rows:
                if row.address:
                    check(row.name)

        self.board_screen.run_worker(show)

    async def _look(self, screen: Environments, name: str) -> None:
        screen.told(name, None)
        try:
            health: BoxHealth = await asyncio.to_thread(self.ports.boxes.look, self.root, name)
        except ProblemError as fault:
            health = _Unwell(fault.problems)
            if fault.first.code in NEVER:
                self.show_refused(fault.first)
        screen.told(name, health)

    def _chosen(self, answer: tuple[str, str] | None) -> None:
        if answer is None:
            return
        what, name = answer
        if what == "shell":
            self.open_shell(name, "")
        else:
            self.environment, *beside = name.split(",")
            self.beside = tuple(beside)
            self.board_screen.say(f"runs begin on {' and '.join(name.split(','))} from now on")

    def open_shell(self, name: str, run: str) -> None:
        """A shell on a box, in this terminal."""
        problem = self.stepped_aside(lambda: self.ports.boxes.shell(self.root, name, run))
        if problem is not None:
            self.board_screen.failed((problem,))
        self.refresh(layout=True)


class _Unwell:
    """A box that could not be reached."""

    well = False

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = problems
        self.words = problems[0].what
