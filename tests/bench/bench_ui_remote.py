"""ui-remote: the console at the far end of ssh over a line of 100 ms, in the flood of ui-flood.

A real server, a real client on a pty, and between them a line whose bytes are counted, both ways and with all that
encryption adds. Keys are typed as fast as a person reads; each takes a round trip however quick the console is.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.bench_ui_flood import EVENTS, JOURNAL_LINES, ninety_five
from tests.bench.delay import Passed, delayed
from tests.bench.figures import Figure, median
from tests.bench.flooded import PATIENCE, TUI, Flooded, Watched, begin, environment, flood_place
from tests.bench.places import PYTHON
from tests.support import sshd
from tests.support.terminal import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUND_TRIP = 0.1
KEYS, PAUSE = 100, 0.3
LIMIT_KIB, LIMIT_MS = 32.0, 1000 * ROUND_TRIP + 100
#: Seconds of the flood without a key; of silence behind its end, in which the last words of the footer go; of nothing.
WATCHED, SETTLED, STILL = 10.0, 8.0, 10.0
MOST = 240.0
#: A command of the machine in the place of Python, on a terminal of the tests.
BECOME = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"


def measure(
    keys: int = KEYS, events: int = EVENTS, lines: int = JOURNAL_LINES, watched_for: float = WATCHED
) -> list[Figure]:
    """The flood watched, then typed in, then over."""
    passed = Passed()
    with far_flood(events, lines, passed) as flood:
        before = passed.count
        flood.terminal.rest(watched_for)
        watched = (passed.count - before) / watched_for
        before = passed.count
        typed = flood.type(keys, PAUSE)
        busy = (passed.count - before) / typed.seconds
        flood.end()
        _settled(flood, passed)
        before = passed.count
        flood.terminal.rest(STILL)
        still = (passed.count - before) / STILL
    return [
        Figure("key-p95", ninety_five(typed.whole), "ms", 1000 * ROUND_TRIP, LIMIT_MS),
        Figure("key-median", median(typed.whole), "ms", 1000 * ROUND_TRIP),
        Figure("emulator-p95", ninety_five(typed.emulator), "ms"),
        Figure("screen-had-no-processor-p95", ninety_five(typed.screen_waited), "ms"),
        Figure("line-watched", watched / 1024, "KiB/s", None, LIMIT_KIB),
        Figure("line-typed", busy / 1024, "KiB/s", None, LIMIT_KIB),
        Figure("line-still", still, "B/s", None, 0),
        Figure("keys", len(typed.whole), "keys"),
    ]


def _settled(flood: Flooded, passed: Passed) -> None:
    """Wait until everything that the run left is on the screen."""
    end, before, since = time.monotonic() + PATIENCE, passed.count, time.monotonic()
    while time.monotonic() - since < SETTLED:
        flood.terminal.rest(0.5)
        if passed.count != before:
            before, since = passed.count, time.monotonic()
        if time.monotonic() > end:
            return  # what still changes is measured


@contextlib.contextmanager
def far_flood(events: int, lines: int, passed: Passed) -> Iterator[Flooded]:
    """A console over there, over a run that is flooded there; on the terminal here is the client."""
    with (
        tempfile.TemporaryDirectory(prefix="tracekit-far-") as name,
        flood_place(events=events, lines=lines, most=MOST) as (here, project),
        sshd.box(Path(name) / "box", settings="PermitRootLogin yes", terminals=os.geteuid() == 0) as box,
        delayed(box.port, ROUND_TRIP, passed) as port,
    ):
        known = Path(name) / "known_hosts"
        known.write_text(box.known_host.replace(f":{box.port} ", f":{port} "), encoding="utf-8")
        told = {
            **{
                key: value
                for key, value in environment(here).items()
                if key.startswith(("XDG_", "TRACEKIT_"))
            },
            "VIRTUAL_ENV": str(here.env["VIRTUAL_ENV"]),
            "HOME": str(here.base),
            "LANG": "C.UTF-8",
            "COLORTERM": "truecolor",
            "PATH": os.environ["PATH"],
        }
        words = ["exec", "env", *(f"{key}={value}" for key, value in told.items())]
        words += [str(PYTHON), "-c", TUI, str(project.root)]
        noted = here.base / "pid"
        there = f"cd {shlex.quote(str(ROOT))} && echo $$ > {shlex.quote(str(noted))} && " + " ".join(
            word if word == "exec" else shlex.quote(word) for word in words
        )
        login = ["ssh", "-tt", "-F", "none", "-p", str(port), "-i", f"{box.client_home}/.ssh/id_ed25519"]
        login += ["-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]
        terminal = Watched(["-c", BECOME, *login, f"{getpass.getuser()}@127.0.0.1", there])
        try:
            begin(terminal)
            yield Flooded(here, project, terminal, int(noted.read_text(encoding="ascii")))
        finally:
            project.stop()
            terminal.close()
