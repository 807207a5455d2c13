"""Any moment of a run, live or recorded: the fold of its journal up to a line, without folding from the start.

Reading the journal once leaves branches of the fold on the way; a moment is folded on from the nearest one before it.
The run itself is not touched. Everything here waits for the disk; one thread at a time may ask.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from orjson import JSONDecodeError, loads

from tracekit.engine.follow import rare_collections
from tracekit.model.branching import branch, settle_on
from tracekit.model.fold import Fold
from tracekit.wire.names import E
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.engine.view import LinkState, RunView
    from tracekit.model.state import OutputSpan, RunState
    from tracekit.store.tracewindow import Window

VERDICT, STEP, ELSE = range(3)
_PIECE = 256 * 1024
#: Branches that are kept of a run, and the least that lies between two of them.
_BRANCHES, _LEAST = 32, 128 * 1024
#: Branches near where somebody is, so that a step back costs a few lines.
_NEAR, _NEAR_MOMENTS = 6, 24
_MARKS = {
    f'"e":"{event}"'.encode(): kind
    for event, kind in (
        (E.ATTEMPT_ENDED, VERDICT),
        (E.STEP_STARTED, STEP),
        (E.STEP_ENDED, STEP),
        (E.ATTEMPT_STARTED, STEP),
        (E.FAILURE, STEP),
        (E.ASSERTION, STEP),
        (E.RUN_STARTED, ELSE),
        (E.RUN_ENDED, ELSE),
        (E.RUNNER_FAILED_TO_START, ELSE),
        (E.DISCOVER_FAILED, ELSE),
    )
}
_EVENT = b'"e":"'


class Moment:
    """A run as it was: what a screen reads, in the place of the run itself."""

    stale: bool | None = False
    expected = 0
    problem: Problem | None = None
    trouble: Problem | None = None
    away: tuple[int, int] | None = None
    resumed = None
    folded = 0

    def __init__(self, view: RunView, fold: Fold) -> None:
        self._view, self._fold = view, fold
        self.run_id, self.root = view.run_id, view.root
        self.lock = threading.Lock()
        self.shown = view.shown
        #: The moment, by the box's two clocks.
        self.t = self.cut = 0

    def feed(self, data: bytes) -> None:
        """Let time go on."""
        with self.lock:
            self._fold.feed_bytes(data)

    @property
    def state(self) -> RunState:
        """The folded state at that moment."""
        return self._fold.state

    @property
    def generation(self) -> int:
        """Grows as time goes on."""
        return self._fold.state.generation

    @property
    def live(self) -> bool:
        """Whether it went on then."""
        return not self._fold.state.run.ended

    @property
    def link(self) -> LinkState:
        """A moment has no link."""
        return "replay"

    def output(self, spans: Iterable[OutputSpan]) -> bytes:
        """The recorded bytes of these spans."""
        return self._view.output(spans)

    def events(self) -> Window:
        """A window into everything that was recorded; `cut` is where this moment stands in it."""
        return self._view.events()

    @property
    def elsewhere(self) -> bool:
        """Whether another machine ran it."""
        return self._view.elsewhere

    @property
    def imported(self) -> bool:
        """Whether it was recorded elsewhere."""
        return self._view.imported

    def here(self, path: str) -> str:
        """Where a path of the machine that ran this is on this one."""
        return self._view.here(path)


class Journey:
    """The moments of one run: its verdicts, its steps, its beginning and its end."""

    def __init__(self, view: RunView) -> None:
        self._view = view
        self._head = Fold()
        self._reached = 0  # bytes of the journal that are known
        self._between = max(_LEAST, view.folded // _BRANCHES)
        self._stays: list[tuple[int, Fold]] = []
        self._near: list[tuple[int, Fold]] = []
        self._ends: array[int] = array("q")
        self._of: array[int] = array("q")
        self.times: array[int] = array("q")
        self._clocks: array[int] = array("q")
        self.verdicts: array[int] = array("l")
        self._moment: Moment | None = None
        self._at = -1

    def __len__(self) -> int:
        return len(self._ends)

    # -- reading -----------------------------------------------------------------------------------------------------

    def read(self) -> int:
        """Read what has come since; gives the number of moments. Raises ProblemError when it cannot be read."""
        try:
            with rare_collections(), self._view.journal() as file:
                while (left := self._view.folded - self._reached) > 0:
                    file.seek(self._reached)
                    data = file.read(min(_PIECE, left))
                    end = data.rfind(b"\n") + 1
                    if not end and left > len(data):
                        # A line that is longer than a piece.
                        data += file.read(left - len(data))
                        end = data.rfind(b"\n") + 1
                    if not end:
                        break
                    self._take(data[:end])
        except OSError as fault:
            raise ProblemError(self._unreadable(fault)) from fault
        return len(self)

    def _take(self, data: bytes) -> None:
        at, start = self._reached, 0
        for line in data.splitlines(keepends=True):
            start += len(line)
            self._note(line, at + start)
        self._head.feed_bytes(data)
        self._reached = at + len(data)
        last = self._stays[-1][0] if self._stays else 0
        if self._reached - last >= self._between:
            if self._stays:
                settle_on(self._head, self._stays[-1][1])
            self._stays.append((self._reached, self._head))
            self._head = branch(self._head)

    def _note(self, line: bytes, end: int) -> None:
        found = line.find(_EVENT)
        kind = _MARKS.get(line[found : line.find(b'"', found + len(_EVENT)) + 1]) if found >= 0 else None
        if kind is None:
            return
        try:
            told = loads(line)
        except JSONDecodeError:
            return
        if kind == VERDICT:
            self.verdicts.append(len(self._ends))
        self._ends.append(end)
        self._of.append(hash(told.get("scenario")) if kind != ELSE else 0)
        self.times.append(_whole(told.get("t")) or (self.times[-1] if self.times else 0))
        self._clocks.append(_whole(told.get("m")) or (self._clocks[-1] if self._clocks else 0))

    def _unreadable(self, fault: OSError) -> Problem:
        what = f"the journal cannot be read: {fault.strerror or fault}"
        where = str(fault.filename or self._view.box_dir)
        return Problem(
            "run.unreadable", what, where, f"`tracekit verify {self._view.run_id}` shows what is left"
        )

    # -- where to ----------------------------------------------------------------------------------------------------

    def next_verdict(self, at: int, by: int) -> int:
        """The moment so many verdicts on, or back; the first, and one behind the last, where there are none."""
        known = self.verdicts
        place = bisect_right(known, at) + by - 1 if by > 0 else bisect_left(known, at) + by
        if place >= len(known):
            # Behind the last verdict there is the end of the run.
            return len(self) - 1 if at < len(self) - 1 and by == 1 else len(self)
        return known[place] if place >= 0 else 0

    def next_step(self, at: int, scenario: str, by: int) -> int:
        """The next moment of a scenario, or the one before; where there is none, the next verdict of any."""
        key = hash(scenario)
        places = range(at + 1, len(self)) if by > 0 else range(at - 1, -1, -1)
        return next((place for place in places if self._of[place] == key), self.next_verdict(at, by))

    def verdicts_at(self, at: int) -> int:
        """How many verdicts there were by then."""
        return bisect_right(self.verdicts, at)

    # -- there -------------------------------------------------------------------------------------------------------

    def go(self, at: int) -> Moment:
        """The run at a moment; raises ProblemError when it cannot be read.

        Going on, what is shown goes on; going back, it is another object.
        """
        at = max(0, min(at, len(self) - 1))
        end = self._ends[at] if len(self) else 0
        try:
            with rare_collections():
                self._moment = self._gone_on(at, end) or self._gone_back(at, end)
        except OSError as fault:
            raise ProblemError(self._unreadable(fault)) from fault
        self._at = at
        moment = self._moment
        moment.t = self.times[at] if len(self) else 0
        moment.cut = self._clocks[at] if len(self) else 0
        return moment

    def _gone_on(self, at: int, end: int) -> Moment | None:
        """What is shown, fed on; None where a branch is nearer, or it lies behind."""
        moment = self._moment
        if moment is None or at < self._at:
            return None
        start = self._ends[self._at]
        if self._before(end)[0] > start:
            return None
        data = self._lines(start, end)
        moment.feed(data)
        return moment

    def _gone_back(self, at: int, end: int) -> Moment:
        start, stays = self._before(end)
        fold = branch(stays)
        near = self._ends[at - _NEAR_MOMENTS] if at >= _NEAR_MOMENTS else 0
        if near > start and all(place != near for place, _ in self._near):
            fold.feed_bytes(self._lines(start, near))
            settle_on(fold, stays)
            self._near = [*self._near[-_NEAR + 1 :], (near, fold)]
            fold, start = branch(fold), near
        fold.feed_bytes(self._lines(start, end))
        return Moment(self._view, fold)

    def _before(self, end: int) -> tuple[int, Fold]:
        """The last branch that stands before a place."""
        kept = (one for one in (*self._stays, *self._near) if one[0] <= end)
        return max(kept, key=lambda one: one[0], default=(0, Fold()))

    def _lines(self, start: int, end: int) -> bytes:
        if end <= start:
            return b""
        with self._view.journal() as file:
            file.seek(start)
            return file.read(end - start)


def _whole(value: Any) -> int:
    return value if type(value) is int and abs(value) < 1 << 62 else 0
