"""What a screen switches on in a terminal, switched off: bytes and line discipline, for whoever has to restore one.

Imports nothing that paints: a terminal that somebody else left behind is restored by a command that starts at once.
"""

from __future__ import annotations

import contextlib
import os
import termios

# Keyboard, painting at once, alternate screen, cursor, focus, paste, size reports, mouse, wrap, character set, colours.
RESET = (
    "\x1b[<u\x1b[?2026l\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[?2004l\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"
    "\x1b[?1016l\x1b[?7h\x1b(B\x0f\x1b[0m"
)
_INPUT_ON = termios.ICRNL | termios.IXON
_INPUT_OFF = termios.IGNBRK | termios.INLCR | termios.IGNCR | termios.ISTRIP
_LOCAL_ON = termios.ISIG | termios.ICANON | termios.IEXTEN | termios.ECHO | termios.ECHOE | termios.ECHOK
#: The control characters that a program may have changed to read byte by byte.
_KEYS = {
    termios.VINTR: 3,
    termios.VQUIT: 28,
    termios.VERASE: 127,
    termios.VKILL: 21,
    termios.VEOF: 4,
    termios.VSUSP: 26,
}


def reset(descriptor: int) -> None:
    """Give a terminal back as a shell expects it; raises OSError or termios.error where it takes nothing."""
    # Whatever it still answers to questions of the screen must not be typed into the shell.
    with contextlib.suppress(termios.error):
        termios.tcflush(descriptor, termios.TCIFLUSH)
    flags = termios.tcgetattr(descriptor)
    flags[0] = (flags[0] | _INPUT_ON) & ~_INPUT_OFF
    flags[1] |= termios.OPOST | termios.ONLCR
    flags[2] |= termios.CREAD
    flags[3] = (flags[3] | _LOCAL_ON) & ~termios.ECHONL
    for key, code in _KEYS.items():
        flags[6][key] = bytes([code])
    termios.tcsetattr(descriptor, termios.TCSANOW, flags)
    data = RESET.encode()
    while data:
        data = data[os.write(descriptor, data) :]
