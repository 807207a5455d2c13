"""A screen that is left once: keys that were typed ahead come to it while it goes, and must neither answer a second
time nor take the screen beneath away.
"""

from __future__ import annotations

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import Screen

Answer = TypeVar("Answer")


class Once(Screen[Answer], inherit_bindings=False):
    """Whatever it is asked after its answer, it has gone."""

    _left = False

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Answer and go; a second time is nothing."""
        if self._left:
            return AwaitComplete()
        self._left = True
        return super().dismiss(result)
