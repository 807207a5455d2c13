"""The timeline of a whole run: a lane for each worker or process, a bar for each attempt, and where time was lost.

Attempts that overlap within a worker stand below each other. Reading all of a run takes time, so it is done on another
thread; what is given here is plain data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

from tracekit.model.state import RunState
from tracekit.model.status import RED_STATUSES, Status, status_of
from tracekit.model.words import count, seconds
from tracekit.ui.panes.timeline import Bar, Row
from tracekit.ui.safe import Line, clean, shorten
from tracekit.ui.theme import Palette

MOST_LANES = 64
SLOWEST = 5
#: A stretch without anything to do is a hole from this share of the run on: a twentieth.
HOLE = 20
#: Scenarios that are read while the run's lock is held.
SLICE = 500
_RED = {int(status) for status in RED_STATUSES}


@dataclass(frozen=True)
class Tried:
    """One attempt as a stretch of time, in nanoseconds of its box's monotonic clock."""

    start: int
    end: int
    scenario: str
    name: str
    status: int
    open: bool = False


@dataclass
class Lane:
    """Where attempts followed each other: a worker, or a process."""

    label: str
    tried: list[Tried] = field(default_factory=list)
    worker: str = ""  # of several lanes of one worker: the same

    @property
    def busy(self) -> int:
        """How long it had something to do."""
        return sum(one.end - one.start for one in self.tried)


@dataclass(frozen=True)
class Gap:
    """A stretch in which a lane did nothing, between two attempts."""

    lane: str
    start: int
    end: int


@dataclass
class RunBars:
    """A run as lanes."""

    begin: int = 0
    end: int = 0
    lanes: list[Lane] = field(default_factory=list)
    left_out: int = 0  # lanes beyond those that are shown

    @property
    def last(self) -> tuple[Lane, Tried] | None:
        """What the end of the run waited for."""
        ends = [(lane, max(lane.tried, key=lambda one: one.end)) for lane in self.lanes if lane.tried]
        return max(ends, key=lambda found: found[1].end, default=None)

    @property
    def workers(self) -> dict[str, list[Tried]]:
        """What each of them did, in all of its lanes."""
        workers: dict[str, list[Tried]] = {}
        for lane in self.lanes:
            workers.setdefault(lane.worker or lane.label, []).extend(lane.tried)
        return workers

    @property
    def chain(self) -> list[Tried]:
        """What that waited for: the attempts before it on its worker, the last one first, back to the first hole."""
        found = self.last
        if found is None:
            return []
        (lane, one), chain = found, []
        before = sorted(self.workers[lane.worker or lane.label], key=lambda tried: tried.end)
        for tried in reversed(before):
            if tried.end > one.start:
                continue  # it went on beside it
            if (one.start - tried.end) * HOLE > self.end - self.begin:
                break
            chain.append(tried)
            one = tried
        return chain

    @property
    def slowest(self) -> list[Tried]:
        """The longest attempts, the longest first."""
        every = [one for lane in self.lanes for one in lane.tried]
        return sorted(every, key=lambda one: one.start - one.end)[:SLOWEST]

    @property
    def gap(self) -> Gap | None:
        """The longest stretch in which a worker that went on later did nothing, in none of its lanes."""
        longest: Gap | None = None
        for worker, tried in self.workers.items():
            until = None
            for one in sorted(tried, key=lambda one: one.start):
                idle = 0 if until is None else one.start - until
                if until is not None and idle > (longest.end - longest.start if longest else 0):
                    longest = Gap(worker, until, one.start)
                until = one.end if until is None else max(until, one.end)
        return longest


def read(state: RunState, lock: Lock, wanted: Collection[str] | None, now_t: int) -> RunBars:
    """Every attempt of a run, or of some scenarios. What has no end lasts until `now_t`, by the wall clock of its box.

    The run's lock is taken for a slice at a time: the screen needs it for each frame.
    """
    grouped: dict[tuple[str, str], list[Tried]] = {}
    for first in range(0, len(state.ids), SLICE):
        with lock:
            for i in range(first, min(first + SLICE, len(state.ids))):
                if state.facts[i].parent < 0 and (wanted is None or state.ids[i] in wanted):
                    for lane, tried in _tried(state, i, now_t):
                        grouped.setdefault(lane, []).append(tried)
    every = [one for found in grouped.values() for one in found]
    if not every:
        return RunBars()
    lanes: list[Lane] = []
    several = len({suite for suite, _ in grouped}) > 1
    for (suite, worker), found in sorted(grouped.items()):
        label = " ".join(part for part in ((suite or "suite") if several else "", worker) if part)
        lanes += _apart(label or suite or "tests", found)
    end = max(one.end for one in every)
    return RunBars(min(one.start for one in every), end, lanes[:MOST_LANES], max(0, len(lanes) - MOST_LANES))


