"""What a run's sources are: the commit they stand at, and a fingerprint of their contents.

Two verdicts may be held against each other as "flaky" only where both are the same. It looks at files and asks git one
question, for a moment and no longer; without git, or outside a repository, there is simply less to tell. It never
fails a launch.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracekit.engine.places import Places
from tracekit.store.sources import SourceStore

# A question that takes longer is not answered: the run is worth more than the mark.
_PATIENCE = 2.0
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LONGEST = 4096
_DIRTY = ("git", "-c", "core.fsmonitor=false", "status", "--porcelain", "--untracked-files=no")


def revision(root: str, places: Places) -> dict[str, Any]:
    """The fields of a plan that say which sources it is about."""
    # Git looks at the files at the same time as we do.
    git = GitState(root, places.environ)
    told: dict[str, Any] = {"fingerprint": SourceStore(places.cache).fingerprint(root, places.now_ns())}
    state = git.told()
    return {**told, "git": state} if state else told


class GitState:
    """What git says of a working tree: asked at once, and answered while something else is done."""

    def __init__(self, root: str, environ: Mapping[str, str]) -> None:
        self._head: dict[str, Any] = {}
        self._asked: subprocess.Popen[bytes] | None = None
        try:
            found = _folder(Path(root))
            if found is not None:
                work, folder = found
                self._head = _head(folder)
                self._asked = _ask(work, environ)
        except (OSError, ValueError):
            return

    def told(self) -> dict[str, Any]:
        """Commit, branch, and whether tracked files differ from it; empty outside a repository."""
        dirty = _dirty(self._asked) if self._asked is not None else None
        return self._head if dirty is None else {**self._head, "dirty": dirty}


def _folder(start: Path) -> tuple[Path, Path] | None:
    """The working tree that holds a directory, and its `.git`; in a linked tree that is a file which names it."""
    for work in (start, *start.parents):
        git = work / ".git"
        if git.is_dir():
            return work, git
        if git.is_file():
            named = _text(git).removeprefix("gitdir:").strip()
            return work, work / named
    return None


def _head(folder: Path) -> dict[str, Any]:
    head = _text(folder / "HEAD")
    if _COMMIT.fullmatch(head):
        return {"commit": head}
    name = head.removeprefix("ref:").strip()
    shared = folder / "commondir"
    common = folder / _text(shared) if shared.is_file() else folder
    commit = _loose(common, name) or _packed(common, name)
    branch = name.removeprefix("refs/heads/")
    return {"commit": commit, "branch": branch} if commit else {"branch": branch}


def _loose(common: Path, name: str) -> str:
    try:
        text = _text(common / name)
    except (OSError, ValueError):
        return ""
    return text if _COMMIT.fullmatch(text) else ""


def _packed(common: Path, name: str) -> str:
    try:
        with (common / "packed-refs").open(encoding="utf-8", errors="replace") as file:
            for line in file:
                commit, _, ref = line.strip().partition(" ")
                if ref == name and _COMMIT.fullmatch(commit):
                    return commit
    except OSError:
        return ""
    return ""


def _text(file: Path) -> str:
    if not file.is_file():
        raise FileNotFoundError(str(file))
    with file.open("rb") as opened:
        return opened.read(_LONGEST).decode("utf-8", "replace").strip()


def _ask(work: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    # A hook of git's own that starts us would otherwise point us at its index.
    clean = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
    try:
        return subprocess.Popen(
            _DIRTY,
            cwd=work,
            env={**clean, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, ValueError):
        return None


def _dirty(asked: subprocess.Popen[bytes]) -> bool | None:
    with asked:
        try:
            told, _ = asked.communicate(timeout=_PATIENCE)
        except (OSError, ValueError, subprocess.SubprocessError):
            asked.kill()
            return None
    return bool(told.strip()) if asked.returncode == 0 else None
