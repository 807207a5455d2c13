"""Which scenarios somebody means by less than a whole id: the last name, an ending, a part, or a glob."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tracekit.model.globs import glob
from tracekit.wire.ids import SUBTEST_MARK


def meant(text: str, ids: Iterable[str]) -> list[str]:
    """The ids that a text can mean, by the strictest reading that fits any; a sub-test only by its whole id."""
    every = list(ids)
    if text in every:
        return [text]
    whole = [scenario for scenario in every if SUBTEST_MARK not in scenario]
    # The last name itself stands before an ending, and both before any part of an id.
    readings: tuple[Callable[[str], bool], ...] = (
        lambda scenario: scenario.rpartition("::")[2] == text,
        lambda scenario: scenario.endswith(text),
        lambda scenario: text in scenario,
        glob(f"*{text}*"),
    )
    for fits in readings:
        found = [scenario for scenario in whole if fits(scenario)]
        if found:
            return found
    return []
