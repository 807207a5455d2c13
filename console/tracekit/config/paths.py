"""Where state, cache and configuration live: by XDG, with a clear problem where that place cannot be used.

Looks at the environment it is handed; creates a directory only when asked to.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping


def state_dir(environ: Mapping[str, str]) -> str:
    """Run directories and the catalogue: `$XDG_STATE_HOME/tracekit`."""
    return _place(environ, "XDG_STATE_HOME", ".local/state")


def cache_dir(environ: Mapping[str, str]) -> str:
    """What may be deleted at any time: `$XDG_CACHE_HOME/tracekit`."""
    return _place(environ, "XDG_CACHE_HOME", ".cache")


def config_dir(environ: Mapping[str, str]) -> str:
    """`config.toml` and `boxes.toml`: `$XDG_CONFIG_HOME/tracekit`."""
    return _place(environ, "XDG_CONFIG_HOME", ".config")


def config_files(environ: Mapping[str, str]) -> tuple[str, str]:
    """The user's own files, whether they are there or not."""
    home = config_dir(environ)
    return os.path.join(home, "config.toml"), os.path.join(home, "boxes.toml")


def _place(environ: Mapping[str, str], variable: str, below_home: str) -> str:
    base = environ.get(variable, "")
    # A relative one is invalid by the standard and would scatter runs over working directories.
    if not os.path.isabs(base):
        home = environ.get("HOME", "")
        base = os.path.join(home if os.path.isabs(home) else _home(), below_home)
    return os.path.join(base, "tracekit")


def _home() -> str:
    """The home of the user as the machine has it, where the environment names none, or a relative one."""
    import pwd

    try:
        found = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        found = ""
    # A container may run us as a user whom nobody has written down.
    return found if os.path.isabs(found) else "/"


def usable_state_dir(environ: Mapping[str, str]) -> str:
    """The state directory, created where needed. Raises ProblemError when runs cannot be written there."""
    return _usable(state_dir(environ), "state", "XDG_STATE_HOME")


def usable_cache_dir(environ: Mapping[str, str]) -> str:
    """The cache directory, created where needed. Raises ProblemError when it cannot be written to."""
    return _usable(cache_dir(environ), "cache", "XDG_CACHE_HOME")


def usable_config_dir(environ: Mapping[str, str]) -> str:
    """The configuration directory, created where needed. Raises ProblemError when it cannot be written to."""
    return _usable(config_dir(environ), "configuration", "XDG_CONFIG_HOME")


def _usable(path: str, word: str, variable: str) -> str:
    action = f"make it writable, or set {variable} to a directory that is"
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        what = f"the {word} directory cannot be created: {reason.lower()}"
        raise ProblemError(Problem("config.unwritable", what, path, action)) from None
    if not os.path.isdir(path) or not os.access(path, os.W_OK | os.X_OK):
        what = f"the {word} directory cannot be written to"
        raise ProblemError(Problem("config.unwritable", what, path, action))
    return path
