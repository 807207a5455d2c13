"""What the fold keeps of one attempt, and how a reader's `Attempt` is made of it.

A record holds the least that any order of lines can be decided from: keys for "which line came first",
evidence as the lines themselves. The typed view is made when somebody asks for it, since most attempts of a
large run are never looked at.
"""

from __future__ import annotations

from typing import Any

from tracekit.model import coerce
from tracekit.model.evidence import assertion_of, failure_of, leaks_of, usage_of
from tracekit.model.facts import Assertion, Attempt, Failure, OutputSpan, Step
from tracekit.model.status import final_verdict
from tracekit.wire.names import RED, E

# (t, src, n): decides between two lines that claim the same thing, whichever came first.
Key = tuple[int, str, int]
Line = dict[str, Any]
# offset, src, n, stream, length, exact, step, t
Span = tuple[int, str, int, str, int, bool, str | None, int]
# t, src, n, m, pid, worker, launch
Started = tuple[int, str, int, int, int | None, str | None, str | None]
# rank, t, src, n, verdict, cause, duration, durations, reason, exit, signal, failed sub-tests
Ended = tuple[
    int,
    int,
    str,
    int,
    str,
    str | None,
    int,
    dict[str, Any] | None,
    str | None,
    int | None,
    int | str | None,
    int,
]

_PHASES = ("setup", "call", "teardown")
# Verdicts that are put on an attempt from outside. Where the test itself told an end as well, its own word
# stands.
_FROM_OUTSIDE: frozenset[str] = frozenset({"crashed", "timedout", "cancelled", "notrun"})

# What an end may say beside its verdict and its durations.
_ODD_ENDS = frozenset({"reason", "exit", "signal", "subtests", "parent"})


class Record:
    """Everything the journal said of one attempt so far."""

    # Values of the class until a line says otherwise: most attempts have a start and an end and nothing else.
    started: Started | None = None
    ended: Ended | None = None
    outputs: list[Span] | None = None
    evidence: list[tuple[Key, Line]] | None = None
    red_children: int = 0
    told_red: bool = False  # what the parent row has already counted
    teardown_failed: bool = False
    teardown_steps: set[str] | None = None
    red_steps: set[str] | None = None
    stalls: int = 0

    def copy(self) -> Record:
        """Another one of which the same was said."""
        other = Record()
        for name, value in vars(self).items():
            setattr(other, name, value.copy() if isinstance(value, list | set) else value)
        return other

    def start(self, key: Key, line: Line) -> None:
        """Note a start; the earliest of several stands."""
        if self.started is None or key < self.started[:3]:
            get = line.get
            m, pid, worker, launch = get("m"), get("pid"), get("worker"), get("launch")
            self.started = (
                *key,
                m if type(m) is int else 0,
                pid if type(pid) is int else None,
                worker if type(worker) is str else None,
                launch if type(launch) is str else None,
            )

    def end(self, key: Key, line: Line) -> None:
        """Note an end; the test's own word stands before one from outside, else the latest."""
        get = line.get
        verdict = get("verdict")
        if type(verdict) is not str:
            verdict = ""
        rank = 0 if verdict in _FROM_OUTSIDE else 1
        ended = self.ended
        if ended is not None and (rank, *key) <= ended[:4]:
            return
        cause, durations, reason = get("cause"), get("durations"), get("reason")
        code, signal, subtests = get("exit"), get("signal"), get("subtests")
        self.ended = (
            rank,
            *key,
            verdict,
            cause if type(cause) is str else None,
            coerce.natural(get("d")),
            durations if type(durations) is dict else None,
            reason if type(reason) is str else None,
            None if code is None else coerce.integer_or_none(code),
            None if signal is None else coerce.signal(signal),
            coerce.natural(subtests.get("failed")) if type(subtests) is dict else 0,
        )

    def end_plainly(self, key: Key, line: Line) -> bool:
        """Note a green end with nothing but its durations, as most are; False, and nothing noted, otherwise."""
        get = line.get
        took, durations = get("d"), get("durations")
        if (
            type(took) is not int
            or not 0 <= took <= coerce.INT64_MAX
            or type(durations) is not dict
            or self.ended is not None
            or get("cause") is not None
            or not _ODD_ENDS.isdisjoint(line)
        ):
            return False
        self.ended = (1, *key, "passed", None, took, durations, None, None, None, 0)
        self.keep_usage(key, line)
        return True

    @property
    def took(self) -> int:
        """How long it took, by its end."""
        return self.ended[6] if self.ended is not None else 0

    def keep_usage(self, key: Key, line: Line) -> None:
        """Keep what it used and what it left behind, where its end says so."""
        if "leaks" in line or "rusage" in line:
            self.add(key, {name: line[name] for name in ("e", "leaks", "rusage") if name in line})

    def add(self, key: Key, line: Line) -> None:
        """Keep a line that is looked at only when somebody opens the attempt."""
        if self.evidence is None:
            self.evidence = [(key, line)]
        else:
            self.evidence.append((key, line))

    def note_step(self, line: Line) -> None:
        """Watch for a failing teardown; start and end of a step may come in any order."""
        kind, verdict = line.get("kind"), line.get("verdict")
        red = type(verdict) is str and verdict in RED
        if not red and kind != "teardown":
            return
        step = coerce.text(line.get("step"))
        if kind == "teardown":
            if self.teardown_steps is None:
                self.teardown_steps = set()
            self.teardown_steps.add(step)
        if red:
            if self.red_steps is None:
                self.red_steps = set()
            self.red_steps.add(step)
        if self.teardown_steps and self.red_steps and not self.teardown_failed:
            self.teardown_failed = not self.teardown_steps.isdisjoint(self.red_steps)

    def verdict(self) -> tuple[str, str | None] | None:
        """Verdict and cause class by the rules, or None while there is no end."""
        ended = self.ended
        if ended is None:
            return None
        if self.teardown_failed or self.red_children or ended[11]:
            return final_verdict(
                ended[4],
                ended[5],
                teardown_failed=self.teardown_failed,
                subtest_failed=bool(self.red_children or ended[11]),
            )
        return ended[4], ended[5]

    def word(self, ended: Ended) -> str:
        """The verdict alone, asked for every line."""
        if self.teardown_failed or self.red_children or ended[11]:
            verdict = self.verdict()
            return verdict[0] if verdict is not None else ended[4]
        return ended[4]

    def lines(self) -> list[Line]:
        """The kept lines in the order of time, whatever order they came in."""
        if self.evidence is None:
            return []
        return [line for _, line in sorted(self.evidence, key=_key_of)]

    def spans(self) -> list[OutputSpan]:
        """The output, in the order of the recorded bytes of each box."""
        return [span_of(span) for span in sorted(self.outputs or ())]


