"""What a host tells: one spool of lines, and beside it the bytes that its tests printed, in the probe's own form.

A disk that is full gives lines what was set aside for them, then holds them back; it costs output, which is counted. It
decides nothing and reads nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Any

from tracekit.agent.spoolfile import SpoolWriter
from tracekit.agent.system import RESERVE, System
from tracekit.wire.names import E


class Teller:
    """The lines of one role of this process."""

    def __init__(self, system: System, directory: str, role: str) -> None:
        pid = os.getpid()
        base = os.path.join(directory, f"{role}-{pid}-{system.processes.started(pid)}")
        self.role = role
        self._system = system
        self._lines = SpoolWriter(system, base + ".ndjson")
        self._cap = base + ".cap"
        self._descriptor = -1
        self._kept = 0
        self._lost = 0
        self._why = ""
        self._reserve = os.path.join(directory, RESERVE)
        self._full = False

    def line(self, event: str, **fields: Any) -> None:
        """Write one line, now."""
        self._lines.add({"e": event, **fields})
        if self._lines.waiting and not self._full:
            self._full = True
            # Another process of the run may have been first, and there may be room for both.
            with contextlib.suppress(OSError):
                os.unlink(self._reserve)
            self._lines.flush()

    def output(self, stream: str, whose: dict[str, Any], data: bytes, attribution: str = "exact") -> None:
        """Keep bytes that somebody printed, and tell whose they are."""
        files = self._system.files
        if self._full:
            # What is left of the room is for lines.
            self._lost += len(data)
            self._why = os.strerror(errno.ENOSPC)
            return
        try:
            if self._descriptor < 0:
                self._descriptor = files.open(self._cap, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            files.write_all(self._descriptor, data)
        except OSError as fault:
            self._lost += len(data)
            self._why = fault.strerror or str(fault)
            if self._descriptor >= 0:
                self._kept = os.fstat(self._descriptor).st_size
            return
        offset, self._kept = self._kept, self._kept + len(data)
        self.line(E.OUTPUT, stream=stream, **whose, cap=offset, length=len(data), attribution=attribution)

    def settle(self) -> None:
        """Tell what the disk had no room for."""
        if self._lost:
            self.line(E.GAP, what="output", count=self._lost, bytes=self._lost, why=self._why)
            self._lost = 0
