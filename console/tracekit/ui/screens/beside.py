"""Runs that begin together with the one that is shown, each on another box: begun with it, and told of at their end.

They are recorded like any other: the list of runs shows each, live too, and compares any two.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from tracekit.engine.requests import Launch, Rerun
from tracekit.model.status import WORDS
from tracekit.ui.ports import ViewFace
from tracekit.wire.names import RED
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from tracekit.ui.screens.doing import Doing


class Beside:
    """What goes on where a person does not look."""

    def __init__(self, screen: Doing) -> None:
        self._screen = screen
        self._asked: dict[str, Future[ViewFace]] = {}
        #: The newest run of each other box.
        self._newest: dict[str, ViewFace] = {}
        self._untold: dict[str, ViewFace] = {}
        self._awaited: list[tuple[Future[ViewFace], Callable[[ViewFace | None], None]]] = []

    @property
    def live(self) -> dict[str, ViewFace]:
        """The runs that go on, by their boxes."""
        return {name: view for name, view in self._untold.items() if view.live}

    @property
    def pending(self) -> dict[str, Future[ViewFace]]:
        """What was asked for and has not begun, by its box."""
        return {name: future for name, future in self._asked.items() if not future.done()}

    def when_begun(self, future: Future[ViewFace], then: Callable[[ViewFace | None], None]) -> None:
        """Do it once that run has begun, here or elsewhere; with nothing where it never does.

        A launch is not called back on its way: whether its box has heard of it by then, nobody could know.
        """
        self._awaited.append((future, then))

    def begin(self, request: Launch | Rerun) -> None:
        """Ask for the same on every other box that is chosen."""
        owner = self._screen.owner
        for name in owner.beside:
            self._asked[name] = self._screen.ports.engine.submit(self._there(name, request))

    def _there(self, name: str, request: Launch | Rerun) -> Launch | Rerun:
        if isinstance(request, Launch):
            return request._replace(environment=name)
        if name in self._newest:
            return request._replace(run=self._newest[name].run_id)
        owner, view = self._screen.owner, self._screen.board.newest
        return Launch(view.root if view is not None else owner.root, owner.profile, name, ids=request.ids)

    def tick(self) -> None:
        """One frame: say of each how it ended, or why it has not begun."""
        for awaited in [one for one in self._awaited if one[0].done()]:
            self._awaited.remove(awaited)
            future, then = awaited
            begun = not future.cancelled() and future.exception() is None
            then(future.result() if begun else None)
        for name, future in [(name, future) for name, future in self._asked.items() if future.done()]:
            del self._asked[name]
            fault = future.exception() if not future.cancelled() else None
            if isinstance(fault, ProblemError):
                self._screen.say(f"{name}: {fault.first.what} · {fault.first.action}", warn=True)
            elif fault is not None:
                self._screen.say(f"{name}: {type(fault).__name__}: {fault}", warn=True)
            elif not future.cancelled():
                self._newest[name] = self._untold[name] = future.result()
        for name, view in [(name, view) for name, view in self._untold.items() if not view.live]:
            del self._untold[name]
            self._screen.say(f"{name}: {_ended(view)} · H shows it", warn=_bad(view))


def _ended(view: ViewFace) -> str:
    with view.lock:
        counts, reason = dict(view.state.counts), view.state.run.reason
    told = [f"{counts[word]} {word}" for word in WORDS if counts.get(word)]
    if view.link == "lost":
        told.append("lost")
    elif reason != "finished":
        told.append(reason)
    return ", ".join(each for each in told if each) or "nothing ran"


def _bad(view: ViewFace) -> bool:
    with view.lock:
        return view.state.run.reason != "finished" or any(view.state.counts.get(word) for word in RED)
