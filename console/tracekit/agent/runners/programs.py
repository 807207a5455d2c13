"""Finds the program of a runner that is no Python: on PATH, and where its own installer puts it. It starts nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from tracekit.wire.problems import Problem, ProblemError

_PLACES = {
    "cargo": ("{CARGO_HOME}/bin", "{HOME}/.cargo/bin"),
    "node": ("{NVM_BIN}", "{VOLTA_HOME}/bin", "/usr/local/bin", "/opt/homebrew/bin"),
    "go": ("{GOROOT}/bin", "/usr/local/go/bin", "{HOME}/go/bin"),
}
_REMEDY = {
    "cargo": "install Rust (rustup installs it), or put cargo on the PATH of whoever starts this run",
    "node": "install Node.js, or put node on the PATH of whoever starts this run",
    "go": "install Go, or put go on the PATH of whoever starts this run",
}


def find(name: str, environ: Mapping[str, str]) -> str:
    """The program's absolute path. Raises ProblemError where there is none."""
    path = environ.get("PATH", os.defpath)
    found = shutil.which(name, path=path)
    if found:
        return os.path.abspath(found)
    for place in _PLACES.get(name, ()):
        variable = place[1 : place.find("}")] if place.startswith("{") else ""
        if variable and not environ.get(variable):
            continue
        candidate = os.path.join(place.replace(f"{{{variable}}}", environ.get(variable, "")), name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    action = _REMEDY.get(name, f"install {name}, or put it on PATH")
    raise ProblemError(
        Problem("runner.unavailable", f"unavailable: {name} was not found", f"PATH={path}", action)
    )
