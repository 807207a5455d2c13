"""The timeline of one attempt as rows of bars: its steps, then each thread with its calls and what happened.

Rows are plain data in nanoseconds; painting a row into cells is here too, scrolling and keys are the widget's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from tracekit.model.facts import Attempt
from tracekit.model.status import BY_WORD, RED_STATUSES, Status
from tracekit.ui.panes.events import took
from tracekit.ui.panes.picks import Stretch
from tracekit.ui.safe import Line, Safe, clean, shorten
from tracekit.ui.theme import Palette

if TYPE_CHECKING:
    from rich.style import Style

    from tracekit.store.tracewindow import Folded

LABEL = 22
DEEPEST = 24
MOST_LANES = 64
#: How bad a moment is, as the native side ranks it.
ERROR, LOST = 2, 3


@dataclass(frozen=True)
class Bar:
    """Something that took time; `status` is -1 for what has no verdict."""

    start: int
    end: int
    name: Safe
    count: int = 1
    status: int = -1
    open: bool = False
    step: str = ""
    scenario: str = ""  # of a run's bar: what it opens

    @property
    def stretch(self) -> Stretch:
        """What choosing it chooses."""
        return Stretch(self.name.text, self.start, 0 if self.open else self.end, self.step)


@dataclass(frozen=True)
class Moment:
    """The worst of what happened in one column."""

    at: int
    rank: int
    kind: str
    words: Safe
    count: int


@dataclass
class Row:
    """One line of the timeline."""

    label: Safe
    kind: str  # step, lane, moments, calls; of a run: tests, slow
    bars: list[Bar] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    depth: int = 0
    right: str = ""


def bounds(attempt: Attempt, now_m: int) -> tuple[int, int]:
    """From where to where an attempt lasted, in its box's monotonic clock."""
    began = attempt.started_m
    took_ns = attempt.duration_ns if attempt.verdict is not None else max(0, now_m - began)
    ends = [step.start_m + step.duration_ns for step in attempt.steps]
    return began, max([began + max(took_ns, 1_000), *ends])


def step_rows(attempt: Attempt, until: int) -> list[Row]:
    """A row for each step, in the order they began, below the one that holds it."""
    depth: dict[str, int] = {}
    rows = []
    for step in attempt.steps:
        if not step.start_m:
            continue
        depth[step.id] = min(6, depth.get(step.parent, -1) + 1) if step.parent else 0
        verdict = step.verdict or attempt.verdict
        status = Status.RUNNING if verdict is None else BY_WORD.get(verdict, Status.ERROR)
        over = step.start_m + step.duration_ns if step.verdict is not None else until
        name = clean(step.name or step.kind)
        bar = Bar(step.start_m, over, name, status=int(status), open=step.verdict is None, step=step.id)
        rows.append(Row(name, "step", [bar], depth=depth[step.id]))
    return rows


def lane_rows(folded: Folded, lanes: dict[int, tuple[int, int, str]]) -> list[Row]:
    """For each thread its name with what happened there, and below it its calls, a row a depth."""
    rows: list[Row] = []
    seen = sorted({call[0] for call in folded.calls} | {moment[0] for moment in folded.moments})
    # Two lanes of one thread (what it did, what it was told) are one to a person.
    threads: dict[tuple[int, int], list[int]] = {}
    for lane in seen:
        pid, tid, _ = lanes.get(lane, (0, lane, ""))
        threads.setdefault((pid, tid), []).append(lane)
    for (pid, tid), numbers in list(threads.items())[:MOST_LANES]:
        name = next((lanes[number][2] for number in numbers if number in lanes and lanes[number][2]), "")
        head = Row(clean(name or (f"process {pid}" if pid == tid else f"thread {tid}")), "lane")
        rows.append(head)
        head.moments = [
            Moment(at, rank, kind, words, count)
            for lane, at, rank, kind, words, count in folded.moments
            if lane in numbers
        ]
        by_depth: dict[int, list[Bar]] = {}
        for lane, depth, start, end, called, count, broke, still in folded.calls:
            if lane in numbers:
                status = int(Status.FAILED) if broke else -1
                by_depth.setdefault(depth, []).append(Bar(start, end, called, count, status, still))
        for level, depth in enumerate(sorted(by_depth)):
            rows.append(Row(clean(""), "calls", by_depth[depth], depth=level))
    return rows


