"""Replaces secrets before anything is written to a replicated file.

One compiled expression holds every form of every secret. A stream keeps back only a tail that may be the beginning of a
form; a journal line stays valid JSON. Without secrets everything passes through untouched. Values are never logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from tracekit.wire.lines import from_json, to_json
from tracekit.wire.secrets import forms

Tag = TypeVar("Tag")

# What decides how a line is read is never a place for a secret, whatever word somebody chose as a password.
_STRUCTURE = frozenset(
    {"v", "n", "src", "t", "m", "run", "e", "verdict", "stream", "attribution", "phase", "kind"}
)
_PROBE = 8
# Where text was shortened before it came here, only a part of a secret may be left beside the mark.
_SHORTENED = re.compile("\N{HORIZONTAL ELLIPSIS}|\\.{3,}".encode())
_SHORTENED_MARKS = (b"...", "\N{HORIZONTAL ELLIPSIS}".encode(), b"\\u2026")
_PART = 8


def _escaped(form: bytes) -> bytes:
    text = form.decode("utf-8", "surrogateescape")
    return to_json(text)[1:-1].encode("ascii")


class Redactor:
    """Knows the forms of a run's secrets."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._names: dict[bytes, str] = {}
        for name, value in secrets.items():
            for form in forms(value):
                self._names.setdefault(form, name)
        self._forms = sorted(self._names, key=lambda form: (-len(form), form))
        self.active = bool(self._forms)
        self.longest = len(self._forms[0]) if self._forms else 0
        self._pattern = self._compile(self._forms)
        # Inside a JSON string a form may be escaped once more than it was in the text.
        self._json_forms = tuple({*self._forms, *map(_escaped, self._forms)})
        long = [form for form in self._json_forms if len(form) > _PART]
        self._parts = tuple({form[:_PART] for form in long} | {form[-_PART:] for form in long})

    @staticmethod
    def _compile(found: list[bytes]) -> re.Pattern[bytes]:
        return re.compile(b"|".join(map(re.escape, found)) if found else b"(?!)")

    def mark(self, form: bytes) -> bytes:
        return f"«redacted:{self._names.get(form, '')}»".encode()

    def pairs(self) -> list[tuple[bytes, bytes]]:
        """Every form with its mark, for whoever writes what never comes by here."""
        return [(form, self.mark(form)) for form in self._forms]

    def find(self, data: bytes) -> Iterator[re.Match[bytes]]:
        """Where the forms stand."""
        return self._pattern.finditer(data) if self.touches(data) else iter(())

    def data(self, data: bytes) -> bytes:
        """Redact bytes that are whole: nothing of them can go on elsewhere."""
        if not self.touches(data):
            return data
        done = self._pattern.sub(lambda match: self.mark(match.group()), data)
        return self._beside_marks(done) if any(mark in done for mark in _SHORTENED_MARKS) else done

    def tail(self, data: bytes, size: int) -> bytes:
        """The redacted last bytes of a text; `data` goes `longest` bytes further back, where it goes back so far."""
        start = max(0, len(data) - size)
        for match in self._pattern.finditer(data) if start and self.active else ():
            if match.start() < start < match.end():
                start = match.end()
        return self.data(data[start:])

    def _beside_marks(self, data: bytes) -> bytes:
        """Replace the beginning of a form that stands before a mark of shortening, and the end of one behind it."""
        forms = [
            form
            for form in self._forms
            if len(form) > _PART and (form[:_PART] in data or form[-_PART:] in data)
        ]
        found: list[bytes] = []
        position = 0
        for mark in _SHORTENED.finditer(data) if forms else ():
            if mark.start() < position:
                continue
            before, behind = data[position : mark.start()], data[mark.end() :]
            size, form = max((_overlap(before[1 - len(form) :], form), form) for form in forms)
            found.append(before[:-size] + self.mark(form) if size >= _PART else before)
            found.append(mark.group())
            position = mark.end()
            size, form = max((_overlap(behind[len(form) - 2 :: -1], form[::-1]), form) for form in forms)
            if size >= _PART:
                found.append(self.mark(form))
                position += size
        return b"".join([*found, data[position:]])

    def text(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        done = self.data(raw)
        return text if done is raw else done.decode("utf-8", "surrogatepass")

    def touches(self, data: bytes) -> bool:
        """Whether JSON bytes hold a form anywhere; the answer for almost every chunk is no."""
        # Substring search over each form is ten times faster than one expression over all of them.
        if not self.active:
            return False
        if any(form in data for form in self._json_forms):
            return True
        return any(mark in data for mark in _SHORTENED_MARKS) and any(part in data for part in self._parts)

    def line(self, line: bytes) -> bytes:
        """Redact one JSON line, with or without its newline; what comes out is JSON again."""
        if not self.touches(line):
            return line
        try:
            obj = from_json(line.decode("utf-8"))
        except (ValueError, RecursionError):
            return b'{"e":"gap","what":"line","count":1,"why":"it held a secret and was not JSON"}\n'
        end = b"\n" if line.endswith(b"\n") else b""
        return to_json(self.value(obj)).encode("ascii") + end

    def value(self, obj: Any, depth: int = 0) -> Any:
        """Redact every text inside a decoded value; at the top, what tells how to read the line is left alone."""
        if isinstance(obj, str):
            return self.text(obj)
        if isinstance(obj, list):
            return [self.value(item, depth + 1) for item in obj]
        if isinstance(obj, dict):
            if depth == 0:
                return {key: item if key in _STRUCTURE else self.value(item, 1) for key, item in obj.items()}
            return {self.text(key): self.value(item, depth + 1) for key, item in obj.items()}
        return obj

    def held(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a form."""
        most = 0
        for form in self._forms:
            size = min(len(form) - 1, len(data))
            if size <= most:
                continue
            most = max(most, _overlap(data[len(data) - size :], form))
        return most


def _overlap(tail: bytes, form: bytes) -> int:
    """The longest end of `tail` that begins `form`."""
    probe = form[:_PROBE]
    position = tail.find(probe)
    while position >= 0:
        if form.startswith(tail[position:]):
            return len(tail) - position
        position = tail.find(probe, position + 1)
    for size in range(min(_PROBE - 1, len(tail)), 0, -1):
        if form.startswith(tail[len(tail) - size :]):
            return size
    return 0


class StreamRedactor(Generic[Tag]):
    """One ordered stream of bytes, each piece tagged with what it belongs to."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held: list[tuple[Tag, bytes]] = []

    @property
    def held(self) -> list[tuple[Tag, bytes]]:
        """What is kept back: it may be the beginning of a secret."""
        return self._held

    def feed(self, tag: Tag, data: bytes) -> list[tuple[Tag, bytes]]:
        """Take bytes, give what is certain now, each under the tag it came with."""
        if not self._redactor.active:
            return [(tag, data)]
        return self._cut([*self._held, (tag, data)], final=False)

    def flush(self) -> list[tuple[Tag, bytes]]:
        """Nothing more will come: what was kept back is no secret, or it is one and is replaced."""
        return self._cut(self._held, final=True) if self._held else []

    def _cut(self, pieces: list[tuple[Tag, bytes]], *, final: bool) -> list[tuple[Tag, bytes]]:
        whole = b"".join(piece for _, piece in pieces)
        cut = len(whole) if final else len(whole) - self._redactor.held(whole)
        marks: list[tuple[int, int, bytes]] = []
        for match in self._redactor.find(whole):
            if match.start() >= cut:
                break
            marks.append((match.start(), match.end(), self._redactor.mark(match.group())))
            cut = max(cut, match.end())
        given: list[tuple[Tag, bytes]] = []
        self._held = []
        start = 0
        for tag, piece in pieces:
            end = start + len(piece)
            done = _between(whole, start, min(end, cut), marks)
            if done:
                given.append((tag, done))
            if end > cut:
                self._held.append((tag, whole[max(start, cut) : end]))
            start = end
        return given


def _between(whole: bytes, start: int, end: int, marks: list[tuple[int, int, bytes]]) -> bytes:
    """The bytes of a range with its secrets replaced; a secret over a border belongs to where it begins."""
    found: list[bytes] = []
    position = start
    for first, last, mark in marks:
        if last <= position or first >= end:
            continue
        found.append(whole[position:first] if first > position else b"")
        if first >= start:
            found.append(mark)
        position = last
    found.append(whole[position:end] if position < end else b"")
    return b"".join(found)
