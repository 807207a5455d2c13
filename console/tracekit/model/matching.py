"""Which scenarios somebody means by less than a whole id: the last name, an ending, a part, or a glob."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tracekit.model.globs import glob
from tracekit.model.selector_syntax import FIELDS
from tracekit.wire.ids import SUBTEST_MARK
from tracekit.wire.problems import Problem, ProblemError


def one_of(text: str, ids: Iterable[str], where: str) -> str:
    """The scenario that a person means in `where`; raises ProblemError when it is none, or could be several."""
    every = list(ids)
    found = meant(text, every)
    if len(found) == 1:
        return found[0]
    if not found:
        import difflib

        if text.partition(":")[0] in FIELDS and ":" in text:
            what = "an id is wanted here, or a part of one; this is a selector, and no scenario is called so"
            action = f"`tracekit show {where}` lists the ids; `tracekit run -s` takes selectors"
            raise ProblemError(Problem("select.nothing", what, text, action))
        near = difflib.get_close_matches(text, every, n=1)
        hint = f"did you mean {near[0]}?" if near else f"`tracekit show {where}` lists them"
        raise ProblemError(Problem("select.nothing", "no such scenario in this run", text, hint))
    shown = ", ".join(found[:5])
    raise ProblemError(Problem("cli.ambiguous", f"{len(found)} scenarios match", text, f"say which: {shown}"))


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