class Chart:
    """Paints rows for a window of time and a width."""

    def __init__(self, look: Palette, since: int, until: int, width: int, begin: int) -> None:
        self.look, self.since, self.until, self.begin = look, since, max(until, since + 1), begin
        self.label = min(LABEL, max(8, width // 3))
        self.width = max(8, width - self.label - 9)

    def cell(self, at: int) -> int:
        """The column of a moment."""
        return (min(max(at, self.since), self.until) - self.since) * self.width // (self.until - self.since)

    def axis(self) -> Line:
        """Where the window lies in the attempt: a time at each quarter."""
        line = Line().gap(self.label + 1)
        step = self.width // 4
        for quarter in range(4):
            at = self.since + (self.until - self.since) * quarter // 4
            word = f"{self.look.glyphs.tick}{_offset(at - self.begin, self.until - self.since)}"
            line.own(word[: step - 1].ljust(step), self.look.faint)
        return line

    def line(self, row: Row, chosen: int) -> Line:
        """One row, with one of its bars chosen, or none at -1."""
        look, line = self.look, Line()
        style = look.accent if row.kind == "lane" else look.text
        name = shorten(row.label, self.label - 2 - 2 * row.depth, look.glyphs.dots)
        line.gap(1 + (2 * row.depth if row.kind == "step" else 0)).put(name, style)
        line.gap(max(0, self.label + 1 - line.columns))
        cells = self._moments(row) if row.kind == "lane" else self._bars(row, chosen)
        line.join(cells)
        if row.kind == "step" and row.bars:
            bar = row.bars[0]
            word = took(bar.end - bar.start) if not bar.open else ""
            line.gap(self.label + 1 + self.width - line.columns).own(f"{word:>8}", look.dim)
        elif row.right:
            line.gap(self.label + 1 + self.width - line.columns).own(f"{row.right:>8}", look.dim)
        return line

    def _bars(self, row: Row, chosen: int) -> Line:
        """A bar has a column at least: of several in one the first is seen, and the chosen one always is."""
        owner = [-1] * self.width
        order = sorted(range(len(row.bars)), key=lambda number: number == chosen)
        for number in order:
            bar = row.bars[number]
            if bar.end < self.since or bar.start > self.until:
                continue
            first = min(self.cell(bar.start), self.width - 1)
            for at in range(first, min(max(self.cell(bar.end), first + 1), self.width)):
                if owner[at] < 0 or number == chosen:
                    owner[at] = number
        line, at = Line(), 0
        for number, cells in groupby(owner):
            wide = sum(1 for _ in cells)
            if number >= 0:
                line.gap(at - line.columns)
                odd, bar = bool(number % 2), row.bars[number]
                line.join(self._bar(row, bar, wide, chosen=number == chosen, odd=odd))
            at += wide
        return line

    def _sliver(self, bar: Bar) -> bool:
        """Whether it is much shorter than the column that it has: it is drawn so, and a block tells of real length."""
        return not bar.open and (bar.end - bar.start) * self.width * 2 < self.until - self.since

    def _bar(self, row: Row, bar: Bar, wide: int, *, chosen: bool, odd: bool) -> Line:
        look, line = self.look, Line()
        red = bar.status in {int(status) for status in RED_STATUSES}
        if row.kind == "step":
            block = look.glyphs.sliver if self._sliver(bar) else look.glyphs.block
            return line.own(block * wide, look.accent if chosen else look.of(bar.status))
        if row.kind == "slow" or (row.kind == "tests" and (wide < 8 or bar.count > 1) and not chosen):
            # Its name stands beside it, or would not fit: its colour says the rest.
            return line.own(look.glyphs.block * wide, look.accent if chosen else look.of(bar.status))
        if wide == 1 and bar.count == 1 and row.kind == "calls" and self._sliver(bar):
            return line.own(look.glyphs.sliver, look.accent if chosen else look.failed if red else look.dim)
        style: Style = look.cursor + look.strong if chosen else look.bar_odd if odd else look.bar_even
        if red and not chosen:
            style = style + look.failure
        text = bar.name if bar.count == 1 else clean(f"{bar.count:,}{look.glyphs.times} {bar.name.text}")
        said = shorten(text, wide, look.glyphs.dots) if wide > 2 else clean("")
        return line.put(said, style).gap(wide - said.columns, style)

    def _moments(self, row: Row) -> Line:
        look, line, at = self.look, Line(), 0
        for moment in row.moments:
            place = self.cell(moment.at)
            if not self.since <= moment.at <= self.until or place < at or place >= self.width:
                continue
            line.gap(place - at)
            glyph, style = look.glyphs.pending, look.dim
            if moment.rank >= LOST:
                glyph, style = look.glyphs.lost, look.warn
            elif moment.rank == ERROR:
                glyph, style = look.glyphs.failed, look.failed
            elif moment.rank:
                glyph, style = look.glyphs.warn, look.warn
            line.own(glyph, style)
            at = place + 1
        return line

    def about(self, bar: Bar) -> Line:
        """A bar in words, for the line at the foot."""
        look = self.look
        line = Line().gap(1).put(shorten(bar.name, 48, look.glyphs.dots), look.strong)
        if bar.count > 1:
            line.own(f" and {bar.count - 1:,} more", look.dim)
        line.gap(2).own("goes on" if bar.open else took(bar.end - bar.start), look.text)
        span = self.until - self.since
        line.gap(2).own(f"{_offset(bar.start - self.begin, span)}", look.dim)
        if bar.status == int(Status.FAILED):
            line.gap(2).own("broke", look.failed)
        return line


def moments_line(moments: Iterable[Moment], look: Palette) -> Line:
    """The worst moments of a thread in words, the worst first."""
    line = Line().gap(1)
    told = sorted(moments, key=lambda one: (-one.rank, one.at))[:3]
    for number, moment in enumerate(told):
        line.own("  " if number else "").name(moment.kind, look.dim).gap(1)
        line.put(
            shorten(moment.words, 40, look.glyphs.dots), look.failed if moment.rank >= ERROR else look.text
        )
    return line


def _offset(nanoseconds: int, span: int) -> str:
    """A moment of the attempt, as exact as the window needs."""
    places = 1 if span > 20_000_000_000 else 3 if span > 50_000_000 else 6
    return f"{nanoseconds / 1e9:+.{places}f}s"


def zoomed(since: int, until: int, within: Sequence[int], factor: float, around: int) -> tuple[int, int]:
    """A window that is `factor` as long, around a moment, inside of the whole."""
    first, last = within
    size = max(1_000, int((until - since) * factor))
    if size >= last - first:
        return first, last
    start = min(max(first, around - size // 2), last - size)
    return start, start + size
