"""Where the agent keeps its own things: lock, socket, the list of live runs.

All of it is per user, state directory and boot, so that a home directory shared by several machines, or a reboot, never
makes one daemon wait for another's lock. It never touches a run directory.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from typing import Any, NamedTuple, Optional

from tracekit.agent.carry import base_of
from tracekit.agent.digests import blake2b
from tracekit.agent.system import Files, read_range
from tracekit.wire.problems import Problem, ProblemError

MAX_SOCKET_PATH = 100
IDLE = 60.0
# A console that lost its connection at the very end comes back for the last lengths.
REMEMBERED = 30.0
# What may be appended to the socket directory: a run id and a suffix.
_LONGEST_NAME = 32


class Settings(NamedTuple):
    """What a daemon is told when it is started."""

    state: str
    cache: str
    probe: str
    agent: str
    idle: float = IDLE
    #: How long a run that is over is held, seconds.
    remembered: float = REMEMBERED


class Places:
    """The agent's own paths below one state directory."""

    def __init__(self, state: str) -> None:
        self.state = os.path.abspath(state)
        self._all = os.path.join(self.state, "agent")
        self.base = base_of(self.state)
        self._machine = os.path.basename(self.base).partition("-")[0] + "-"
        self.lock = os.path.join(self.base, "lock")
        self.note = os.path.join(self.base, "daemon.json")
        self.live = os.path.join(self.base, "live")
        self.log = os.path.join(self.base, "daemon.log")

    def prepare(self) -> None:
        """Make the directories; raises ProblemError when the state directory cannot be written."""
        try:
            os.makedirs(self.live, mode=0o700, exist_ok=True)
            check_private(self.base)
        except OSError as fault:
            raise ProblemError(unwritable(self.state, fault)) from fault

    def socket_directory(self) -> str:
        """A short directory for sockets: inside the state directory where the path allows, else in a temporary one."""
        inside = os.path.join(self.base, "s")
        if len(os.fsencode(inside)) + 1 + _LONGEST_NAME <= MAX_SOCKET_PATH:
            os.makedirs(inside, mode=0o700, exist_ok=True)
            check_private(inside)
            return inside
        key = blake2b(os.fsencode(self.base), digest_size=6).hexdigest()
        for base in (os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp", "/dev/shm"):  # noqa: S108 - 0700, owner checked
            place = os.path.join(base, f"tracekit-{os.getuid()}-{key}")
            if not base or len(os.fsencode(place)) + 1 + _LONGEST_NAME > MAX_SOCKET_PATH:
                continue
            try:
                os.makedirs(place, mode=0o700, exist_ok=True)
                check_private(place)
            except OSError:
                continue
            return place
        what = "no directory is private and short enough for a unix socket"
        raise ProblemError(
            Problem("agent.no_socket_place", what, inside, "set XDG_RUNTIME_DIR to a short path")
        )

    def read_note(self) -> Optional[dict[str, Any]]:
        """What the running daemon, if any, says of itself: socket, pid, agent hash."""
        found = read_json(self.note)
        if found is not None:
            return found
        # On a full disk there is no note; the sockets are where they always are.
        try:
            sockets = self.socket_directory()
        except (OSError, ProblemError):
            return None
        face = os.path.join(sockets, "d")
        return {"socket": face, "wardens": os.path.join(sockets, "w")} if os.path.exists(face) else None

    def live_runs(self) -> list[dict[str, Any]]:
        """The runs that a daemon of this machine has taken on and not yet closed, before a reboot too."""
        found: dict[str, dict[str, Any]] = {}
        for live in self._lives():
            try:
                names = sorted(name for name in os.listdir(live) if name.endswith(".json"))
            except OSError:
                continue
            for name in names:
                entry = read_json(os.path.join(live, name))
                if entry is not None:
                    found[name] = entry if live == self.live else {**entry, "rebooted": True}
        return list(found.values())

    def _lives(self) -> list[str]:
        """Where live runs are noted: by us, and by daemons of earlier boots."""
        try:
            names = sorted(name for name in os.listdir(self._all) if name.startswith(self._machine))
        except OSError:
            return []
        return [os.path.join(self._all, name, "live") for name in names]

    def note_live(self, files: Files, run: str, entry: dict[str, Any]) -> None:
        files.put(os.path.join(self.live, f"{run}.json"), json.dumps(entry).encode())

    def forget_live(self, run: str) -> None:
        for live in self._lives():
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(live, f"{run}.json"))
            if live != self.live:
                with contextlib.suppress(OSError):
                    os.rmdir(live)


def check_private(path: str) -> None:
    """Raise OSError unless a directory is ours alone."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(1, "not a directory of this user", path)
    if found.st_mode & 0o077:
        os.chmod(path, 0o700)


def told_name(pid: int, started: int) -> str:
    """The file in which the agent says why it ended a test's process, so that nobody takes it for a crash."""
    return f"ended.{pid}.{started}"


def read_json(path: str) -> Optional[dict[str, Any]]:
    """Read a small JSON object; None when there is none or it is damaged."""
    try:
        obj = json.loads(read_range(path, 0, 1 << 22))
    except (OSError, ValueError):
        return None
    return obj if isinstance(obj, dict) else None


def unwritable(path: str, fault: OSError) -> Problem:
    """The problem of a directory in which nothing can be written."""
    return Problem(
        "agent.state_unwritable",
        f"cannot write there: {fault.strerror or fault}",
        # What a fault names is what is full or closed, whatever was meant to be made.
        str(fault.filename or path),
        "free space there or make it writable, or set XDG_STATE_HOME to another directory",
    )
