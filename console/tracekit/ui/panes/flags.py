"""What is said of a scenario beside its verdict, in words: flaky, slow, in quarantine, what it left behind."""

from __future__ import annotations

from collections.abc import Iterator

from tracekit.model.facts import Attempt
from tracekit.model.state import RunState
from tracekit.model.words import count, seconds
from tracekit.ui.safe import Line
from tracekit.ui.theme import Palette

MAX_LEAKS = 20


def flag_lines(state: RunState, i: int, attempt: Attempt, look: Palette) -> list[Line]:
    """One line for each, after an empty one; nothing where nothing is to be said."""
    lines = [
        Line(4).gap(2).own(glyph, look.warn).gap(1).own(f"{word:<12}", look.dim).name(text, look.text)
        for glyph, word, text in _told(state, i, attempt, look)
    ]
    return [Line(), *lines] if lines else []


def _told(state: RunState, i: int, attempt: Attempt, look: Palette) -> Iterator[tuple[str, str, str]]:
    if state.flaky(i):
        words = ", ".join(one.verdict or "running" for one in state.attempts(i)[-9:])
        yield look.glyphs.flaky, "flaky", f"passed in the end, of the same sources: {words}"
    limit = state.slow_ns(i)
    if limit and attempt.duration_ns > limit:
        yield look.glyphs.warn, "slow", f"{seconds(attempt.duration_ns)}, slow from {seconds(limit)} on"
    entry = state.quarantined(i)
    if entry is not None:
        words = "expired on" if entry.expired else "not counted until"
        yield look.glyphs.quarantined, "quarantine", f"{words} {entry.expires}; {entry.owner}: {entry.reason}"
    for leak in attempt.leaks[:MAX_LEAKS]:
        yield look.glyphs.leaks, "left behind", f"{leak.kind} {leak.what} {leak.detail}".rstrip()
    if len(attempt.leaks) > MAX_LEAKS:
        yield look.glyphs.leaks, "left behind", count(len(attempt.leaks) - MAX_LEAKS, "more thing")
