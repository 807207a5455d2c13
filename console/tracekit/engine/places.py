"""Where this console keeps things, and the seams that tests own: clock, randomness, environment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from tracekit.wire.ids import new_ulid


@dataclass(frozen=True)
class Places:
    """Directories and seams of one console."""

    state: Path
    cache: Path
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    now_ns: Callable[[], int] = time.time_ns
    monotonic: Callable[[], float] = time.monotonic
    randomness: Callable[[int], bytes] = os.urandom
    agent_idle: float | None = None

    def new_id(self) -> str:
        """A new run id."""
        return new_ulid(self.now_ns() // 1_000_000, self.randomness(10))

    def today(self) -> date:
        """The day, the same on every machine."""
        return datetime.fromtimestamp(self.now_ns() / 1e9, UTC).date()

    def console_name(self) -> str:
        """A new name for this console among those that talk to an agent."""
        return self.nonce()[:12]

    def nonce(self) -> str:
        """A token that nobody can guess; every process of a run carries it."""
        return self.randomness(16).hex()
