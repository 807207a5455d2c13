"""Two runs held against each other, as rows: what they differ in, what changed by kind; and one scenario in both."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.style import Style

from tracekit.model.comparing import Kind, Pair
from tracekit.model.results import Result
from tracekit.model.status import BY_WORD, RED_STATUSES, Status
from tracekit.model.words import ago, count, moment, seconds
from tracekit.ui.panes.runs import sign
from tracekit.ui.panes.story import title
from tracekit.ui.runtree import greens, reds
from tracekit.ui.safe import Line, clean, shorten, shorten_name
from tracekit.ui.theme import Palette

if TYPE_CHECKING:
    from tracekit.engine.past import Difference, Held
    from tracekit.ui.ports import RunRow

TIMED = frozenset({"slower", "faster"})
FACTS = Kind("facts", "", "what they differ in", [])


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the list: the head of a kind, a fact, or a scenario."""

    kind: Kind
    pair: Pair | None = None
    fact: Difference | None = None

    @property
    def head(self) -> bool:
        """Whether it is the head."""
        return self.pair is None and self.fact is None


def rows_of(held: Held, folded: Collection[str]) -> list[Row]:
    """What is shown, with these kinds folded."""
    rows: list[Row] = []
    if held.facts:
        rows.append(Row(FACTS))
        if FACTS.name not in folded:
            rows += [Row(FACTS, fact=fact) for fact in held.facts]
    for kind in held.scenarios.kinds():
        rows.append(Row(kind))
        if kind.name not in folded:
            rows += [Row(kind, pair) for pair in kind.pairs]
    return rows


def row_line(row: Row, facts: Sequence[Difference], width: int, look: Palette, *, folded: bool) -> Line:
    """One of them."""
    if row.pair is not None:
        return _pair(row.kind, row.pair, width, look)
    if row.fact is not None:
        names = min(18, max(len(fact.name) for fact in facts))
        line = Line().gap(4).put(shorten(clean(row.fact.name), names, look.glyphs.dots), look.dim)
        line.gap(max(2, 6 + names - line.columns)).name(row.fact.before or "-", look.text)
        return line.own(f" {look.glyphs.arrow} ", look.faint).name(row.fact.after or "-", look.text)
    kind, glyphs = row.kind, look.glyphs
    number = len(facts) if kind is FACTS else len(kind.pairs)
    line = Line().gap(1).own(glyphs.closed if folded else glyphs.opened, look.faint).gap(1)
    words = kind.words.upper()
    return line.own(words, _style(kind, look)).gap(2).own(f"{number:,}", look.dim)


def _style(kind: Kind, look: Palette) -> Style:
    return look.failed if kind.verdict == "failed" else look.passed if kind.verdict == "passed" else look.dim


def _pair(kind: Kind, pair: Pair, width: int, look: Palette) -> Line:
    line = Line().gap(4).join(_sign(kind, pair, look)).gap(1)
    right = _times(pair) if kind.name in TIMED else _change(pair, look)
    room = max(8, width - line.columns - len(right) - 3)
    name = pair.scenario.partition(":")[2] or pair.scenario
    strong = kind.verdict == "failed"
    line.put(shorten_name(clean(name), room, look.glyphs.dots), look.strong if strong else look.text)
    return line.gap(max(2, width - 1 - line.columns - len(right))).own(right, look.dim)


def _sign(kind: Kind, pair: Pair, look: Palette) -> Line:
    if kind.name == "flaky":
        return Line().own(look.glyphs.flaky, look.warn)
    if kind.name in TIMED:
        slower = kind.name == "slower"
        return Line().own(look.glyphs.more if slower else look.glyphs.less, look.warn if slower else look.dim)
    return _verdict_sign(pair.after or pair.before, look)


def _verdict_sign(result: Result | None, look: Palette) -> Line:
    status = BY_WORD.get(result.verdict, Status.ERROR) if result is not None else Status.NOTRUN
    return Line().own(look.glyphs.of(status), look.failure if status in RED_STATUSES else look.of(status))


