"""What a console asks of recorded runs: their list, one in short, what is still red over its reruns; pin and delete.

Everything here waits for the disk, so whoever paints asks from another thread. It writes what a person asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracekit.engine.history import History
from tracekit.store.runs import RunStore
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.engine.past import Held, Past, Story, Trends
    from tracekit.engine.view import RunView
    from tracekit.model.facts import SuiteFacts, Unrun
    from tracekit.store.catalogue import RunSummary

_MOST = 200


@dataclass(frozen=True, slots=True)
class Digest:
    """One run in short: why it is red, what it has to say beside that, and what was not run."""

    run_id: str
    #: Title of a cause and how many tests are red by it, the most frequent first.
    causes: tuple[tuple[str, int], ...] = ()
    #: Kind and message.
    notices: tuple[tuple[str, str], ...] = ()
    not_run: tuple[str, ...] = ()
    not_run_count: int = 0
    #: The same by their reasons.
    unrun: tuple[Unrun, ...] = ()
    suites: tuple[SuiteFacts, ...] = ()
    damaged: int = 0
    missing: int = 0
    #: What is not well yet over the run and its reruns; None where it has none.
    outstanding: tuple[str, ...] | None = None


class Archive:
    """The runs of this machine."""

    def __init__(self, store: RunStore, now_ns: Callable[[], int]) -> None:
        self._store, self._now_ns = store, now_ns
        self._history = History(store)

    def rows(self) -> list[RunSummary]:
        """Every run, newest first."""
        return self._history.summaries()

    def past(self) -> Past:
        """What they say together."""
        from tracekit.engine.past import Past

        return Past(self._history)

    def digest(self, run: str, tree: Sequence[str] = ()) -> Digest:
        """A run in short; `tree` are the runs it stands among, oldest first. Raises ProblemError where it is gone."""
        from tracekit.model.rerun import outstanding

        view = self._open(run)
        others = {run: view} | {other: self._open(other) for other in tree if other != run}
        left = tuple(outstanding(others[name].state for name in tree)) if len(tree) > 1 else None
        with view.lock:
            state = view.state
            told = state.run
            return Digest(
                run,
                tuple((group.title, len(group.indices) or len(group.notices)) for group in state.causes()),
                tuple((each.kind, each.message) for each in state.notices[:_MOST]),
                tuple(told.not_run[:_MOST]),
                told.not_run_count,
                tuple(told.unrun),
                tuple(told.suites),
                state.damaged,
                state.missing_total,
                left,
            )

    def _open(self, run: str) -> RunView:
        return self._history.open(self._store.find(run))

    def compare(self, before: str, after: str) -> Held:
        """A run held against an earlier one; raises ProblemError where one of them is gone or damaged."""
        return self.past().compare(self._store.find(before), self._store.find(after))

    def trends(self, root: str, environment: str) -> Trends:
        """How a project did lately in an environment."""
        return self.past().trends(root, environment)

    def story(self, scenario: str, root: str, environment: str) -> Story | None:
        """One scenario's last verdicts; None where there are none."""
        return self.past().last(scenario, root, environment)

    def pair_of(self, run: str) -> tuple[str, str]:
        """A run and what it is held against: the run it repeats, else the one before it of the same project,
        environment, profile and suites. Raises ProblemError where there is none.
        """
        rows = self.rows()
        mine = next((row for row in rows if row.run_id == self._store.find(run).run_id), None)
        if mine is not None:
            if any(row.run_id == mine.parent for row in rows):
                return str(mine.parent), mine.run_id
            for row in rows:
                if row.ended and _earlier(row, mine):
                    return row.run_id, mine.run_id
        what = "there is no earlier run of the same project, environment and suites"
        raise ProblemError(Problem("runs.no_earlier", what, run, "choose another one: H, then m and c"))

    def pin(self, run: str, reason: str = "") -> None:
        """Keep it whatever the limits say; raises ProblemError."""
        from tracekit.store.keeping import pin

        pin(self._store.find(run), reason)

    def unpin(self, run: str) -> None:
        """Leave it to the limits again; raises ProblemError."""
        from tracekit.store.keeping import unpin

        unpin(self._store.find(run))

    def delete(self, runs: Sequence[str], *, pinned: bool = False) -> int:
        """Take these off the disk, or none of them; gives the bytes. Raises ProblemError naming what must stay."""
        from tracekit.engine.keeping import Keeper

        folders = [self._store.find(run) for run in runs]
        return Keeper(self._history, self._now_ns).delete(folders, pinned=pinned)


def _earlier(row: RunSummary, than: RunSummary) -> bool:
    """Whether a run is one that another can be held against without being told so: a whole one of the same things."""
    told = (row.root, row.environment, row.profile, set(row.facts.get("framework") or ()))
    same = (than.root, than.environment, than.profile, set(than.facts.get("framework") or ()))
    older = (row.started_t, row.run_id) < (than.started_t, than.run_id)
    return older and told == same and not row.parent and not row.facts.get("purpose")
