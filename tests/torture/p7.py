"""P7: no slope over a day: 24 hours of a link by a clock of ours, and 15 real minutes of agent and link.

What is counted is flat in the last half: of the protocol's two ends what they hold, of a real console and a real agent
over SSH their descriptors, threads, tasks and memory. A count is taken where everything is at rest.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.torture.p7_day import a_day
from tests.torture.p7_link import minutes
from tests.torture.registry import Outcome


def main(scale: float) -> Outcome:
    """The day, then the minutes."""
    outcome = Outcome()
    a_day(outcome, scale)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as base:
        minutes(Path(base), outcome, scale)
    return outcome
