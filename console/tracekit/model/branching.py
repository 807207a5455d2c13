"""A fold that goes on from another one, which stays as it is: what both know is shared until one of them touches it.

It makes any moment of a long run cheap to come back to. The fold that stays must not be fed any more; it, and whatever
goes on from it, can be read by one thread while another one folds a third.
"""

from __future__ import annotations

from tracekit.model.fold import Fold
from tracekit.model.records import Record
from tracekit.model.rows import Frozen


class Shared(Frozen):
    """The attempts of a fold that stays, given out as copies."""

    def __init__(self, records: dict[int, Record], below: Frozen | None) -> None:
        super().__init__({}, ())
        self._records, self._below = records, below

    def __contains__(self, key: int) -> bool:
        return key in self._records or (self._below is not None and key in self._below)

    def thaw(self, key: int) -> Record | None:
        """A copy of an attempt, for whoever goes on."""
        record = self._records.get(key)
        if record is not None:
            return record.copy()
        return self._below.thaw(key) if self._below is not None else None


def branch(fold: Fold) -> Fold:
    """Go on from a fold that was fed from its beginning on; it is never fed again."""
    new = Fold()
    new.marks = dict(fold.marks)
    new.sources = {name: source.copy() for name, source in fold.sources.items()}
    new.run_lines = fold.run_lines.copy()
    new.notice_lines = list(fold.notice_lines)
    new.state = fold.state.branch(Shared(fold.state.records, fold.state.frozen))
    return new


def settle_on(fold: Fold, earlier: Fold) -> None:
    """Let a fold that stays use the tables of an earlier one, where both know the same rows: many are kept."""
    new, old = fold.state, earlier.state
    if len(new.ids) != len(old.ids) or any(a is not b for a, b in zip(new.facts, old.facts, strict=True)):
        return
    new.ids, new.index, new.facts = old.ids, old.index, old.facts
    if new.found == old.found:
        new.found = old.found
