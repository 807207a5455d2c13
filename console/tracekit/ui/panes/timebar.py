"""The bar that says where in a run's time one stands."""

from __future__ import annotations

from dataclasses import dataclass

from tracekit.model.words import clock, moment
from tracekit.ui.safe import Line
from tracekit.ui.theme import Palette

_LEAST = 8


@dataclass(frozen=True)
class TimeFacts:
    """A moment between a beginning and an end, and how many verdicts there were."""

    t: int = 0
    first: int = 0
    last: int = 0
    verdict: int = 0
    verdicts: int = 0
    live: bool = False
    reading: bool = False  # its journal is being read


def bar(facts: TimeFacts, width: int, look: Palette) -> Line:
    """When, how far of how much, a line with a mark, how many verdicts, and the keys."""
    line, glyphs = Line().gap(1), look.glyphs
    if facts.reading:
        return line.own("going back in time", look.warn).own(glyphs.dots, look.accent)
    line.own("THEN", look.warn).gap(2)
    if width >= 100:
        line.own(moment(facts.t).rpartition(" ")[2] + " UTC", look.text).gap(2)
    line.own(clock(facts.t - facts.first), look.strong).own(
        f" of {clock(facts.last - facts.first)}", look.dim
    ).gap(2)
    right = Line().own(f"verdict {facts.verdict:,} of {facts.verdicts:,}", look.text)
    now = "live" if facts.live else "end"
    if width >= 76:
        right.gap(2).own("[ ]", look.accent).own(" step ", look.dim).own("{ }", look.accent).own(
            " far ", look.dim
        )
        right.own(")", look.accent).own(f" {now}", look.dim)
    room = width - line.columns - right.columns - 3
    if room >= _LEAST:
        span = max(1, facts.last - facts.first)
        at = min(room - 1, max(0, (facts.t - facts.first) * (room - 1) // span))
        line.own(glyphs.bar * at, look.accent).own(glyphs.mark, look.accent)
        line.own(glyphs.bar * (room - 1 - at), look.faint).gap(2)
    return line.gap(max(1, width - 1 - line.columns - right.columns)).join(right)
