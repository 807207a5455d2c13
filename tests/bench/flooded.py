"""A console over a run that is flooded: `flooded PLACE RATE`. The trace is written by others, the journal here.

The journal grows on a thread of its own and is folded there, slice by slice, as the engine does it.
"""

from __future__ import annotations

import sys
import threading
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tests.support.consoles import FakeEngine
from tests.support.journal import Journal
from tracekit.engine.requests import Replay
from tracekit.engine.view import RunView
from tracekit.ui.app import ConsoleApp, run
from tracekit.ui.ports import Ports
from tracekit.wire.lines import encode
from tracekit.wire.names import JOURNAL_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

TURN = 0.01
SCENARIOS = 40


def lines() -> Iterator[bytes]:
    """A run without an end: tests begin, print and end, again and again."""
    journal = Journal()
    journal.start()
    ids = [journal.found("test_flood.py", f"test_{number:02}") for number in range(SCENARIOS)]
    attempt = 0
    while True:
        attempt += 1
        for scenario in ids:
            journal.begin(scenario, attempt)
            journal.prints("one line of many\n", scenario, attempt=attempt)
            journal.end(scenario, attempt=attempt)
            yield from map(encode, journal.lines)
            journal.lines.clear()
            journal.output.clear()


def feed(view: RunView, place: Path, rate: int) -> None:
    """So many lines a second, onto the disk and into the fold."""
    told, began, written = lines(), time.monotonic(), 0
    with (place / JOURNAL_FILE).open("ab") as file:
        while True:
            due = int((time.monotonic() - began) * rate) - written
            if due > 0:
                data = b"".join(islice(told, due))
                file.write(data)
                file.flush()
                view.feed(data)
                written += due
            time.sleep(TURN)


def main(place: Path, rate: int) -> int:
    """The console, until it is left."""
    view = RunView(Journal().run, Journal().root, place, link="attached")
    view.feed(b"".join(islice(lines(), SCENARIOS + 1)))
    threading.Thread(target=feed, args=(view, place, rate), daemon=True).start()
    engine = FakeEngine(replay=cast("Any", view))
    return run(ConsoleApp(Ports(engine), Replay(view.run_id), root=view.root))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
