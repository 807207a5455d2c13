"""Follows one process of a runner: what it prints, and the lines that a reporter inside it writes into a file.

Its output goes to files without a name, whose size says what had been printed when. It starts the process and sees to
its end; it knows no test.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from tracekit.agent.hosts.crew import CHUNK, KEPT, End
from tracekit.agent.paths import read_json, told_name
from tracekit.agent.reports.cases import Lines, ReportError, parsed
from tracekit.agent.system import System

_STREAMS = ("stdout", "stderr")
# A line of a reporter of ours is never longer: what is, somebody else wrote.
_NOTHING: list[str] = []


class Faces(NamedTuple):
    """Who is told: of bytes, of a reporter's lines, and of lines of a report that is not ours."""

    heard: Callable[[Followed, str, bytes], None]
    told: Callable[[Followed, dict[str, Any]], None]
    line: Optional[Callable[[Followed, str], None]] = None


class Followed:
    """One process, from its start to its end. `name` is its own among all that this run ever starts."""

    def __init__(self, system: System, spool: str, name: str, faces: Faces) -> None:
        self._system = system
        self._spool = spool
        self._faces = faces
        self.report = os.path.join(spool, f"{name}.report")
        self._files = [self._file(f"{name}.{stream}") for stream in (1, 2)]
        self._at = [0, 0]
        self._tails = [b"", b""]
        self._lines = Lines()
        self._read = 0
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._started = 0
        self.pid = 0
        #: Whether lines say how much had been printed.
        self.exact = False
        #: Whether the reporter said its last word.
        self.concluded = False
        self.notes: list[tuple[str, str]] = []
        self.ended: Optional[End] = None
        #: Why the agent ended it, where it did.
        self.note: Optional[dict[str, Any]] = None

    def start(self, command: Sequence[str], cwd: str, more: Mapping[str, str]) -> None:
        """Start it. Raises OSError."""
        try:
            self._process = subprocess.Popen(
                list(command),
                cwd=cwd,
                env={**os.environ, **more},
                stdin=subprocess.DEVNULL,
                stdout=self._files[0],
                stderr=self._files[1],
                start_new_session=True,
            )
        except OSError:
            self._shut()
            raise
        self.pid = self._process.pid
        self._started = self._system.processes.started(self.pid)

    def stop(self) -> None:
        """Ask it to end."""
        if self._process is not None and self.ended is None:
            self._system.processes.signal_group(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        if self._process is not None and self.ended is None:
            self._system.processes.signal_group(self.pid, signal.SIGKILL)

    def step(self) -> bool:
        """Tell what is new; gives whether it has ended, which it then has with all that it said."""
        process = self._process
        if process is None or self.ended is not None:
            return True
        gone = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        self._look()
        if not gone:
            return False
        # While it is not yet reaped its number names this group for certain.
        self._system.processes.signal_group(self.pid, signal.SIGKILL)
        code = process.wait()
        self._look()
        for line in self._lines.close():
            self._tell(line)
        self.note = read_json(os.path.join(self._spool, told_name(self.pid, self._started)))
        self.ended = End(None if code < 0 else code, -code if code < 0 else None, *self._tails)
        self._shut()
        return True

    def until(self, sizes: Sequence[int]) -> None:
        """Tell what was printed up to there."""
        for stream, (file, size) in enumerate(zip(self._files, sizes)):
            while self._at[stream] < size:
                data = os.pread(file, min(CHUNK, size - self._at[stream]), self._at[stream])
                if not data:
                    break
                self._at[stream] += len(data)
                self._tails[stream] = (self._tails[stream] + data)[-KEPT:]
                self._faces.heard(self, _STREAMS[stream], data)

    def drain(self) -> None:
        """Tell all that was printed so far."""
        self.until([os.fstat(file).st_size for file in self._files])

    # -- reading

    def _look(self) -> None:
        # First how much there is: whatever a line says of less than that is written by now.
        sizes = [os.fstat(file).st_size for file in self._files]
        for line in self._more():
            self._tell(line)
        self.until(sizes)

    def _more(self) -> list[str]:
        found: list[str] = []
        try:
            with open(self.report, "rb") as file:
                file.seek(self._read)
                while data := file.read(CHUNK):
                    self._read += len(data)
                    found += self._lines.feed(data)
        except FileNotFoundError:
            return _NOTHING
        except ReportError:
            self._lines = Lines()
        return found

    def _tell(self, text: str) -> None:
        if self._faces.line is not None:
            self._faces.line(self, text)
            return
        line = parsed(text)
        if line is not None:
            self._faces.told(self, line)

    def _file(self, name: str) -> int:
        path = os.path.join(self._spool, name)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.unlink(path)
        return file

    def _shut(self) -> None:
        for file in self._files:
            os.close(file)
        self._files = []
