"""Inside GitHub Actions: what tests print is never taken for a command, and what went wrong stands at its line.

Everything here happens only when GITHUB_ACTIONS is set, beside the ordinary output; it changes no verdict and no exit
code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tracekit.cli import edge

if TYPE_CHECKING:
    from tracekit.engine.places import Places
    from tracekit.engine.view import RunView


class GithubJob:
    """The job that this process is a step of, or nobody."""

    def __init__(self, places: Places, *, as_json: bool) -> None:
        self._environ: Mapping[str, str] = places.environ
        self._on = self._environ.get("GITHUB_ACTIONS", "") not in {"", "0", "false"}
        # A reader of the journal gets nothing but the journal; GitHub reads both streams.
        self._out = sys.stderr if as_json else sys.stdout
        self._token = f"tracekit-{places.nonce()}" if self._on else ""

    @contextmanager
    def outside_text(self) -> Iterator[None]:
        """While this lasts, no line that is printed is a command to GitHub, whatever a test is called."""
        self._command(f"::stop-commands::{self._token}")
        try:
            yield
        finally:
            self._command(f"::{self._token}::")

    def tell(self, view: RunView) -> None:
        """Annotate the worst, and add to the page of the job."""
        if not self._on or not view.done.is_set():
            return
        from tracekit.report.github import notes

        for one in notes(view, repository(view.root, self._environ)):
            self._command(one.command())
        page = self._environ.get("GITHUB_STEP_SUMMARY")
        if page:
            self._write(page, view)

    def _write(self, page: str, view: RunView) -> None:
        from tracekit.report.github import MOST_BYTES, summary

        try:
            with Path(page).open("ab") as file:
                left = MOST_BYTES - file.tell()
                text = summary(view, left).encode()
                if not text:
                    edge.say_error("tracekit: the job's summary has no room for this run")
                file.write(text)
        except OSError as fault:
            edge.say_error(f"tracekit: the job's summary cannot be written: {fault.strerror or fault}")

    def _command(self, line: str) -> None:
        if not self._on:
            return
        try:
            self._out.write(line + "\n")
            self._out.flush()
        except OSError:
            return


def repository(root: str, environ: Mapping[str, str]) -> str:
    """The folder that GitHub's paths begin at: the checkout that holds the project, else the project itself."""
    workspace = environ.get("GITHUB_WORKSPACE", "")
    here = os.path.realpath(root or ".")
    if workspace and f"{here}/".startswith(f"{os.path.realpath(workspace)}/"):
        return workspace
    above = (Path(here), *Path(here).parents)
    return str(next((folder for folder in above if (folder / ".git").exists()), here))
