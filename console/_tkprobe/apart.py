"""Which scenarios are to run in a process of their own, by the patterns that the adapter hands over.

A pattern is a scenario's id, with or without its runner and suite, or the beginning of one at a boundary: a folder, a
file, a class, a test with all its parameters. The name of a class or test alone means those of every file.
`*` and `?` stand for other characters; brackets are parts of ids.
"""

from __future__ import annotations

import re
from typing import Callable, Optional, Sequence

# What may stand before the name of a class or a test; `::` within parameters is no such place.
_FILE_AND_CLASSES = r"(?:[^\[]*::)?"
_BOUNDARY = r"(?:$|::|/|\[)"


def matcher(patterns: Sequence[str], prefix: str) -> Callable[[str], Optional[str]]:
    """A function that gives the first pattern a scenario fits, or None."""
    tests = [(pattern, re.compile(_expression(pattern, prefix), re.DOTALL)) for pattern in patterns]

    def fits(scenario: str) -> Optional[str]:
        for pattern, test in tests:
            if test.match(scenario):
                return pattern
        return None

    return fits


def _expression(pattern: str, prefix: str) -> str:
    text = pattern[2:] if pattern.startswith("./") else pattern
    text = text[:-1] if text.endswith("/") else text
    wild = {"*": ".*", "?": "."}
    body = "".join(wild.get(character) or re.escape(character) for character in re.sub(r"\*+", "*", text))
    return f"(?:{re.escape(prefix)})?{_FILE_AND_CLASSES}{body}{_BOUNDARY}"
