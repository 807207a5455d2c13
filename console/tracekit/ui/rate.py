"""How many events a second come: what is counted where they are looked at, over the time that passes meanwhile.

Nothing is read for it. While rows that were there before are caught up with, nobody knows what came: nothing is said.
"""

from __future__ import annotations

SECOND = 1_000_000_000


class Rate:
    """Rows a second of one source; a new figure once a second, so that it can be read."""

    def __init__(self) -> None:
        self._source: object = None
        self._began = (0, 0)  # the moment and the count that the next figure is measured from
        self._said: int | None = None

    def look(self, source: object, total: int, now: int) -> None:
        """Take note of a count; None as its source: there is none."""
        then, before = self._began
        if source is None or source != self._source or total < before or now < then:
            self._source, self._said, self._began = source, None, (now, total)
        elif now - then >= SECOND:
            self._said, self._began = (total - before) * SECOND // (now - then), (now, total)

    @property
    def a_second(self) -> int | None:
        """The newest figure, if there is one."""
        return self._said
