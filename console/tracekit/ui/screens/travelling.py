"""The console's side that goes back and forth in a run: what is shown is the run at a moment, the run is not touched.

The engine finds a moment on another thread; the newest wish counts. Past the end there is the run itself again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tracekit.ui.board import Board
from tracekit.ui.panes.timebar import TimeFacts
from tracekit.ui.ports import JourneyFace, MomentFace, ViewFace
from tracekit.ui.screens.watching import Watch
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.model.state import RunState

_FAR = 10  # a long way is this part of all verdicts


class Travelling(Watch):
    """The console screen's side that rewinds."""

    journey: JourneyFace | None = None
    _base: ViewFace | None = None  # the run itself
    _moment: MomentFace | None = None  # what is shown in its place
    _wanted = 0
    _going = False

    if TYPE_CHECKING:
        paused: bool
        run_worker: Callable[..., Any]

        @property
        def in_detail(self) -> bool: ...
        def show_bars(self, now: int) -> None: ...
        def reselect(self) -> None: ...

    @property
    def travelling(self) -> bool:
        """Whether a moment is shown and not the run."""
        return self._moment is not None

    @property
    def itself(self) -> ViewFace | None:
        """The newest run itself, whatever moment of it is shown."""
        return self._base if self._moment is not None else super().itself

    def now(self) -> int:
        """The time that everything on the screen is shown at."""
        return self._moment.t if self._moment is not None else self.owner.ports.now()

    @property
    def time_facts(self) -> TimeFacts | None:
        """Where in time one stands."""
        journey, moment, base = self.journey, self._moment, self._base
        if journey is None or base is None:
            return None
        if moment is None or not len(journey):
            return TimeFacts(reading=True)
        return TimeFacts(
            moment.t,
            journey.times[0],
            journey.times[-1],
            journey.verdicts_at(self._wanted),
            len(journey.verdicts),
            live=base.live,
        )

    # -- keys --------------------------------------------------------------------------------------------------------

    def action_travel(self, by: int) -> None:
        """A verdict back or on; where keys go to a scenario, its next step."""
        self._travel(by, far=False)

    def action_travel_far(self, by: int) -> None:
        """A long way back or on."""
        self._travel(by, far=True)

    def action_travel_to(self, where: str) -> None:
        """To the beginning, or back to the run as it is."""
        if where == "now":
            if self.journey is None:
                self.say("this is the run as it is")
            self.come_back()
        elif self._set_out() and self._moment is not None:
            self._wanted = 0
            self._go()
        elif self.journey is not None:
            self._wanted = -1  # the beginning, as soon as there is one

    def _travel(self, by: int, *, far: bool) -> None:
        if self.journey is None and by > 0:
            self.say("this is the run as it is: [ goes back in time")
            return
        if not self._set_out() or self.journey is None:
            return
        if self._moment is None:
            return  # it is being read; the first step back was asked for by that
        self._wanted = self._step(self.journey, self._wanted, by, far=far)
        if self._wanted >= len(self.journey):
            self.come_back()
            self.say("the run as it is")
        else:
            self._go()

    def _step(self, journey: JourneyFace, at: int, by: int, *, far: bool) -> int:
        if far:
            many = max(2, len(journey.verdicts) // _FAR)
            return max(0, journey.next_verdict(at, by * many))
        if self.in_detail and self.detail.row >= 0:
            return max(0, journey.next_step(at, self.board.ids[self.detail.row], by))
        return max(0, journey.next_verdict(at, by))

    # -- the way -----------------------------------------------------------------------------------------------------

    def _set_out(self) -> bool:
        """Whether there is a journey; one that begins reads the run, and goes one verdict back."""
        if self.journey is not None:
            return True
        view = self.board.newest
        if view is None or view.state.run.mode == "discover":
            self.say("there is no run yet")
            return False
        self.paused = False
        self.journey, self._base, self._wanted = self.ports.engine.journey(view), view, 0
        journey = self.journey

        async def read() -> None:
            found = await self._ask(journey.read)
            if self.journey is not journey or found is None:
                return
            if not found:
                self.forget_journey()
                self.say("nothing is recorded of this run yet")
                return
            first = journey.next_verdict(found - 1, -1)
            self._wanted = 0 if self._wanted < 0 else max(0, first)
            self._go()

        self.run_worker(read)
        self.show_bars(self.now())
        return True

    async def _ask(self, read: Callable[[], int]) -> int | None:
        """How many moments there are; None, and the reason told, where that cannot be read."""
        try:
            return await asyncio.to_thread(read)
        except ProblemError as error:
            self._stranded(error.problems)
        return None

    def _go(self) -> None:
        """Go where is wished, on another thread; a wish that changes on the way is followed."""
        if not self._going:
            self._going = True
            self.run_worker(self._gone)

    async def _gone(self) -> None:
        try:
            at = -1
            while (journey := self.journey) is not None and at != self._wanted:
                at = self._wanted
                if self._base is not None and self._base.live:
                    await asyncio.to_thread(journey.read)
                moment = await asyncio.to_thread(journey.go, at)
                if self.journey is journey:
                    self._show(moment)
        except ProblemError as error:
            self._stranded(error.problems)
        finally:
            self._going = False

    def _show(self, moment: MomentFace) -> None:
        """Put the run at that moment in its place."""
        before, self._moment = self._moment or self._base, moment
        if moment is not before:
            self._restack(moment, again=before is None or not _goes_on(before.state, moment.state))
        self.paused = False
        self.owner.pump.tick()
        self.reselect()

    def _restack(self, view: ViewFace, *, again: bool) -> None:
        """The newest run of the chain is this one; `again`: rows that were there then are others."""
        if not again:
            self.board.replace_newest(view)
            return
        board = Board()
        for earlier in self.board.views[:-1]:
            board.push(earlier)
        board.push(view)
        self.use(board, keep=True)

    def come_back(self) -> None:
        """The run as it is, live or ended."""
        base, moment = self._base, self._moment
        self.forget_journey()
        if base is not None and moment is not None:
            self._restack(base, again=not _goes_on(moment.state, base.state))
            self.owner.pump.tick()
            self.reselect()
        self.show_bars(self.now())

    def forget_journey(self) -> None:
        """Time is the run's own again."""
        self.journey = self._base = self._moment = None

    def _stranded(self, problems: Sequence[Problem]) -> None:
        self.come_back()
        self.say(" · ".join(part for part in (problems[0].what, problems[0].action) if part), warn=True)


def _goes_on(old: RunState, new: RunState) -> bool:
    """Whether every row that is shown is one of the new ones, in its place."""
    size = len(old.ids)
    return size <= len(new.ids) and new.ids[:size] == old.ids
