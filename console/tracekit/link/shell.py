"""A shell or a program on a box, for a person: one more connection for as long as it is open, apart from the agent's.

It carries bytes and sizes of a terminal both ways. What stands on the screen is the box's own; nothing is recorded.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence

import asyncssh

from tracekit.link.ssh import SshLink
from tracekit.wire.problems import Problem, ProblemError

LOST = 255
#: As shells say that they do not find what is to be run.
NOT_FOUND = 127


def command(directory: str, variables: Mapping[str, str], program: Sequence[str] = ()) -> str:
    """What the login shell there is asked to run, and where: a program, or the person's own shell; with variables."""
    given = " ".join(shlex.quote(f"{name}={value}") for name, value in variables.items())
    missing = "echo the directory is not there any more"
    # A shell is of use anywhere.
    missing = f"{{ {missing}; exit {NOT_FOUND}; }}" if program else missing
    place = f"cd {shlex.quote(directory)} || {missing}; " if directory else ""
    own = '"${SHELL:-/bin/sh}"' + (" -i" if sys.stdin.isatty() else "")
    inner = f"{place}exec env {given} {shlex.join(program) or own}"
    # Shells differ in what they make of a backslash, a `!` or a new line between quotes: none of them sees any.
    packed = base64.b64encode(inner.encode("utf-8", "surrogateescape")).decode("ascii")
    unpack = f"printf %s {packed} | {{ base64 -d 2>/dev/null || openssl base64 -d -A; }}"
    return f"exec sh -c 'eval \"$({unpack})\"'"


async def shell(link: SshLink, line: str) -> int:
    """Be a terminal on the box until what runs there ends; gives its exit code. Raises ProblemError."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    async with link.connected() as connection:
        try:
            process = await connection.create_process(
                line,
                encoding=None,
                # The library closes what it is given.
                stdin=os.fdopen(os.dup(0), "rb", buffering=0),
                stdout=os.fdopen(os.dup(1), "wb", buffering=0),
                stderr=os.fdopen(os.dup(2), "wb", buffering=0),
                term_type=os.environ.get("TERM", "xterm") if terminal else None,
                term_size=_size() if terminal else (80, 24),
            )
        except (asyncssh.Error, OSError) as fault:
            what = f"the box opens no shell: {fault}"
            raise ProblemError(
                Problem("ssh.no_session", what, str(link.address), "MaxSessions of its sshd may be too small")
            ) from fault
        with _raw(terminal):
            if terminal:
                loop = asyncio.get_running_loop()
                loop.add_signal_handler(signal.SIGWINCH, lambda: process.change_terminal_size(*_size()))
            done = await process.wait(check=False)
        # A session without an exit status was lost, and says nothing of its command.
        return done.returncode if done.returncode is not None else LOST


def _size() -> tuple[int, int]:
    found = os.get_terminal_size(sys.stdout.fileno())
    return found.columns, found.lines


@contextlib.contextmanager
def _raw(terminal: bool) -> Iterator[None]:
    if not terminal:
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin.fileno())
    try:
        tty.setraw(sys.stdin.fileno())
        yield
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
