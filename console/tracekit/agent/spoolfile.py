"""A spool that one of our own processes appends to: lines are counted without gaps and written whole or not yet.

A disk that is full holds lines back in memory until it has room. It never raises into what its owner does.
"""

from __future__ import annotations

import os
from typing import Any

from tracekit.agent.system import System
from tracekit.wire.lines import encode


class SpoolWriter:
    """The lines of one process."""

    def __init__(self, system: System, path: str) -> None:
        self._system = system
        self._path = path
        self._descriptor = -1
        self._n = 0
        self._waiting: list[bytes] = []

    @property
    def waiting(self) -> bool:
        """Whether the disk has refused lines."""
        return bool(self._waiting)

    def add(self, line: dict[str, Any]) -> None:
        """Append a line, now if the disk allows it."""
        clock = self._system.clock
        self._n += 1
        self._waiting.append(encode({"n": self._n, "t": clock.wall(), "m": clock.mono(), **line}))
        self.flush()

    def flush(self) -> None:
        """Write what was held back."""
        if not self._waiting:
            return
        files = self._system.files
        try:
            if self._descriptor < 0:
                self._descriptor = files.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            size = os.fstat(self._descriptor).st_size
            try:
                files.write_all(self._descriptor, b"".join(self._waiting))
            except OSError:
                files.truncate(self._descriptor, size)
                raise
        except OSError:
            return
        self._waiting.clear()
