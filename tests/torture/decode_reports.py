"""P4 for the readers of reports: what any tool wrote, mutated and in pieces, is told or refused, never raised.

The corpus is the golden samples of `tests/fixtures/reports`, and a journal of the kind that a runner prints.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

from tracekit.agent.hosts.journal import JournalReader
from tracekit.agent.reports.cases import ReportError
from tracekit.agent.reports.readers import FORMATS, guessed, reader

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = Path(__file__).resolve().parents[1] / "fixtures" / "reports"
#: A sample is cut to this: what is torn in a small one is torn as in a big one, and a hundred times as often.
_SMALL = 6_000
_JOURNAL = b"""{"e":"scenario.found","scenario":"a","path":["a"],"file":"f","line":1}
{"e":"attempt.started","scenario":"a"}
{"e":"output","scenario":"a","text":"x\\n","stream":"stderr"}
{"e":"failure","scenario":"a","chain":[{"type":"E","message":"m"}],"text":"t"}
{"e":"attempt.ended","scenario":"a","verdict":"failed","d":5}
"""


def corpus(form: str) -> list[bytes]:
    """Good reports of a format."""
    if form == "journal":
        return [_JOURNAL]
    found = [path.read_bytes() for path in sorted(SAMPLES.glob(f"{form}-*"))]
    return [data[:_SMALL] for data in found]


def decode_report(form: str, chance: random.Random) -> Callable[[bytes], None]:
    """Feeds a new reader in pieces, as a file is read while it is written."""

    def decode(data: bytes) -> None:
        guessed(data)
        reading = JournalReader() if form == "journal" else reader(form)
        cut = chance.randrange(len(data) + 1)
        try:
            for piece in (data[:cut], data[cut:]):
                reading.feed(piece)
            reading.close()
        except ReportError:
            return

    return decode


def formats() -> tuple[str, ...]:
    """Every format that a runner or an import reads."""
    return (*FORMATS, "journal")
