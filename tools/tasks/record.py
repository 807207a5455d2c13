"""`tools/record`: writes docs/demo.cast anew, a session of the real demonstration in a terminal of its own.

The console is driven by keys through a pty and everything it paints is kept with its time, in asciinema's format,
version 2. Must never paint anything itself, and leaves nothing of this machine in the file but what the console shows.
"""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from tools.tasks.common import ROOT, say, tool

CAST = ROOT / "docs" / "demo.cast"
COLUMNS, LINES = 100, 30
PATIENCE = 120.0
#: What must be on the screen, for how long it is looked at then, and the key that comes next.
STORY: tuple[tuple[str, float, str], ...] = (
    ("CAUSES", 2.0, "J"),
    ("OrderFailed", 2.5, "3"),
    ("[3 Output]", 1.5, "2"),
    ("[2 Why]", 2.0, "T"),
    ("high-contrast", 1.0, "j"),
    ("high-contrast", 0.5, "\r"),
    ("OrderFailed", 2.0, "q"),
)


class Session:
    """A process on a pty, and what it has painted so far."""

    def __init__(self, home: str) -> None:
        self.events: list[tuple[float, str]] = []
        self.text = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        places = {f"XDG_{name}_HOME": f"{home}/{name.lower()}" for name in ("STATE", "CACHE", "CONFIG")}
        terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TRACEKIT_AGENT_IDLE": "1"}
        self.process = subprocess.Popen(
            [tool("tracekit"), "demo"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**kept, **places, **terminal, "HOME": home},
            start_new_session=True,
        )
        os.close(slave)
        self.began = time.monotonic()

    def read(self, wait: float) -> bool:
        """Keep what comes; False once it has ended."""
        if not select.select([self.master], [], [], wait)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        shown = self._decode(data)
        self.events.append((time.monotonic() - self.began, shown))
        self.text += shown
        return bool(data)

    def until(self, words: str) -> bool:
        """Until these were painted since the last key."""
        end = time.monotonic() + PATIENCE
        while words not in self.text and time.monotonic() < end:
            if not self.read(0.1):
                return False
        return words in self.text

    def look(self, seconds: float) -> None:
        """As long as a person would."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)


def main() -> int:
    """Record, and keep the file only where the whole story was seen."""
    with tempfile.TemporaryDirectory(prefix="tracekit-record-") as home:
        session = Session(home)
        try:
            for words, seconds, key in STORY:
                if not session.until(words):
                    say(f"record: {words!r} never came; nothing is kept")
                    return 1
                session.look(seconds)
                session.text = ""
                os.write(session.master, key.encode())
            while session.read(5.0) and session.process.poll() is None:
                continue
        finally:
            if session.process.poll() is None:
                session.process.terminate()
            session.process.wait(30)
    head = {
        "version": 2,
        "width": COLUMNS,
        "height": LINES,
        "title": "tracekit demo",
        "env": {"TERM": "xterm-256color"},
    }
    lines = [json.dumps(head)]
    # Where this tree lies is nobody's business; a name of the same length leaves every cell where it was.
    here = str(ROOT)
    there = ("/srv/" + "project" * len(here))[: len(here)]
    events = [(at, text.replace(here, there)) for at, text in session.events]
    lines += [json.dumps([round(at, 3), "o", text], ensure_ascii=False) for at, text in events]
    Path(CAST).write_text("\n".join(lines) + "\n", encoding="utf-8")
    say(f"record: {CAST.relative_to(ROOT)}, {len(session.events)} frames, {session.events[-1][0]:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
