"""Keys that come faster than they are worked off: each is for the screen and the line that the one before leads to.

A slow line, a multiplexer or a script sends together what is typed apart. The library hands on all of it to whatever
has the keys at that moment, and takes an escape with a key behind it for one key with alt, which a multiplexer makes of
two that are half a second apart. Nobody binds alt but in a keymap of their own; everywhere else both keys are meant.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from textual import events
from textual._xterm_parser import XTermParser
from textual.message import Message
from textual.message_pump import MessagePump
from textual.widgets import Input

from tracekit.ui.action_list import MOVE, Action

if TYPE_CHECKING:
    from textual.app import App

    _Base = App[int]
else:
    _Base = object

# What begins something longer is not a key yet.
_PAIR = re.compile(r"\x1b[^\x1b\[\]NOPX^_]", re.DOTALL)
# A key is done as soon as it comes back; what is behind one that a widget kept to itself waits no longer than this.
_LATE = 0.2
# Whoever had it was taken away before it could be asked.
_GONE = 1.0


class Escape(events.Key):
    """The key, with the one `behind` it, and the one that both together may stand for."""

    def __init__(self, behind: events.Key, together: events.Key | None) -> None:
        super().__init__("escape", "\x1b")
        self.behind = behind
        self.together = together


# To every widget it is a key as any other.
Escape.handler_name = events.Key.handler_name


class Echo(Message):
    """It goes the way of what a line of text says of itself, and comes behind it."""

    def __init__(self, key: events.Event) -> None:
        super().__init__()
        self.key = key


class Parser(XTermParser):
    """The library's own, but that an escape is never lost in what stands behind it."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        if alt or _PAIR.fullmatch(sequence):
            return self._pair(sequence)
        return super()._sequence_to_key_events(sequence)

    def _pair(self, sequence: str) -> Iterator[events.Key]:
        keys = super()._sequence_to_key_events
        for behind in islice(keys(sequence[-1]), 1):
            # A word to the left or right, or taken away, is told so by some terminals.
            known = keys(sequence) if len(sequence) > 1 else ()
            together = next(chain(known, keys(sequence[-1], alt=True)), behind)
            yield Escape(behind, together if together.key != behind.key else None)


class Keystrokes(_Base):
    """A part of the application: a key is handed on when the one before it has done what it does."""

    actions: tuple[Action, ...]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._under_way: events.Event | None = None
        self._behind = deque[events.Event]()
        self._late: asyncio.TimerHandle | None = None

    async def on_event(self, event: events.Event) -> None:
        """Hand keys on in turn."""
        if not isinstance(event, events.Key | events.Paste):
            await super().on_event(event)
        elif event.is_forwarded:
            await super().on_event(event)
            if event is self._under_way:
                # A line may have told others that it is done, and a screen that was opened has to stand first.
                (self.focused or self.screen).post_message(Echo(event))
        elif self._under_way is not None:
            self._behind.append(event)
        else:
            await self._hand_on(event)

    async def _hand_on(self, event: events.Event) -> None:
        if isinstance(event, Escape):
            together = self._together(event)
            if together is not None:
                event = together
            elif not (self._in_text and event.behind.is_printable):
                # Whoever edits a line and meant alt is not to start what the letter does elsewhere.
                self._behind.appendleft(event.behind)
        if not isinstance(event, events.Key) or self._stays(event):
            await super().on_event(event)
            return
        self._under_way = event
        self._late = asyncio.get_running_loop().call_later(
            _LATE, self._ask, event, self.focused or self.screen
        )
        await super().on_event(event)
        if not event.is_forwarded:
            await self._go_on(event)

    def _ask(self, event: events.Event, target: MessagePump) -> None:
        """It may be on its way still, or have been kept: what goes the same way comes behind it."""
        if event is self._under_way:
            target.post_message(Echo(event))
            self._late = asyncio.get_running_loop().call_later(_GONE, self._give_up, event)

    def _give_up(self, event: events.Event) -> None:
        if event is self._under_way:
            self.call_later(self._go_on, event)

    async def on_echo(self, echo: Echo) -> None:
        """Whoever was to hear of the key has heard of it."""
        await self._go_on(echo.key)

    async def _go_on(self, done: events.Event) -> None:
        if done is not self._under_way or self._late is None:
            return
        self._late.cancel()
        self._under_way = None
        while self._behind and self._under_way is None:
            await self.on_event(self._behind.popleft())

    @property
    def _in_text(self) -> bool:
        return isinstance(self.focused, Input)

    def _together(self, pair: Escape) -> events.Key | None:
        """The one key that both are, for whoever has bound it or writes a line of text."""
        one = pair.together
        if one is None:
            return None
        bound = any(one.key in action.keys for action in self.actions)
        edits = self._in_text and one.key.startswith("ctrl+")
        return one if bound or edits else None

    def _stays(self, key: events.Key) -> bool:
        """Whether it leads nowhere else: text of a line, and a move."""
        if isinstance(key, Escape):
            return False
        if self._in_text and key.is_printable:
            return True
        return any(key.key in action.keys for action in self.actions if action.group == MOVE)
