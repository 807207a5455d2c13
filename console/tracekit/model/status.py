"""Status of a scenario, and the rules by which verdicts combine.

The probe and the agent normally decide a verdict; these rules make the fold right as well when it sees the
parts: a teardown that fails, a sub-test that fails. Nothing here looks at a journal or keeps state.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from tracekit.wire.names import RED


class Status(IntEnum):
    """What a scenario is at this moment; one byte each in `RunState.status`."""

    PENDING = 0
    RUNNING = 1
    PASSED = 2
    FAILED = 3
    ERROR = 4
    SKIPPED = 5
    XFAILED = 6
    XPASSED = 7
    TIMEDOUT = 8
    CRASHED = 9
    CANCELLED = 10
    NOTRUN = 11
    LOST = 12

    @property
    def word(self) -> str:
        """The word of the glossary: `passed`, `timedout` …"""
        return WORDS[self]

    @property
    def red(self) -> bool:
        """Whether it counts as a failure of the run."""
        return WORDS[self] in RED

    @property
    def over(self) -> bool:
        """Whether nothing more is expected of it."""
        return self > Status.RUNNING


WORDS: tuple[str, ...] = tuple(status.name.lower() for status in Status)
BY_WORD: dict[str, Status] = {status.name.lower(): status for status in Status}
RED_STATUSES: frozenset[int] = frozenset(int(BY_WORD[word]) for word in RED)
_REDNESS = bytes(status in RED_STATUSES for status in range(256))
_ENDEDNESS = bytes(status > Status.RUNNING for status in range(256))

# What a teardown error turns into an error: everything that a person would otherwise read as "nothing wrong
# here".
_TEARDOWN_TURNS: frozenset[str] = frozenset({"passed", "skipped", "xfailed", "xpassed"})
# An expected failure may well be the sub-test's; it stays what its author said it is.
_SUBTEST_TURNS: frozenset[str] = frozenset({"passed", "skipped", "xpassed"})

# Plain numbers: this is asked for every line, and an enum's arithmetic is ten times that of an int.
_ENDED: dict[str, int] = {status.name.lower(): int(status) for status in Status if status.over}
_ERROR = int(Status.ERROR)
_IDENTITY: bytes = bytes(range(256))


def final_verdict(
    verdict: str, cause: str | None, *, teardown_failed: bool = False, subtest_failed: bool = False
) -> tuple[str, str | None]:
    """Combine an attempt's own verdict with what its parts say; gives the verdict and the cause class."""
    if subtest_failed and verdict in _SUBTEST_TURNS:
        return "failed", cause or "assertion"
    if teardown_failed and verdict in _TEARDOWN_TURNS:
        return "error", "teardown"
    return verdict, cause


def status_of(verdict: str) -> int:
    """The status of an ended attempt. A verdict that is not known here is shown as an error, never as
    green.
    """
    return _ENDED.get(verdict, _ERROR)


def red_rows(statuses: bytearray) -> Iterator[int]:
    """The indices of the red ones; among a hundred thousand others they are found without a look at each."""
    red = redness(statuses)
    i = red.find(1)
    while i >= 0:
        yield i
        i = red.find(1, i + 1)


def redness(statuses: bytes | bytearray) -> bytes | bytearray:
    """A 1 for each that is red, as quickly as they are copied."""
    return statuses.translate(_REDNESS)


def endedness(statuses: bytes | bytearray) -> bytes | bytearray:
    """A 1 for each that is over, as quickly as they are copied."""
    return statuses.translate(_ENDEDNESS)


def showing(*, ended: bool, reason: str, lost: bool, discovers: bool) -> bytes:
    """The table from a journal's status to the one that is shown, once the run has ended or its box is gone.

    Attempts without an end are cancelled or lost, and scenarios that never began were not run: derived here,
    on the console, and never written to a journal.
    """
    table = bytearray(_IDENTITY)
    if ended:
        table[Status.RUNNING] = Status.CANCELLED if reason == "cancelled" else Status.LOST
        if not discovers:
            table[Status.PENDING] = Status.NOTRUN
    elif lost:
        table[Status.RUNNING] = Status.LOST
    return bytes(table)
