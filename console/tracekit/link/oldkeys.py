"""Where the key stands that a machine had before, and what a person types to forget it.

Only words: the files are the person's, and nothing here changes one. A line that `ssh-keygen -R` would not take out, or
that means other machines, too, is named by its file and number instead.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh

_WILD = frozenset("*?!")


@dataclass(frozen=True)
class Held:
    """One line of a file that says which key a machine must show."""

    file: Path
    number: int
    #: What `ssh-keygen -R` takes the line out by; empty where that cannot be, or would mean other machines.
    name: str


def held(files: Iterable[Path], names: Sequence[str], *, revoked: bool = False) -> list[Held]:
    """The lines that trust, or else revoke, a key or an authority under one of these names, as the files have them."""
    return [each for file in dict.fromkeys(files) for each in _lines(file, names, revoked)]


def _lines(file: Path, names: Sequence[str], revoked: bool) -> Iterable[Held]:
    try:
        lines = file.read_bytes().decode("utf-8", "replace").splitlines()
    except OSError:
        return
    for number, line in enumerate(lines, 1):
        try:
            entry = asyncssh.import_known_hosts(line)
        except ValueError:
            continue
        for name in names:
            trusted, authorities, withdrawn = entry.match(name, "", None)[:3]
            if withdrawn if revoked else trusted or authorities:
                alone = not revoked and not authorities and not _WILD & set(line.split()[0])
                yield Held(file, number, name if alone else "")
                break


def forgetting(lines: Sequence[Held], own: Path, home: str) -> str:
    """What takes these lines out: a command for each file, and whose file it is."""
    told: dict[str, None] = {}
    for each in lines:
        whose = "tracekit's own file" if each.file == own else "ssh's file, which is only read here"
        shown = _shown(each.file, home)
        if each.name and os.access(each.file, os.W_OK) and os.access(each.file.parent, os.W_OK):
            told[f"`ssh-keygen -R {shlex.quote(each.name)} -f {shown}` ({whose})"] = None
        else:
            told[f"take line {each.number} out of `{shown}` by hand ({whose})"] = None
    return ", and ".join(told) or "take its line out of known_hosts"


def withdrawing(lines: Sequence[Held], home: str) -> str:
    """Where a key was revoked, as far as that stands in such a file."""
    return ", ".join(f"line {each.number} of `{_shown(each.file, home)}`" for each in lines)


def _shown(file: Path, home: str) -> str:
    """A path as a shell takes it, short where it is below the home directory."""
    quoted = shlex.quote(str(file))
    inside = home.rstrip("/") + "/"
    if home and quoted == str(file) and quoted.startswith(inside):
        return "~/" + quoted[len(inside) :]
    return quoted
