"""From any login shell to a running agent in one exec, sans-I/O: bytes of the box in, bytes for the box out.

The command finds a Python, hands it a few lines, and these run the agent's zip from the box's cache or ask for it. A
shell may print what it likes before our markers. Nothing is installed, and no newline, `!` or backslash stands in the
command, so that sh, bash, zsh, fish and csh all read it alike.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from importlib import resources

from tracekit.agent.boot import NEED, NEED_LIBRARY, NO_PLACE
from tracekit.agent.carry import MARKER
from tracekit.agent.client import MAX_NOISE
from tracekit.link.zipped import Carried
from tracekit.wire.problems import Problem, ProblemError

NO_PYTHON = b"tracekit-no-python/1"
PYTHONS = "python3.13 python3.12 python3.11 python3.10 python3.9 python3"
# Read by whatever Python there is, however old.
_LOADER = (
    "import sys;sys.version_info<(3,9) and sys.exit(85);"
    "import zlib,binascii;exec(zlib.decompress(binascii.a2b_base64(sys.argv[1])))"
)
_SHOWN = 2000


def command(carried: Carried, early: bytes = b"") -> str:
    """What the box's login shell is asked to run; `early` is said to the agent before its first word is heard."""
    source = resources.files("tracekit.agent").joinpath("boot.py").read_bytes()
    blob = base64.b64encode(zlib.compress(source, 9)).decode("ascii")
    digest = hashlib.blake2b(carried.archive.read_bytes()).hexdigest()
    # One start of Python and not another to ask for its version: one that is too old says so by its exit code, and
    # one that is not there, only a name for what is not installed, or of another age by other codes.
    said = f" early:{base64.b64encode(early).decode('ascii')}" if early else ""
    find = (
        f'for p in "$TRACEKIT_PYTHON" {PYTHONS}; do if [ -n "$p" ] && command -v "$p" >/dev/null 2>&1; then '
        f'"$p" -I -S -c "{_LOADER}" {blob} arrive {carried.archive.stem} {digest} {carried.offered}{said} '
        "2>/dev/null; r=$?; "
        "case $r in 2|85|126|127) ;; *) exit $r;; esac; fi; done; "
        f"echo {NO_PYTHON.decode()}; exit 86"
    )
    return f"sh -c '{find}'"


class Arrival:
    """The box's first words: noise, then a marker that says whether the agent runs, is wanted, or cannot be."""

    def __init__(self, carried: Carried, where: str) -> None:
        # In the order in which a box asks for them and reads them.
        self._asked = {NEED_LIBRARY: carried.library, NEED: carried.archive}
        self._where = where
        self._heard = b""
        self.ready = False

    @property
    def heard(self) -> bytes:
        """Everything from the agent's own marker on, noise before it included: the client tells them apart."""
        return self._heard

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the box; gives what is to be sent. Raises ProblemError when there will be no agent."""
        if not data:
            raise ProblemError(self._ended())
        self._heard += data
        if MARKER in self._heard:
            self.ready = True
            return b""
        if NO_PYTHON in self._heard:
            raise ProblemError(
                Problem(
                    "box.no_python",
                    "the box has no Python 3.9 or newer",
                    self._where,
                    f"install python3 there, or set TRACEKIT_PYTHON in its shell start-up; looked for {PYTHONS}",
                )
            )
        if NO_PLACE in self._heard:
            raise ProblemError(
                Problem(
                    "box.no_place",
                    "no directory on the box takes the agent: none is writable, private and has room",
                    self._where,
                    "free space in the home directory there, or set XDG_CACHE_HOME to a directory of that user",
                )
            )
        reply = b"".join(self._given(marker) for marker in tuple(self._asked) if marker in self._heard)
        if reply:
            return reply
        if len(self._heard) > MAX_NOISE:
            raise ProblemError(self._noise())
        return b""

    def _given(self, marker: bytes) -> bytes:
        """What a marker asks for, once."""
        self._heard = self._heard.replace(marker, b"", 1)
        path = self._asked.pop(marker)
        data = path.read_bytes() if path is not None else b""
        return len(data).to_bytes(8, "big") + data

    def _ended(self) -> Problem:
        said = self._heard.decode("utf-8", "replace").strip()[-_SHOWN:]
        what = "the box's shell ended before the agent began" + (f"; it said: {said}" if said else "")
        action = "log in there by hand: `sh -c true` must work and the shell's start-up files must not exit"
        return Problem("box.no_agent", what, self._where, action)

    def _noise(self) -> Problem:
        shown = self._heard[:_SHOWN].decode("utf-8", "replace")
        return Problem(
            "box.noise",
            f"the box's shell printed more than {MAX_NOISE // 1024} KiB before the agent began: {shown}",
            self._where,
            "make its start-up files quiet when there is no terminal",
        )
