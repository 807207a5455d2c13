"""Two of the screen's ports to the desk it stands on: editor, trust. Only the command line touches processes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tracekit.cli import once
from tracekit.store.preview import preview
from tracekit.store.trust import TrustStore
from tracekit.wire.problems import Problem

# Editors that open a window of their own, and how each is told the line; any other takes the terminal and `+LINE`.
_WINDOWED = {
    "code": "-g",
    "codium": "-g",
    "code-insiders": "-g",
    "cursor": "-g",
    "subl": "",
    "zed": "",
    "gedit": "+",
    "kate": "-l",
}
_COLON = {"hx", "helix"}
_JETBRAINS = {"idea", "goland", "webstorm", "pycharm", "clion", "rustrover"}


class DeskEditor:
    """The user's own template, or `$VISUAL`, or `$EDITOR`, at a line."""

    def __init__(self, environ: Mapping[str, str] | None = None, template: str = "") -> None:
        environ = os.environ if environ is None else environ
        self._template = template
        self._fault = ""
        self._from = "the setting editor" if template else "VISUAL" if environ.get("VISUAL") else "EDITOR"
        try:
            self._command = shlex.split(template or environ.get("VISUAL") or environ.get("EDITOR") or "")
        except ValueError as fault:
            self._command, self._fault = [], str(fault)
        self._name = Path(self._command[0]).name if self._command else ""
        self.takes_terminal = self._name not in _WINDOWED and self._name not in _JETBRAINS
        self._windows: list[subprocess.Popen[bytes]] = []

    def open(self, root: str, file: str, line: int) -> Problem | None:
        """Open a file; gives the problem instead of raising it."""
        if self._fault:
            return Problem(
                "ui.editor_failed",
                f"the editor's words cannot be read: {self._fault}",
                "",
                f"check its quotes, in {self._from}",
            )
        if not self._command:
            return Problem("ui.no_editor", "no editor is set", f"{file}:{line}", "set EDITOR")
        # The name comes out of a recording: it may be none that a system takes.
        try:
            place = os.path.realpath(os.path.join(root, file))
            here = Path(place).is_file()
        except (OSError, ValueError) as fault:
            why = fault.strerror if isinstance(fault, OSError) else str(fault)
            return Problem("ui.no_file", f"this name is no file's: {why}", file, "look at the code by hand")
        # It opens files of the project, and no others.
        if not place.startswith(os.path.join(os.path.realpath(root), "")):
            return Problem(
                "ui.outside", f"{file} is outside the project", place, "open it by hand if you trust it"
            )
        if not here:
            return Problem(
                "ui.no_file", f"{file} is not here", place, "it may be gone, or on another machine"
            )
        command = self._words(place, max(1, line))
        try:
            if not self.takes_terminal:
                self._open_window(command, root)
                return None
            done = subprocess.run(command, check=False, cwd=root or None)
        except OSError as fault:
            what = f"{self._command[0]} could not be started: {fault.strerror or fault}"
            return Problem("ui.editor_failed", what, self._command[0], f"check {self._from}")
        if done.returncode:
            what = f"{self._name} ended with {done.returncode}"
            return Problem("ui.editor_failed", what, self._name, f"check {self._from}")
        return None

    def _open_window(self, command: Sequence[str], root: str) -> None:
        """Nobody waits for a window: it lives as long as a person wants it, and paints on nothing of ours."""
        self._windows = [window for window in self._windows if window.poll() is None]
        window = subprocess.Popen(
            command,
            cwd=root or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._windows.append(window)

    def _words(self, place: str, line: int) -> list[str]:
        if "{file}" not in self._template:
            return [*self._command, *self._at(place, line)]
        # The name goes in last: what stands in it is never a place for something else.
        return [word.replace("{line}", str(line)).replace("{file}", place) for word in self._command]

    def _at(self, place: str, line: int) -> list[str]:
        if self._name in _COLON:
            return [f"{place}:{line}"]
        if self._name in _JETBRAINS:
            return ["--line", str(line), place]
        flag = _WINDOWED.get(self._name)
        if flag is None or flag == "+":
            return [f"+{line}", place]
        if flag == "-l":
            return ["-l", str(line), place]
        return [*([flag] if flag else []), f"{place}:{line}"]


class DeskDebugger:
    """`tracekit debug` in this terminal; a person who is done with it presses enter to come back."""

    def __init__(self, accepted: Collection[str] = ()) -> None:
        #: The host keys that this console takes without asking again; more may come.
        self._accepted = accepted

    def debug(self, root: str, run: str, scenario: str) -> Problem | None:
        """Run it; gives the problem instead of raising it."""
        command = [sys.executable, "-m", "tracekit.cli.main", "debug", run, scenario]
        try:
            done = subprocess.run(command, cwd=root or None, env=once.handing(self._accepted), check=False)
            sys.stdout.write(f"\n[it ended with {done.returncode}; enter goes back to the console] ")
            sys.stdout.flush()
            sys.stdin.readline()
        except OSError as fault:
            what = f"it could not be started: {fault.strerror or fault}"
            return Problem("debug.start", what, scenario, "try it on the command line: `tracekit debug`")
        except KeyboardInterrupt:
            return None
        return None


class DeskTrust:
    """Remembers trusted projects, and shows what a scan of the text can see of the others."""

    def __init__(self, state: Path) -> None:
        self._store = TrustStore(state)

    def known(self, root: str) -> bool:
        """Whether this project's code may be run."""
        return self._store.known(root)

    def remember(self, root: str) -> None:
        """Keep a yes."""
        self._store.remember(root)

    def preview(self, root: str) -> tuple[Sequence[str], bool]:
        """Names that can be seen without running anything, and whether these are all of them."""
        return preview(Path(root))

    def starts(self, root: str) -> Sequence[tuple[str, str]]:
        """What would be run to find scenarios: each runner with what it does."""
        from tracekit.config.starts import starts

        return starts(root, os.environ)
