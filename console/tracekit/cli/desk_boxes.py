"""The screen's port to other machines: which there are, how they are, and a shell on one of them.

What a login asks goes to the screen's own questions. Everything here waits, and is called from threads that may.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tracekit.cli import once
from tracekit.wire.problems import Problem

if TYPE_CHECKING:
    from tracekit.config.profile import Profile
    from tracekit.engine.boxes import Ways


@dataclass(frozen=True)
class Row:
    """One environment."""

    name: str
    address: str = ""


@dataclass(frozen=True)
class Seen:
    """How a box is."""

    well: bool
    words: str
    problems: Sequence[Problem] = field(default=())


class DeskBoxes:
    """The boxes of a project, as the command line knows them."""

    def __init__(self, ways: Ways, accepted: Collection[str] = ()) -> None:
        self._ways = ways
        #: The host keys that this console takes without asking again; more may come.
        self._accepted = accepted

    def rows(self, root: str) -> Sequence[Row]:
        """The boxes behind this machine; raises ProblemError where the profile cannot be read."""
        from tracekit.cli.commands.box_command import address, boxes_of

        return [Row("local"), *(Row(found.name, address(found)) for found in boxes_of(self._profile(root)))]

    def look(self, root: str, name: str) -> Seen:
        """Look at one box; raises ProblemError when it cannot be reached."""
        import anyio

        from tracekit.cli.commands.box_command import boxes_of, brief, secrets_of
        from tracekit.engine.health import look
        from tracekit.engine.relocate import place_between_runs

        profile = self._profile(root)
        found = next(each for each in boxes_of(profile) if each.name == name)
        link = self._ways.link(str(found.host), found.user, found.port, found.fingerprint)
        place = place_between_runs(os.path.abspath(root or "."), found)
        health = anyio.run(look, link, found.name, found.services, place, secrets_of(profile))
        return Seen(not health.problems, brief(health), health.problems)

    def shell(self, root: str, name: str, run: str) -> Problem | None:
        """Be a terminal on the box until its shell ends; what it has to say stands there meanwhile."""
        command = [sys.executable, "-m", "tracekit.cli.main", "box", "shell", name, *([run] if run else [])]
        try:
            done = subprocess.run(command, cwd=root or None, env=once.handing(self._accepted), check=False)
        except OSError as fault:
            return Problem("box.shell", f"no shell was opened: {fault.strerror or fault}", name, "try again")
        if done.returncode in {_PROBLEM, _UNREACHABLE}:
            what = f"the shell ended with {done.returncode}"
            return Problem("box.shell", what, name, f"`{' '.join(command[3:])}` says more")
        return None

    def _profile(self, root: str) -> Profile:
        from tracekit.config import loader

        return loader.load(root or ".", environ=os.environ, implicit=False).profile


_PROBLEM, _UNREACHABLE = 3, 5
