"""The fold: journal lines in, state out.

The same lines give the same state, whatever the chunking, the interleaving of sources or the number of
copies. No line can make it raise: what cannot be read is counted, what is not known is passed over. It is the
only writer of a `RunState`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from orjson import loads

from tracekit.model import coerce
from tracekit.model.coerce import INT64_MAX
from tracekit.model.facts import ScenarioFacts
from tracekit.model.notices import notice_of
from tracekit.model.records import Key, Record
from tracekit.model.runfacts import RunLines
from tracekit.model.scenarios import found_facts, group_facts
from tracekit.model.sources import Source
from tracekit.model.state import MAX_ATTEMPT, RunState
from tracekit.wire.lines import LineError, decode, flat
from tracekit.wire.names import EVENTS, E

Line = dict[str, Any]
_SHORT = 512
#: The tracer's reason for a row without its words.
WORDLESS = "no room for another string"


def _nothing(_fold: Fold, _key: Key, _line: Line) -> None:
    """A line that is known and changes nothing that is shown."""


class Fold:
    """Folds lines into `state`. Not thread-safe: whoever shares the state holds a lock around both."""

    def __init__(self) -> None:
        self.state = RunState()
        # Whatever the owner wants to keep with a checkpoint, such as how many bytes of which file were fed.
        self.marks: dict[str, int] = {}
        self.sources: dict[str, Source] = {}
        self.run_lines = RunLines()
        self.notice_lines: list[tuple[Key, Line]] = []

    # -- in

    def feed(self, line: Line) -> None:
        """Fold one decoded line. Never raises, whatever the fields hold."""
        src, n = line.get("src"), line.get("n")
        if type(src) is not str or type(n) is not int or not 0 <= n <= INT64_MAX:
            # Without a number a second copy could not be told from a second event.
            self.state.damaged += 1
            return
        source = self.sources.get(src)
        if source is None:
            source = self.sources[src] = Source()
        if n == source.last + 1:
            source.last = n
        else:
            missing = source.missing
            if not source.admit(n):
                return
            if source.missing != missing:
                self._count_missing(src, source)
        event = line.get("e")
        handler = self._HANDLERS.get(event) if type(event) is str else None
        state = self.state
        state.generation += 1
        if handler is None:
            state.unknown += 1
            return
        t = line.get("t")
        handler(self, (t if type(t) is int and -INT64_MAX <= t <= INT64_MAX else 0, src, n), line)

    def feed_bytes(self, data: bytes) -> int:
        """Fold the whole lines of `data` and say how many bytes they were; the rest is fed again with what
        follows. Damaged lines are counted in `state.damaged`, never raised.
        """
        end = data.rfind(b"\n") + 1
        whole = data[:end]
        if not whole.isascii():
            for raw in whole.split(b"\n"):
                # Each line is read as it would be alone, so that a neighbour never decides what becomes of it.
                if raw.isascii():
                    self.feed_bytes(raw + b"\n")
                else:
                    self._feed_odd(raw)
            return end
        feed = self.feed
        for raw in whole.split(b"\n"):
            if len(raw) <= _SHORT or flat(raw):
                # A line that is short cannot be deep; what may be, and odd ones, go to the careful reader.
                try:
                    line = loads(raw)
                except ValueError:
                    line = None
                if type(line) is dict:
                    feed(line)
                    continue
            self._feed_odd(raw)
        return end

    def _feed_odd(self, raw: bytes) -> None:
        raw = raw.strip()
        if not raw:
            return
        try:
            line = decode(raw)
        except LineError:
            self.state.damaged += 1
            return
        self.feed(line)

    # -- checkpoints

    def checkpoint(self) -> bytes:
        """The whole fold as bytes, to go on from later."""
        from tracekit.model.checkpoint import write

        return write(self)

    @classmethod
    def restore(cls, data: bytes) -> Fold:
        """Go on from a checkpoint; raises ProblemError when it is damaged or of a newer version."""
        from tracekit.model.checkpoint import read

        return read(data)

    # -- scenarios

    def _scenario_found(self, key: Key, line: Line) -> None:
        scenario = line.get("scenario")
        if type(scenario) is not str or not scenario:
            return
        i = self._found(key, scenario, found_facts(scenario, line, -1))
        parent = line.get("parent")
        if parent is not None and type(parent) is str:
            self.state.adopt(i, parent)

    def _scenarios_found(self, key: Key, line: Line) -> None:
        found = group_facts(line)
        if not self.state.new_rows(found, key):
            for facts in found:
                self._found(key, facts.id, facts)

    def _found(self, key: Key, scenario: str, facts: ScenarioFacts) -> int:
        """Take over what discovery says of a scenario; of two, the earlier word stands."""
        state = self.state
        i = state.index.get(scenario)
        if i is None:
            i = state.row(scenario, facts)
        else:
            first = state.found[i]
            if first is not None and first <= key:
                return i
            facts.parent = state.facts[i].parent
            state.facts[i] = facts
            state.touch(i)
            if i in state.children:
                state.inherit(i)
        state.found[i] = key
        return i

    # -- attempts

    def _of(self, line: Line) -> tuple[int, int, Record] | None:
        get = line.get
        scenario, number, parent = get("scenario"), get("attempt", 1), get("parent")
        if (
            type(scenario) is not str
            or not scenario
            or type(number) is not int
            or not 0 < number <= MAX_ATTEMPT
        ):
            return None
        state = self.state
        i = state.index.get(scenario)
        if i is None:
            i = state.row(scenario)
        # In a step's line `parent` is another step; only an id that ours begins with is taken.
        if parent is not None and type(parent) is str:
            state.adopt(i, parent)
        return i, number, state.record(i, number)

    def _attempt_started(self, key: Key, line: Line) -> None:
        if self.state.plain_start(key, line):
            return
        of = self._of(line)
        if of is not None:
            of[2].start(key, line)
            self.state.settle(*of)

    def _attempt_ended(self, key: Key, line: Line) -> None:
        if self.state.plain_end(key, line):
            return
        of = self._of(line)
        if of is not None:
            of[2].end(key, line)
            of[2].keep_usage(key, line)
            self.state.settle(*of)

    def _attempt_stalled(self, key: Key, line: Line) -> None:
        of = self._of(line)
        if of is not None:
            of[2].stalls += 1
            self.state.settle(*of)
            self.take_notice(key, line)

    def _step(self, key: Key, line: Line) -> None:
        of = self._of(line)
        if of is not None:
            i, _, record = of
            known, failed = record.started is not None, record.teardown_failed
            record.add(key, line)
            record.note_step(line)
            if known and record.teardown_failed == failed:
                self.state.touch(i)  # it changes no verdict
            else:
                self.state.settle(*of)

    def _evidence(self, key: Key, line: Line) -> None:
        of = self._of(line)
        if of is not None:
            of[2].add(key, line)
            self.state.settle(*of)

    def _failure(self, key: Key, line: Line) -> None:
        of = self._of(line)
        if of is not None:
            of[2].add(key, line)
            if line.get("when") == "teardown":
                of[2].teardown_failed = True
            self.state.settle(*of)

    def _output(self, key: Key, line: Line) -> None:
        get = line.get
        t, src, n = key
        span = (
            coerce.natural(get("offset")),
            src,
            n,
            coerce.text(get("stream")) or "stdout",
            coerce.natural(get("length")),
            get("attribution") != "inferred",
            coerce.text_or_none(get("step")),
            t,
        )
        if get("scenario") is None:
            self.state.add_runner_output(span)
            return
        of = self._of(line)
        if of is None:
            return
        record = of[2]
        known = record.outputs is not None or record.started is not None
        if record.outputs is None:
            record.outputs = [span]
        else:
            record.outputs.append(span)
        if known:
            self.state.touch(of[0])  # what an attempt prints is no verdict
        else:
            self.state.settle(*of)

    # -- the run

    def _run(self, key: Key, line: Line) -> None:
        state = self.state
        self.run_lines.add(key, line)
        state.run = self.run_lines.facts()
        state.show_again()

    def _trace(self, _key: Key, line: Line) -> None:
        # Each says all of it so far, whoever says it: one that comes late knows less.
        state, why = self.state, line.get("why")
        state.untraced = max(state.untraced, coerce.natural(line.get("lost")))
        if isinstance(why, dict):
            state.wordless = max(state.wordless, coerce.natural(why.get(WORDLESS)))

    def take_notice(self, key: Key, line: Line) -> None:
        """Note a line that is nobody's verdict."""
        notice = notice_of(line, key[0])
        if notice is not None:
            self.notice_lines.append((key, line))
            self.state.add_notice(key, notice)

    def _phase(self, key: Key, line: Line) -> None:
        self.take_notice(key, line)
        if line.get("phase") == "service":
            self._run(key, line)

    def _count_missing(self, src: str, source: Source) -> None:
        if source.missing:
            self.state.missing[src] = source.missing
        else:
            self.state.missing.pop(src, None)

    #: Whose work a line is. Not of each fold: one that is dropped is gone at once, with all that it knew.
    _HANDLERS: ClassVar[dict[str, Callable[[Fold, Key, Line], None]]] = dict.fromkeys(EVENTS, _nothing) | {
        E.SCENARIO_FOUND: _scenario_found,
        E.SCENARIOS_FOUND: _scenarios_found,
        E.ATTEMPT_STARTED: _attempt_started,
        E.ATTEMPT_ENDED: _attempt_ended,
        E.ATTEMPT_STALLED: _attempt_stalled,
        E.OUTPUT: _output,
        E.STEP_STARTED: _step,
        E.STEP_ENDED: _step,
        E.ASSERTION: _evidence,
        E.FAILURE: _failure,
        E.RUN_STARTED: _run,
        E.RUN_ENDED: _run,
        E.SUITE_FOUND: _run,
        E.BOX_FACTS: _run,
        E.SERVICE_READY: _run,
        E.SERVICE_UNHEALTHY: _run,
        E.TRACE_LOST: _trace,
        E.TRACE_ENDED: _trace,
        E.DISCOVER_FAILED: take_notice,
        E.RUNNER_FAILED_TO_START: take_notice,
        E.SUITE_FAILED: take_notice,
        E.LAUNCH_STALLED: take_notice,
        E.WARNING: take_notice,
        E.PHASE_STARTED: _phase,
        E.GAP: take_notice,
        E.BOX_CONNECTED: take_notice,
        E.BOX_LOST: take_notice,
        E.BOX_RESUMED: take_notice,
    }
