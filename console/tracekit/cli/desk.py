"""The screen's ports to the desk it stands on: editor, clipboard, trust. Only the command line touches processes."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tracekit.store.preview import preview
from tracekit.store.trust import TrustStore
from tracekit.wire.problems import Problem

# Editors that open a window of their own, and how each is told the line; any other takes the terminal and `+LINE`.
_WINDOWED = {"code": "-g", "codium": "-g", "cursor": "-g", "subl": "", "zed": "", "gedit": "+", "kate": "-l"}
_JETBRAINS = {"idea", "pycharm", "clion", "rustrover"}
_CLIPBOARDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
    ("DISPLAY", ("xsel", "--clipboard", "--input")),
    ("TMUX", ("tmux", "load-buffer", "-w", "-")),
    ("HOME", ("pbcopy",)),
)


class DeskEditor:
    """`$VISUAL` or `$EDITOR`, at a line."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._command = shlex.split(environ.get("VISUAL") or environ.get("EDITOR") or "")
        self._name = Path(self._command[0]).name if self._command else ""
        self.takes_terminal = self._name not in _WINDOWED and self._name not in _JETBRAINS
        self._windows: list[subprocess.Popen[bytes]] = []

    def open(self, root: str, file: str, line: int) -> Problem | None:
        """Open a file; gives the problem instead of raising it."""
        place = os.path.realpath(os.path.join(root, file))
        if not self._command:
            return Problem("ui.no_editor", "no editor is set", f"{file}:{line}", "set EDITOR")
        # The name comes out of a recording: it opens files of the project, and no others.
        if not place.startswith(os.path.join(os.path.realpath(root), "")):
            return Problem(
                "ui.outside", "the file is outside the project", place, "open it by hand if you trust it"
            )
        if not Path(place).is_file():
            return Problem("ui.no_file", "the file is not here", place, "it may be on another machine")
        command = [*self._command, *self._at(place, max(1, line))]
        try:
            if not self.takes_terminal:
                self._open_window(command, root)
                return None
            done = subprocess.run(command, check=False, cwd=root or None)
        except OSError as fault:
            return Problem("ui.editor_failed", str(fault.strerror or fault), self._command[0], "check EDITOR")
        if done.returncode:
            return Problem("ui.editor_failed", f"ended with {done.returncode}", self._name, "check EDITOR")
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

    def _at(self, place: str, line: int) -> list[str]:
        if self._name in _JETBRAINS:
            return ["--line", str(line), place]
        flag = _WINDOWED.get(self._name)
        if flag is None or flag == "+":
            return [f"+{line}", place]
        if flag == "-l":
            return ["-l", str(line), place]
        return [*([flag] if flag else []), f"{place}:{line}"]


class DeskClipboard:
    """The clipboard tool of the desktop, or tmux's buffer."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def copy(self, text: str) -> Problem | None:
        """Copy; gives the problem, with the text to copy by hand, instead of raising it."""
        for variable, command in _CLIPBOARDS:
            if self._environ.get(variable) and shutil.which(command[0]):
                try:
                    subprocess.run(
                        command,
                        input=text.encode("utf-8", "surrogateescape"),
                        check=True,
                        timeout=5,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                    )
                except (OSError, subprocess.SubprocessError):
                    continue
                return None
        return Problem("ui.no_clipboard", "no clipboard was found", "", text)


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

    def preview(self, root: str) -> Sequence[str]:
        """Names that can be seen without running anything."""
        return preview(Path(root))
