"""Takes what libtest itself prints around a single test out of that test's standard output, while it is being printed.

What is the test's own passes at once and unchanged. A program that prints nothing of the kind passes whole.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_HEAD = b"\nrunning 1 test\n"
_NONE = b"\nrunning 0 tests\n"
#: How often what looks like libtest's last words is held back for the end before it is let go: it was the test's.
_HELD = 5
_LONGEST = 256 * 1024
_WORDS = (b"ok\n\n", b"FAILED\n\n", b"ignored\n\n")
_FOLLOWS = (b"failures:", b"test result: ")
_FOOT = re.compile(
    rb"(?P<word>ok|FAILED|ignored(?:, (?P<why>[^\n]*))?)\n"
    rb"(?P<said>.*?)\n?test result: (?:ok|FAILED)\. [^\n]*\n\n\Z",
    re.DOTALL,
)
_LAST_FOOT = re.compile(rb".*(?:ok|FAILED|ignored(?:, [^\n]*)?)\n\n(?:failures:|test result: )", re.DOTALL)


class Report(NamedTuple):
    """libtest's last words on a test: ok, FAILED or ignored, "" where there were none; and what it said besides."""

    word: str = ""
    reason: str = ""
    said: str = ""
    #: Whether libtest began at all, and whether it knew the test.
    began: bool = False
    known: bool = True


class Sieve:
    """The standard output of one test."""

    def __init__(self, name: str) -> None:
        mark = b"test " + name.encode()
        self._marks = (mark + b" ... ", mark + b" - should panic ... ")
        self._pending = b""
        self._headed = False
        # libtest names a test before it runs, when it has one thread, and behind what the test printed otherwise.
        self._named = False
        self._began = False
        self._known = True
        self._looks = 0

    def feed(self, data: bytes) -> bytes:
        """Take new bytes; gives what is certainly the test's."""
        pending = self._pending + data
        if not self._headed:
            if self._may_begin(pending):
                self._pending = pending
                return b""
            pending = self._without_head(pending)
        at = self._tail(pending) if self._began else len(pending)
        if at < len(pending):
            self._looks = 0 if data else self._looks + 1
            if self._looks > _HELD or len(pending) - at > _LONGEST:
                at, self._looks = len(pending), 0
        self._pending = pending[at:]
        return pending[:at]

    def finish(self) -> tuple[bytes, Report]:
        """The process is gone: the rest of the test's own bytes, and libtest's words."""
        pending = self._pending if self._headed else self._without_head(self._pending)
        at, size = self._foot(pending)
        found = _FOOT.match(pending, at + size) if at >= 0 else None
        if found is None:
            return pending, Report(began=self._began, known=self._known)
        word = found.group("word").partition(b",")[0].decode("ascii")
        reason = (found.group("why") or b"").decode("utf-8", "replace")
        said = _said(found.group("said").decode("utf-8", "replace"))
        return pending[:at], Report(word, reason, said, self._began, self._known)

    def _foot(self, pending: bytes) -> tuple[int, int]:
        """Where libtest's last words begin, and how long its name of the test is that stands before them."""
        if not self._named:
            return max((pending.rfind(mark), len(mark)) for mark in self._marks)
        found = _LAST_FOOT.match(pending)
        if found is None:
            return -1, 0
        words = list(re.finditer(rb"(?:ok|FAILED|ignored(?:, [^\n]*)?)\n\n", pending[: found.end()]))
        return words[-1].start(), 0

    def _may_begin(self, pending: bytes) -> bool:
        """Whether these first bytes may be the beginning of libtest's own first words."""
        if len(pending) < len(_HEAD):
            return _HEAD.startswith(pending) or _NONE.startswith(pending)
        if _NONE.startswith(pending):
            return len(pending) < len(_NONE)
        rest = pending[len(_HEAD) :]
        return pending.startswith(_HEAD) and any(
            len(rest) < len(mark) and mark.startswith(rest) for mark in self._marks
        )

    def _without_head(self, pending: bytes) -> bytes:
        self._headed = True
        if pending.startswith(_NONE):
            self._began, self._known = True, False
            return pending[len(_NONE) :]
        if not pending.startswith(_HEAD):
            return pending
        self._began = True
        rest = pending[len(_HEAD) :]
        mark = next((mark for mark in self._marks if rest.startswith(mark)), b"")
        self._named = bool(mark)
        return rest[len(mark) :]

    def _tail(self, pending: bytes) -> int:
        """Where something begins that may be, or may become, libtest's last words."""
        wanted = _WORDS if self._named else self._marks
        at = max(pending.rfind(one) for one in wanted)
        if at >= 0 and not self._named:
            return at
        if at >= 0:
            rest = pending[pending.index(b"\n\n", at) + 2 :]
            if any(rest.startswith(one) or one.startswith(rest) for one in _FOLLOWS):
                return at
        if self._named and pending.startswith(b"ignored"):
            return 0
        longest = min(max(map(len, wanted)) - 1, len(pending))
        for size in range(longest, 0, -1):
            if any(one.startswith(pending[-size:]) for one in wanted):
                return len(pending) - size
        return len(pending)


def _said(text: str) -> str:
    """What stands in libtest's list of failures beside their names."""
    found = re.search(r"\n---- .+? stdout ----\n(.*?)\n\n?failures:\n", text, re.DOTALL)
    return found.group(1).strip("\n") if found else ""
