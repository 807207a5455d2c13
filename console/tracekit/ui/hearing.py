"""What is typed, read from the terminal: whatever bytes come, none of them ends the console.

A line that garbles, a terminal that speaks another language than UTF-8, mouse reports of an old kind or a key with an
impossible number are no keys. The library's own reader would end at the first of them without a word.
"""

from __future__ import annotations

import os
import re
import selectors
from codecs import getincrementaldecoder

from textual.drivers.linux_driver import LinuxDriver

from tracekit.ui.keystrokes import Parser

_AT_ONCE = 4096
# How long a key may wait that may be the beginning of a longer one.
_LOOK = 0.1
_BEFORE_ESCAPE = re.compile("(?=\x1b)")


class Hearing(LinuxDriver):
    """The part of the driver that listens, on a thread of its own."""

    def run_input_thread(self) -> None:
        """Until the terminal is given back."""
        letters = getincrementaldecoder("utf-8")("ignore")
        self._keys = Parser()
        with selectors.DefaultSelector() as typed:
            typed.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if typed.select(_LOOK) and not self._heard(letters.decode(self._read())):
                    # The terminal's end stays readable for ever: whoever looks after it will find it gone.
                    self.exit_event.wait(_LOOK)
                self._understood(None)
        # What was typed until now was for the console; a beginning without its end is nothing.
        self._understood(None)

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, _AT_ONCE)
        except OSError:
            return b""

    def _heard(self, text: str) -> bool:
        for part in filter(None, _BEFORE_ESCAPE.split(text)):
            self._understood(part)
        return bool(text)

    def _understood(self, part: str | None) -> None:
        """Pass on what a part means, or, without one, what has waited long enough to be a key by itself."""
        try:
            for message in self._keys.tick() if part is None else self._keys.feed(part):
                self.process_message(message)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            # A sequence that the parser cannot make anything of is dropped; another begins afresh behind it, and
            # knows what the terminal has said of itself.
            before, self._keys = self._keys, Parser()
            self._keys.mouse_pixels = before.mouse_pixels
            self._keys.terminal_size = before.terminal_size
            self._keys.terminal_pixel_size = before.terminal_pixel_size
