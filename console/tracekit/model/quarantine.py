"""Which scenarios of a run stand in quarantine, by what the run was told when it was planned.

A quarantined scenario keeps its verdict; whether that counts is asked here. Nothing looks at a clock: whether an entry
had expired is a fact of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tracekit.model import coerce
from tracekit.model.globs import glob
from tracekit.wire.ids import SUBTEST_MARK

MAX_ENTRIES = 10_000


class Quarantined(NamedTuple):
    """One entry, as the run was told it."""

    scenario: str
    owner: str
    reason: str
    since: str
    expires: str
    expired: bool

    def to_json(self) -> dict[str, Any]:
        """As it is printed beside a scenario."""
        return {
            "owner": self.owner,
            "reason": self.reason,
            "since": self.since,
            "expires": self.expires,
            "expired": self.expired,
        }


class Quarantine:
    """All entries of a run; false where there are none."""

    def __init__(self, entries: tuple[Quarantined, ...] = ()) -> None:
        self.entries = entries
        # One that is in force stands before one that has expired.
        ordered = sorted(self.entries, key=lambda entry: not entry.expired)
        self._exact = {entry.scenario: entry for entry in ordered}
        self._globs: list[tuple[Callable[[str], bool], Quarantined]] = [
            (glob(entry.scenario), entry)
            for entry in reversed(ordered)
            if "*" in entry.scenario or "?" in entry.scenario
        ]

    def __bool__(self) -> bool:
        return bool(self.entries)

    def of(self, scenario: str) -> Quarantined | None:
        """The entry that means a scenario; a sub-test stands and falls with its test."""
        if not self.entries:
            return None
        whole = scenario.partition(SUBTEST_MARK)[0]
        native = whole.partition(":")[2]
        best = self._exact.get(whole) or self._exact.get(native)
        if best is not None and not best.expired:
            return best
        fits = (entry for test, entry in self._globs if test(whole) or test(native))
        found = next(fits, None)
        return found if best is None or (found is not None and not found.expired) else best


def quarantine_of(rows: list[dict[str, Any]]) -> Quarantine:
    """The quarantine that a plan speaks of."""
    return Quarantine(quarantined(rows))


def quarantined(rows: list[dict[str, Any]]) -> tuple[Quarantined, ...]:
    """The entries of a journal line, whatever stands in it."""
    return tuple(
        Quarantined(
            coerce.text(row.get("scenario")),
            coerce.text(row.get("owner")),
            coerce.text(row.get("reason")),
            coerce.text(row.get("since")),
            coerce.text(row.get("expires")),
            row.get("expired") is True,
        )
        for row in rows[:MAX_ENTRIES]
    )
