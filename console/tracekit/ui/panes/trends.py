"""Trends as rows and lines: the scenarios that were not steady, a project's runs as plots, a scenario's verdicts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracekit.model.comparing import SLOWER_FLOOR_NS, SLOWER_RATIO
from tracekit.model.flakiness import share
from tracekit.model.words import ago, count, seconds
from tracekit.ui.panes.past import strip
from tracekit.ui.panes.story import title
from tracekit.ui.plots import bars, bunched, curve
from tracekit.ui.safe import Line, clean, shorten_name
from tracekit.ui.theme import Palette
from tracekit.wire.names import GREEN, RED

if TYPE_CHECKING:
    from tracekit.engine.past import Story, TrendPoint, Trends

_STRIP, _HEIGHT = 20, 6


@dataclass(frozen=True, slots=True)
class Row:
    """The project itself, the head of a list, or a scenario."""

    section: str = ""
    number: int = 0
    story: Story | None = None


def rows_of(trends: Trends, selected: Story | None, folded: Collection[str]) -> list[Row]:
    """What is listed."""
    rows = [Row()]
    sections = (
        ("this scenario", (selected,) if selected is not None else ()),
        ("red now", trends.red),
        ("flaky", trends.flaky),
        ("in quarantine", trends.quarantined),
    )
    for name, stories in sections:
        if stories:
            rows.append(Row(name, len(stories)))
            rows += [Row(name, story=story) for story in stories if name not in folded]
    return rows


def row_line(row: Row, trends: Trends, width: int, look: Palette, *, folded: bool) -> Line:
    """One of them."""
    glyphs = look.glyphs
    if row.story is not None:
        return _story(row, row.story, width, look)
    if row.section:
        style = look.failed if row.section == "red now" else look.dim
        line = Line().gap(1).own(glyphs.closed if folded else glyphs.opened, look.faint).gap(1)
        return line.own(row.section.upper(), style).gap(2).own(f"{row.number:,}", look.dim)
    return Line().gap(1).own("all of it", look.strong).gap(2).own(count(len(trends.points), "run"), look.dim)


def _story(row: Row, story: Story, width: int, look: Palette) -> Line:
    glyphs = look.glyphs
    sign, style = {
        "red now": (glyphs.failed, look.failure),
        "flaky": (glyphs.flaky, look.warn),
        "in quarantine": (glyphs.quarantined, look.dim),
    }.get(row.section, (glyphs.own, look.accent))
    line = Line().gap(4).own(sign, style).gap(1)
    right = strip(story, look, min(_STRIP, max(4, width // 3)))
    if row.section == "flaky":
        right.own(f" {story.tally.flaky_rate:>4.0%}", look.warn)
    name = story.scenario.rpartition("::")[2] or story.scenario
    room = max(8, width - line.columns - right.columns - 3)
    line.put(shorten_name(clean(name), room, glyphs.dots), look.text)
    return line.gap(max(2, width - 1 - line.columns - right.columns)).join(right)


def project_lines(trends: Trends, width: int, look: Palette, now: int) -> list[Line]:
    """Its runs: how many were green and red in each, and how long each took."""
    points = trends.points
    told = [(_sum(point, GREEN), _sum(point, RED)) for point in points]
    took = [point.duration_ns for point in points]
    median = share(took, 0.5)
    last, span = told[-1], (points[0].started_t, points[-1].started_t)
    head = (
        Line()
        .gap(2)
        .own(f"{last[0]:,} passed", look.passed)
        .own(f", {last[1]:,} red", look.failed if last[1] else look.dim)
    )
    bad = sum(1 for _, red in told if red)
    of = f"the last of {len(points):,} runs" if len(points) > 1 else "1 run"
    left_out = f"; {count(trends.partly, 'run')} of chosen scenarios left out" if trends.partly else ""
    return [
        head.own(f" in {of}{left_out}", look.dim),
        Line(2).gap(2).own(f"{count(bad, 'run')} with a red one, {len(points) - bad:,} without", look.dim),
        *title("passed and red, by run", look),
        *bars(told, width, _HEIGHT, look),
        _feet(span, len(points), width, look, now),
        *title("how long it took", look),
        *curve(took, width, _HEIGHT, look, seconds, guides=(("median", median),), over=slow_from(median)),
        _feet(span, len(points), width, look, now, dots=True),
        Line().gap(2).own(f"median {seconds(median)}, longest {seconds(max(took))}", look.dim),
    ]


def story_lines(story: Story, width: int, look: Palette, now: int) -> list[Line]:
    """A scenario: its verdicts in a row, how long it took when it was green, what that amounts to."""
    tally = story.tally
    green = [told for told in reversed(story.verdicts) if told.verdict in GREEN]
    took = [told.result.duration_ns for told in green]
    slow = slow_from(story.median_ns)
    lines = [Line(4).gap(2).name(story.scenario, look.dim), *title("verdicts, the last on the right", look)]
    lines.append(Line().gap(2).join(strip(story, look, max(8, width - 4))))
    line = (
        Line(2)
        .gap(2)
        .own(f"{count(tally.runs, 'run')}, ", look.text)
        .own(f"{tally.green:,} green", look.passed)
    )
    line.own(", ", look.text).own(f"{tally.red:,} red", look.failed if tally.red else look.dim)
    if tally.flaky:
        line.own(f", {tally.flaky:,} flaky ({tally.flaky_rate:.0%})", look.warn)
    lines.append(line)
    lines += title("how long it took when it was green", look)
    if not took:
        return [*lines, Line().gap(4).own("it was not green in any of them", look.dim)]
    guides = (("median", story.median_ns), *((("slow", slow),) if max(took) > slow else ()))
    lines += curve(took, width, _HEIGHT, look, seconds, guides=guides, over=slow)
    span = green[0].run.started_t, green[-1].run.started_t
    lines.append(_feet(span, len(took), width, look, now, dots=True))
    over = sum(one > slow for one in took)
    told = f"median {seconds(story.median_ns)}, 95 % in {seconds(story.p95_ns)}"
    lines.append(Line(2).gap(2).own(told, look.dim).own(f", {over:,} slow" if over else "", look.warn))
    return lines


def slow_from(median: int) -> int:
    """From where on a duration is longer than usual by more than noise."""
    return max(int(median * SLOWER_RATIO), median + SLOWER_FLOOR_NS)


def _sum(point: TrendPoint, words: Collection[str]) -> int:
    return sum(number for word, number in point.counts.items() if word in words)


def _feet(
    span: tuple[int, int], size: int, width: int, look: Palette, now: int, *, dots: bool = False
) -> Line:
    """Below a plot: from when to when, and how many share a column."""
    each = len(bunched(size, max(8, width - 9) * (2 if dots and not look.glyphs.passed.isascii() else 1))[0])
    told = f"{ago(span[0], now)} {look.glyphs.arrow} {ago(span[1], now)}"
    line = Line().gap(8).own(told, look.faint)
    return line.own(f", {each} runs a column", look.faint) if each > 1 else line
