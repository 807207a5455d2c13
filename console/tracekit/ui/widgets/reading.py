"""Reads what is not in the fold, as what was recorded of a scenario before.

On another thread, one question at a time, the last one asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from textual.cache import LRUCache

from tracekit.ui.ports import Ports, ViewFace
from tracekit.ui.standing import Work
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from tracekit.engine.past import Before
    from tracekit.model.facts import Handled
    from tracekit.store.tracewindow import About

Question = TypeVar("Question")
Key = TypeVar("Key")
Answer = TypeVar("Answer")
REMEMBERED = 256


@dataclass(frozen=True)
class PastKey:
    """Which scenario of which project, seen from which run; one that has ended may be told of anew."""

    root: str
    scenario: str
    run_id: str
    ended: bool = True


@dataclass(frozen=True)
class RaisedKey:
    """Which attempt, by the rows that are its own; of a run that goes on, more may come."""

    run_id: str
    about: About
    ended: bool
    #: Where it is read from: a run that is shown at another moment is another view of the same rows.
    view: ViewFace = field(compare=False)


class Latest(Generic[Question]):
    """Has questions answered one after the other; of those that wait, only the last."""

    def __init__(
        self, begin: Callable[[Work], object], answer: Callable[[Question], Coroutine[Any, Any, None]]
    ) -> None:
        self._begin, self._answer = begin, answer
        self.wanted: Question | None = None
        self.busy = False  # an answer is on its way

    def ask(self, question: Question) -> None:
        """Forgets a question that nobody has begun to answer."""
        self.wanted = question
        if not self.busy:
            self.busy = True
            self._begin(self._read)

    async def _read(self) -> None:
        try:
            while (question := self.wanted) is not None:
                self.wanted = None
                await self._answer(question)
        finally:
            self.busy = False


class Reader(Generic[Key, Answer]):
    """Holds the newest answers; whoever shows them is told when one has come."""

    def __init__(
        self, begin: Callable[[Work], object], came: Callable[[], None], remembered: int = REMEMBERED
    ) -> None:
        self._came = came
        self._latest: Latest[Key] = Latest(begin, self._answer)
        self._known: LRUCache[Key, Answer] = LRUCache(remembered)
        self._refused: Key | None = None  # asking it again at once would give the same answer
        self.problem = ""
        self.version = 0

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way."""
        return self._latest.busy

    def told(self, key: Key) -> Answer | None:
        """The answer; None where it has not come yet."""
        return self._known.get(key)

    def want(self, key: Key) -> None:
        """Ask, unless it is known."""
        if key not in self._known and key != self._refused:
            self._latest.ask(key)

    async def _answer(self, key: Key) -> None:
        self._refused, problem = None, ""
        try:
            self._known[key] = await asyncio.to_thread(self._ask, key)
        except ProblemError as error:
            self._refused = key
            problem = f"{error.first.what} · {error.first.action}"
        self.problem, self.version = problem, self.version + 1
        if self._latest.wanted is None:
            self._came()

    def _ask(self, key: Key) -> Answer:
        raise NotImplementedError


class PastReader(Reader[PastKey, "Before"]):
    """What was recorded of a scenario before."""

    def __init__(self, ports: Ports, begin: Callable[[Work], object], came: Callable[[], None]) -> None:
        super().__init__(begin, came)
        self._ports = ports

    def want(self, key: PastKey) -> None:
        """As any; of no scenario there is nothing to ask."""
        if key.scenario:
            super().want(key)

    def _ask(self, key: PastKey) -> Before:
        return self._ports.engine.past().before(key.scenario, key.root, key.run_id)


class RaisedReader(Reader[RaisedKey, "list[Handled]"]):
    """Which exceptions a trace saw raised during an attempt."""

    def _ask(self, key: RaisedKey) -> list[Handled]:
        from tracekit.store.raised import raised

        view = key.view
        return raised(view.events(), key.about, view.state.run.root or view.root)
