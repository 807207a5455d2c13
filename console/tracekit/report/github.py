"""A run as GitHub shows it: annotations at lines of the source, and a page of the job.

Names and messages of tests are outside text: in a command they are escaped so that none can end it or begin another, on
the page every sign that could be markup is written as a character reference. It prints and writes nothing itself.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tracekit.engine.view import RunView
from tracekit.model.facts import CauseGroup, Failure, Notice
from tracekit.model.state import RunState, Status
from tracekit.report.rows import shown

# What GitHub shows of one step, and takes for one page.
MOST_ANNOTATIONS = 10
MOST_BYTES = 1024 * 1024
_MOST_MESSAGE = 4000
_MOST_CELL = 300
_MOST_CAUSES = 50
_MOST_NAMES = 50
_MOST_SLOW = 10
_CUT = "\n\n*The rest did not fit.*\n"
# Letters, digits, and signs that mean nothing inside a cell. Everything else goes out as a reference.
_PLAIN = frozenset(" -/,()=+")


@dataclass(frozen=True, slots=True)
class Annotation:
    """One message at a place of the repository; without a file it stands at the job."""

    level: str
    title: str
    message: str
    file: str = ""
    line: int = 0

    def command(self) -> str:
        """The line that makes GitHub show it."""
        wanted = {
            "file": self.file,
            "line": str(self.line) if self.file and self.line else "",
            "title": self.title,
        }
        told = ",".join(f"{name}={_property(value)}" for name, value in wanted.items() if value)
        return f"::{self.level} {told}::{_data(self.message)}"


#: What took less than this is nobody's slowest test.
_WORTH_A_ROW = 10_000_000


def notes(view: RunView, repository: str) -> list[Annotation]:
    """The ten worst errors, one of each cause before a second of any, and a notice that sums up the run."""
    with view.lock:
        state = view.state
        excused = set(state.excused())
        found = _errors(view, state, excused, repository)
        errors = [each for _, each in zip(range(MOST_ANNOTATIONS), found, strict=False)]
        errors += [
            _unsteady(view, state, i, repository) for i in _flaky(state)[: MOST_ANNOTATIONS - len(errors)]
        ]
    return [*errors, Annotation("notice", "tracekit", headline(view))]


def headline(view: RunView) -> str:
    """The run in one line."""
    verdicts = view.verdicts()
    words = [f"{verdicts[status.word]} {status.word}" for status in Status if verdicts.get(status.word)]
    with view.lock:
        state = view.state
        excused, flaky = len(state.excused()), len(_flaky(state))
        took = max(0, state.run.ended_t - state.run.started_t)
    parts = [", ".join(words) or "nothing ran"]
    parts += [f"{excused} of the red in quarantine, not counted"] if excused else []
    parts += [f"{flaky} flaky"] if flaky else []
    parts += [f"in {_seconds(took)}"] if took else []
    return f"{'; '.join(parts)}; run {view.run_id}"


def summary(view: RunView, room: int = MOST_BYTES) -> str:
    """The page in Markdown, at most `room` bytes; what does not fit is left out at the end of a row."""
    with view.lock:
        lines = list(_page(view, view.state))
    size, kept = len(_CUT), list[str]()
    for line in lines:
        size += len(line.encode()) + 1
        if size > room:
            return "\n".join(kept) + _CUT if kept else ""
        kept.append(line)
    return "\n".join(kept) + "\n"


# -- annotations


def _errors(view: RunView, state: RunState, excused: set[int], repository: str) -> Iterator[Annotation]:
    groups = state.causes()
    for group in groups:
        for number in group.notices:
            yield _of_notice(view, state, state.notices[number], repository)
    counted = [[i for i in group.indices if _test(state, i) not in excused] for group in groups]
    for depth in range(max(map(len, counted), default=0)):
        for group, rows in zip(groups, counted, strict=True):
            if depth < len(rows):
                more = len(rows) - 1 if depth == 0 else 0
                yield _of_row(view, state, group, rows[depth], repository, more=more)


def _test(state: RunState, i: int) -> int:
    """The test that a sub-test belongs to."""
    while state.facts[i].parent >= 0:
        i = state.facts[i].parent
    return i


def _of_notice(view: RunView, state: RunState, notice: Notice, repository: str) -> Annotation:
    text = "\n".join(part for part in (notice.message, notice.detail[-2000:], notice.action) if part)
    file = _place(view, state, notice.suite, notice.file, repository) if notice.file else ""
    title = f"{notice.kind} of {notice.suite or 'the suite'}"
    return Annotation("error", _short(title), shown(text)[:_MOST_MESSAGE], file, notice.line)


def _unsteady(view: RunView, state: RunState, i: int, repository: str) -> Annotation:
    """A flaky test is green, and somebody should still look at it."""
    facts, attempts = state.facts[i], state.attempts(i)
    words = ", ".join(str(one.verdict or "running") for one in attempts)
    red = next((one for one in attempts if one.failures), None)
    file, line = _at(view, state, i, red.failures[-1] if red is not None else None, repository)
    message = shown(f"{facts.id} is flaky: {words}")[:_MOST_MESSAGE]
    return Annotation("warning", _short(facts.name), message, file, line)


def _of_row(
    view: RunView, state: RunState, group: CauseGroup, i: int, repository: str, *, more: int
) -> Annotation:
    facts = state.facts[i]
    attempts = state.attempts(i)
    last = attempts[-1] if attempts else None
    failure = last.failures[-1] if last is not None and last.failures else None
    word = Status(state.status[i]).word
    title = group.title.removeprefix(f"{word}: ")
    message = [f"{facts.id} {word}: {title}"]
    if last is not None and last.reason and failure is None and last.reason != title:
        message.append(last.reason)
    if more:
        message.append(f"… and {more} more with this cause")
    file, line = _at(view, state, i, failure, repository)
    entry = state.quarantined(i)
    if entry is not None and entry.expired:
        message.append(f"its quarantine expired on {entry.expires}; owner: {entry.owner}")
    return Annotation("error", _short(facts.name), shown("\n".join(message))[:_MOST_MESSAGE], file, line)


def _at(view: RunView, state: RunState, i: int, failure: Failure | None, repository: str) -> tuple[str, int]:
    """Where it went wrong in the project's own code, else where the scenario stands."""
    facts = state.facts[i]
    for exception in failure.chain[:1] if failure is not None else ():
        for frame in reversed(exception.frames):
            place = _place(view, state, facts.suite, frame.file, repository) if frame.own else ""
            if place:
                return place, frame.line
    return _place(view, state, facts.suite, facts.file, repository), facts.line


