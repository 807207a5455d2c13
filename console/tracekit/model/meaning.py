"""What a filter that nothing passes perhaps meant: words of a closed set that are near to one it was given.

No fault of the filter: of a journal's lines a kind is an event's name, and a later version may have others.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from tracekit.wire.kinds import KINDS, LEVELS
from tracekit.wire.names import EVENTS

#: What a screen says for a kind; the filter understands it as well.
_SPOKEN = ("call", "return", "raised", "begin", "end", "step", "done", "raise", "with", "lost", "closed")
_WORDS: dict[str, tuple[str, ...]] = {
    "kind": (*KINDS, *_SPOKEN, *LEVELS, "warn", "fatal", *sorted(EVENTS)),
    "level": (*LEVELS, "warn", "fatal"),
}
_ASKED = re.compile(r"""(?<![\w.@"'-])(kind|level)\s*(?:=|:)\s*\(?([A-Za-z][A-Za-z._,]*)""")


def perhaps_meant(text: str) -> str:
    """`did you mean kind:log?` of the first unknown word that a known one is near to; else empty."""
    for field, values in _ASKED.findall(text):
        known = _WORDS[field]
        for value in values.strip(",").split(","):
            word = value.lower()
            if word in known:
                continue
            near = get_close_matches(word, known, 1, 0.6)
            if near:
                return f"did you mean {field}:{near[0]}?"
    return ""
