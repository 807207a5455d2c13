"""What libtest and the tests of one process print between each other: takes libtest's own words out, and says whose the
rest is, as far as that can be known.

With one thread libtest names a test before it runs. With several only a panic says whose it is, by its thread.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Optional

_RESULT = rb"(?:ok|FAILED|ignored(?:, [^\n]*)?)"
_KIND = rb"(?: - should panic(?: - compile)?(?: fail)?)?"
_HEAD = re.compile(rb"\A\nrunning \d+ tests?\n")
_FOOT = re.compile(rb"\n(?:failures:\n.*?\n)?test result: (?:ok|FAILED)\. [^\n]*\n\n?\Z", re.DOTALL)
_PANIC = re.compile(r"^thread '(?P<name>[^\n]*?)'(?: \(\d+\))? (?:panicked at|has overflowed)", re.MULTILINE)
# The beginning of a panic, or of an error that a test gave.
_SPOKEN = re.compile(_PANIC.pattern + r"|^Error: ", re.MULTILINE)
#: How long something that may become a word of libtest's is kept waiting, in looks, and how much of it.
_HELD = 5
_LONGEST = 4096
#: How much is kept of one panic or error, with what follows it.
_BLOCK = 64 * 1024


class Program:
    """The standard output of one process, with the names of its tests in libtest's order."""

    def __init__(self, names: Sequence[str], threads: int) -> None:
        self._names = {name.encode(): name for name in names}
        self._one = threads == 1
        self._pending = b""
        self._headed = False
        self._current = ""
        self._left = len(names)
        self._looks = 0
        #: Whether libtest began, and whether it said its last word.
        self.began = False
        self.concluded = False

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """Take new bytes; gives pieces that are certainly no word of libtest's, each with its test, or ""."""
        self._pending += data
        self._looks = 0
        return self._cut()

    def flush(self, *, last: bool = False) -> list[tuple[str, bytes]]:
        """Nothing new came for a while; or nothing will."""
        if not last:
            self._looks += 1
            return self._cut()
        found = _FOOT.search(self._pending)
        if found is not None:
            self.concluded = True
            self._pending = self._pending[: found.start()]
        pieces = self._cut(whole=True)
        return [(name, _without_word(piece) if self._one else piece) for name, piece in pieces]

    def panics(self, text: str) -> list[tuple[str, str]]:
        """Pieces of standard error by the test whose thread panicked there; "" where that is not known."""
        found: list[tuple[str, str]] = []
        at, speaker = 0, ""
        for told in _PANIC.finditer(text):
            found.append((speaker, text[at : told.start()]))
            at, speaker = told.start(), told.group("name")
        found.append((speaker, text[at:]))
        return [(name if name.encode() in self._names else "", piece) for name, piece in found if piece]

    def _cut(self, *, whole: bool = False) -> list[tuple[str, bytes]]:
        if not self._headed:
            head = _HEAD.match(self._pending)
            if (
                head is None
                and not whole
                and len(self._pending) < 40
                and b"\nrunning ".startswith(self._pending[:9])
            ):
                return []
            self._headed = True
            if head is not None:
                self.began = True
                self._pending = self._pending[head.end() :]
        pieces: list[tuple[str, bytes]] = []
        while (found := self._mark()) is not None:
            start, end, name = found
            before = self._pending[:start]
            pieces.append((self._current, _without_word(before) if self._one else before))
            self._pending = self._pending[end:]
            self._current = name if self._one else ""
            self._left -= 1
        late = self._looks > _HELD and not self._last
        at = len(self._pending) if whole or late else self._hold()
        pieces.append((self._current, self._pending[:at]))
        self._pending = self._pending[at:]
        return [(name, piece) for name, piece in pieces if piece]

    @property
    def _last(self) -> bool:
        """Whether only libtest's last words can follow: each test has been named behind what it printed."""
        return not self._one and self._left <= 0

    def _mark(self) -> tuple[int, int, str] | None:
        """The next place at which libtest names a test of ours: where it begins, where it ends, and the test."""
        ending = rb" \.\.\. (?:ignored(?:, [^\n]*)?\n)?" if self._one else rb" \.\.\. " + _RESULT + rb"\n"
        for found in re.finditer(rb"test (\S[^\n]*?)" + _KIND + ending, self._pending):
            name = self._names.get(found.group(1))
            at_start = found.start() == 0 or self._pending[found.start() - 1 : found.start()] == b"\n"
            if name is not None and (not self._one or at_start):
                return found.start(), found.end(), name
            if name is None and at_start and b" ... ignored" in found.group(0):
                return found.start(), found.end(), self._current
        return None

    def _hold(self) -> int:
        """Where something begins that may become a word of libtest's."""
        if self._last:
            return 0
        places = [len(self._pending)]
        at = self._pending.rfind(b"test ")
        if at >= 0 and len(self._pending) - at < _LONGEST and b"\n" not in self._pending[at:]:
            places.append(at)
        places += [
            len(self._pending) - size for size in (4, 3, 2, 1) if self._pending.endswith(b"test"[:size])
        ][:1]
        for word in (b"ok\n", b"FAILED\n") if self._one else ():
            at = self._pending.rfind(word)
            if at >= 0 and self._pending[at + len(word) :][:1] in {b"", b"\n", b"t"}:
                places.append(at)
            sizes = range(len(word) - 1, 0, -1)
            places += [len(self._pending) - size for size in sizes if self._pending.endswith(word[:size])][:1]
        return min(places)


class Spoken:
    """The panics and errors in the standard error of one process, by whose they are: each byte is looked at once."""

    def __init__(self, threads: int) -> None:
        self._one = threads == 1
        self._pending = ""
        # Whose the block is that goes on, and how much of it is kept already.
        self._whose: Optional[str] = ""
        self._size = 0
        self._own: dict[str, list[str]] = {}
        self._errors: list[list[str]] = []
        self._asked = 0

    def hear(self, text: str) -> None:
        """Take what was printed next."""
        self._pending += text
        at = self._pending.rfind("\n") + 1
        if not at and len(self._pending) > _LONGEST:
            at = len(self._pending)  # no line in which a panic begins is as long
        self._take(self._pending[:at])
        self._pending = self._pending[at:]

    def of(self, name: str) -> str:
        """What explains a failure: its thread's panics; else, with one thread, its error. Asked once for each."""
        self._take(self._pending)
        self._pending = ""
        own = "".join(self._own.pop(name, ()))
        if own or not self._one:
            return own
        # Tests that ended one behind the other told their errors in that order.
        self._asked += 1
        return "".join(self._errors[self._asked - 1]) if self._asked <= len(self._errors) else ""

    def forget(self, name: str) -> None:
        """It needs no explanation."""
        self._own.pop(name, None)

    def _take(self, text: str) -> None:
        at = 0
        for head in _SPOKEN.finditer(text):
            self._add(text[at : head.start()])
            at, self._whose, self._size = head.start(), head.group("name"), 0
            if self._whose is None:
                self._errors.append([])
        self._add(text[at:])

    def _add(self, text: str) -> None:
        piece = text[: max(0, _BLOCK - self._size)]
        if self._whose == "" or not piece:
            return
        self._size += len(piece)
        (self._errors[-1] if self._whose is None else self._own.setdefault(self._whose, [])).append(piece)


def _without_word(piece: bytes) -> bytes:
    """What one test printed, without the word on it that libtest put behind."""
    for word in (b"ok\n", b"FAILED\n"):
        if piece.endswith(word):
            return piece[: -len(word)]
    return piece