def _word(result: Result | None) -> str:
    return (result.verdict if result.verdict in BY_WORD else "?") if result is not None else ""


def _change(pair: Pair, look: Palette) -> str:
    before, after = _word(pair.before), _word(pair.after)
    if not before or not after or before == after:
        return after or before
    return f"{before} {look.glyphs.arrow} {after}"


def _times(pair: Pair) -> str:
    if pair.after is None or not pair.ratio:
        return ""
    # The words above say whether these are the slower or the faster ones.
    return f"{max(pair.ratio, 1 / pair.ratio):.1f}x {seconds(pair.after.duration_ns):>6}"


def run_words(row: RunRow, look: Palette, now: int) -> Line:
    """A run in the header: sign, end of its name, when, counts."""
    line = Line().join(sign(row, look)).gap(1).name(row.run_id[-8:], look.strong)
    line.gap(1).own(ago(row.started_t, now) if row.started_t else "?", look.dim).gap(1)
    line.own(f"{look.glyphs.passed}{greens(row):,}", look.passed).gap(1)
    return line.own(f"{look.glyphs.failed}{reds(row):,}", look.failed if reds(row) else look.faint)


def title_line(row: Row | None, look: Palette) -> Line:
    """What is beside the list."""
    if row is None or row.pair is None:
        return Line().gap(1).own("both runs", look.dim)
    name = row.pair.scenario.rpartition("::")[2]
    line = Line().gap(1).join(_verdict_sign(row.pair.after or row.pair.before, look)).gap(1)
    return line.name(name, look.strong)


def detail_lines(row: Row | None, held: Held, look: Palette) -> list[Line]:
    """The selected scenario in both runs; else both runs, and all that they differ in."""
    if row is not None and row.pair is not None:
        return _scenario(row.pair, look)
    lines: list[Line] = []
    for words, run in (("first", held.before), ("second", held.after)):
        lines += title(words, look)
        line = Line().gap(4).join(sign(run, look)).gap(1).name(run.run_id, look.strong)
        lines += [line, Line(14).gap(6).own(moment(run.started_t) + " UTC", look.text)]
        took = seconds(run.ended_t - run.started_t) if run.ended_t and run.started_t else "no end"
        told = f"{greens(run):,} passed, {reds(run):,} red, {took}"
        lines.append(Line(14).gap(6).own(told, look.text))
    if held.facts:
        lines += title("what they differ in", look)
    for fact in held.facts:
        lines.append(Line(6).gap(4).name(fact.name, look.dim))
        lines.append(Line(8).gap(6).name(fact.before or "-", look.text))
        lines.append(
            Line(8).gap(6).own(f"{look.glyphs.arrow} ", look.accent).name(fact.after or "-", look.text)
        )
    lines += title("beside that", look)
    same = count(held.scenarios.same, "scenario")
    return [*lines, Line().gap(4).own(f"{same} with the same verdict", look.text)]


def _scenario(pair: Pair, look: Palette) -> list[Line]:
    lines = [Line(4).gap(2).name(pair.scenario, look.dim)]
    for words, result, why in (
        ("in the first", pair.before, pair.why_before),
        ("in the second", pair.after, pair.why_after),
    ):
        lines += title(words, look)
        if result is None:
            lines.append(Line().gap(4).own("it is not there", look.dim))
            continue
        line = Line(6).gap(4).join(_verdict_sign(result, look)).gap(1).own(_word(result), look.text)
        line.gap(2).own(seconds(result.duration_ns), look.dim)
        if result.attempts > 1:
            line.gap(2).own(count(result.attempts, "attempt"), look.dim)
        for flag in result.flags:
            line.gap(2).name(flag, look.warn)
        lines.append(line)
        if why is not None:
            lines.append(Line(6).gap(6).name(why.title, look.text))
    if pair.pace:
        lines += [Line(), Line().gap(2).own(pair.pace, look.dim)]
    if pair.why_before is not None and pair.why_after is not None:
        same = "by another cause than before" if pair.other_cause else "by the same cause"
        lines += [Line(), Line().gap(2).own(same, look.warn if pair.other_cause else look.dim)]
    return lines
