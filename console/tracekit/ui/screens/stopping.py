"""What goes on, here and on other boxes: how it is stopped, and how the console leaves it.

Nothing is stopped unasked, and nobody leaves before it is known what becomes of what has only been asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tracekit.engine.requests import Cancel
from tracekit.model.status import Status
from tracekit.ui.board import Board
from tracekit.ui.ports import Ports, ViewFace
from tracekit.ui.screens.beside import Beside

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tracekit.ui.app import ConsoleApp
    from tracekit.ui.widgets.tree import ScenarioTree

LEAVE, CANCEL, STAY = "leave", "cancel", "stay"


class Stopping:
    """The console screen's side that ends."""

    owner: ConsoleApp
    ports: Ports
    board: Board
    scenarios: ScenarioTree
    beside: Beside
    departure: Departure | None = None  # it goes as soon as this is done
    _begins: Future[ViewFace] | None = None  # the run that was asked for last
    _checking = False  # a question is being prepared: a second key must not begin another run
    _called_off = False  # what is being prepared is not to begin

    if TYPE_CHECKING:

        @property
        def itself(self) -> ViewFace | None: ...
        def say(self, text: str, *, warn: bool = False, about: str = "") -> None: ...
        def _ids(self, rows: Sequence[int]) -> tuple[str, ...]: ...

    def _live(self) -> ViewFace | None:
        view = self.itself
        return view if view is not None and view.live else None

    def _all_live(self) -> list[ViewFace]:
        view = self._live()
        return [*([view] if view is not None else []), *self.beside.live.values()]

    def _pending(self) -> list[Future[ViewFace]]:
        """Runs that were asked for, here and elsewhere, and have not begun."""
        here = [self._begins] if self._begins is not None and not self._begins.done() else []
        return [*here, *self.beside.pending.values()]

    def cancel(
        self,
        request: Cancel,
        then: Callable[[ViewFace], None] = lambda _: None,
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        """Through the pump, so that a refusal is told."""
        self.owner.pump.expect(self.ports.engine.submit(request), then, refused)

    def action_cancel_run(self) -> None:
        """Stop the run, after a question."""
        view, others = self._live(), " and ".join([*self.beside.live, *self.beside.pending])
        pending = self._pending()
        here = view is not None or len(pending) > len(self.beside.pending)
        if not here and not others:
            # Nobody has been asked for what is only being prepared: it needs no question to let it be.
            self._called_off = self._checking
            self.say("stopping" if self._checking else "nothing is running")
            return

        def stop(begun: ViewFace | None) -> None:
            if begun is not None:
                self.cancel(Cancel(begun.run_id))

        def answered(answer: str | None) -> None:
            if answer == "yes":
                for each in self._all_live():
                    self.cancel(Cancel(each.run_id))
                for future in pending:
                    self.beside.when_begun(future, stop)
                self.say("stopping", about="run")

        title = f"Stop this run, and the ones on {others}?" if others else "Stop this run?"
        self.owner.ask(
            title if here else f"Stop the runs on {others}?",
            (
                "what has ended stays; nothing of it is left running",
                *(["what has not begun yet is stopped as soon as it has"] if pending else []),
            ),
            (("no", "keep it running"), ("yes", "stop it")),
            answered,
        )

    def action_cancel_one(self) -> None:
        """Stop the selected scenario, after a question."""
        view, rows = self._live(), self.scenarios.rows()
        running = [row for row in rows if self.board.status[row] == Status.RUNNING]
        if view is None or not running:
            self.say("this row is not running")
            return
        scenario = self._ids(running[:1])[0]

        def answered(answer: str | None) -> None:
            if answer == "yes":
                self.cancel(Cancel(view.run_id, scenario))
                self.say("stopping it", about="run")

        self.owner.ask(
            "Stop this scenario?", (scenario,), (("no", "let it run"), ("yes", "stop it")), answered
        )

    def action_quit(self) -> None:
        """Leave; while a run is live, ask what becomes of it."""
        live = [view for view in self._all_live() if view.state.run.mode != "discover"]
        pending = self._pending()
        if self.departure is not None or not (live or pending):
            self.owner.leave(0)
            return

        def answered(answer: str | None) -> None:
            if answer == CANCEL:
                self.departure = Departure(self, pending, live, stops=True)
            elif answer == LEAVE and pending:
                self.departure = Departure(self, pending, (), stops=False)
            elif answer == LEAVE:
                self.owner.leave(0)

        several = len(live) + len(pending) > 1
        goes, what = ("they go", "runs stay") if several else ("it goes", "run stays")
        self.owner.ask(
            f"{len(live) + len(pending)} runs are live" if several else "A run is live",
            (f"{goes} on without this console; H finds {'them' if several else 'it'} again",),
            (
                (LEAVE, f"leave, the {what} running"),
                (CANCEL, f"stop the {what.split()[0]} and leave"),
                (STAY, "stay here"),
            ),
            answered,
        )


class Departure:
    """What is to be done before the console goes; where something of it is refused, it stays, and the words are read.

    Leaving at once would take along what was asked for.
    """

    def __init__(
        self, screen: Stopping, pending: Sequence[Future[ViewFace]], live: Sequence[ViewFace], *, stops: bool
    ) -> None:
        self._screen, self._stops = screen, stops
        self._left = len(pending) + len(live)
        screen.say("stopping" if stops else "leaving once it has begun; q leaves at once")
        for future in pending:
            screen.beside.when_begun(future, self._begun)
        for view in live:
            screen.cancel(Cancel(view.run_id), self._over, self._refused)

    def _begun(self, view: ViewFace | None) -> None:
        if view is not None and self._stops:
            self._screen.cancel(Cancel(view.run_id), self._over, self._refused)
        elif view is not None or self._stops:
            self._over(view)
        else:
            self._refused()

    def _over(self, _: ViewFace | None) -> None:
        self._left -= 1
        if not self._left and self._screen.departure is self:
            self._screen.owner.leave(0)

    def _refused(self) -> None:
        if self._screen.departure is self:
            self._screen.departure = None
