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
    told: dict[str, Any] = {"fingerprint": SourceStore(places.cache).fingerprint(root, places.now_ns())}
    git = git_state(root, places.environ)
    return {**told, "git": git} if git else told


def git_state(root: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Commit, branch and whether tracked files differ from it; empty outside a repository, without what is unknown."""
    try:
        found = _folder(Path(root))
        if found is None:
            return {}
        work, folder = found
        told = _head(folder)
    except (OSError, ValueError):
        return {}
    dirty = _dirty(work, environ)
    return told if dirty is None else {**told, "dirty": dirty}


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


def _dirty(work: Path, environ: Mapping[str, str]) -> bool | None:
    # A hook of git's own that starts us would otherwise point us at its index.
    clean = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            _DIRTY,
            cwd=work,
            env={**clean, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return bool(done.stdout.strip()) if done.returncode == 0 else None
