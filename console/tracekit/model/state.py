"""The state of a run: flat arrays by scenario index, and what readers ask of them.

The fold is the only writer. Counts, statuses and red rows are kept up as lines come, so that a reader at
thirty frames a second never walks the whole run; nothing here is ever decided by the order in which lines
came.
"""

from __future__ import annotations

import itertools
import posixpath
from array import array
from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tracekit.model.causes import CauseIndex
from tracekit.model.facts import (
    Assertion,
    Attempt,
    CauseGroup,
    ExceptionFacts,
    Failure,
    Frame,
    Notice,
    OutputSpan,
    RunFacts,
    ScenarioFacts,
    Step,
    SuiteFacts,
)
from tracekit.model.quarantine import Quarantine, Quarantined
from tracekit.model.records import Key, Record, Span, build_attempt, span_of
from tracekit.model.scenarios import named_facts
from tracekit.model.status import RED_STATUSES, WORDS, Status, red_rows, showing, status_of
from tracekit.wire.ids import SUBTEST_MARK

if TYPE_CHECKING:
    from tracekit.model.rows import Frozen

__all__ = [
    "Assertion",
    "Attempt",
    "CauseGroup",
    "ExceptionFacts",
    "Failure",
    "Frame",
    "Notice",
    "OutputSpan",
    "RunFacts",
    "RunState",
    "ScenarioFacts",
    "Status",
    "Step",
    "SuiteFacts",
]

# Attempt numbers and scenario indices share one key, so that a record is one look-up in one table.
ATTEMPT_BITS = 20
MAX_ATTEMPT = (1 << ATTEMPT_BITS) - 1
_BUILT_KEPT = 256
# Small whole numbers are one object each; a `true` or a `1.0` of a stranger's journal is another.
_FIRST = 1
_PENDING, _RUNNING, _PASSED = int(Status.PENDING), int(Status.RUNNING), int(Status.PASSED)


