"""Journals for the model's tests: a small writer for scenarios told by hand, strategies for any journal at
all, and a view of a state that does not depend on the order in which rows were made.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st

from tracekit.model.fold import Fold
from tracekit.model.state import ATTEMPT_BITS
from tracekit.model.status import WORDS
from tracekit.wire.names import CAUSES, EVENTS, VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracekit.model.state import RunState

# The same examples everywhere and every time: a property that fails in CI fails here.
PROPERTY = settings(derandomize=True, deadline=None, database=None, max_examples=40)

RUN = "01K5A3V2Q8Z6Y1X0W9V7T5S3R1"
A = "pytest:tests/test_a.py::test_a"
B = "pytest:tests/test_a.py::TestB::test_b[x::y/z]"
SUB = f"{A} ▸ first"
SUBSUB = f"{SUB} ▸ inner"
PARENTS = {SUB: A, SUBSUB: SUB}

Line = dict[str, Any]


class Journal:
    """Writes lines as a source would: numbered, timed, one source unless told otherwise."""

    def __init__(self, src: str = "local/main/10-1") -> None:
        self.src = src
        self.lines: list[Line] = []

    def add(self, event: str, *, src: str = "", **fields: Any) -> Journal:
        src = src or self.src
        n = 1 + max((line["n"] for line in self.lines if line["src"] == src), default=0)
        at = 1000 * (len(self.lines) + 1)
        self.lines.append({"v": 1, "n": n, "src": src, "t": at, "m": at, "run": RUN, "e": event} | fields)
        return self

    def found(self, scenario: str = A, **fields: Any) -> Journal:
        return self.add("scenario.found", scenario=scenario, **fields)

    def fold(self) -> Fold:
        return fold(self.lines)

    def start(self, scenario: str = A, attempt: int = 1, **fields: Any) -> Journal:
        return self.add("attempt.started", scenario=scenario, attempt=attempt, **fields)

    def end(self, verdict: str, scenario: str = A, attempt: int = 1, **fields: Any) -> Journal:
        return self.add("attempt.ended", scenario=scenario, attempt=attempt, verdict=verdict, **fields)

    def ran(self, verdict: str, scenario: str = A, attempt: int = 1, **fields: Any) -> Journal:
        return self.start(scenario, attempt).end(verdict, scenario, attempt, **fields)

    def fail(
        self, *chain: Line, scenario: str = A, attempt: int = 1, when: str = "call", **fields: Any
    ) -> Journal:
        return self.add("failure", scenario=scenario, attempt=attempt, when=when, chain=list(chain), **fields)

    def red(self, scenario: str, *chain: Line, verdict: str = "failed", **fields: Any) -> Journal:
        """A whole attempt that failed with this chain."""
        return self.start(scenario).fail(*chain, scenario=scenario, **fields).end(verdict, scenario)

    @property
    def state(self) -> RunState:
        return fold(self.lines).state


def exception(kind: str, message: str, relation: str | None = None, **fields: Any) -> Line:
    return {"type": kind, "message": message, "module": "builtins", "relation": relation} | fields


def fold(lines: Iterable[Line]) -> Fold:
    folded = Fold()
    for line in lines:
        folded.feed(line)
    return folded


def to_bytes(lines: Iterable[Line]) -> bytes:
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)


def view(state: RunState) -> dict[str, Any]:
    """Everything a reader can ask, by id instead of by index."""
    return {
        "rows": {scenario: _row(state, i) for i, scenario in enumerate(state.ids)},
        "counts": state.counts,
        "subtests": state.subtest_counts,
        "run": asdict(state.run),
        "notices": [asdict(notice) for notice in state.notices],
        "runner_output": [asdict(span) for span in state.runner_output],
        "missing": state.missing,
        "unknown": state.unknown,
        "causes": {
            group.key: (group.cause, group.title, sorted(state.ids[i] for i in group.indices), group.notices)
            for group in state.causes()
        },
    }


def _row(state: RunState, i: int) -> dict[str, Any]:
    facts = state.facts[i]
    return {
        "facts": asdict(replace(facts, parent=-1)),
        "parent": state.ids[facts.parent] if facts.parent >= 0 else None,
        "children": sorted(state.ids[child] for child in state.children_of(i)),
        "status": state.status[i],
        "told": state.told[i],
        "duration": state.duration[i],
        "attempts": [asdict(attempt) for attempt in state.attempts(i)],
        "count": state.attempts_count[i],
        "flaky": state.flaky(i),
    }


def check_books(state: RunState) -> None:
    """What is kept up line by line must be what counting afresh gives."""
    rows = range(len(state.ids))
    for counts, wanted in ((state.counts, True), (state.subtest_counts, False)):
        assert sum(counts.values()) == sum((state.facts[i].parent < 0) == wanted for i in rows)
        for word, count in counts.items():
            told = [i for i in rows if (state.facts[i].parent < 0) == wanted]
            assert count == sum(WORDS[state.status[i]] == word for i in told), word
    for i in rows:
        assert state.attempts_count[i] == len(state.attempts(i))
        assert state.index[state.ids[i]] == i
        assert state.latest[i] == max(state.attempt_numbers(i), default=0)
        assert all(state.has_record(i, number) for number in state.attempt_numbers(i))
        assert i << ATTEMPT_BITS >> ATTEMPT_BITS == i


# -- any journal


def _fields(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Line]:
    return st.fixed_dictionaries({}, optional=strategies)


_small = st.integers(0, 5)
_word = st.sampled_from(["", "call", "setup", "teardown", "db", "port 4711 in use", "é\ud800'\""])
_verdicts = st.sampled_from([*VERDICTS, "passed", "failed", "of-tomorrow"])
_exceptions = st.recursive(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["ValueError", "AssertionError", "ExceptionGroup"]), "message": _word},
        optional={
            "relation": st.sampled_from(["cause", "context", None]),
            "frames": st.lists(
                st.fixed_dictionaries({"file": _word, "line": _small, "own": st.booleans()}), max_size=2
            ),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {"type": st.just("ExceptionGroup"), "message": _word, "group": st.lists(inner, max_size=2)}
    ),
    max_leaves=3,
)
_chain = st.lists(_exceptions, max_size=3)
_of = {"scenario": st.sampled_from([A, A, B, SUB, SUBSUB]), "attempt": st.sampled_from([1, 1, 2, 3])}


def _event(event: str, needed: dict[str, Any] | None = None, /, **optional: Any) -> st.SearchStrategy[Line]:
    return st.fixed_dictionaries({"e": st.just(event)} | (needed or {}), optional=optional)


_STARTED = _event("attempt.started", _of, pid=_small, worker=_word, launch=_word)
_ENDED = _event(
    "attempt.ended",
    _of | {"verdict": _verdicts},
    cause=st.sampled_from([*CAUSES, None]),
    d=_small,
    reason=_word,
    exit=_small,
    signal=_word,
    durations=st.dictionaries(st.sampled_from(["setup", "call", "teardown", "other"]), _small),
    subtests=st.fixed_dictionaries({"failed": st.sampled_from([0, 0, 1])}),
)
EVENT_LINES: st.SearchStrategy[Line] = st.one_of(
    _event(
        "scenario.found",
        {"scenario": _of["scenario"]},
        suite=st.sampled_from(["", "api"]), runner=st.just("pytest"), file=_word, line=_small, doc=_word,
        tags=st.lists(_word, max_size=2), path=st.lists(_word, max_size=3), story=_word,
    ),
    _event(
        "scenarios.found",
        {"id": st.just("pytest:a.py::"),
         "names": st.lists(st.sampled_from(["test_a", "test_b", "test_c[1]"]), max_size=4)},
        lines=st.lists(_small, max_size=3), tags=st.lists(_word, max_size=2), path=st.just(["a.py"]), file=_word,
        marks=st.dictionaries(_word, st.lists(_small, max_size=2), max_size=2),
        docs=st.dictionaries(st.sampled_from(["0", "1"]), _word, max_size=2),
    ),
    _STARTED,
    _ENDED,
    _event("step.started", _of | {"step": _word}, kind=_word, name=_word, m0=_small),
    _event("step.ended", _of | {"step": _word}, kind=_word, verdict=_verdicts, d=_small, m0=_small),
    _event("failure", _of | {"chain": _chain}, when=_word, cause=st.sampled_from(CAUSES), text=_word),
    _event("assertion", _of, op=st.just("=="), expected=_small, actual=_word, passed=st.booleans()),
    _event("output", _of | {"offset": _small, "length": _small}, stream=_word, step=_word,
           attribution=st.sampled_from(["exact", "inferred"])),
    _event("output", {"offset": _small, "length": _small, "stream": st.just("stderr")}),
    _event("attempt.stalled", _of, stacks=_word),
    _event("warning", {"message": _word}, category=_word, file=_word),
    _event("gap", {"what": _word, "count": _small}),
    _event("runner.failed_to_start", {"suite": _word}, exit=_small, stderr=_word, remedy=_word),
    _event("discover.failed", {"file": _word}, message=_word, failure=st.fixed_dictionaries({"chain": _chain})),
    _event("run.started", {"environment": _word, "mode": st.sampled_from(["run", "run", "discover"])}, seed=_small,
           suites=st.lists(st.fixed_dictionaries({"name": _word, "runner": _word}), max_size=2)),
    _event("suite.found", {"suite": _word}, count=_small, python=_word),
    _event("run.ended", {"reason": st.sampled_from(["finished", "cancelled", "lease"])},
           not_run=st.lists(_of["scenario"], max_size=2), verdicts=st.dictionaries(_verdicts, _small, max_size=2)),
    _event("ingested", at=st.just({"a.ndjson": 3})),
    _event("of.tomorrow", anything=_word),
)  # fmt: skip

SOURCES = ("local/main/10-1", "local/gw0/11-2", "local/daemon/9-1", "box7/main/10-1")


@st.composite
def journals(draw: st.DrawFn, min_size: int = 0, max_size: int = 24) -> list[Line]:
    """Lines of several sources in the order of one merge: numbered per source, with gaps and equal times."""
    numbers = dict.fromkeys(SOURCES, 0)
    lines = []
    # Starts and ends by several sources are where order could matter: they are drawn more often.
    for kind in draw(
        st.lists(st.sampled_from(["start", "end", "end", "any", "any"]), min_size=min_size, max_size=max_size)
    ):
        body = draw({"start": _STARTED, "end": _ENDED, "any": EVENT_LINES}[kind])
        src = draw(st.sampled_from(SOURCES))
        numbers[src] += draw(st.sampled_from([1, 1, 1, 1, 3]))
        at = draw(st.integers(1, 6))
        line = {"v": 1, "n": numbers[src], "src": src, "t": at, "m": at, "run": RUN, **body}
        parent = PARENTS.get(body.get("scenario", ""))
        if parent is not None and body["e"].startswith("attempt."):
            line["parent"] = parent
        lines.append(line)
    return lines


@st.composite
def merges(draw: st.DrawFn) -> tuple[list[Line], list[Line]]:
    """A journal, and the same lines in another merge that keeps the order within each source."""
    lines = draw(journals(min_size=15, max_size=40))
    queues = {src: [line for line in lines if line["src"] == src] for src in SOURCES}
    order = draw(st.permutations([line["src"] for line in lines]))
    return lines, [queues[src].pop(0) for src in order]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([A, B, SUB, "passed", "failed", "teardown", "local/main/1", "cause"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_KNOWN_FIELDS: Sequence[str] = (
    "scenario", "attempt", "verdict", "cause", "d", "durations", "reason", "exit", "signal", "subtests", "step", "kind",
    "name", "parent", "op", "expected", "actual", "diff", "file", "line", "passed", "when", "chain", "text", "stream",
    "offset", "length", "attribution", "suite", "runner", "path", "tags", "doc", "message", "failure", "remedy", "mode",
    "suites", "versions", "not_run", "verdicts", "count", "what", "why", "command", "stderr", "stacks", "t", "m", "m0",
)  # fmt: skip


@st.composite
def hostile_lines(draw: st.DrawFn) -> list[Line]:
    """Known events whose every field may hold anything."""
    lines = []
    for n in range(draw(st.integers(1, 12))):
        fields = draw(st.dictionaries(st.sampled_from(_KNOWN_FIELDS), json_values, max_size=8))
        line = {"scenario": draw(st.sampled_from([A, SUB, B])), "attempt": 1} | fields
        line |= {"e": draw(st.sampled_from(sorted(EVENTS))), "src": "local/main/1", "n": n + 1}
        lines.append(line)
    return lines
