"""Words for faults: how a value from a user's file is shown, listed and compared with what is known.

What a file says may be hostile, so nothing reaches a message but through `shown`. This module must never see a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SHOWN = 60
_MAX_COMPARED = 64


def shown(text: str, limit: int = MAX_SHOWN) -> str:
    """Quote outside text for one line of a message: cut, and with controls and bidi marks escaped."""
    cut = text[:limit]
    body = "".join(_picture(char) for char in cut)
    return f'"{body}{"…" if len(text) > limit else ""}"'


def plain(text: str, limit: int = 100) -> str:
    """`shown` without the quotes, for keys in a place."""
    return shown(text, limit)[1:-1]


def _picture(char: str) -> str:
    if char == '"':
        return '\\"'
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def listed(words: Iterable[str], last: str = "or") -> str:
    """`a, b or c`."""
    known = list(words)
    if len(known) < 2:
        return "".join(known)
    return f"{', '.join(known[:-1])} {last} {known[-1]}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    from difflib import get_close_matches  # only a fault needs it

    candidates = list(known)
    for candidate in candidates:
        if candidate.casefold() == word.casefold() or candidate.replace("_", "-") == word:
            return candidate
    found = get_close_matches(word[:_MAX_COMPARED], candidates[:1000], n=1, cutoff=0.6)
    return found[0] if found else None


def kind_of(value: object) -> str:
    """What a TOML value is, in words."""
    if isinstance(value, bool):
        return "true or false"
    for type_, word in _KINDS:
        if isinstance(value, type_):
            return word
    return "a date or time"


_KINDS: tuple[tuple[type, str], ...] = (
    (str, "a string"),
    (int, "a whole number"),
    (float, "a number"),
    (list, "a list"),
    (dict, "a table"),
)


def plural(count: int, word: str) -> str:
    """`1 fault`, `3 faults`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
