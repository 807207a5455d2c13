"""The clipboard that a person can paste from: a tool of the desk, tmux, the terminal itself (OSC 52), or else a file.

Text goes out only when the screen was asked to copy by a key. The sequence carries base64 and nothing else, and no more
than terminals take; which way it went is said, because a terminal never answers.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tracekit.agent.redact import Redactor
from tracekit.wire.problems import Problem
from tracekit.wire.secrets import secrets_in

#: Above this many bytes of text some terminals drop the sequence, and say nothing.
MOST_FOR_TERMINAL = 74_994
MOST = 4 * 1024 * 1024
#: What GNU screen hands through at once.
_SCREEN_PIECE = 240
_TOOLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
    ("DISPLAY", ("xsel", "--clipboard", "--input")),
    ("HOME", ("pbcopy",)),
)
_TMUX = ("tmux", "load-buffer", "-w", "-")


class DeskClipboard:
    """Tries the ways in the order of how sure they are."""

    def __init__(self, environ: Mapping[str, str] | None = None, state: Path | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._state = state
        self.how = ""
        self.write: Callable[[str], None] | None = None

    def copy(self, text: str) -> Problem | None:
        """Copy; gives the problem, with what to do, instead of raising it."""
        data = text.encode("utf-8", "backslashreplace")
        if len(data) > MOST:
            what = f"{len(data):,} bytes are more than a clipboard is given ({MOST:,})"
            return Problem("ui.too_much", what, "", "choose fewer lines")
        for way in (self._by_tool, self._by_tmux, self._by_terminal, self._by_file):
            how = way(data)
            if how is not None:
                self.how = how
                return None
        return Problem("ui.no_clipboard", "no clipboard was found", "", text)

    def _by_tool(self, data: bytes) -> str | None:
        if self._far:
            return None
        for variable, command in _TOOLS:
            if self._environ.get(variable) and self._run(command, data):
                return f" by {command[0]}"
        return None

    @property
    def _far(self) -> bool:
        """Whether the person sits at another machine, whose clipboard no tool of this one reaches."""
        return bool(self._environ.get("SSH_CONNECTION") or self._environ.get("SSH_TTY"))

    def _by_tmux(self, data: bytes) -> str | None:
        """Its buffer, which it hands to the terminal around it where `set-clipboard` lets it."""
        return (
            " to tmux's buffer, and its terminal"
            if self._environ.get("TMUX") and self._run(_TMUX, data)
            else None
        )

    def _run(self, command: tuple[str, ...], data: bytes) -> bool:
        found = shutil.which(command[0], path=self._environ.get("PATH"))
        if found is None:
            return False
        try:
            subprocess.run(
                [found, *command[1:]],
                input=data,
                check=True,
                timeout=5,
                env=dict(self._environ),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return True

    def _by_terminal(self, data: bytes) -> str | None:
        # The console of Linux has no clipboard, and shows some of the sequence.
        if self.write is None or len(data) > MOST_FOR_TERMINAL or self._environ.get("TERM") == "linux":
            return None
        try:
            self.write(sequence(data, self._environ))
        except OSError:
            return None
        return " by the terminal (OSC 52), if it lets programs copy"

    def _by_file(self, data: bytes) -> str | None:
        if self._state is None:
            return None
        place = self._state / "copied.txt"
        try:
            self._state.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        except OSError:
            return None
        return f" to {place}, because no clipboard was found"


def sequence(data: bytes, environ: Mapping[str, str]) -> str:
    """OSC 52 as the terminal gets to see it: tmux and screen hand it through when it is wrapped for them."""
    body = base64.b64encode(data).decode("ascii")
    plain = f"\x1b]52;c;{body}\x07"
    if environ.get("TMUX"):
        return "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environ.get("STY"):
        pieces = [plain[at : at + _SCREEN_PIECE] for at in range(0, len(plain), _SCREEN_PIECE)]
        return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    return plain


def masked(text: str, environ: Mapping[str, str] | None = None) -> str:
    """A text without the secrets of this machine; those of the run were replaced when it was recorded."""
    return Redactor(secrets_in(os.environ if environ is None else environ)).text(text)