class RunState:
    """Everything the journals of one run say, by scenario index."""

    def __init__(self) -> None:
        self.generation = 0
        self.run = RunFacts()
        self.ids: list[str] = []
        self.index: dict[str, int] = {}
        self.facts: list[ScenarioFacts] = []
        self.status = bytearray()
        self.duration: array[int] = array("q")
        self.attempts_count: array[int] = array("i")
        self._counts: dict[str, int] | None = None  # None: to be counted when somebody asks
        self._subtest_counts: dict[str, int] = {}
        self.notices: list[Notice] = []
        self.runner_output: list[OutputSpan] = []
        self.missing: dict[str, int] = {}
        self.untraced = 0
        self.wordless = 0  # of those: words alone, whose rows are there
        self.damaged = 0
        self.unknown = 0
        self.lost = False
        # What only the fold and the checkpoint touch.
        self.told = bytearray()  # status by the journal alone, before anything is derived
        self.latest: array[int] = array("i")
        self.numbers: dict[int, list[int]] = {}  # only where attempts are not simply 1
        self.records: dict[int, Record] = {}
        self.found: list[Key | None] = []
        self.children: dict[int, list[int]] = {}
        self.notice_keys: list[Key] = []
        self.runner_spans: list[Span] = []
        self.frozen: Frozen | None = None  # attempts of a restored run that nobody has looked at
        self._table = bytes(range(256))
        self._changed: set[int] = set()
        self._built: dict[int, list[Attempt]] = {}
        self._causes = CauseIndex()
        self._quarantine = Quarantine()
        self._flaky: set[int] = set()
        self._flaky_stale: set[int] = set()

    # -- for readers

    def attempts(self, i: int) -> list[Attempt]:
        """The attempts of a scenario in order; made when asked for."""
        built = self._built.get(i)
        if built is None:
            if len(self._built) >= _BUILT_KEPT:
                self._built.clear()
            built = [
                build_attempt(number, self.known_record(i, number)) for number in self.attempt_numbers(i)
            ]
            self._built[i] = built
        return built

    @property
    def counts(self) -> dict[str, int]:
        """How many tests have each status, by its word; sub-tests are rows of their own and are counted apart, so
        that the totals are those of the native runner.
        """
        if self._counts is None:
            rows = itertools.chain.from_iterable(self.children.values())
            below = bytes(map(self.status.__getitem__, rows))
            self._subtest_counts = {word: below.count(status) for status, word in enumerate(WORDS)}
            self._counts = {
                word: self.status.count(status) - self._subtest_counts[word]
                for status, word in enumerate(WORDS)
            }
        return self._counts

    @property
    def subtest_counts(self) -> dict[str, int]:
        """How many sub-tests have each status."""
        return self._subtest_counts if self.counts else {}

    def attempt_numbers(self, i: int) -> list[int]:
        """The numbers of the attempts that the journal knows, ascending."""
        numbers = self.numbers.get(i)
        if numbers is not None:
            return numbers
        return [1] if self.latest[i] else []

    def causes(self) -> list[CauseGroup]:
        """Failures clustered by normalised root exception and class, the largest first."""
        return self._causes.groups(self)

    def take_changed(self) -> set[int]:
        """The indices that changed since this was last asked."""
        changed, self._changed = self._changed, set()
        return changed

    def children_of(self, i: int) -> list[int]:
        """The rows of a scenario's sub-tests."""
        return self.children.get(i, [])

    def flaky(self, i: int) -> bool:
        """Whether it passed in the end, after an attempt that did not."""
        if self.status[i] != Status.PASSED or i not in self.numbers:
            return False
        return any(self.record_red(i, number) for number in self.numbers[i][:-1])

    def flaky_rows(self) -> set[int]:
        """All of them; only rows that were settled since the last time are looked at."""
        for i in self._flaky_stale:
            if self.flaky(i):
                self._flaky.add(i)
            else:
                self._flaky.discard(i)
        self._flaky_stale.clear()
        return self._flaky

    def leaking(self) -> list[int]:
        """The tests that left something behind, in order."""
        return [i for i, facts in enumerate(self.facts) if facts.parent < 0 and self.leaked(i)]

    def leaked(self, i: int) -> bool:
        """Whether its last attempt left something behind."""
        if not self.latest[i]:
            return False
        return any(line.get("leaks") for _, line in self.latest_record(i).evidence or ())

    def slow_ns(self, i: int) -> int:
        """From which duration on a scenario is slow, by the plan of its suite; 0 is never."""
        suite = self.facts[i].suite
        return next((known.slow_ns for known in self.run.suites if known.name == suite), 0)

    def slow(self, i: int) -> bool:
        """Whether its last attempt took longer than its suite calls slow."""
        limit = self.slow_ns(i)
        return bool(limit) and self.duration[i] > limit

    def quarantined(self, i: int) -> Quarantined | None:
        """The entry of the quarantine that means this scenario, in force or expired."""
        return self.quarantine.of(self.ids[i])

    @property
    def quarantine(self) -> Quarantine:
        """Who is excused, as the run was told when it was planned."""
        if self._quarantine.entries is not self.run.quarantine:
            self._quarantine = Quarantine(self.run.quarantine)
        return self._quarantine

    def excused(self) -> list[int]:
        """The tests that are red and do not count, since they stand in quarantine."""
        if not self.quarantine:
            return []
        return [
            i
            for i in red_rows(self.status)
            if self.facts[i].parent < 0 and (entry := self.quarantined(i)) is not None and not entry.expired
        ]

    def flags(self, i: int) -> frozenset[str]:
        """What is said of a scenario beside its verdict."""
        entry = self.quarantined(i)
        words = ["flaky"] if self.flaky(i) else []
        if self.slow(i):
            words.append("slow")
        if entry is not None:
            words.append("expired" if entry.expired else "quarantined")
        if self.leaked(i):
            words.append("leaks")
        return frozenset(words)

    @property
    def missing_total(self) -> int:
        """Lines that sources numbered and that never came."""
        return sum(self.missing.values())

    @property
    def trace_losses(self) -> list[tuple[int, str]]:
        """How many of what the trace lacks. A row for whose words there was no room is there, and has none."""
        words = min(self.wordless, self.untraced)
        told = (
            (self.untraced - words, "records of the trace are lost"),
            (words, "words of the trace are lost: their rows are there without them"),
        )
        return [(number, what) for number, what in told if number > 0]

    @property
    def dropped(self) -> int:
        """Whatever was to be recorded and is not there: lines, and records of the trace."""
        return self.missing_total + self.damaged + self.untraced

    def mark_lost(self, lost: bool = True) -> None:
        """Say that the box is gone (or back): attempts that run are shown as lost. Never part of the
        journal.
        """
        if lost != self.lost:
            self.lost = lost
            self.show_again()

    def directory_of(self, suite: str) -> str:
        """The directory that a suite's files are relative to, on the box; empty where the journal does not say."""
        known = (facts.cwd for facts in self.run.suites if facts.name == suite and facts.cwd)
        return next(known, self.run.root)

    def folder_of(self, suite: str) -> str:
        """The way from the run's root to that directory; empty where it is the root itself or lies elsewhere."""
        folder, root = self.directory_of(suite), self.run.root
        way = posixpath.relpath(folder, root) if folder[:1] == root[:1] == "/" else "."
        return "" if way == "." or way.startswith("..") else way

    def file_below(self, suite: str, file: str) -> str:
        """A file of a suite as one names it at the run's root."""
        return below(self.folder_of(suite), file)

    # -- for the fold

    def branch(self, records: Frozen) -> RunState:
        """A state that knows the same and goes its own way; `records` gives it the attempts as they stand."""
        other = RunState()
        other.generation, other.run, other._table = self.generation, self.run, self._table
        other.damaged, other.unknown, other.lost = self.damaged, self.unknown, self.lost
        other.untraced, other.wordless = self.untraced, self.wordless
        other.ids, other.index, other.facts = list(self.ids), dict(self.index), list(self.facts)
        other.status, other.told, other.found = bytearray(self.status), bytearray(self.told), list(self.found)
        other.duration, other.attempts_count = self.duration[:], self.attempts_count[:]
        other.latest = self.latest[:]
        other.notices, other.notice_keys = list(self.notices), list(self.notice_keys)
        other.runner_output, other.runner_spans = list(self.runner_output), list(self.runner_spans)
        other.missing = dict(self.missing)
        other.numbers = {i: list(numbers) for i, numbers in self.numbers.items()}
        other.children = {i: list(children) for i, children in self.children.items()}
        other._causes, other._quarantine = self._causes.copy(), self._quarantine
        other._flaky, other._flaky_stale = set(self._flaky), set(self._flaky_stale)
        other.frozen = records
        return other

    def row(self, scenario: str, facts: ScenarioFacts | None = None) -> int:
        """The index of a scenario, made when it is first named."""
        i = self.index.get(scenario)
        if i is None:
            i = len(self.ids)
            self.index[scenario] = i
            self.ids.append(scenario)
            self.facts.append(facts or named_facts(scenario))
            shown = self._table[_PENDING]
            self.told.append(_PENDING)
            self.status.append(shown)
            self.duration.append(0)
            self.attempts_count.append(0)
            self.latest.append(0)
            self.found.append(None)
            self._counts = None
            self._changed.add(i)
        return i

    def new_rows(self, facts: list[ScenarioFacts], key: Key) -> bool:
        """Take rows that nobody has named yet, all at once; False, and nothing taken, when one of them is known."""
        ids = [one.id for one in facts]
        if not self.index.keys().isdisjoint(ids) or len(set(ids)) != len(ids):
            return False
        first, size = len(self.ids), len(ids)
        self.ids += ids
        self.index.update(zip(ids, range(first, first + size), strict=True))
        self.facts += facts
        shown = self._table[_PENDING]
        self.told += bytes((_PENDING,)) * size
        self.status += bytes((shown,)) * size
        for column in (self.duration, self.attempts_count, self.latest):
            column.frombytes(bytes(column.itemsize * size))
        self.found += [key] * size
        self._counts = None
        self._changed.update(range(first, first + size))
        return True

    def record(self, i: int, number: int) -> Record:
        """The record of an attempt, made when it is first named; whoever asks settles it afterwards."""
        key = i << ATTEMPT_BITS | number
        record = self.records.get(key) or self._thaw(key)
        if record is None:
            record = self.records[key] = Record()
            self.attempts_count[i] += 1
            numbers = self.numbers.get(i)
            if numbers is not None:
                insort(numbers, number)
            elif number != 1 or self.latest[i]:
                self.numbers[i] = sorted({number, self.latest[i]} - {0})
            self.latest[i] = max(self.latest[i], number)
        return record

    def plain_start(self, key: Key, line: dict[str, Any]) -> bool:
        """Take the start of a first attempt, as most are: a known test, once, before anything else of it.

        What `record` and `settle` would do, without asking what cannot be so; False, and nothing taken, where it is
        not as most are.
        """
        get = line.get
        scenario = get("scenario")
        i = self.index.get(scenario) if type(scenario) is str else None
        if (
            i is None
            or self.latest[i]
            or get("attempt") is not _FIRST
            or self.facts[i].parent >= 0
            or "parent" in line
            or self.frozen is not None
        ):
            return False
        record = self.records[i << ATTEMPT_BITS | 1] = Record()
        record.start(key, line)
        self.attempts_count[i] = self.latest[i] = 1
        self.told[i] = _RUNNING
        self.status[i] = self._table[_RUNNING]
        self._counts = None
        self._changed.add(i)
        if self._built:
            # Who looked at it while it waited has seen no attempt.
            self._built.pop(i, None)
        return True

    def plain_end(self, key: Key, line: dict[str, Any]) -> bool:
        """Take a green end of a first attempt that nothing contradicts; False, and nothing taken, otherwise."""
        get = line.get
        scenario = get("scenario")
        i = self.index.get(scenario) if type(scenario) is str else None
        if (
            i is None
            or self.told[i] != _RUNNING
            or get("verdict") != "passed"
            or get("attempt") is not _FIRST
        ):
            return False
        record = self.records.get(i << ATTEMPT_BITS | 1)
        if (
            record is None
            or self.latest[i] != 1
            or self.facts[i].parent >= 0
            or record.teardown_failed
            or record.red_children
            or not record.end_plainly(key, line)
        ):
            return False
        self.duration[i] = record.took
        self.told[i] = _PASSED
        self.status[i] = self._table[_PASSED]
        self._counts = None
        self._changed.add(i)
        if self._built:
            self._built.pop(i, None)
        return True

    def settle(self, i: int, number: int, record: Record) -> None:
        """Bring a row, and the rows it is a sub-test of, up to what their records say now."""
        while True:
            self._changed.add(i)
            if self._built:
                self._built.pop(i, None)
            ended = record.ended
            if ended is None:
                status, duration = _RUNNING, 0
            else:
                status, duration = status_of(record.word(ended)), ended[6]
            red = status in RED_STATUSES
            if i in self.numbers:
                self._flaky_stale.add(i)
            if number == self.latest[i]:
                told = self.told[i]
                if red or told in RED_STATUSES:
                    self._causes.stale.add(i)
                if told != status:
                    self._tell(i, status)
                self.duration[i] = duration
            parent = self.facts[i].parent
            if parent < 0 or (red == record.told_red and self.has_record(parent, number)):
                return
            above = self.record(parent, number)
            if red != record.told_red:
                record.told_red = red
                above.red_children += 1 if red else -1
            i, record = parent, above

    def touch(self, i: int) -> None:
        """Note that what readers saw of a row is out of date."""
        self._changed.add(i)
        if self._built:
            self._built.pop(i, None)

    def adopt(self, i: int, parent: str) -> None:
        """Make a row the sub-test of another. A parent's id stands before its sub-test's, so there are no
        circles.
        """
        scenario = self.ids[i]
        if self.facts[i].parent >= 0 or not scenario.startswith(parent + SUBTEST_MARK):
            return
        above = self.row(parent)
        self._counts = None
        # Another object: whoever branched off before this has the one that was.
        self.facts[i] = replace(self.facts[i], parent=above)
        self.children.setdefault(above, []).append(i)
        self._inherit(above, [i])
        for number in self.attempt_numbers(i):
            self.settle(i, number, self.known_record(i, number))

    def inherit(self, i: int) -> None:
        """Give sub-tests the place of their parent, where discovery did not tell them one."""
        self._inherit(i, self.children.get(i, ()))

    def _inherit(self, i: int, children: Iterable[int]) -> None:
        # Only these: a test with ten thousand sub-tests would otherwise look at all of them for each.
        waiting: list[tuple[int, Iterable[int]]] = [(i, children)]
        while waiting:
            above, below = waiting.pop()
            source = self.facts[above]
            for child in below:
                if self.found[child] is not None:
                    continue
                label = self.ids[child][len(self.ids[above]) + len(SUBTEST_MARK) :]
                self.facts[child] = replace(
                    source, id=self.ids[child], path=(*source.path, label), doc="", story="", parent=above
                )
                self._changed.add(child)
                waiting.append((child, self.children.get(child, ())))

    def add_notice(self, key: Key, notice: Notice) -> None:
        """Take a notice into its place in time."""
        at = bisect_right(self.notice_keys, key)
        self.notice_keys.insert(at, key)
        self.notices.insert(at, notice)

    def add_runner_output(self, span: Span) -> None:
        """Take output that belongs to no scenario into its place in the recorded bytes."""
        at = len(self.runner_spans)
        if at and span < self.runner_spans[-1]:
            at = bisect_right(self.runner_spans, span)
        self.runner_spans.insert(at, span)
        self.runner_output.insert(at, span_of(span))

    def red(self, i: int) -> bool:
        """Whether the row is red by the journal."""
        return self.told[i] in RED_STATUSES

    def record_red(self, i: int, number: int) -> bool:
        """Whether one attempt is red."""
        verdict = self.known_record(i, number).verdict()
        return verdict is not None and status_of(verdict[0]) in RED_STATUSES

    def latest_record(self, i: int) -> Record:
        """The record that decides the row."""
        return self.known_record(i, self.latest[i])

    def known_record(self, i: int, number: int) -> Record:
        """The record of an attempt that is known to be there."""
        key = i << ATTEMPT_BITS | number
        record = self.records.get(key) or self._thaw(key)
        if record is None:
            raise KeyError(self.ids[i], number)
        return record

    def glance(self, i: int, number: int) -> Record | None:
        """What is known of an attempt, left as it is kept: for whoever looks at every attempt of a run."""
        key = i << ATTEMPT_BITS | number
        return self.records.get(key) or (self.frozen.peek(key) if self.frozen is not None else None)

    def has_record(self, i: int, number: int) -> bool:
        """Whether the journal named this attempt."""
        key = i << ATTEMPT_BITS | number
        return key in self.records or (self.frozen is not None and key in self.frozen)

    def show_again(self) -> None:
        """Derive the shown statuses anew, after the run ended or its box went or came."""
        run = self.run
        table = showing(ended=run.ended, reason=run.reason, lost=self.lost, discovers=run.mode == "discover")
        if table == self._table:
            return
        self._table = table
        shown = self.told.translate(table)
        self._changed.update(
            i for i, (old, new) in enumerate(zip(self.status, shown, strict=True)) if old != new
        )
        self.status = shown
        self._counts = None
        self.generation += 1

    def all_changed(self) -> None:
        """Every row is new to whoever reads this state first."""
        self._changed = set(range(len(self.ids)))
        self._flaky_stale.update(self.numbers)
        self._causes.stale.update(i for i, status in enumerate(self.told) if status in RED_STATUSES)

    def _thaw(self, key: int) -> Record | None:
        record = self.frozen.thaw(key) if self.frozen is not None else None
        if record is not None:
            self.records[key] = record
        return record

    def _tell(self, i: int, status: int) -> None:
        self.told[i] = status
        self.status[i] = self._table[status]
        self._counts = None


def below(folder: str, file: str) -> str:
    """A file in a folder; the file itself where there is no folder, or no file."""
    return posixpath.normpath(posixpath.join(folder, file)) if folder and file else file
