"""Readable names: `unit__condition__then_expected` and `test_<function>_<scenario>_<expected>` as words.

The raw name is always kept beside the words: what a person searches for in the code is the raw one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

# Words that begin what is expected, in names of the second form.
_EXPECTS: frozenset[str] = frozenset(
    {
        *("then", "should", "returns", "return", "raises", "raise", "succeeds", "fails", "gives", "yields"),
        *("keeps", "rejects", "accepts", "refuses", "stays", "becomes", "ends", "exits"),
        *("is", "are", "has", "does"),
    }
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Name:
    """A name, its words, and the parts where the form tells them apart."""

    raw: str
    text: str
    unit: str = ""
    condition: str = ""
    expected: str = ""
    params: str = ""


@lru_cache(maxsize=8192)
def readable(raw: str) -> Name:
    """Read a test's name; one that has no form is given back as it is."""
    stem, bracket, params = raw.partition("[")
    if bracket and not params.endswith("]"):
        stem, bracket, params = raw, "", ""
    params = params.removesuffix("]")
    parts = [part for part in map(_words, stem.removeprefix("test_").split("__")) if part]
    if not parts or not _is_form(stem):
        return Name(raw, raw, params=params)
    text = ", ".join(parts)
    unit, condition, expected = _of_parts(parts) if len(parts) > 1 else _of_words(parts[0].split())
    return Name(raw, f"{text} [{params}]" if bracket else text, unit, condition, expected, params)


def readable_class(raw: str) -> str:
    """A class of tests as words: `TestChatServer` is `chat server`, abbreviations stay."""
    stem = raw.removeprefix("Test") or raw
    words = [word for part in stem.split("_") for word in _CAMEL.split(part) if word]
    if not words or not raw.isidentifier():
        return raw
    return " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)


def _is_form(stem: str) -> bool:
    return stem.isidentifier() and "_" in stem.strip("_") and stem == stem.strip("_")


def _words(piece: str) -> str:
    return " ".join(word for word in piece.split("_") if word)


def _of_parts(parts: list[str]) -> tuple[str, str, str]:
    if len(parts) == 2:
        last = parts[1].split()
        return (parts[0], "", parts[1]) if last[0] in _EXPECTS else (parts[0], parts[1], "")
    return parts[0], ", ".join(parts[1:-1]), parts[-1]


def _of_words(words: list[str]) -> tuple[str, str, str]:
    if len(words) == 3:
        return words[0], words[1], words[2]
    for at, word in enumerate(words[1:], 1):
        if word in _EXPECTS:
            return words[0], " ".join(words[1:at]), " ".join(words[at:])
    return "", "", ""
