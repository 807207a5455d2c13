"""A work tree of git's own on a box, out of the bundles and the patch that a console brought.

The history stays beside a project's trees, so that every run has a fresh tree in a moment. It runs none of the
project's hooks, asks nobody, and fetches from nowhere but those files.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
from typing import Any

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BLOB = re.compile(r"[0-9a-f]{64}")
_SHOWN = 2000


class CheckoutError(Exception):
    """What git said."""


def checkout(told: dict[str, Any], blobs: str, repository: str, place: str) -> int:
    """Make the work tree at a place that is empty; gives how many files it has. Raises OSError or CheckoutError."""
    commit = str(told.get("commit"))
    bundles = [str(name) for name in told.get("bundles") or ()]
    patch = told.get("patch")
    shallow = [str(each) for each in told.get("shallow") or ()]
    if not all(_COMMIT.fullmatch(each) for each in (commit, *shallow)):
        raise CheckoutError(f"a commit called {commit!r}")
    if not all(_BLOB.fullmatch(name) for name in (*bundles, *([str(patch)] if patch else ()))):
        raise CheckoutError("a bundle that is called as none of ours")
    with open(f"{repository}.lock", "wb") as lock:
        # Two runs of a project may come at once, and its history is one.
        fcntl.flock(lock, fcntl.LOCK_EX)
        _take_in(repository, bundles, blobs, shallow)
    _git(place, "init", "--quiet", "--template=")
    with open(os.path.join(place, ".git", "objects", "info", "alternates"), "w", encoding="utf-8") as file:
        file.write(os.path.join(repository, "objects") + "\n")
    if shallow:
        _graft(os.path.join(place, ".git"), shallow)
    _git(place, "fetch", "--quiet", "--no-auto-gc", repository, "+refs/tags/*:refs/tags/*")
    branch = str(told.get("branch") or "")
    if branch and _git(place, "check-ref-format", "--branch", branch, check=False).returncode == 0:
        _git(place, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
        _git(place, "update-ref", f"refs/heads/{branch}", commit)
    else:
        _git(place, "update-ref", "--no-deref", "HEAD", commit)
    _git(place, "reset", "--quiet", "--hard")
    if patch:
        _git(place, "apply", "--binary", "--whitespace=nowarn", _blob(blobs, str(patch)))
    return len(_git(place, "ls-files", "-z").stdout.split(b"\0")) - 1


def _take_in(repository: str, bundles: list[str], blobs: str, shallow: list[str]) -> None:
    """Have everything that the bundles hold, one behind the other: each stands on those before it."""
    if not os.path.isfile(os.path.join(repository, "HEAD")):
        os.makedirs(repository, mode=0o700, exist_ok=True)
        _git(repository, "init", "--quiet", "--bare", "--template=", ".")
    if shallow:
        _graft(repository, shallow)
    for name in bundles:
        ref = f"refs/tracekit/{name}"
        if _git(repository, "show-ref", "--verify", "--quiet", ref, check=False).returncode:
            tags = "+refs/tags/*:refs/tags/*"
            _git(repository, "fetch", "--quiet", "--no-auto-gc", _blob(blobs, name), f"+HEAD:{ref}", tags)


def _graft(folder: str, shallow: list[str]) -> None:
    """Note where a history begins that is not whole."""
    path = os.path.join(folder, "shallow")
    known: set[str] = set()
    if os.path.isfile(path):
        with open(path, encoding="ascii") as file:
            known = set(file.read().split())
    if not known.issuperset(shallow):
        with open(f"{path}.part", "w", encoding="ascii") as file:
            file.write("".join(f"{each}\n" for each in sorted(known | set(shallow))))
        os.rename(f"{path}.part", path)


def _blob(blobs: str, name: str) -> str:
    return os.path.join(blobs, name[:2], name)


def _git(place: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "advice.detachedHead=false"]
    try:
        done = subprocess.run(
            [*command, *words],
            cwd=place,
            env={**environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as fault:
        what = 'git is not installed on the box: install it there, or set how = "sync"'
        raise CheckoutError(what) from fault
    if check and done.returncode:
        raise CheckoutError(f"git {words[0]}: {done.stderr.decode('utf-8', 'replace').strip()[-_SHOWN:]}")
    return done
