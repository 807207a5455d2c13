"""A terminal whose language does not have every letter: what it cannot spell takes the cells that it was given.

The escape that stands for one elsewhere is wider: lines would wrap, and the screen would scroll away.
"""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.cells import cell_len

_ERRORS = "tracekit-cells"
# Signs that the console draws with; a language has them all, or is drawn with ASCII.
_SIGNS = "→▌▕✓✗⊘▼▶⠋▇…"


def has_signs() -> bool:
    """Whether the terminal's language has the signs that the console draws with."""
    try:
        _SIGNS.encode(sys.__stderr__.encoding if sys.__stderr__ else "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


@contextmanager
def in_cells() -> Iterator[None]:
    """While the screen stands, a letter that cannot be spelt is a question mark for each of its cells."""
    stream = sys.__stderr__
    if not isinstance(stream, io.TextIOWrapper):
        yield
        return
    codecs.register_error(_ERRORS, _marked)
    before = stream.errors
    stream.reconfigure(errors=_ERRORS)
    try:
        yield
    finally:
        stream.reconfigure(errors=before)


def _marked(fault: UnicodeError) -> tuple[str, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    return "?" * cell_len(fault.object[fault.start : fault.end]), fault.end
