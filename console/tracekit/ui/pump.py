"""The frame pump: thirty times a second it takes the newest generation and has what is visible repainted.

One clock tick, never a message for each event. It reads runs under their lock through the board and looks at futures of
the engine; nothing else of the screen may.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Protocol

from tracekit.ui.board import Board, Delta
from tracekit.ui.ports import ViewFace
from tracekit.wire.problems import Problem, ProblemError

HERTZ = 30


class Shown(Protocol):
    """What the pump drives."""

    board: Board
    paused: bool

    def apply(self, delta: Delta) -> None: ...
    def tick(self, now: int) -> None: ...
    def failed(self, problems: tuple[Problem, ...]) -> None: ...


@dataclass(eq=False)
class Waiting:
    """An answer of the engine that is still to come."""

    future: Future[ViewFace]
    then: Callable[[ViewFace], None]
    refused: Callable[[], None]


class FramePump:
    """Carries what the engine publishes to the screen, at the screen's pace."""

    def __init__(self, shown: Shown, now: Callable[[], int]) -> None:
        self._shown = shown
        self._now = now
        self._waiting: list[Waiting] = []
        self.frames = 0
        self.rendered: tuple[int, ...] = ()

    def expect(
        self,
        future: Future[ViewFace],
        then: Callable[[ViewFace], None],
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        """Call `then` with the answer, in a frame of its own, or `refused` once it has been told that there is none."""
        self._waiting.append(Waiting(future, then, refused))

    @property
    def idle(self) -> bool:
        """Whether every answer that has come and every generation is on the screen."""
        newest = tuple(view.generation for view in self._shown.board.views)
        return not any(waiting.future.done() for waiting in self._waiting) and self.rendered == newest

    def tick(self) -> bool:
        """One frame; says whether it brought anything."""
        self.frames += 1
        news = self._answers()
        if not self._shown.paused:
            generations = tuple(view.generation for view in self._shown.board.views)
            delta = self._shown.board.look()
            if delta.any:
                self._shown.apply(delta)
            news |= delta.any
            self.rendered = () if self._shown.board.behind else generations
        self._shown.tick(self._now())
        return news

    def _answers(self) -> bool:
        answered = len(self._waiting)
        for waiting in [waiting for waiting in self._waiting if waiting.future.done()]:
            if waiting not in self._waiting:
                continue  # whoever was given an answer before has looked at once, as one that comes back in time does
            self._waiting.remove(waiting)
            try:
                error = waiting.future.exception()
            except CancelledError:
                self._shown.failed((Problem("ui.cancelled", "the request was withdrawn"),))
                waiting.refused()
                continue
            if error is None:
                waiting.then(waiting.future.result())
                continue
            self._shown.failed(error.problems if isinstance(error, ProblemError) else (_unexpected(error),))
            waiting.refused()
        return len(self._waiting) != answered


def _unexpected(error: BaseException) -> Problem:
    """A fault of the engine's own: told like any other, and the screen stays."""
    what = f"the engine failed: {type(error).__name__}: {error}"
    return Problem("engine.unexpected", what, "", "try again; runs go on without it")
