"""A shell or a program on a box, for a person: one more connection for as long as it is open, apart from the agent's.

It carries bytes and sizes of a terminal both ways. What stands on the screen is the box's own; nothing is recorded.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import asyncssh

from tracekit.link.ssh import SshLink
from tracekit.wire.problems import Problem, ProblemError

LOST = 255
_NONE: Mapping[str, str] = MappingProxyType({})
# Where variables come through, how its place is told, and how long that may take.
_PIPE, _MARK, _ROOM_WITHIN = "given", "tracekit-room:", 10.0
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
#: As shells say that they do not find what is to be run.
NOT_FOUND = 127


def command(directory: str, variables: Mapping[str, str], program: Sequence[str] = (), room: str = "") -> str:
    """What the login shell there is asked to run, and where: a program, or the person's own shell; with variables.

    In a `room` there is a pipe through which more of them come, which nobody else is to read.
    """
    given = " ".join(shlex.quote(f"{name}={value}") for name, value in variables.items())
    missing = "echo the directory is not there any more"
    # A shell is of use anywhere.
    missing = f"{{ {missing}; exit {NOT_FOUND}; }}" if program else missing
    place = f"cd {shlex.quote(directory)} || {missing}; " if directory else ""
    own = '"${SHELL:-/bin/sh}"' + (" -i" if sys.stdin.isatty() else "")
    more = f'IFS= read -r given <{shlex.quote(f"{room}/{_PIPE}")} && eval "$({_unpacked("$given")})"; unset given; '
    inner = f"{place}{more if room else ''}exec env {given} {shlex.join(program) or own}"
    # Shells differ in what they make of a backslash, a `!` or a new line between quotes: none of them sees any.
    return _packed(inner)


def _packed(script: str) -> str:
    return f"exec sh -c 'eval \"$({_unpacked(_encoded(script))})\"'"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")


def _unpacked(packed: str) -> str:
    return f"printf %s {packed} | {{ base64 -d 2>/dev/null || openssl base64 -d -A; }}"


# Made by a session of its own, whose input nobody sees: no command holds what it says, and no disk. The pipe is held
# open at both ends, so that it waits for its reader, and is gone as soon as this session is.
_ROOM = (
    f'umask 077; d=$(mktemp -d) && mkfifo "$d/{_PIPE}" && exec 3<>"$d/{_PIPE}" && echo "{_MARK}$d" && cat >&3; '
    'rm -rf "$d"'
)


@contextlib.asynccontextmanager
async def _told(connection: asyncssh.SSHClientConnection, secret: Mapping[str, str]) -> AsyncIterator[str]:
    """The room on the box where variables wait that are nobody else's; empty where there can be none."""
    exports = "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in secret.items() if _VARIABLE.match(name)
    )
    if not exports:
        yield ""
        return
    room = ""
    try:
        process = await connection.create_process(_packed(_ROOM), encoding=None, stderr=asyncssh.DEVNULL)
    except (asyncssh.Error, OSError):
        yield room
        return
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ROOM_WITHIN):
                while line := await process.stdout.readline():
                    # A shell's start-up files may talk before.
                    _, mark, place = line.partition(_MARK.encode())
                    if mark:
                        room = place.decode("utf-8", "surrogateescape").strip()
                        break
        if room:
            process.stdin.write(_encoded(exports).encode("ascii") + b"\n")
        yield room
    finally:
        with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
            process.stdin.write_eof()
            async with asyncio.timeout(_ROOM_WITHIN):
                await process.wait_closed()


async def shell(link: SshLink, line: Callable[[str], str], secret: Mapping[str, str] = _NONE) -> int:
    """Be a terminal on the box until what runs there ends; gives its exit code. Raises ProblemError.

    `line` makes what is run, of the room where the variables of `secret` wait for it; of "" where there is none.
    """
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    async with link.connected() as connection, _told(connection, secret) as room:
        try:
            process = await connection.create_process(
                line(room),
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
