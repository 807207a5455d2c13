"""A fold that goes on from another one gives what a fold of all its lines gives, and the other one stays."""

from __future__ import annotations

import pytest

from tests.support import journals
from tracekit.model.branching import branch, settle_on
from tracekit.model.fold import Fold
from tracekit.model.state import RunState


def told(state: RunState) -> object:
    """Everything that a reader can ask of a state."""
    return (
        state.run,
        state.ids,
        state.facts,
        bytes(state.status),
        list(state.duration),
        state.counts,
        state.subtest_counts,
        [[repr(attempt) for attempt in state.attempts(i)] for i in range(len(state.ids))],
        [(group.key, group.title, group.indices) for group in state.causes()],
        state.notices,
        state.runner_output,
        state.flaky_rows(),
        [state.flags(i) for i in range(len(state.ids))],
        (state.missing, state.damaged, state.unknown),
    )


def folded(lines: list[dict[str, object]], fold: Fold | None = None) -> Fold:
    fold = fold or Fold()
    for line in lines:
        fold.feed(line)
    return fold


MAKES = (
    journals.failing,
    journals.flagged,
    journals.collection_error,
    journals.green,
    journals.launch_failure,
)


@pytest.mark.parametrize("make", MAKES)
def test_branch__at_every_line__goes_on_as_one_fold_and_leaves_the_other(make: object) -> None:
    lines = make().lines  # type: ignore[operator]
    whole = told(folded(lines).state)
    for at in range(len(lines)):
        stays = folded(lines[:at])
        before = told(folded(lines[:at]).state)
        assert told(folded(lines[at:], branch(stays)).state) == whole
        assert told(branch(stays).state) == before


@pytest.mark.parametrize("every", [1, 7])
def test_branch__of_a_branch_of_a_branch__is_the_same(every: int) -> None:
    lines = journals.flagged().lines
    fold, kept = Fold(), list[tuple[int, Fold]]()
    for at in range(0, len(lines), every):
        folded(lines[at : at + every], fold)
        if kept:
            settle_on(fold, kept[-1][1])
        kept.append((at + every, fold))
        fold = branch(fold)
    for at, stays in kept:
        assert told(branch(stays).state) == told(folded(lines[:at]).state)
