"""Reads what was recorded of a scenario before: on another thread, one question at a time, the last one asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.cache import LRUCache

from tracekit.ui.ports import Ports
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from tracekit.engine.past import Before

REMEMBERED = 256


@dataclass(frozen=True)
class PastKey:
    """Which scenario of which project, seen from which run; one that has ended may be told of anew."""

    root: str
    scenario: str
    run_id: str
    ended: bool = True


class PastReader:
    """Holds the newest answers; whoever shows them is told when one has come."""

    def __init__(self, ports: Ports, came: Callable[[], None]) -> None:
        self._ports, self._came = ports, came
        self._known: LRUCache[PastKey, Before] = LRUCache(REMEMBERED)
        self._wanted: PastKey | None = None
        self._task: asyncio.Task[None] | None = None
        self._refused: PastKey | None = None  # asking it again at once would give the same answer
        self.problem = ""
        self.version = 0

    def told(self, key: PastKey) -> Before | None:
        """The answer; None where it has not come yet."""
        return self._known.get(key)

    def want(self, key: PastKey) -> None:
        """Ask, unless it is known; a question that nobody has begun to answer is forgotten."""
        if not key.scenario or key in self._known or key == self._refused:
            return
        self._wanted = key
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._read())

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way."""
        return self._task is not None and not self._task.done()

    async def _read(self) -> None:
        while (key := self._wanted) is not None:
            self._wanted, self._refused, problem = None, None, ""
            try:
                self._known[key] = await asyncio.to_thread(self._ask, key)
            except ProblemError as error:
                self._refused = key
                problem = f"{error.first.what} · {error.first.action}"
            self.problem, self.version = problem, self.version + 1
            if self._wanted is None:
                self._came()

    def _ask(self, key: PastKey) -> Before:
        return self._ports.engine.past().before(key.scenario, key.root, key.run_id)