def _tried(state: RunState, i: int, now_t: int) -> Iterator[tuple[tuple[str, str], Tried]]:
    facts = state.facts[i]
    for number in state.attempt_numbers(i):
        record = state.glance(i, number)
        if record is None or record.started is None or not record.started[3]:
            continue
        started_t, start, verdict = record.started[0], record.started[3], record.verdict()
        end = start + (max(0, now_t - started_t) if verdict is None else record.took)
        status = int(Status.RUNNING) if verdict is None else status_of(verdict[0])
        tried = Tried(start, max(end, start + 1), facts.id, facts.name, status, verdict is None)
        yield (facts.suite, record.started[5] or ""), tried


def _apart(label: str, tried: list[Tried]) -> list[Lane]:
    """Attempts of one worker in as many lanes as ever ran at once."""
    lanes: list[Lane] = []
    for one in sorted(tried, key=lambda one: (one.start, one.end)):
        for lane in lanes:
            if lane.tried[-1].end <= one.start:
                lane.tried.append(one)
                break
        else:
            lane = Lane(label if not lanes else f"{label} +{len(lanes)}", [one], label)
            lanes.append(lane)
    return lanes


def rows(bars: RunBars, since: int, until: int, columns: int) -> list[Row]:
    """The lanes in a window, folded to columns, and the slowest attempts below them."""
    told = []
    for lane in bars.lanes:
        share = 100 * lane.busy // max(1, bars.end - bars.begin)
        told.append(
            Row(clean(lane.label), "tests", _folded(lane.tried, since, until, columns), right=f"{share}%")
        )
    if bars.lanes:
        told.append(Row(clean("slowest"), "lane"))
    for one in bars.slowest:
        bar = _bar([one])
        told.append(
            Row(clean(one.name), "slow", [bar], right="" if one.open else seconds(one.end - one.start))
        )
    return told


def _folded(tried: Sequence[Tried], since: int, until: int, columns: int) -> list[Bar]:
    """Attempts that lie in one column are one bar: the worst of them gives it its colour."""
    found: list[list[Tried]] = []
    column = -1  # in which the last of them begin and end; -1 where they reach further
    for one in tried:
        if one.end < since or one.start > until:
            continue
        at, end = (
            (max(moment, since) - since) * columns // max(1, until - since) for moment in (one.start, one.end)
        )
        if found and at == end == column:
            found[-1].append(one)
        else:
            found.append([one])
        column = at if at == end else -1
    return [_bar(group) for group in found]


def _bar(group: Sequence[Tried]) -> Bar:
    worst = next(
        (one for one in group if one.status in _RED), max(group, key=lambda one: one.end - one.start)
    )
    return Bar(
        group[0].start,
        group[-1].end,
        clean(worst.name),
        count=len(group),
        status=worst.status,
        open=group[-1].open,
        scenario=worst.scenario,
    )


def summary(bars: RunBars, look: Palette) -> list[Line]:
    """What the end waited for, what that waited for in its turn, and where the longest hole is."""
    lines = []
    last, gap, dots = bars.last, bars.gap, look.glyphs.dots
    if last is not None:
        lane, one = last
        line = Line().gap(1).own("runs still" if one.open else "ends with", look.dim).gap(1)
        line.put(shorten(clean(one.name), 40, dots), look.text).gap(1).own(
            seconds(one.end - one.start), look.dim
        )
        lines.append(line.own(" on ", look.faint).put(shorten(clean(lane.label), 20, dots), look.text))
    # Where there is one worker, all was in a row.
    if last is not None and len(bars.workers) > 1 and (chain := bars.chain):
        whole = last[1].start - chain[-1].start
        line = Line().gap(1).own("behind ", look.dim).own(count(len(chain), "other"), look.text)
        line.own(" in a row, ", look.dim).own(seconds(whole), look.text).own(", longest ", look.dim)
        longest = max(chain, key=lambda one: one.end - one.start)
        line.put(shorten(clean(longest.name), 20, dots), look.text).gap(1)
        lines.append(line.own(seconds(longest.end - longest.start), look.dim))
    if gap is not None and (gap.end - gap.start) * HOLE > bars.end - bars.begin:
        line = Line().gap(1).own("idle ", look.warn).own(seconds(gap.end - gap.start), look.text)
        line.own(f" from +{(gap.start - bars.begin) / 1e9:.1f}s on ", look.dim)
        lines.append(line.put(shorten(clean(gap.lane), 20, dots), look.text))
    if bars.left_out:
        lines.append(Line().gap(1).own(f"{count(bars.left_out, 'more lane')} not shown", look.faint))
    return lines
