"""Where a project begins: the nearest profile, else a runner's configuration. Every command asks this first.

Looks at names and at a few well-known files; parses nothing, and imports nothing that costs start-up time.
"""

from __future__ import annotations

import os
import re
import stat

OWN = "tracekit.toml"
PYPROJECT = "pyproject.toml"
CARGO = "Cargo.toml"
GO = "go.mod"
PACKAGE = "package.json"
SCRIPTED = rb'"(?:vitest|jest|mocha)"|[\s"](?:vitest|jest|mocha)[\s"]|\bnode [^"]*--test\b'
CARGO_WORKSPACE = rb"^\s*\[workspace[\].]"
OUR_TABLE = rb"^[ \t]*\[+[ \t]*tool[ \t]*\.[ \t]*tracekit\b"
# Whose a place is that is not there.
_NOBODY = -1
_MAX_GUESSED = 16 << 20
_MAX_READ = 1 << 20
# What pytest itself takes for its configuration: the file and the section it must have ("" for none).
MARKERS = (
    ("pytest.toml", b""),
    (".pytest.toml", b""),
    ("pytest.ini", b""),
    (".pytest.ini", b""),
    ("pyproject.toml", rb"^\s*\[tool\.pytest(\.ini_options)?\]"),
    ("tox.ini", rb"^\[pytest\]"),
    ("setup.cfg", rb"^\[tool:pytest\]"),
)


def find_root(start: str) -> str:
    """The project of a path: the nearest directory at or above it that has a profile, else a runner's configuration.

    The search ends at the repository's own directory, and below one that is somebody else's; where it finds nothing,
    the path's own directory is the project.
    """
    start = os.path.abspath(start)
    here = start if os.path.isdir(start) else os.path.dirname(start)
    above = [here]
    # A profile names commands that we run. Whoever owns the place where a person stands is trusted by their standing
    # there; beyond that only they themselves and root are, and nothing in a place where everybody may put files.
    trusted = {os.getuid(), 0, _standing(here)[0]}
    while not os.path.exists(os.path.join(above[-1], ".git")) and os.path.dirname(above[-1]) != above[-1]:
        higher = os.path.dirname(above[-1])
        owner, everybodys = _standing(higher)
        if everybodys or owner not in trusted:
            break
        above.append(higher)
    for directory in above:
        if os.path.isfile(os.path.join(directory, OWN)) or holds(
            os.path.join(directory, PYPROJECT), OUR_TABLE
        ):
            return directory
    cargo = _cargo_workspace(above)
    return next((one for one in above if one == cargo or _configured(one)), here)


def _standing(directory: str) -> tuple[int, bool]:
    """Whose a directory is, and whether it is one for everybody's files, as /tmp is.

    One of our own that is open to everybody is no such place where a file system cannot say it otherwise.
    """
    try:
        found = os.stat(directory)
    except OSError:
        return _NOBODY, False
    shared = bool(found.st_mode & stat.S_ISVTX) or found.st_uid != os.getuid()
    return found.st_uid, bool(found.st_mode & stat.S_IWOTH) and shared


def stranger(path: str, root: str) -> str:
    """Whose a file of a project is where that is neither ours, nor root's, nor the owner's of its folder; else empty.

    Whoever owns it decides what is run here, and the folder's owner has no say in that.
    """
    owner, _ = _standing(path)
    if owner in {_NOBODY, os.getuid(), 0, _standing(root)[0]}:
        return ""
    import pwd

    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return f"user {owner}"


def _configured(directory: str) -> bool:
    if has_pytest_configuration(directory) or os.path.isfile(os.path.join(directory, GO)):
        return True
    return has_section(os.path.join(directory, PACKAGE), SCRIPTED)


def _cargo_workspace(above: list[str]) -> str:
    """What cargo takes for the workspace: the nearest manifest that says so, else the nearest; "" without any."""
    manifests = [one for one in above if os.path.isfile(os.path.join(one, CARGO))]
    workspaces = (one for one in manifests if has_section(os.path.join(one, CARGO), CARGO_WORKSPACE))
    return next(workspaces, manifests[0] if manifests else "")


def has_pytest_configuration(directory: str) -> bool:
    """Whether pytest would take this directory for the root of a project."""
    return any(has_section(os.path.join(directory, name), section) for name, section in MARKERS)


def has_section(path: str, section: bytes) -> bool:
    if not os.path.isfile(path):
        return False
    if not section:
        return True
    try:
        with open(path, "rb") as file:
            return re.search(section, file.read(_MAX_READ), re.MULTILINE) is not None
    except OSError:
        return False


def holds(path: str, pattern: bytes) -> bool:
    try:
        # A device or a pipe must not be read for a guess.
        if not os.path.isfile(path) or os.stat(path).st_size > _MAX_GUESSED:
            return False
        with open(path, "rb") as file:
            return re.search(pattern, file.read(), re.MULTILINE) is not None
    except (OSError, ValueError):
        return False
