"""What is on the screen's left: one row for each scenario, over a run and the reruns that followed it.

A board reads folded runs, newest last, and keeps flat arrays by row: a rerun's result takes a row over, the earlier
attempts stay reachable. It costs what has changed, never what there is; it owns nothing that the runs cannot rebuild.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tracekit.model.causes import holders_of
from tracekit.model.facts import Attempt, CauseGroup, Notice, ScenarioFacts
from tracekit.model.notices import blocking_of, once
from tracekit.model.state import RunState
from tracekit.model.status import RED_STATUSES, Status, red_rows
from tracekit.ui.ports import ViewFace

# New rows that one look takes: what a frame has time for.
MOST_ROWS = 4_000
# Of what has ended more: nothing else is going on, and each frame is painted.
MOST_ROWS_OVER = 20_000
# And the first of all: a screenful is enough to be there at once.
FIRST_ROWS = 400
# A file and a name: no class stands between them.
FLAT = 2
_MOST_RAN = 4096
# Who tells of tests that were brought in: such a report says how long they took, not when.
_REPORT = "report"
UNTOLD = frozenset({Status.PENDING, Status.NOTRUN})


@dataclass
class Delta:
    """What a look at the runs has brought."""

    changed: set[int] = field(default_factory=set)
    files: set[str] = field(default_factory=set)  # whose rows came, went or moved
    reds: set[str] = field(default_factory=set)  # files in which a row became red, or stopped being it
    causes: bool = False  # a red row came, went or has more to say
    notices: bool = False
    any: bool = False


@dataclass(frozen=True)
class Apart:
    """What is told beside the verdicts of a whole board."""

    flaky: int = 0
    excused: int = 0  # red, and not counted


class _Source:
    """One run of the board and how far it has been read."""

    __slots__ = ("generation", "rows", "seen", "state", "told", "view")

    def __init__(self, view: ViewFace) -> None:
        self.view = view
        self.state: RunState | None = None
        self.rows = array("l")  # by the run's own index
        self.generation = -1
        self.told: tuple[int, str | None] = (-1, None)  # how many notices it had, and whose rerun it is
        self.seen = ("", 0)


class Board:
    """Rows by index, over a chain of runs."""

    def __init__(self) -> None:
        self.sources: list[_Source] = []
        self.ids: list[str] = []
        self.index: dict[str, int] = {}
        self.facts: list[ScenarioFacts] = []
        self.status = bytearray()
        self.duration = array("q")
        self.owner = array("h")
        self.parent = array("l")
        self.file: list[str] = []
        self.files: dict[str, list[int]] = {}
        #: Files with classes around their rows, or with parts of rows: each that has them, and maybe one that had.
        self.grouped: set[str] = set()
        self.tally: Counter[int] = (
            Counter()
        )  # sub-tests are not counted: totals are those of the native runner
        self.running = 0  # sub-tests included
        self.trouble = 0  # notices that say that something never ran
        self._kept: list[tuple[ViewFace, Notice]] = []  # those of earlier runs that still hold
        self.version = 0
        self.moves = 0  # looks that brought rows, took them away or moved them
        self._apart = (-1, Apart())
        self._ran: dict[int, tuple[tuple[int, int], tuple[int, int | None] | None]] = {}
        self.touched = 0  # rows looked at so far; a test holds it to what has changed

    def push(self, view: ViewFace) -> None:
        """Put a newer run over the ones that are there."""
        self.sources.append(_Source(view))

    def replace_newest(self, view: ViewFace) -> None:
        """The newest run as it was at another moment, or as it is: its rows stay, and what differs is read."""
        self.sources[-1].view = view

    @property
    def views(self) -> list[ViewFace]:
        """The runs, oldest first."""
        return [source.view for source in self.sources]

    @property
    def newest(self) -> ViewFace | None:
        """The run that a person means by 'the run'."""
        return self.sources[-1].view if self.sources else None

    @property
    def behind(self) -> bool:
        """Whether there are rows that no look has come to yet."""
        return any(source.state is not None and source.generation < 0 for source in self.sources)

    def look(self) -> Delta:
        """Read what is new in every run; the only place that waits for a run's lock for rows."""
        delta = Delta()
        for place, source in enumerate(self.sources):
            mark = (source.view.link, id(source.view.problem))
            if mark != source.seen:
                source.seen = mark
                delta.any = True
            if source.generation != source.view.generation or source.state is not source.view.state:
                with source.view.lock:
                    self._read(place, source, delta)
        if delta.notices or (delta.files and self._kept):
            self._troubled(delta)
        if delta.any or delta.changed or delta.files:
            delta.any = True
            self.version += 1
            self.moves += bool(delta.files)
        return delta

    def _read(self, place: int, source: _Source, delta: Delta) -> None:
        state = source.view.state
        changed = state.take_changed()
        if source.state is not state:
            changed |= self._turned(source, state)
        source.generation = state.generation
        known = len(source.rows)
        most = MOST_ROWS if source.view.live else MOST_ROWS_OVER
        end = min(len(state.ids), known + (most if known else FIRST_ROWS))
        if end < len(state.ids):
            # The rest is read with the next frames: a run of any size is on the screen at once.
            source.generation = -1
        if not self._all_new(place, source, end, delta):
            for i in range(known, end):
                source.rows.append(self._row(state, i, source, delta))
                self._tell(place, state, i, source.rows[i], delta)
        for i in changed:
            if i < known:
                row = source.rows[i]
                self._placed(row, state.facts[i], source, delta)
                self._tell(place, state, i, row, delta)
        told = (len(state.notices), state.run.parent)
        if source.told != told:
            source.told = told
            delta.notices = True
        delta.any = True

    def _troubled(self, delta: Delta) -> None:
        """What never ran stays told through reruns of other things, until a run of all or one that came to it."""
        kept: list[tuple[ViewFace, Notice]] = []
        told: set[tuple[str, str]] = set()
        own = 0
        for place in range(len(self.sources) - 1, -1, -1):
            view = self.sources[place].view
            found = blocking_of(view.state.notices)
            if place == len(self.sources) - 1:
                own = len(found)
            else:
                kept[:0] = [
                    (view, one)
                    for one in found
                    if (one.suite, one.file) not in told and not self._came_to(one, place)
                ]
            told.update((one.suite, one.file) for one in found)
            if view.state.run.parent is None:
                break
        delta.notices |= kept != self._kept
        self._kept, self.trouble = kept, len(kept) + own

    def _came_to(self, notice: Notice, place: int) -> bool:
        """Whether a later run speaks for a test of what this notice is about."""
        if notice.suite.startswith(":"):
            return True  # no suite of a profile: what stands before them, which every run does anew
        rows = (
            self.files.get(path_key(notice.suite, notice.file), ()) if notice.file else range(len(self.ids))
        )
        return any(self.owner[row] > place and self.facts[row].suite == notice.suite for row in rows)

    @staticmethod
    def _turned(source: _Source, state: RunState) -> set[int]:
        """Another state of the same run: rows that it knows too stay; gives those that differ."""
        old, known = source.state, len(source.rows)
        source.state, source.told = state, (-1, None)
        if old is None or state.ids[:known] != old.ids[:known]:
            source.rows = array("l")
            return set()
        rows = zip(
            old.status, state.status, old.duration, state.duration, old.facts, state.facts, strict=False
        )
        return {i for i, (a, b, c, d, e, f) in enumerate(rows) if a != b or c != d or e is not f}

    def _all_new(self, place: int, source: _Source, end: int, delta: Delta) -> bool:
        """Take rows that no run of the board has named yet, all at once; False, and nothing taken, if one is known."""
        state, first = source.view.state, len(source.rows)
        ids, facts = state.ids[first:end], state.facts[first:end]
        if not ids or not self.index.keys().isdisjoint(ids) or any(one.parent >= 0 for one in facts):
            return False
        size, row = len(ids), len(self.ids)
        rows = range(row, row + size)
        status = state.status[first:end]
        self.index.update(zip(ids, rows, strict=True))
        self.ids += ids
        self.facts += facts
        self.status += status
        self.duration.extend(state.duration[first:end])
        self.owner.extend([place] * size)
        self.parent.extend([-1] * size)
        source.rows.extend(rows)
        for at, one in zip(rows, facts, strict=True):
            key = file_key(one)
            self.file.append(key)
            held = self.files.get(key)
            if held is None:
                held = self.files[key] = []
            held.append(at)
            if len(one.path) > FLAT:  # none of these is a part; a call for each would be most of this loop
                self.grouped.add(key)
        delta.files.update(self.file[row:])
        for word, count in Counter(status).items():
            self.tally[word] += count
        self.running += status.count(Status.RUNNING)
        delta.causes |= any(red in status for red in RED_STATUSES)
        delta.changed.update(rows)
        self.touched += size
        return True

    def _row(self, state: RunState, i: int, source: _Source, delta: Delta) -> int:
        scenario = state.ids[i]
        row = self.index.get(scenario)
        if row is not None:
            self._placed(row, state.facts[i], source, delta)
            return row
        row = self.index[scenario] = len(self.ids)
        facts = state.facts[i]
        above = source.rows[facts.parent] if 0 <= facts.parent < len(source.rows) else -1
        key = self.file[above] if above >= 0 else file_key(facts)
        self.ids.append(scenario)
        self.facts.append(facts)
        self.status.append(Status.PENDING)
        self.duration.append(0)
        self.owner.append(-1)
        self.parent.append(above)
        self.file.append(key)
        self.files.setdefault(key, []).append(row)
        self._group(key, facts, above)
        self.tally[Status.PENDING] += above < 0
        delta.files.add(key)
        return row

    def _group(self, key: str, facts: ScenarioFacts, above: int) -> None:
        if above >= 0 or len(facts.path) > FLAT:
            self.grouped.add(key)

    def _placed(self, row: int, facts: ScenarioFacts, source: _Source, delta: Delta) -> None:
        """Facts may come after the first attempt did; then the row moves to its file, or under its test."""
        before, self.facts[row] = self.facts[row], facts
        above = source.rows[facts.parent] if 0 <= facts.parent < len(source.rows) else self.parent[row]
        key = self.file[above] if above >= 0 else file_key(facts)
        self._group(key, facts, above)
        if above != self.parent[row]:
            self.tally[self.status[row]] -= self.parent[row] < 0
            self.parent[row] = above
            delta.files.add(key)
        if key != self.file[row]:
            self.files[self.file[row]].remove(row)
            self.files.setdefault(key, []).append(row)
            delta.files |= {key, self.file[row]}
            self.file[row] = key
        elif before is not facts and before.path != facts.path:
            delta.files.add(key)

    def _tell(self, place: int, state: RunState, i: int, row: int, delta: Delta) -> None:
        """Take over the run's word on a row, unless a newer run has spoken or this one never came to it."""
        self.touched += 1
        status = state.status[i]
        if place < self.owner[row]:
            return
        if status in UNTOLD and not self.sources[place].view.live and self._earlier(row, place, delta):
            return
        self.owner[row] = place
        self._set(row, status, state.duration[i], delta)

    def _earlier(self, row: int, place: int, delta: Delta) -> bool:
        """A run that ended without trying the row leaves the word to the run before it."""
        for back in range(place - 1, -1, -1):
            state = self.sources[back].view.state
            i = state.index.get(self.ids[row], -1)
            if i >= 0 and state.status[i] not in UNTOLD:
                self.owner[row] = back
                self._set(row, state.status[i], state.duration[i], delta)
                return True
        return False

    def _set(self, row: int, status: int, duration: int, delta: Delta) -> None:
        before = self.status[row]
        delta.causes |= before in RED_STATUSES or status in RED_STATUSES
        if before != status:
            self.status[row] = status
            if self.parent[row] < 0:
                self.tally[before] -= 1
                self.tally[status] += 1
            self.running += (status == Status.RUNNING) - (before == Status.RUNNING)
            if (before in RED_STATUSES) != (status in RED_STATUSES):
                delta.reds.add(self.file[row])
        self.duration[row] = duration
        delta.changed.add(row)

    # -- questions that panes ask ------------------------------------------------------------------------------------

    def attempts(self, row: int) -> list[tuple[ViewFace, Attempt]]:
        """Every attempt of a row over all runs, the earliest first."""
        found: list[tuple[ViewFace, Attempt]] = []
        for source in self.sources:
            with source.view.lock:
                i = source.view.state.index.get(self.ids[row], -1)
                if i >= 0:
                    found += [(source.view, attempt) for attempt in source.view.state.attempts(i)]
        return found

    def unended(self, row: int) -> bool:
        """Whether its run is over and nobody could write down how the row ended, so that nothing of it goes on."""
        view = self.sources[self.owner[row]].view if self.owner[row] >= 0 else None
        return view is not None and not view.live and view.problem is not None

    def running_since(self, row: int) -> int:
        """When the row's running attempt began, by the box's wall clock; 0 when it is not running."""
        view = self.sources[self.owner[row]].view if self.owner[row] >= 0 else None
        if view is None:
            return 0
        attempts = view.state.attempts(view.state.index[self.ids[row]])
        return attempts[-1].started_t if attempts else 0

    def ran(self, row: int) -> tuple[int, int | None] | None:
        """When the row's newest attempt began, by the box's wall clock, and how long it took, once it has ended."""
        if self.owner[row] < 0:
            return None
        view = self.sources[self.owner[row]].view
        state = view.state
        # It is asked with every paint, and of what a checkpoint brought each answer is read from a row of text.
        moment = (id(state), view.generation)
        known = self._ran.get(row)
        if known is None or known[0] != moment:
            if len(self._ran) >= _MOST_RAN:
                self._ran.clear()
            known = self._ran[row] = moment, _ran(state, state.index[self.ids[row]])
        return known[1]

    def reason(self, row: int) -> str:
        """Why a row was skipped, cancelled or not run."""
        if self.owner[row] < 0:
            return ""
        state = self.sources[self.owner[row]].view.state
        attempts = state.attempts(state.index[self.ids[row]])
        return (attempts[-1].reason or "") if attempts else ""

    def flags(self, row: int) -> frozenset[str]:
        """What is said of a row beside its verdict: flaky, slow, quarantined, leaks."""
        if self.owner[row] < 0:
            return frozenset()
        state = self.sources[self.owner[row]].view.state
        return state.flags(state.index[self.ids[row]])

    def causes(self) -> list[tuple[CauseGroup, list[int]]]:
        """Causes with the rows that are red by them now, the most frequent first."""
        merged: dict[str, tuple[CauseGroup, list[int]]] = {}
        for place, source in enumerate(self.sources):
            with source.view.lock:
                groups = source.view.state.causes()
            for group in groups:
                rows = [
                    source.rows[i]
                    for i in group.indices
                    if i < len(source.rows)
                    and self.owner[source.rows[i]] == place
                    and self.status[source.rows[i]] in RED_STATUSES
                ]
                if rows:
                    merged.setdefault(group.key, (group, []))[1].extend(rows)
        return sorted(merged.values(), key=lambda found: -len(found[1]))

    def notices(self) -> list[tuple[ViewFace, Notice]]:
        """What the newest run has to say that is no verdict, and what kept earlier ones from running all."""
        newest = self.newest
        return self._kept + ([(newest, notice) for notice in once(newest.state.notices)] if newest else [])

    def reds(self) -> Iterator[int]:
        """Rows that are red, in their order."""
        return red_rows(self.status)

    def holders(self) -> set[int]:
        """Red rows that hold red parts and failed by nothing of their own: the parts say what went wrong."""
        found: set[int] = set()
        for row in self.reds():
            if self.parent[row] >= 0:
                above = (self.index.get(holder, -1) for holder in holders_of(self.ids[row]))
                found.update((self.parent[row], *above))
        return found - {row for _, rows in self.causes() for row in rows} if found else found

    @property
    def red_count(self) -> int:
        """How many scenarios are red."""
        return sum(self.tally[status] for status in RED_STATUSES)

    @property
    def counted_red(self) -> int:
        """How many scenarios are red and not in quarantine."""
        return self.red_count - self.apart.excused

    @property
    def apart(self) -> Apart:
        """How many tests are flaky, and how many reds stand in quarantine, by the run that speaks for each row."""
        at, apart = self._apart
        if at != self.version:
            flaky = excused = 0
            for place, source in enumerate(self.sources):
                state = source.view.state
                if not state.numbers and not state.run.quarantine:
                    continue
                with source.view.lock:
                    flaky += self._speaks_for(place, state.flaky_rows())
                    excused += self._speaks_for(place, state.excused())
            self._apart = self.version, (apart := Apart(flaky, excused))
        return apart

    def _speaks_for(self, place: int, found: Iterable[int]) -> int:
        """How many of a run's tests are shown as that run says."""
        rows = self.sources[place].rows
        return sum(
            1 for i in found if i < len(rows) and self.owner[rows[i]] == place and self.parent[rows[i]] < 0
        )

    def progress(self) -> Counter[int]:
        """How far the run is while it goes on, by its own count; else where the whole chain stands."""
        view = self.newest
        if view is None or not view.live or view.state.run.mode == "discover":
            awaited = (view.expected if view is not None else 0) - sum(self.tally.values())
            tally = self.tally + Counter({int(Status.PENDING): awaited}) if awaited > 0 else self.tally
            if view is not None and not view.live and view.problem is not None:
                # Nothing of it goes on, whatever nobody could write down.
                tally = tally + Counter({int(Status.LOST): tally[Status.RUNNING]})
                tally[Status.RUNNING] = 0
            return tally
        return Counter({status: view.state.counts[status.word] for status in Status})

    def family(self, row: int) -> list[int]:
        """Rows of the same test: other parameters, and sub-tests."""
        facts = self.facts[row]
        stem = stem_of(facts)
        return [
            other
            for other in self.files[self.file[row]]
            if other != row
            and (self.parent[other] == row or (self.parent[row] < 0 and stem_of(self.facts[other]) == stem))
        ]


def _ran(state: RunState, i: int) -> tuple[int, int | None] | None:
    record = state.glance(i, state.latest[i]) if state.latest[i] else None
    if record is None or record.started is None or record.started[5] == _REPORT:
        return None
    return record.started[0], record.took if record.ended is not None else None


def file_key(facts: ScenarioFacts) -> str:
    """What rows are grouped by: the suite and the file."""
    return path_key(facts.suite, facts.file or (facts.path[0] if facts.path else ""))


def path_key(suite: str, file: str) -> str:
    """The group of a file's rows."""
    return f"{suite}\0{file}"


def stem_of(facts: ScenarioFacts) -> tuple[str, ...]:
    """A test's path without its parameters."""
    if not facts.path:
        return (facts.id,)
    return (*facts.path[:-1], facts.path[-1].partition("[")[0])
