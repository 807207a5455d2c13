"""Tells a person who looks elsewhere that a long run has ended: by the terminal, or by the desk's own notifications.

Off unless the user's own configuration asks for it. What is told are counts and the project's name, cleaned.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping

_LONGEST = 120


class DeskNotice:
    """One way of telling; `after` is how many seconds a run must have gone on."""

    def __init__(self, way: str, after: float, environ: Mapping[str, str] | None = None) -> None:
        self.after = after if way != "off" else float("inf")
        self._way = way
        self._environ = os.environ if environ is None else environ
        self._asked: list[subprocess.Popen[bytes]] = []

    def tell(self, title: str, text: str, write: Callable[[str], None]) -> None:
        """Tell; a terminal or a desk that takes nothing is no reason to say anything."""
        title, text = _plain(title), _plain(text)
        if self._way == "desktop":
            self._by_desk(title, text)
        elif self._way != "off":
            words = {"bell": "\x07", "osc9": f"\x1b]9;{title}: {text}\x07"}
            self._by_terminal(words.get(self._way, f"\x1b]777;notify;{title};{text}\x07"), write)

    def _by_terminal(self, words: str, write: Callable[[str], None]) -> None:
        if self._environ.get("TMUX") and words != "\x07":
            words = "\x1bPtmux;" + words.replace("\x1b", "\x1b\x1b") + "\x1b\\"
        try:
            write(words)
        except OSError:
            return

    def _by_desk(self, title: str, text: str) -> None:
        found = shutil.which("notify-send", path=self._environ.get("PATH"))
        if found is None:
            return
        self._asked = [process for process in self._asked if process.poll() is None]
        try:
            # Nobody waits for a desk that may not answer: who calls has a screen to paint.
            process = subprocess.Popen(
                [found, "--app-name=tracekit", "--", title, text],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            return
        self._asked.append(process)


def _plain(text: str) -> str:
    """Nothing that a terminal would obey or that would end the message."""
    return re.sub(r"[^\w .,:/()+-]", " ", "".join(char if char.isprintable() else " " for char in text))[
        :_LONGEST
    ]
