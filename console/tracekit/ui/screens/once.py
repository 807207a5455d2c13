"""A screen that is left once: keys that were typed ahead come to it while it goes, and must neither answer a second
time nor take the screen beneath away.
"""

from __future__ import annotations

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import Screen

from tracekit.ui.standing import Standing

Answer = TypeVar("Answer")


class Once(Standing, Screen[Answer], inherit_bindings=False):
    """Whatever it is asked after its answer, it has gone."""

    _kept: tuple[Answer | None] | None = None

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Answer and go; a second time is nothing. Beneath another screen it goes as soon as that one has gone."""
        if self._left:
            return AwaitComplete()
        if self.app.screen is not self:
            # The library takes away whatever screen is uppermost.
            self._kept = self._kept or (result,)
            return AwaitComplete()
        self._left = True
        return super().dismiss(result)

    def withdrawn(self) -> None:
        """Nobody waits for an answer any more."""
        self.dismiss(None)

    def on_screen_resume(self) -> None:
        """Nothing is above it any more."""
        if self._kept is not None:
            self.dismiss(self._kept[0])
