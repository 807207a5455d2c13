"""What of a project goes to a box as commits: bundles of git's own, a patch of what is not committed, and what stays.

Bundles are made once and kept, each for what the ones before it lack, so that a box is sent only what is new. It asks
git and writes nothing into the project. What is committed goes along whatever it is called.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tracekit.engine.manifest import Manifest, is_lock_file, looks_secret
from tracekit.wire.problems import Problem, ProblemError

_CHAIN = "chain.json"
#: More bundles than this are made one again.
LONGEST = 16
_SHOWN = 10
_PATCH_SECONDS = 24 * 3600.0
_READ = 1 << 20


def commits(root: str, folder: Path) -> Manifest:
    """The commit that is checked out, and what differs from it; raises ProblemError where git has none."""
    top = _ask(root, "rev-parse", "--show-toplevel")
    commit = _ask(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    found = Manifest(root)
    found.below = os.path.relpath(os.path.realpath(root), os.path.realpath(top))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        bundles = _bundles(top, commit, folder)
        patch = _patch(top, folder, found)
        _locks(root, found)
    except OSError as fault:
        what = f"the project's commits cannot be put together: {fault.strerror or fault}"
        raise ProblemError(
            Problem("env.git", what, str(folder), "free space there, and run again")
        ) from fault
    for name in [*bundles, *([patch] if patch else ())]:
        found.blobs[name] = (str(folder / name), (folder / name).stat().st_size)
    told = {
        "commit": commit,
        "branch": _answer(top, "symbolic-ref", "--quiet", "--short", "HEAD"),
        "bundles": bundles,
        "shallow": _shallow(top),
        "patch": patch,
    }
    found.lines.append(json.dumps({"git": told}, separators=(",", ":")).encode("ascii") + b"\n")
    return found


# -- what is committed


def _bundles(top: str, commit: str, folder: Path) -> list[str]:
    """The bundles that hold a commit with all before it, made where the ones that are there do not."""
    chain = _chain(folder)
    if not any(_holds(top, str(link["commit"]), commit) for link in chain):
        known = [str(link["commit"]) for link in chain if _is_there(top, str(link["commit"]))]
        if len(chain) >= LONGEST or len(known) < len(chain):
            chain, known = [], []
        part = folder / f"bundle.{os.getpid()}.part"
        tags = _ask(top, "tag", "--merged", commit).splitlines()
        wanted = ["HEAD", *(f"refs/tags/{tag}" for tag in tags), *(f"^{each}" for each in known)]
        _ask(top, "bundle", "create", "--quiet", str(part), "--stdin", said="\n".join(wanted) + "\n")
        chain.append({"commit": commit, "bundle": _named(part, folder)})
        # Two consoles may do this at once; one of their chains stays, and both are whole.
        note = folder / f"{_CHAIN}.{os.getpid()}.part"
        note.write_text(json.dumps(chain))
        note.replace(folder / _CHAIN)
    _forget(folder, {str(link["bundle"]) for link in chain})
    return [str(link["bundle"]) for link in chain]


def _forget(folder: Path, chain: set[str]) -> None:
    """Remove what histories that were rewritten since have left here; another console may be sending what is new."""
    for file in folder.iterdir():
        is_patch = file.suffix == ".patch" or file.with_name(f"{file.name}.patch").exists()
        if file.name in {*chain, _CHAIN} or is_patch:
            continue
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime > _PATCH_SECONDS:
                file.unlink()


def _chain(folder: Path) -> list[dict[str, Any]]:
    """What was made before; nothing, where any of it is gone."""
    try:
        chain = json.loads((folder / _CHAIN).read_text())
        whole = all((folder / str(link["bundle"])).is_file() and link["commit"] for link in chain)
    except (OSError, ValueError, TypeError, KeyError):
        return []
    return list(chain) if whole else []


def _holds(top: str, tip: str, commit: str) -> bool:
    return tip == commit or _done(top, "merge-base", "--is-ancestor", commit, tip)


def _is_there(top: str, commit: str) -> bool:
    return _done(top, "cat-file", "-e", f"{commit}^{{commit}}")


def _shallow(top: str) -> list[str]:
    """Where the history of a clone that is not whole begins."""
    file = Path(top, _ask(top, "rev-parse", "--git-path", "shallow"))
    return file.read_text(encoding="ascii").split() if file.is_file() else []


# -- what is not


def _patch(top: str, folder: Path, found: Manifest) -> str | None:
    """What tracked files differ in from the commit, as a file; says what goes along and what does not."""
    changed = _names(top, "diff", "--name-only", "-z", "HEAD")
    found.left_out = [name for name in changed if looks_secret(name)]
    goes = [name for name in changed if name not in set(found.left_out)]
    committed = [name for name in _names(top, "ls-files", "-z") if looks_secret(name)]
    if committed:
        found.notices.append(
            f"committed, and looks like a secret: it goes with the commits: {_shown(committed)}"
        )
    untracked = _names(top, "ls-files", "--others", "--exclude-standard", "-z")
    if goes:
        found.notices.append(f"not committed, and brought along as a patch: {_shown(goes)}")
    if untracked:
        found.notices.append(f"not in git, and not brought to the box: {_shown(untracked)}")
    if Path(top, ".gitmodules").is_file():
        found.notices.append("submodules are not brought to the box")
    for old in folder.glob("*.patch"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > _PATCH_SECONDS:
                (folder / old.stem).unlink(missing_ok=True)
                old.unlink()
    if not goes:
        return None
    part = folder / f"patch.{os.getpid()}.part"
    words = [
        "diff",
        "--binary",
        "--full-index",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--no-renames",
        # Whatever somebody's own git is set to, the other git reads it.
        "--src-prefix=a/",
        "--dst-prefix=b/",
        "--unified=3",
        "--inter-hunk-context=0",
        "--submodule=short",
    ]
    excluded = [f":(top,exclude,literal){name}" for name in found.left_out]
    with part.open("wb") as file:
        _run(top, *words, "HEAD", "--", ":(top)", *excluded, into=file)
    name = _named(part, folder)
    (folder / f"{name}.patch").touch()
    return name


def _locks(root: str, found: Manifest) -> None:
    """What `prepare` depends on, as it will stand there."""
    for name in _names(root, "ls-files", "-z"):
        if is_lock_file(name):
            with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                digest = hashlib.blake2b(Path(root, name).read_bytes(), digest_size=32).hexdigest()
                found.locks.append(f"{name} {digest}")


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _named(part: Path, folder: Path) -> str:
    """Give a file the name of its bytes."""
    digest = hashlib.blake2b(digest_size=32)
    with part.open("rb") as file:
        while data := file.read(_READ):
            digest.update(data)
    part.replace(folder / digest.hexdigest())
    return digest.hexdigest()


# -- git


def _names(place: str, *words: str) -> list[str]:
    done = _run(place, *words)
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _ask(place: str, *words: str, said: str = "") -> str:
    return _run(place, *words, said=said).stdout.decode("utf-8", "surrogateescape").strip()


def _answer(place: str, *words: str) -> str:
    try:
        return _ask(place, *words)
    except ProblemError:
        return ""


def _done(place: str, *words: str) -> bool:
    try:
        _run(place, *words)
    except ProblemError:
        return False
    return True


def _run(
    place: str, *words: str, said: str = "", into: Any = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    """One question to git; raises ProblemError with its words when it has no answer."""
    # A hook of git's own that starts us would otherwise point us at its index.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", *words]
    try:
        done = subprocess.run(
            command,
            cwd=place,
            env={**environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            input=said.encode("utf-8", "surrogateescape"),
            stdout=into,
            stderr=subprocess.PIPE,
            check=False,
        )
    except FileNotFoundError as fault:
        raise ProblemError(_problem("git is not installed here", place)) from fault
    if done.returncode:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ProblemError(_problem(told[-1] if told else "git has no commit of this project", place))
    return done


def _problem(what: str, place: str) -> Problem:
    action = 'commit the project with git, or set how = "sync", which brings its files as they are'
    return Problem("env.git", what, place, action)
