"""The bridge to this machine's agent: a process of ours and its two pipes.

It loads nothing of the engine, so that a command can start it first and load the rest of itself beside it. The bridge
gets a session of its own: a ctrl-c in the terminal reaches the console and nobody else.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from tracekit.agent.boot import WAITS
from tracekit.link.zipped import agent_zip, built_before
from tracekit.wire.problems import Problem, ProblemError


class Bridge:
    """A bridge that has been started; raises ProblemError when this interpreter cannot be started."""

    def __init__(
        self, state: Path, cache: Path, *, idle: float | None = None, waits: Path | None = None
    ) -> None:
        """With an agent that `waits` it does nothing before it is told that it is needed."""
        archive = waits or agent_zip(cache)
        #: Which agent it is of, by its hash.
        self.agent = archive.stem
        #: What was said to it and has not found room in its pipe yet: it stands before everything else.
        self.unsaid = b""
        command = [sys.executable, "-I", "-S", str(archive), "bridge", "--state", str(state)]
        if idle is not None:
            command += ["--idle", str(idle)]
        if waits is not None:
            command.append(WAITS)
        # Pipes of our own: the process's are files, which nobody closes behind a reader's back.
        asked, self.target = os.pipe()
        self.source, told = os.pipe()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=asked,
                stdout=told,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                # The daemon outlives this project directory, so it must not be the working directory of it.
                cwd="/",
                env={**os.environ, "XDG_CACHE_HOME": str(cache.parent)},
            )
        except OSError as fault:
            self._close_pipes()
            raise ProblemError(
                Problem(
                    "link.no_bridge",
                    f"the agent cannot be started: {fault.strerror or fault}",
                    sys.executable,
                    "`tracekit doctor` checks this installation",
                )
            ) from fault
        finally:
            os.close(asked)
            os.close(told)
        os.set_blocking(self.source, False)
        os.set_blocking(self.target, False)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @classmethod
    def waiting(cls, state: Path, cache: Path, *, idle: float | None = None) -> Bridge | None:
        """One that loads and waits to be `needed`; None where no start of this installation has built its agent."""
        built = built_before(cache)
        return cls(state, cache, idle=idle, waits=built) if built is not None else None

    def needed(self) -> None:
        """Let one that waits go on."""
        # One that is gone already is found out, and begun again, by whoever listens to it.
        with contextlib.suppress(OSError):
            os.write(self.target, b"\n")

    def say(self, data: bytes) -> None:
        """Say something to the agent before there is a session, as far as the pipe takes it now."""
        sent = 0
        with contextlib.suppress(OSError):
            sent = os.write(self.target, data)
        self.unsaid = data[sent:]

    def drop(self) -> None:
        """It is not needed: one that waits ends by itself."""
        self._close_pipes()

    def close(self, patience: float = 2.0) -> None:
        """Let go of the pipes, upon which the bridge ends; the agent and its runs go on."""
        self._close_pipes()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _close_pipes(self) -> None:
        for number in (self.source, self.target):
            with contextlib.suppress(OSError):
                os.close(number)