def build_attempt(number: int, record: Record) -> Attempt:
    """Make the reader's view of one attempt."""
    attempt = Attempt(number, outputs=record.spans(), stalls=record.stalls)
    if record.started is not None:
        attempt.started_t, _, _, attempt.started_m, attempt.pid, attempt.worker, attempt.launch = (
            record.started
        )
    verdict = record.verdict()
    if record.ended is not None and verdict is not None:
        attempt.verdict, attempt.cause = verdict
        attempt.duration_ns = record.ended[6]
        attempt.durations = coerce.naturals(record.ended[7])
        attempt.reason, attempt.exit, attempt.signal = record.ended[8:11]
    steps: dict[str, Step] = {}
    for line in record.lines():
        event = line.get("e")
        if event == E.FAILURE:
            attempt.failures.append(failure_of(line))
        elif event == E.ASSERTION:
            attempt.assertions.append(assertion_of(line))
        elif event == E.ATTEMPT_ENDED:
            attempt.leaks, attempt.rusage = leaks_of(line), usage_of(line)
        else:
            _merge_step(steps, line)
    attempt.steps = sorted((*steps.values(), *_phase_steps(attempt, steps)), key=_begin)
    return attempt


def _merge_step(steps: dict[str, Step], line: Line) -> None:
    name = coerce.text(line.get("step"))
    step = steps.get(name)
    if step is None:
        step = steps[name] = Step(name, "", "")
    step.kind = coerce.text(line.get("kind")) or step.kind
    step.name = coerce.text(line.get("name")) or step.name or name
    step.parent = coerce.text_or_none(line.get("parent")) or step.parent
    if line.get("e") == E.STEP_ENDED:
        step.verdict = coerce.text(line.get("verdict")) or "passed"
        step.duration_ns = coerce.natural(line.get("d"))
        step.start_m = coerce.integer(line.get("m0")) or step.start_m
    elif not step.start_m:
        step.start_m = coerce.integer(line.get("m0")) or coerce.integer(line.get("m"))


def _phase_steps(attempt: Attempt, told: dict[str, Step]) -> list[Step]:
    """Make the phases that were too short to be told as events of their own."""
    have = {step.kind for step in told.values()} | set(told)
    failed = {failure.when: failure.cause for failure in attempt.failures}
    order = [phase for phase in _PHASES if phase in attempt.durations]
    order += [phase for phase in attempt.durations if phase not in _PHASES]
    made: list[Step] = []
    at = attempt.started_m
    for phase in order:
        duration = attempt.durations[phase]
        # Between phases a runner works for itself: one that was not told began no later than what was told in it.
        inside = [step for step in told.values() if step.parent == phase and step.start_m]
        if inside:
            ended = max(step.start_m + step.duration_ns for step in inside)
            at = max(at, min(ended - duration, *(step.start_m for step in inside)))
        if phase not in have:
            verdict = _phase_verdict(phase, attempt, failed)
            kind = phase if phase in _PHASES else "step"
            made.append(Step(phase, kind, phase, verdict, at, duration))
        at += duration
    return made


def _phase_verdict(phase: str, attempt: Attempt, failed: dict[str, str | None]) -> str:
    if phase in failed:
        return "failed" if phase == "call" else "error"
    if phase == "teardown" and attempt.cause == "teardown":
        return "error"
    if phase == "setup" and attempt.cause == "setup":
        return "error"
    if phase == "call" and attempt.verdict in {"failed", "skipped", "xfailed", "xpassed"} and not failed:
        return attempt.verdict or "passed"
    return "passed"


def _begin(step: Step) -> tuple[int, int, str]:
    # A phase and its first fixture may begin in the same instant: the phase stands first.
    rank = _PHASES.index(step.kind) if step.kind in _PHASES else len(_PHASES)
    return step.start_m, rank, step.id


def _key_of(item: tuple[Key, Line]) -> Key:
    return item[0]


def span_of(span: Span) -> OutputSpan:
    """The reader's view of one piece of output."""
    offset, src, _, stream, length, exact, step, t = span
    return OutputSpan(stream, offset, length, exact, step, t, src.partition("/")[0])


def failures_of(record: Record) -> list[Failure]:
    """Only the failures, for those who cluster and do not need the rest."""
    return [failure_of(line) for line in record.lines() if line.get("e") == E.FAILURE]


def assertions_of(record: Record) -> list[Assertion]:
    """Only the comparisons."""
    return [assertion_of(line) for line in record.lines() if line.get("e") == E.ASSERTION]
