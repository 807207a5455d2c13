"""How long until a program on a terminal of its own shows what is waited for: bytes on a pty, nothing in between."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.bench.places import Place

# The smallest application of the same library: what nobody can be faster than.
ONE_WIDGET = """\
from textual.app import App
from textual.widgets import Static

class One(App):
    def compose(self):
        yield Static("first-frame-of-one-widget")

One().run()
"""
SHOWN = b"first-frame-of-one-widget"
PATIENCE = 60.0


class Painted(NamedTuple):
    """Seconds until a text was on the terminal, and of processor time that its program had taken by then."""

    wall: float
    cpu: float


def painted(
    here: Place, command: Sequence[str], text: bytes, until: Callable[[], bool] = lambda: True
) -> Painted:
    """Until a program has painted this text; it is ended afterwards, when it has also come as far as `until`."""
    with _on_terminal(here, command) as (process, master, began):
        (wall,) = _watch(master, began, [text])
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        patience = time.monotonic() + PATIENCE
        while not until() and time.monotonic() < patience:
            time.sleep(0.01)
        return Painted(wall, sum(int(ticks) for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK"))


def until_shown(
    here: Place, command: Sequence[str], *texts: bytes, size: tuple[int, int] = (120, 36)
) -> list[float]:
    """Seconds from the start of a program until each text had been painted; the program is ended afterwards."""
    with _on_terminal(here, command, size) as (_, master, began):
        return _watch(master, began, texts)


@contextlib.contextmanager
def _on_terminal(
    here: Place, command: Sequence[str], size: tuple[int, int] = (120, 36)
) -> Iterator[tuple[subprocess.Popen[bytes], int, float]]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    env = {name: value for name, value in here.env.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
    began = time.perf_counter()
    process = subprocess.Popen(
        list(command),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=here.project,
        env={**env, "TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none"},
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield process, master, began
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(master)


def _watch(master: int, began: float, texts: Sequence[bytes]) -> list[float]:
    raw = b""
    seen: list[float] = []
    for text in texts:
        while text not in raw:
            ready, _, _ = select.select([master], [], [], PATIENCE)
            data = os.read(master, 65536) if ready else b""
            if not data:
                raise RuntimeError(f"{text!r} was never painted; the last was {raw[-400:]!r}")
            raw += data
        seen.append(time.perf_counter() - began)
    return seen
