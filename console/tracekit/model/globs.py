"""Patterns with `*` and `?`, as a person writes them for scenarios: brackets are parts of names, never classes."""

from __future__ import annotations

import re
from collections.abc import Callable


def glob(pattern: str) -> Callable[[str], bool]:
    """`*` and `?` only: brackets are parts of ids. Every part is taken at its first place, in linear time."""
    parts = re.split(r"\*+", pattern)
    compiled = [re.compile(re.escape(part).replace(r"\?", "."), re.DOTALL) for part in parts]
    first, middle, last = compiled[0], compiled[1:-1], compiled[-1]
    if len(parts) == 1:
        return lambda text: first.fullmatch(text) is not None
    size = len(parts[-1])

    def fits(text: str) -> bool:
        found = first.match(text)
        for part in middle:
            if found is None:
                return False
            found = part.search(text, found.end())
        tail = len(text) - size
        return found is not None and found.end() <= tail and last.match(text, tail) is not None

    return fits
