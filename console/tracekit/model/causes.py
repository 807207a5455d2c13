"""Clustering: failures with one cause are one group, however many rows are red.

The cause is the exception at the end of the chain of explicit causes, with what varies masked; for an
assertion it is the comparison. Groups are kept up row by row as rows change, so that a reader may ask at
every frame.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tracekit.model.differing import alike, first_difference
from tracekit.model.facts import Assertion, CauseGroup, ExceptionFacts, Failure, Notice
from tracekit.model.masking import mask, one_line
from tracekit.model.notices import BLOCKING
from tracekit.model.records import Record, assertions_of, failures_of
from tracekit.wire.ids import SUBTEST_MARK

if TYPE_CHECKING:
    from tracekit.model.state import RunState

_OPERAND = 80
#: Parts may be named by paths of any length.
_DEEPEST = 32
_TITLE = 160
_BY_VERDICT = {"crashed": "crash", "timedout": "hang"}
_ABOUT_CODE = frozenset({"ImportError", "ModuleNotFoundError", "NameError", "AttributeError", "SyntaxError"})
_BY_PHASE = {"setup": "setup", "teardown": "teardown"}


class Cause(NamedTuple):
    """The cause of one red row: what it is grouped by, and its words as they stand and masked."""

    key: str
    cause: str
    words: str
    masked: str


class CauseIndex:
    """Which red rows have which cause. `stale` holds the rows to be looked at again."""

    def __init__(self) -> None:
        self.stale: set[int] = set()
        self._of: dict[int, Cause] = {}
        self._rows: dict[str, dict[int, Cause]] = {}
        # The red parts of parts, by the id of each that holds them.
        self._below: dict[str, set[int]] = {}
        self._made: list[CauseGroup] = []
        self._notices = 0

    def copy(self) -> CauseIndex:
        """Another one that has looked at the same rows."""
        other = CauseIndex()
        other.stale, other._of = set(self.stale), dict(self._of)
        other._rows = {key: dict(rows) for key, rows in self._rows.items()}
        other._below = {holder: set(rows) for holder, rows in self._below.items()}
        other._made, other._notices = self._made, self._notices
        return other

    def groups(self, state: RunState) -> list[CauseGroup]:
        """The groups: what kept tests from running first, then the largest; made anew only after a change."""
        if not self.stale and self._notices == len(state.notices):
            return self._made
        for i in self.stale:
            self._look(state, i)
        self.stale.clear()
        self._notices = len(state.notices)
        made = [_group(key, rows) for key, rows in self._rows.items()]
        made += _of_notices(state.notices)
        made.sort(key=lambda group: (not group.notices, -len(group.indices), group.indices[:1], group.key))
        self._made = made
        return made

    def _look(self, state: RunState, i: int) -> None:
        old = self._of.pop(i, None)
        if old is not None:
            rows = self._rows[old.key]
            del rows[i]
            if not rows:
                del self._rows[old.key]
        red = state.red(i)
        if red:
            record = state.latest_record(i)
            # What only holds red parts of its own is as little a cause as the test that holds it.
            held = self._below.get(state.ids[i]) and not failures_of(record)
            new = None if held else cause_of(record)
            if new is not None:
                self._of[i] = new
                self._rows.setdefault(new.key, {})[i] = new
        for holder in holders_of(state.ids[i]):
            held_rows = self._below.setdefault(holder, set())
            before = bool(held_rows)
            (held_rows.add if red else held_rows.discard)(i)
            if not held_rows:
                del self._below[holder]
            if bool(held_rows) != before and holder in state.index:
                self._look(state, state.index[holder])


def holders_of(scenario: str) -> list[str]:
    """The ids of the parts that a part stands in, the innermost first."""
    base, mark, part = scenario.partition(SUBTEST_MARK)
    found: list[str] = []
    while "/" in part and len(found) < _DEEPEST:
        part = part.rpartition("/")[0]
        found.append(base + mark + part)
    return found


def cause_of(record: Record) -> Cause | None:
    """The cause of a red attempt; None where only its sub-tests failed, which have rows of their own."""
    verdict = record.verdict()
    if verdict is None:
        return None
    failures = failures_of(record)
    if not failures:
        return None if record.red_children else _without_failure(record, *verdict)
    failure = failures[0]
    word = verdict[1] or failure.cause or _class(verdict[0], failure)
    return _of_failure(word, failure, assertions_of(record))


def root_exception(chain: list[ExceptionFacts]) -> ExceptionFacts | None:
    """The exception that began it: the last of the explicit causes.

    A context is not followed: what was being handled when something else went wrong is rarely why it did.
    """
    if not chain:
        return None
    root = chain[0]
    for exception in chain[1:]:
        if exception.relation != "cause":
            break
        root = exception
    while len(root.group) == 1:
        root = root.group[0]
    return root


def _of_failure(word: str, failure: Failure, assertions: list[Assertion]) -> Cause:
    root = root_exception(failure.chain)
    if root is None:
        words = one_line(failure.text) or "failed without an exception"
        return _cause(word, "", words)
    if root.type.rpartition(".")[2] == "AssertionError":
        return _of_assertion(word, root, assertions)
    kind = root.type if not root.module or root.module == "builtins" else f"{root.module}.{root.type}"
    message = one_line(root.message)
    if root.group:
        members = sorted({f"{member.type}: {one_line(member.message)}" for member in root.group})
        message = "; ".join(members) or message
    short = root.type or "exception"
    words = f"{short}: {message}" if message else short
    return _cause(word, kind, words)


def _of_assertion(word: str, root: ExceptionFacts, assertions: list[Assertion]) -> Cause:
    message = one_line(root.message)
    if message and not message.startswith("assert "):
        return _cause(word, "AssertionError", message)  # the author's own words
    code = _assert_line(root)
    for told in reversed(assertions):
        words = comparison(told)
        if not told.passed and words:
            # Two comparisons of numbers look alike when masked; the line that was asserted tells them apart.
            return _cause(word, f"AssertionError {code}", words)
    said = message or code or "assertion failed"
    short = said.removeprefix("assert ")
    for told in reversed(assertions):
        # Long values are shortened in their middle, where they may differ: then both sides read the same.
        if not told.passed and told.op and alike(short, told.op):
            short = first_difference(told.actual, told.expected, told.op) or short
            break
    # An expression speaks for itself; a bare `0` is no title.
    words = short if " " in short else said
    return _cause(word, f"AssertionError {code}", words)


def comparison(told: Assertion) -> str:
    """`actual op expected` on one line, or nothing where an operand is too long to be read at a glance."""
    actual, expected = _operand(told.actual), _operand(told.expected)
    if not told.op or max(len(actual), len(expected)) > _OPERAND or not (actual and expected):
        return ""
    words = f"{actual} {told.op} {expected}"
    return "" if "\n" in words else words


def _operand(value: Any) -> str:
    if type(value) is str:
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return ""


def _assert_line(root: ExceptionFacts) -> str:
    own = [frame for frame in root.frames if frame.own] or root.frames
    return one_line(own[-1].code) if own else ""


def _without_failure(record: Record, verdict: str, cause: str | None) -> Cause:
    word = cause or _BY_VERDICT.get(verdict, "environment" if verdict == "error" else "exception")
    ended = record.ended
    reason = exit_code = signal = None
    if ended is not None:
        reason, exit_code, signal = ended[8:11]
    said = one_line(reason or "")
    if not said and signal is not None:
        said = f"signal {signal}"
    elif not said and exit_code is not None:
        said = f"exit status {exit_code}"
    # A signal and an exit status are the cause itself, so they are not masked away.
    kind = f"{verdict} {signal} {exit_code}"
    return _cause(word, kind, f"{verdict}: {said}" if said else verdict)


def _class(verdict: str, failure: Failure) -> str:
    if verdict in _BY_VERDICT:
        return _BY_VERDICT[verdict]
    if failure.when in _BY_PHASE:
        return _BY_PHASE[failure.when]
    root = root_exception(failure.chain)
    return "assertion" if root is not None and root.type.endswith("AssertionError") else "exception"


def _cause(word: str, kind: str, words: str) -> Cause:
    # What stands in quotes in these is the code's own name for something: there it is the cause, not a value.
    masked = words if kind in _ABOUT_CODE else mask(words)
    return Cause(f"{word}|{kind}|{masked}", word, words, masked)


def _group(key: str, rows: dict[int, Cause]) -> CauseGroup:
    indices = sorted(rows)
    first = rows[indices[0]]
    same = all(cause.words == first.words for cause in rows.values())
    return CauseGroup(key, first.cause, one_line(first.words if same else first.masked, _TITLE), indices)


def _of_notices(notices: list[Notice]) -> list[CauseGroup]:
    # Nothing ran here, so there are no rows: a launch or a collection that failed is a cause without red
    # tests.
    groups: dict[str, CauseGroup] = {}
    words: dict[str, set[str]] = {}
    for at, notice in enumerate(notices):
        if notice.kind not in BLOCKING:
            continue
        cause = _notice_cause(notice)
        group = groups.setdefault(cause.key, CauseGroup(cause.key, cause.cause, "", []))
        group.notices.append(at)
        words.setdefault(cause.key, set()).add(cause.words)
        group.title = one_line(cause.words if len(words[cause.key]) == 1 else cause.masked, _TITLE)
    return list(groups.values())


def _notice_cause(notice: Notice) -> Cause:
    word = "launch" if notice.kind == "launch" else "discovery"
    if notice.failure is not None and notice.failure.chain:
        return _of_failure(word, notice.failure, [])
    return _cause(word, notice.code, one_line(notice.message))
