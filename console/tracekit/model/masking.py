"""Masking what differs between two failures of one cause: numbers, ids, paths, addresses, quoted values,
times.

The result is a key and sometimes a title, never a replacement for the text itself. Patterns are linear and
the text is cut before they see it.
"""

from __future__ import annotations

import re
from functools import lru_cache

LIMIT = 400

# In the order in which they are tried at each place: the most telling first.
_MASKED = re.compile(
    r"""
      (?P<time>\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?
              |\b\d\d?:\d\d:\d\d(?:[.,]\d{1,9})?\b)
    | (?P<id>\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b
              |\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b)
    | (?P<url>\b[a-z][a-z0-9+.-]{0,15}://[^\s'"<>]+)
    | (?P<addr>\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?::\d{1,5})?\b
              |\[[0-9a-fA-F:]{2,39}\](?::\d{1,5})?
              |\blocalhost:\d{1,5}\b)
    | (?P<str>(?<![\w])[bru]{0,2}'[^'\n]*'(?!\w)|(?<![\w])[bru]{0,2}"[^"\n]*"(?!\w)|`[^`\n]*`)
    | (?P<path>(?<![\w.])(?:~|\.{1,2})?(?:/[\w.@+-]+)+/?|\b[A-Za-z]:\\[^\s'"<>]+)
    | (?P<hex>\b0[xX][0-9a-fA-F]+\b|\b(?=[0-9a-fA-F]{0,40}\d)(?=[0-9a-fA-F]{0,40}[a-fA-F])[0-9a-fA-F]{7,64}\b)
    | (?P<n>(?<![\w.])[+-]?\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d{1,4})?)
    """,
    re.VERBOSE,
)
_SPACE = re.compile(r"\s+")


@lru_cache(maxsize=4096)
def mask(text: str) -> str:
    """The text with everything that varies replaced by `<what it was>`."""
    return _SPACE.sub(" ", _MASKED.sub(_name, text[:LIMIT])).strip()


def one_line(text: str, width: int = LIMIT) -> str:
    """The first line that says anything, cut to a width."""
    for line in text[: 4 * LIMIT].splitlines():
        plain = _SPACE.sub(" ", line).strip()
        if plain:
            return plain if len(plain) <= width else plain[: width - 1] + "…"
    return ""


def _name(match: re.Match[str]) -> str:
    return f"<{match.lastgroup}>"
