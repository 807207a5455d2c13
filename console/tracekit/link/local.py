"""The link to this machine's agent: a bridge process and its two pipes.

It differs from a remote link only in how the pipes are opened. The bridge gets a session of its own, so that a
ctrl-c in the terminal reaches the console and nobody else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import anyio

from tracekit.link.pipes import ProcessPipes
from tracekit.link.zipped import agent_zip
from tracekit.wire.problems import Problem, ProblemError


class LocalLink:
    """Opens bridges to the agent of one state directory on this machine."""

    def __init__(self, state: Path, cache: Path, *, idle: float | None = None) -> None:
        self._state = state
        self._cache = cache
        self._idle = idle

    async def open(self) -> ProcessPipes:
        """Start a bridge; raises ProblemError when this interpreter cannot be started."""
        command = [
            sys.executable,
            "-I",
            "-S",
            str(agent_zip(self._cache)),
            "bridge",
            "--state",
            str(self._state),
        ]
        if self._idle is not None:
            command += ["--idle", str(self._idle)]
        # The daemon outlives this project directory, so it must not be the working directory of it.
        environ = {**os.environ, "XDG_CACHE_HOME": str(self._cache.parent)}
        try:
            return ProcessPipes(
                await anyio.open_process(
                    command, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/", env=environ
                )
            )
        except OSError as fault:
            raise ProblemError(
                Problem(
                    "link.no_bridge",
                    f"the agent cannot be started: {fault.strerror or fault}",
                    sys.executable,
                    "`tracekit doctor` checks this installation",
                )
            ) from fault
