"""The history of one scenario: a strip of its verdicts, what they amount to, each run with its sources.

Lines only; what they are made of was read on another thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tracekit.model.status import BY_WORD, RED_STATUSES, Status
from tracekit.model.words import ago, count, seconds
from tracekit.ui.panes.picks import OpenRun
from tracekit.ui.panes.story import title
from tracekit.ui.safe import Line, clean, shorten
from tracekit.ui.theme import Palette

if TYPE_CHECKING:
    from tracekit.engine.past import Before, Story
    from tracekit.store.catalogue import Verdict

ODD = ("flaky", "stalled", "leaks", "quarantined")
MOST = 200


def strip(story: Story, look: Palette, most: int) -> Line:
    """One sign a run, the oldest first: high is red, so that a red one stands out of a row of green ones."""
    line = Line()
    for told, flake in list(zip(story.verdicts, story.flaky, strict=True))[:most][::-1]:
        status = BY_WORD.get(told.verdict, Status.ERROR)
        if flake:
            line.own(look.glyphs.flaky, look.warn)
        elif status in RED_STATUSES:
            line.own(look.glyphs.high, look.failed)
        elif status in {Status.PASSED, Status.XFAILED, Status.XPASSED}:
            line.own(look.glyphs.low, look.passed)
        else:
            line.own(look.glyphs.pending, look.dim)
    return line


def past_lines(before: Before | None, problem: str, run_id: str, look: Palette, now: int) -> list[Line]:
    """The whole tab; `before` is None until it has been read."""
    if problem:
        return [Line(2).gap(2).name(problem, look.warn)]
    if before is None:
        return [Line().gap(2).own("reading what was recorded", look.dim).own(look.glyphs.dots, look.accent)]
    story = before.story
    if story is None:
        return [
            Line().gap(2).own("no ended run of this machine knows this scenario", look.dim),
            Line(2).gap(2).own("each run of it adds a line here", look.faint),
        ]
    lines = [Line().gap(2).join(strip(story, look, MOST)), Line(2).gap(2).own(_sum(story), look.text)]
    lines += title("runs", look)
    wide = max((clean(told.environment).columns for told in story.verdicts[:MOST]), default=0)
    for told, flake in list(zip(story.verdicts, story.flaky, strict=True))[:MOST]:
        line = _row(told, look, now, min(wide, 16), flake=flake, here=told.run.run_id == run_id)
        line.pick = OpenRun(told.run.run_id, story.scenario)
        lines.append(line)
    return [*lines, Line(), Line().gap(2).own("enter opens that run at this scenario", look.faint)]


def _sum(story: Story) -> str:
    tally = story.tally
    parts = [count(tally.runs, "run"), f"{tally.green:,} green", f"{tally.red:,} red"]
    if tally.flaky:
        parts.append(f"{tally.flaky:,} flaky ({tally.flaky_rate:.0%})")
    if tally.green:
        parts.append(f"green in {seconds(story.median_ns)} (median), {seconds(story.p95_ns)} (p95)")
    return ", ".join(parts)


def _row(told: Verdict, look: Palette, now: int, wide: int, *, flake: bool, here: bool) -> Line:
    result, run = told.result, told.run
    status = BY_WORD.get(told.verdict, Status.ERROR)
    line = Line(6).gap(2).own(look.glyphs.own if here else " ", look.accent).gap(1)
    line.own(look.glyphs.of(status), look.of(status)).gap(1)
    line.put(shorten(clean(told.verdict), 9), look.strong if status in RED_STATUSES else look.text)
    line.gap(max(1, 15 - line.columns))
    line.own(f"{seconds(result.duration_ns) if result.duration_ns else '':>6}", look.dim).gap(2)
    line.own(f"{ago(run.started_t, now):>8}", look.text).gap(2)
    line.name(f"{commit(run.facts):8}", look.dim).gap(2)
    where = shorten(clean(run.environment or "local"), wide, look.glyphs.dots)
    line.put(where, look.dim).gap(wide - where.columns + 2)
    line.name(run.run_id[-8:], look.faint)
    odd = [flag for flag in ODD if flag in result.flags]
    if flake and "flaky" not in odd:
        odd.insert(0, "flaky")
    if result.attempts > 1:
        odd.append(f"{result.attempts} attempts")
    return line.gap(2).own(" ".join(odd), look.warn) if odd else line


def commit(facts: Mapping[str, Any]) -> str:
    """The short commit of a run, with a star where its files differed from it."""
    git = facts.get("git") or {}
    return f"{str(git.get('commit', ''))[:7]}{'*' if git.get('dirty') else ''}"
