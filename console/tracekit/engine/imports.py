"""Which files lead to a changed one by their imports, as their text tells: a guess that is cheap and says so.

Nothing is executed or parsed: a file with a fault in it still has its imports. What is imported by a name that is made
up at run time, or run as a program of its own, is not seen.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

# Beyond this the guess is no longer cheap.
MAX_FILES = 3000
_MAX_BYTES = 512 * 1024
_FROM = re.compile(r"^[ \t]*from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]*)", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n#]+)", re.MULTILINE)
_NAME = re.compile(r"\w+")


def importers(root: str, files: Iterable[str], changed: Iterable[str]) -> set[str] | None:
    """The files that import a changed one, directly or not, and these themselves; None where there are too many.

    All paths are relative to `root`. A `conftest.py` counts as imported by every file at and below its folder.
    """
    known = sorted({file for file in files if file.endswith(".py")} | set(changed))
    if len(known) > MAX_FILES:
        return None
    by_name = _by_name(known)
    users: dict[str, set[str]] = {}
    for file in known:
        for used in _used(root, file, by_name):
            users.setdefault(used, set()).add(file)
    for file in known:
        if file.rpartition("/")[2] == "conftest.py":
            folder = file[: -len("conftest.py")]
            users.setdefault(file, set()).update(other for other in known if other.startswith(folder))
    found, waiting = set[str](), list(changed)
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += users.get(file, ())
    return found


def _by_name(files: Iterable[str]) -> dict[str, set[str]]:
    """Each file by every name that some folder on the path would give it: `src/a/b.py` is `a.b` to somebody."""
    names: dict[str, set[str]] = {}
    for file in files:
        parts = file.removesuffix(".py").split("/")
        if parts[-1] == "__init__":
            parts.pop()
        for start in range(len(parts)):
            names.setdefault(".".join(parts[start:]), set()).add(file)
    return names


def _used(root: str, file: str, by_name: dict[str, set[str]]) -> set[str]:
    try:
        with open(os.path.join(root, file), encoding="utf-8", errors="replace") as stream:
            text = stream.read(_MAX_BYTES)
    except OSError:
        return set()
    found: set[str] = set()
    for name in _names(text, file):
        # `a.b.c` runs `a` and `a.b` as well.
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            found |= by_name.get(".".join(parts[:end]), set())
    found.discard(file)
    return found


def _names(text: str, file: str) -> Iterator[str]:
    if "import" not in text:
        return
    for match in _FROM.finditer(text):
        base = _absolute(match[1], file)
        yield base
        yield from (f"{base}.{name}" if base else name for name in _NAME.findall(match[2]))
    for match in _IMPORT.finditer(text):
        yield from (part.split(" as ")[0].strip() for part in match[1].split(","))


def _absolute(name: str, file: str) -> str:
    """A relative name from the file's own folder on."""
    dots = len(name) - len(name.lstrip("."))
    if not dots:
        return name
    folders = file.split("/")[:-1]
    above = folders[: len(folders) - dots + 1] if dots > 1 else folders
    return ".".join([*above, *filter(None, [name[dots:]])])
