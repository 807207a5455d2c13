"""Where each key of a TOML text stands: key path -> line and column, which the TOML reader does not give.

One pass over the text that also guards the reader: it stops at documents that nest too deep or hold too much.
It does not judge whether the text is valid; where it cannot go on it stops quietly and the reader says why.
"""

from __future__ import annotations

import re
from array import array

MAX_DEPTH = 64
# What a thousand keys cost in memory is many times their text, so they are counted, deep ones more than once.
MAX_KEYS = 3_000
MAX_ELEMENTS = 10_000
# What the reader is slow at, or takes a hundred times its length for.
MAX_SCALAR = 200
MAX_NAME = 1_000
MAX_ESCAPES = 20_000

Path = tuple[str | int, ...]
Position = tuple[int, int]

_BLANK = re.compile(r"(?:[ \t]++|#[^\n]*+)*+")
_BLANK_LINES = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*+")
_SPACE = re.compile(r"[ \t]*+")
_BARE = re.compile(r"[A-Za-z0-9_-]++")
_BASIC = re.compile(r'"(?:[^"\\\n]++|\\.)*+"')
_LITERAL = re.compile(r"'[^'\n]*+'")
_BLOCK_BASIC = re.compile(r'"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}', re.DOTALL)
_BLOCK_LITERAL = re.compile(r"'''(?:[^']++|'{1,2}(?!'))*+'{3,5}", re.DOTALL)
_DATE_SPACE_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:[0-9:.+\-Zz]++")
_SCALAR = re.compile(r"[^\s,\]}#=\[{\"']++")


class RefusedError(Exception):
    """The document is beyond a bound: where, and what is too much."""

    def __init__(self, path: Path, position: Position, what: str) -> None:
        super().__init__(what)
        self.path, self.position, self.what = path, position, what


class _StopError(Exception):
    """Not TOML: the reader will say so."""


class _UnclosedError(_StopError):
    """Something was opened and never closed; the reader would point at the end of the file."""

    def __init__(self, pos: int, what: str) -> None:
        super().__init__(what)
        self.pos, self.what = pos, what


