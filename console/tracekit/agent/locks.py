"""Named locks between the runs of one user on one box: a suite holds its locks from its first launch to its last.

A lock is the kernel's, on an open file of the run's supervisor: whatever ends that process gives the lock back. It is
all of a suite's locks or none, so that two runs never wait for each other. It never waits itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterable
from typing import Any

from tracekit.agent.digests import blake2b
from tracekit.agent.paths import check_private, read_json
from tracekit.agent.system import System
from tracekit.wire.lines import encode
from tracekit.wire.names import E

LOCKS_DIR = "locks"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Locks:
    """What one run holds."""

    def __init__(self, system: System, directory: str, run: str) -> None:
        self._system = system
        self._directory = directory
        self._run = run
        self._held: dict[str, int] = {}

    def take(self, names: Iterable[str]) -> tuple[str, str]:
        """Hold exactly these locks; gives the first that another run holds, and that run, or two empty texts.

        Raises OSError where no lock can be made at all.
        """
        wanted = sorted(set(names))
        if wanted == sorted(self._held):
            return "", ""
        # Nothing is held while something is waited for.
        self.release()
        if wanted:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            check_private(self._directory)
        for name in wanted:
            path = os.path.join(self._directory, _file(name))
            descriptor = self._system.files.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                self.release()
                return name, str((read_json(path) or {}).get("run", ""))
            self._held[name] = descriptor
            with contextlib.suppress(OSError):  # who holds it is for people; the lock is the kernel's
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, encode({"run": self._run, "pid": os.getpid()}), 0)
        return "", ""

    def release(self) -> None:
        """Give everything back."""
        for descriptor in self._held.values():
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._held.clear()


def waits(launch: str, suite: str, lock: str, holder: str) -> dict[str, Any]:
    """The line that says so."""
    by = f"held by run {holder}" if holder else "held by another run"
    facts = {"phase": "lock", "id": launch, "suite": suite, "lock": lock, "holder": holder}
    return {"e": E.PHASE_STARTED, **facts, "message": f"waits for lock {lock}, {by}"}


def _file(name: str) -> str:
    plain = _PLAIN.fullmatch(name) is not None
    return name if plain else blake2b(name.encode("utf-8", "replace"), digest_size=16).hexdigest()
