"""Which scenarios a rerun takes: the failed ones of a run, or what is outstanding over a tree of runs.

Sub-tests are not run by themselves: their parent carries the verdict and is what is named here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracekit.model.status import BY_WORD, RED_STATUSES, Status
from tracekit.wire.ids import SUBTEST_MARK
from tracekit.wire.names import GREEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracekit.model.state import RunState

_GREEN: frozenset[int] = frozenset(int(BY_WORD[word]) for word in GREEN)
# Shown as these only where nothing more will come: nobody knows what they would have said.
_UNKNOWN: frozenset[int] = frozenset({int(Status.CANCELLED), int(Status.NOTRUN), int(Status.LOST)})


# Fixtures of unittest that have a row of their own when they fail; nobody can run one.
_FIXTURES = frozenset({"setUpClass", "tearDownClass", "setUpModule", "tearDownModule"})


def runnable(state: RunState, ids: Iterable[str]) -> list[str]:
    """What a runner can be asked for: a sub-test runs within its test, a fixture with all that it stands around."""
    chosen: dict[str, None] = {}
    below: dict[str, list[str]] | None = None
    for scenario in ids:
        group, _, name = scenario.rpartition("::")
        at = state.index.get(scenario)
        if name not in _FIXTURES or (at is not None and state.facts[at].runner != "unittest"):
            chosen[scenario.partition(SUBTEST_MARK)[0]] = None
            continue
        if below is None:
            below = _below((*state.ids, *state.run.not_run))
        chosen |= dict.fromkeys(below.get(group, ()))
    return list(chosen)


def _below(ids: Iterable[str]) -> dict[str, list[str]]:
    """The tests by everything that they stand in; once for all fixtures, of which there may be thousands."""
    found: dict[str, list[str]] = {}
    for scenario in ids:
        if scenario.rpartition("::")[2] in _FIXTURES:
            continue
        at = scenario.find("::")
        while at >= 0:
            found.setdefault(scenario[:at], []).append(scenario.partition(SUBTEST_MARK)[0])
            at = scenario.find("::", at + 2)
    return found


def failed(state: RunState) -> list[str]:
    """The red scenarios of one run, in its order."""
    return [
        scenario
        for scenario, status, facts in zip(state.ids, state.status, state.facts, strict=True)
        if status in RED_STATUSES and facts.parent < 0
    ]


def outstanding(states: Iterable[RunState]) -> list[str]:
    """What is not known to be well over a tree of runs, oldest first: red and not green since, and what was
    not run.

    A skip is no answer: what was red stays outstanding until something is green.
    """
    waiting: dict[str, None] = {}
    for state in states:
        if state.run.mode == "discover":
            continue
        for scenario, status, facts in zip(state.ids, state.status, state.facts, strict=True):
            if facts.parent >= 0:
                continue
            if status in RED_STATUSES or status in _UNKNOWN:
                waiting[scenario] = None
            elif status in _GREEN:
                waiting.pop(scenario, None)
        for scenario in state.run.not_run:
            # A list of what was not run may name what no row stands for; a row, where there is one, knows
            # better.
            if scenario not in state.index:
                waiting[scenario] = None
    return list(waiting)
