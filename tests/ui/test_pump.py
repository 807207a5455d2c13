"""The frame pump: each answer is handed over once, whatever is done with it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from tests.support import journals
from tests.support.consoles import FakeView
from tracekit.ui.board import Board, Delta
from tracekit.ui.pump import FramePump
from tracekit.wire.problems import Problem


class Shown:
    """A screen that takes notes."""

    paused = False

    def __init__(self) -> None:
        self.board = Board()

    def apply(self, delta: Delta) -> None: ...
    def tick(self, now: int) -> None: ...
    def failed(self, problems: tuple[Problem, ...]) -> None: ...


def test_tick__two_answers_of_which_the_first_has_the_screen_look_at_once__then_each_is_given_once() -> None:
    pump = FramePump(Shown(), lambda: 0)
    view = FakeView(journals.green())
    given: list[str] = []
    answers: list[Future[Any]] = [Future(), Future()]

    def look(_: object) -> None:
        given.append("first")
        pump.tick()

    pump.expect(answers[0], look)
    pump.expect(answers[1], lambda _: given.append("second"))
    for answer in answers:
        answer.set_result(view)
    assert pump.tick()
    assert not pump.tick()
    assert given == ["first", "second"]
