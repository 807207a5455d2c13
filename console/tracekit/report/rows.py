"""What every export tells of a run: its scenarios with their attempts, in words that any format can hold.

Text of the tests is outside text: what a format cannot hold becomes visible, never raw, and nothing is longer than a
reader of such files can bear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tracekit.engine.view import RunView
from tracekit.model.notices import blocking_of
from tracekit.model.quarantine import Quarantined
from tracekit.model.state import Attempt, ScenarioFacts, Status
from tracekit.wire.names import RED, VERDICTS

MOST_OUTPUT = 64 * 1024
MOST_TEXT = 64 * 1024
NOT_RUN = frozenset({"skipped", "xfailed", "notrun", "cancelled", "pending", "running", "lost"})
#: Reasons for which nobody has seen the run to its end: what is missing in it must not be taken for green.
_DEATHS = {"agent-died": "everything that ran it died", "supervisor-died": "what supervised it died"}


@dataclass(frozen=True)
class Try:
    """One attempt in words."""

    number: int
    verdict: str
    seconds: float
    started: float
    kind: str = ""
    message: str = ""
    text: str = ""
    output: str = ""
    #: What it left behind: kind, name and more of each.
    leaks: tuple[tuple[str, str, str], ...] = ()

    @property
    def red(self) -> bool:
        return self.verdict in RED


@dataclass(frozen=True)
class Row:
    """One scenario, or something that kept scenarios from running (then `facts` is None)."""

    name: str
    group: str
    suite: str
    verdict: str
    tries: list[Try] = field(default_factory=list)
    facts: ScenarioFacts | None = None
    #: Where it stands, from the project's root on.
    file: str = ""
    quarantined: Quarantined | None = None

    @property
    def red(self) -> bool:
        return self.verdict in RED

    @property
    def flaky(self) -> bool:
        return self.verdict == "passed" and any(each.red for each in self.tries)

    @property
    def last(self) -> Try:
        return self.tries[-1] if self.tries else Try(1, self.verdict, 0.0, 0.0)


def rows(view: RunView) -> Iterator[Row]:
    """Every scenario of a run; sub-tests are told within the test that holds them."""
    if said := _unrecorded(view):
        # A reader of such a file must not take what is missing in it for green.
        told = Try(
            1, "error", 0.0, 0.0, "run.recording_incomplete", said, f"{said}\nfree space there, and run again"
        )
        yield Row("recording", "tracekit", "tracekit", "error", [told])
    with view.lock:
        state = view.state
        if died := _DEATHS.get(state.run.reason if state.run.ended else ""):
            text = f"{died} before the run had its end\nrun what is left: tracekit rerun {view.run_id} --outstanding"
            yield Row(
                "run",
                "tracekit",
                "tracekit",
                "error",
                [Try(1, "error", 0.0, 0.0, state.run.reason, died, text)],
            )
        for notice in blocking_of(state.notices):
            text = shown("\n".join(part for part in (notice.detail, notice.action) if part))
            attempt = Try(
                1, "error", 0.0, notice.t / 1e9, notice.code or notice.kind, shown(notice.message), text
            )
            name = shown(notice.file or notice.suite or notice.kind)
            yield Row(name, "tracekit", notice.suite or "tracekit", "error", [attempt])
        for index, facts in enumerate(state.facts):
            if facts.parent >= 0:
                continue
            verdict = Status(state.status[index]).word
            below = [attempt for child in state.children_of(index) for attempt in state.attempts(child)]
            tries = [_try(view, attempt, below) for attempt in state.attempts(index)]
            *group, name = facts.path or (facts.id,)
            place = ".".join(part.removesuffix(".py").replace("/", ".") for part in group)
            suite = facts.suite or facts.runner or "tracekit"
            entry = state.quarantined(index)
            file = state.file_below(facts.suite, facts.file)
            yield Row(shown(name), shown(place), suite, verdict, tries, facts, file, entry)


def _unrecorded(view: RunView) -> str:
    """What a full disk kept from being recorded, and the run's agent knew at its end."""
    if view.failed_unrecorded:
        return "the disk took not all of this run: how some of its tests ended is not known"
    known = {word: count for word, count in view.verdicts().items() if count and word in VERDICTS}
    with view.lock:
        here = view.state.counts
        if all(here.get(word, 0) >= count for word, count in known.items()):
            return ""
    counts = ", ".join(f"{count} {word}" for word, count in known.items())
    return f"the disk took not all of this run: it ended with {counts}, and not all of them are in this file"


def _try(view: RunView, attempt: Attempt, below: list[Attempt]) -> Try:
    failures = attempt.failures or [
        failure for child in below if child.number == attempt.number for failure in child.failures
    ]
    kind = message = ""
    texts = []
    for failure in failures:
        root = failure.chain[0] if failure.chain else None
        if root is not None and not kind:
            kind = root.type
            message = root.message or root.type
        texts.append(failure.text or (f"{root.type}: {root.message}" if root else ""))
    message = message or attempt.reason or ""
    return Try(
        attempt.number,
        attempt.verdict or "running",
        attempt.duration_ns / 1e9,
        attempt.started_t / 1e9,
        shown(kind or attempt.cause or ""),
        shown(message)[:2000],
        shown("\n\n".join(texts) or message)[:MOST_TEXT],
        shown(view.output(attempt.outputs, limit=MOST_OUTPUT).decode("utf-8", "replace")),
        tuple(
            (shown(leak.kind), shown(leak.what), shown(" ".join(leak.detail.split()))[:300])
            for leak in attempt.leaks
        ),
    )


def shown(text: str) -> str:
    """The text with everything that XML or a terminal cannot take made visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_picture, text))


def _picture(char: str) -> str:
    code = ord(char)
    if char in "\t\n" or 0x20 <= code < 0x7F:
        return char
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0x80 <= code < 0xA0 or 0xD800 <= code < 0xE000 or code & 0xFFFE == 0xFFFE or char in _BIDI:
        return "\ufffd"
    return char


# What makes a terminal or a browser show text in another order than it stands.
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