class Index:
    """The positions of one text. Raises RefusedError for a document beyond the bounds.

    `stopped` is where the scan gave up, None when it reached the end; `unclosed` what was opened and not closed.
    """

    def __init__(self, text: str) -> None:
        self.stopped: int | None = None
        self.unclosed: tuple[Position, str] | None = None
        self._text = text
        self._pos = 0
        self._counted = 0  # keys
        self._total = 0  # elements
        self._known: tuple[int, int] = (0, 1)  # an offset and its line, from where the next count goes on
        self._keys: dict[Path, int] = {}
        self._passed: set[Path] = set()
        self._elements: dict[Path, array[int]] = {}
        self._tables: dict[Path, int] = {}  # arrays of tables -> tables so far
        if text.count("\\") > MAX_ESCAPES:
            raise RefusedError((), self._position(text.index("\\")), f"more than {MAX_ESCAPES} escapes")
        try:
            self._document()
        except _UnclosedError as unclosed:
            self.stopped = self._pos
            self.unclosed = (self._position(unclosed.pos), unclosed.what)
        except _StopError:
            self.stopped = self._pos
        self._passed.clear()

    def at(self, path: Path) -> Position | None:
        """Where exactly this key stands. Elements of a list inside a list have no place of their own."""
        offset = self._keys.get(path)
        if offset is None and path and isinstance(path[-1], int):
            elements = self._elements.get(path[:-1], ())
            offset = elements[path[-1]] if path[-1] < len(elements) else None
        return None if offset is None else self._position(offset)

    def of(self, path: Path) -> Position | None:
        """Where this key stands, or the nearest thing around it that has a place."""
        while path:
            position = self.at(path)
            if position:
                return position
            path = path[:-1]
        return None

    def _position(self, offset: int) -> Position:
        text = self._text
        start, line = self._known if self._known[0] <= offset else (0, 1)
        line += text.count("\n", start, offset)
        self._known = (offset, line)
        return line, offset - text.rfind("\n", 0, offset)

    def _guard(self, path: Path, offset: int) -> None:
        if len(path) > MAX_DEPTH:
            raise RefusedError(path, self._position(offset), f"nested deeper than {MAX_DEPTH} levels")

    def _note(self, path: Path, offset: int, *, declared: bool) -> None:
        """Remember the place of a key: where it is declared outweighs where it is only passed through."""
        self._guard(path, offset)
        self._counted += 1 + len(path) // 8
        if self._counted > MAX_KEYS:
            raise RefusedError(path, self._position(offset), f"more than {MAX_KEYS} keys")
        if path not in self._keys:
            self._keys[path] = offset
            if not declared:
                self._passed.add(path)
        elif declared and path in self._passed:
            self._passed.discard(path)
            self._keys[path] = offset

    def _document(self) -> None:
        text = self._text
        context: Path = ()
        while True:
            self._skip(_BLANK_LINES)
            if self._pos >= len(text):
                return
            if text[self._pos] == "[":
                context = self._header()
            else:
                self._pair(context)
            self._skip(_BLANK)
            if self._pos < len(text) and text[self._pos] != "\n":
                raise _StopError

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._pos)
        if match:
            self._pos = match.end()

    def _expect(self, token: str) -> None:
        if not self._text.startswith(token, self._pos):
            raise _StopError
        self._pos += len(token)

    def _header(self) -> Path:
        several = self._text.startswith("[[", self._pos)
        self._pos += 2 if several else 1
        path: Path = ()
        while True:
            path, start, more = self._part_of(path)
            if not more:
                break
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
        self._expect("]]" if several else "]")
        if several:
            number = self._tables.get(path, 0)
            self._tables[path] = number + 1
            path = (*path, number)
            self._note(path, start, declared=True)
        # A table costs the reader as much as several keys.
        self._counted += 3
        return path

    def _pair(self, context: Path) -> None:
        path, more = context, True
        while more:
            path, _, more = self._part_of(path)
        self._expect("=")
        self._skip(_SPACE)
        self._value(path)

    def _part_of(self, path: Path) -> tuple[Path, int, bool]:
        """Read one part of a dotted key and the dot behind it. Gives the path, its offset, and whether more follows."""
        self._skip(_SPACE)
        start = self._pos
        path = (*path, self._key_part())
        self._skip(_SPACE)
        more = self._text.startswith(".", self._pos)
        self._pos += more
        self._note(path, start, declared=not more)
        return path, start, more

    def _key_part(self) -> str:
        text, pos = self._text, self._pos
        for pattern, quotes in ((_BARE, 0), (_LITERAL, 1), (_BASIC, 1)):
            match = pattern.match(text, pos)
            if match:
                if match.end() - pos > MAX_NAME:
                    what = f"a key of more than {MAX_NAME} characters"
                    raise RefusedError((text[pos : pos + 50],), self._position(pos), what)
                self._pos = match.end()
                part = match[0]
                if not quotes:
                    return part
                return _unescaped(part) if "\\" in part and part[0] == '"' else part[1:-1]
        raise _StopError

    def _value(self, path: Path) -> None:
        text, pos = self._text, self._pos
        char = text[pos : pos + 1]
        if char == "[":
            self._array(path)
        elif char == "{":
            self._inline(path)
        elif char in {'"', "'"}:
            self._string(char)
        else:
            match = _DATE_SPACE_TIME.match(text, pos) or _SCALAR.match(text, pos)
            if not match:
                raise _StopError
            if match.end() - pos > MAX_SCALAR:
                what = f"a number of more than {MAX_SCALAR} characters"
                raise RefusedError(path, self._position(pos), what)
            self._pos = match.end()

    def _string(self, quote: str) -> None:
        text, pos = self._text, self._pos
        block = text.startswith(quote * 3, pos)
        if quote == '"':
            pattern = _BLOCK_BASIC if block else _BASIC
        else:
            pattern = _BLOCK_LITERAL if block else _LITERAL
        match = pattern.match(text, pos)
        if not match:
            raise _UnclosedError(pos, "a string is opened here and never closed")
        self._pos = match.end()

    def _array(self, path: Path) -> None:
        opened = self._pos
        outermost = not (path and isinstance(path[-1], int))
        self._pos += 1
        number = 0
        while True:
            self._skip(_BLANK_LINES)
            if self._text.startswith("]", self._pos):
                self._pos += 1
                return
            self._at_end(opened, "a list is opened here and never closed")
            element = (*path, number)
            self._guard(element, self._pos)
            self._total += 1
            if self._total > MAX_ELEMENTS:
                what = f"more than {MAX_ELEMENTS} elements of lists"
                raise RefusedError(path, self._position(self._pos), what)
            if outermost:
                self._elements.setdefault(path, array("I")).append(self._pos)
            self._value(element)
            number += 1
            self._skip(_BLANK_LINES)
            if self._text.startswith(",", self._pos):
                self._pos += 1
            elif not self._text.startswith("]", self._pos):
                self._at_end(opened, "a list is opened here and never closed")
                raise _StopError

    def _inline(self, path: Path) -> None:
        opened = self._pos
        self._pos += 1
        while True:
            self._skip(_BLANK_LINES)
            if self._text.startswith("}", self._pos):
                self._pos += 1
                return
            self._at_end(opened, "a table is opened here and never closed")
            self._pair(path)
            self._skip(_BLANK_LINES)
            if self._text.startswith(",", self._pos):
                self._pos += 1
            elif not self._text.startswith("}", self._pos):
                self._at_end(opened, "a table is opened here and never closed")
                raise _StopError

    def _at_end(self, opened: int, what: str) -> None:
        if self._pos >= len(self._text):
            raise _UnclosedError(opened, what)


def _unescaped(quoted: str) -> str:
    """The reader's own idea of an escaped key."""
    import tomli

    try:
        return str(tomli.loads(f"k = {quoted}")["k"])
    except ValueError:
        raise _StopError from None