def _place(view: RunView, state: RunState, suite: str, file: str, repository: str) -> str:
    """A file of a suite as GitHub names it, from the repository's root on; empty for one that is not in it."""
    if not file:
        return ""
    # A run of another machine names its folders; what lies below its root lies below ours.
    below = os.path.relpath(state.directory_of(suite) or "/", state.run.root or "/")
    place = Path(view.root or state.run.root, below, file)
    found = os.path.relpath(os.path.realpath(place), os.path.realpath(repository))
    return "" if found.startswith(os.pardir) else found


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _data(text: str) -> str:
    return shown(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


# -- the page


def _page(view: RunView, state: RunState) -> Iterator[str]:
    counts = ", ".join(f"{state.counts[one.word]} {one.word}" for one in Status if state.counts.get(one.word))
    yield f"### tracekit: {counts or 'nothing ran'}"
    yield ""
    where = f"run <code>{_cell(view.run_id)}</code>, environment <code>{_cell(state.run.environment or 'local')}</code>"
    yield f"{where}, seed <code>{state.run.seed}</code>"
    excused = set(state.excused())
    yield from _causes(state, excused)
    yield from _flaky_rows(state)
    yield from _leaks(state)
    yield from _quarantine(state)
    yield from _slowest(state)
    if any(state.red(i) for i in range(len(state.ids))):
        yield ""
        yield f"Again: <code>tracekit rerun {_cell(view.run_id)} --failed</code>"


def _table(title: str, heads: Iterable[str], rows: Sequence[tuple[str, ...]], most: int) -> Iterator[str]:
    if not rows:
        return
    yield from ("", f"#### {title}", "", f"| {' | '.join(heads)} |", "|---" * len(rows[0]) + "|")
    for row in rows[:most]:
        yield f"| {' | '.join(row)} |"
    if len(rows) > most:
        yield from ("", f"… and {len(rows) - most} more")


def _causes(state: RunState, excused: set[int]) -> Iterator[str]:
    rows: list[tuple[str, ...]] = []
    for group in state.causes():
        for number in group.notices[:1]:
            notice = state.notices[number]
            rows.append((_cell(group.title), _cell(group.cause), "–", _code(notice.file or notice.suite)))
        counted = [i for i in group.indices if _test(state, i) not in excused]
        if counted:
            first = state.ids[counted[0]]
            rows.append((_cell(group.title), _cell(group.cause), str(len(counted)), _code(first)))
    yield from _table("Causes", ("cause", "class", "scenarios", "first"), rows, _MOST_CAUSES)


def _flaky(state: RunState) -> list[int]:
    return [i for i in state.numbers if state.facts[i].parent < 0 and state.flaky(i)]


def _flaky_rows(state: RunState) -> Iterator[str]:
    rows = [
        (_code(state.ids[i]), _cell(", ".join(str(one.verdict or "running") for one in state.attempts(i))))
        for i in _flaky(state)
    ]
    yield from _table("Flaky", ("scenario", "attempts"), rows, _MOST_NAMES)


def _leaks(state: RunState) -> Iterator[str]:
    rows = []
    for i in state.leaking():
        left = ", ".join(f"{one.kind} {one.what}" for one in state.attempts(i)[-1].leaks)
        rows.append((_code(state.ids[i]), _cell(left)))
    yield from _table("Left behind", ("scenario", "what"), rows, _MOST_NAMES)


def _quarantine(state: RunState) -> Iterator[str]:
    if not state.quarantine:
        return
    rows: list[tuple[str, ...]] = []
    for i, facts in enumerate(state.facts):
        entry = state.quarantined(i) if facts.parent < 0 else None
        status = Status(state.status[i])
        if entry is None or not status.over or (entry.expired and not status.red):
            continue
        until = f"expired {entry.expires}, counted" if entry.expired else f"until {entry.expires}"
        rows.append((_code(facts.id), status.word, _cell(entry.owner), _cell(until), _cell(entry.reason)))
    yield from _table("Quarantine", ("scenario", "verdict", "owner", "", "reason"), rows, _MOST_NAMES)


def _slowest(state: RunState) -> Iterator[str]:
    tests = (
        i for i, facts in enumerate(state.facts) if facts.parent < 0 and state.duration[i] >= _WORTH_A_ROW
    )
    slow = heapq.nlargest(_MOST_SLOW, tests, key=lambda i: state.duration[i])
    rows = [(_code(state.ids[i]), _seconds(state.duration[i])) for i in slow]
    yield from _table("Slowest", ("scenario", "took"), rows, _MOST_SLOW)


def _code(text: str) -> str:
    return f"<code>{_cell(text)}</code>"


def _cell(text: str) -> str:
    """Outside text where nothing of it can be markup: not for Markdown, and not for HTML."""
    return "".join(
        char if char.isalnum() or char in _PLAIN else f"&#{ord(char)};"
        for char in _short(shown(text), _MOST_CELL)
    )


def _short(text: str, most: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _seconds(nanoseconds: int) -> str:
    value = nanoseconds / 1e9
    return f"{value:.2f}s" if value < 60 else f"{int(value // 60)}m{int(value % 60):02d}s"
