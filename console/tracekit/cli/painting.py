"""Words and colours of verdicts on a plain terminal: one accent, green and red only for verdicts."""

from __future__ import annotations

from tracekit.model.status import Status
from tracekit.wire.names import GREEN, RED

GLYPHS = {
    "passed": "✓",
    "failed": "✗",
    "error": "✗",
    "crashed": "✗",
    "timedout": "✗",
    "skipped": "⊘",
    "notrun": "⊘",
    "cancelled": "⊘",
    "xfailed": "✓",
    "xpassed": "✓",
    "running": "▶",
    "pending": "·",
    "lost": "?",
}
SLOW = "◷"


class Paint:
    """Colours, or none."""

    def __init__(self, *, on: bool) -> None:
        self._on = on

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._on and text else text

    def dim(self, text: str) -> str:
        """Metadata."""
        return self._wrap("2", text)

    def bold(self, text: str) -> str:
        """Failures and headings."""
        return self._wrap("1", text)

    def verdict(self, word: str, text: str) -> str:
        """A text in the colour of a verdict."""
        if word in RED:
            return self._wrap("31", text)
        if word in GREEN:
            return self._wrap("32", text)
        return self._wrap("33" if word in {"skipped", "notrun", "cancelled", "lost"} else "0", text)


def counted(counts: dict[str, int], paint: Paint) -> str:
    """Verdict counts in a fixed order, only what there is."""
    words = [status.word for status in Status if counts.get(status.word)]
    shown = (paint.verdict(word, f"{counts[word]} {word}") for word in words if word != "pending")
    return ", ".join(shown) or "nothing ran"
