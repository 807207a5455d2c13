"""What a project's own ignore files leave out, by git's rules, and a walk over the rest.

It reads `.gitignore` from the repository's root down, `.git/info/exclude` and the user's own `git/ignore`. Unlike git
it leaves out a file that is tracked and ignored all the same. It starts no program and writes nothing.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tracekit.store.survey import SKIPPED

MAX_FILES = 50_000
_MAX_BYTES = 1 << 20
# What editors put beside a file while they save it.
_PASSING = re.compile(r"\.#.*|#.*#|.*~|.*\.sw[a-z]|4913|.*\.part|.*___jb_\w+___|.*\.py[co]|.*\.orig")


class Rule(NamedTuple):
    """One line of an ignore file."""

    pattern: re.Pattern[str]
    anchored: bool
    only_folders: bool
    ignores: bool

    def fits(self, path: str, name: str, *, folder: bool) -> bool:
        """Whether it speaks of a path, given from the ignore file's own folder on."""
        if self.only_folders and not folder:
            return False
        return self.pattern.fullmatch(path if self.anchored else name) is not None


class _Level(NamedTuple):
    """The rules of one ignore file, and how long the path of its folder is."""

    cut: int
    rules: Sequence[Rule]


def rules_of(text: str) -> list[Rule]:
    """The rules of an ignore file, the last one first: it decides."""
    found = (_rule(line) for line in text.splitlines())
    return [rule for rule in found if rule is not None][::-1]


def _rule(line: str) -> Rule | None:
    # Blanks at the end do not count, unless the last one is written behind a backslash.
    line = re.sub(r"(?<!\\)[ \t]+$", "", line.rstrip("\r"))
    if not line or line.startswith("#"):
        return None
    ignores = not line.startswith("!")
    line = line.removeprefix("!")
    only_folders = line.endswith("/")
    line = line.rstrip("/") if only_folders else line
    anchored = "/" in line
    line = line.removeprefix("/")
    if not line:
        return None
    try:
        return Rule(re.compile(_translated(line), re.DOTALL), anchored, only_folders, ignores)
    except re.error:
        return None


def _translated(glob: str) -> str:
    """A pattern of git's as one of ours."""
    out, at = "", 0
    while at < len(glob):
        rest = glob[at:]
        if rest.startswith("**/") and (at == 0 or glob[at - 1] == "/"):
            out, at = f"{out}(?:.*/)?", at + 3
        elif rest == "**" and (at == 0 or glob[at - 1] == "/"):
            out, at = f"{out}.+", at + 2
        elif (found := re.match(r"\[([!^]?)(\]?(?:\\.|\[:\w+:\]|[^\]\\])*)\]", rest)) is not None:
            inner = found[2].replace("[", "\\[").replace("&", "\\&").replace("~", "\\~").replace("|", "\\|")
            out, at = f"{out}(?!/)[{'^' if found[1] else ''}{inner}]", at + found.end()
        else:
            sign = glob[at]
            at += 1
            if sign == "\\" and at < len(glob):
                sign, at = re.escape(glob[at]), at + 1
            elif sign == "*":
                at += len(glob[at:]) - len(glob[at:].lstrip("*"))
                sign = "[^/]*"
            else:
                sign = "[^/]" if sign == "?" else re.escape(sign)
            out += sign
    return out


def walk(
    root: str, environ: Mapping[str, str], apart: Sequence[str] = ()
) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below a folder that nobody ignores, by its path from there, with its facts; `apart` is left out.

    Folders that begin with a dot, caches and virtual environments are nobody's sources.
    """
    left = MAX_FILES
    waiting: list[tuple[str, str, tuple[_Level, ...]]] = [(root, "", _above(root, environ))]
    while waiting:
        here, rel, levels = waiting.pop()
        try:
            with os.scandir(here) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue
        names = {entry.name for entry in entries}
        if "pyvenv.cfg" in names:
            continue
        if ".gitignore" in names:
            levels = (_level(os.path.join(here, ".gitignore"), len(here) + 1), *levels)
        for entry in entries:
            if entry.name.startswith(".") or _PASSING.fullmatch(entry.name):
                continue
            folder = entry.is_dir(follow_symlinks=False)
            if (
                (folder and entry.name in SKIPPED)
                or entry.path in apart
                or _ignored(entry, levels, folder=folder)
            ):
                continue
            if folder:
                waiting.append((entry.path, f"{rel}{entry.name}/", levels))
                continue
            left -= 1
            if left < 0:
                return
            try:
                facts = entry.stat()
            except OSError:
                continue
            if stat.S_ISREG(facts.st_mode):
                yield f"{rel}{entry.name}", facts


def _ignored(entry: os.DirEntry[str], levels: Sequence[_Level], *, folder: bool) -> bool:
    for level in levels:
        path = entry.path[level.cut :]
        for rule in level.rules:
            if rule.fits(path, entry.name, folder=folder):
                return rule.ignores
    return False


def _level(file: str, cut: int) -> _Level:
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as stream:
            return _Level(cut, rules_of(stream.read(_MAX_BYTES)))
    except OSError:
        return _Level(cut, ())


def _above(root: str, environ: Mapping[str, str]) -> tuple[_Level, ...]:
    """The rules from outside: of the folders above up to the repository's, and those that belong to no folder."""
    top, levels = root, list[_Level]()
    while not os.path.exists(os.path.join(top, ".git")):
        parent = os.path.dirname(top)
        if parent == top:
            # No repository: nobody above has a say.
            return ()
        top = parent
        levels.append(_level(os.path.join(top, ".gitignore"), len(top) + 1))
    home = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", ""), ".config")
    for file in (os.path.join(top, ".git", "info", "exclude"), os.path.join(home, "git", "ignore")):
        levels.append(_level(file, len(top) + 1))
    return tuple(levels)
