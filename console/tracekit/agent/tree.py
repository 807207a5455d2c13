"""Builds a fresh tree of a project out of its manifest and the blobs, as a process of the run that wants it.

A manifest names the files, or the commit that git is to put there.

Whatever a manifest says, nothing is written outside the tree. What is to be kept between runs moves over from the old
tree, at the same path, so that a virtual environment in it goes on working. It deletes nothing but old trees of ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from tracekit.agent.checkout import CheckoutError, checkout

#: The history of a project, beside the places of its trees.
REPOSITORY = "git"


class ManifestError(Exception):
    """A manifest that no console of ours has written."""


def build(manifest: str, blobs: str, target: str, keep: Sequence[str]) -> int:
    """Make the tree; gives how many files it has. Raises OSError, or ManifestError."""
    new, old = f"{target}.new", f"{target}.old"
    # Whoever began before and was killed in the middle may have moved what is kept already.
    _move(keep, new, target)
    shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    os.makedirs(new, mode=0o700)
    with open(manifest, encoding="ascii") as file:
        told = json.loads(file.readline() or "{}").get("git")
    if told is not None:
        count = checkout(told, blobs, os.path.join(os.path.dirname(os.path.dirname(target)), REPOSITORY), new)
    else:
        count = _write(manifest, blobs, new)
    _move(keep, target, new)
    if os.path.lexists(target):
        os.rename(target, old)
    os.rename(new, target)
    shutil.rmtree(old, ignore_errors=True)
    return count


def _write(manifest: str, blobs: str, new: str) -> int:
    """Every file that a manifest names, in a directory that is empty."""
    links: list[tuple[str, str]] = []
    made: set[str] = {new}
    count = 0
    with open(manifest, encoding="ascii") as file:
        for line in file:
            entry = json.loads(line)
            place = _inside(new, entry.get("p"))
            parent = os.path.dirname(place)
            if parent not in made:
                os.makedirs(parent, mode=0o755, exist_ok=True)
                made.add(parent)
            if "l" in entry:
                links.append((str(entry["l"]), place))
                continue
            _copy(blobs, entry, place)
            count += 1
    # Only now, so that no file was ever written through one.
    for text, place in links:
        _inside(new, os.path.relpath(os.path.normpath(os.path.join(os.path.dirname(place), text)), new))
        if os.path.isabs(text):
            raise ManifestError(f"a link to {text!r}")
        os.symlink(text, place)
    return count


def _copy(blobs: str, entry: dict[str, Any], place: str) -> None:
    name = str(entry["h"])
    if not name.isalnum():
        raise ManifestError(f"a blob called {name!r}")
    with open(os.path.join(blobs, name[:2], name), "rb") as source:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            os.fchmod(target.fileno(), 0o755 if entry.get("x") else 0o644)
    stamp = entry.get("t")
    if type(stamp) is int:
        os.utime(place, ns=(stamp, stamp))


def _inside(tree: str, path: object) -> str:
    """A place in the tree, or a refusal."""
    if not isinstance(path, str) or not path or "\0" in path or os.path.isabs(path):
        raise ManifestError(f"a path like {path!r}")
    if any(part in {"", ".", ".."} for part in path.split("/")):
        raise ManifestError(f"a path like {path!r}")
    return os.path.join(tree, path)


def _move(keep: Sequence[str], source: str, target: str) -> None:
    for name in keep:
        with contextlib.suppress(ManifestError):
            old, place = _inside(source, os.path.normpath(name)), _inside(target, os.path.normpath(name))
            if os.path.lexists(old) and not os.path.lexists(place):
                os.makedirs(os.path.dirname(place), mode=0o755, exist_ok=True)
                os.rename(old, place)


def main(arguments: Sequence[str]) -> int:
    """`MANIFEST BLOBS TARGET KEEP…`: says how it went, in words."""
    manifest, blobs, target, *keep = arguments
    try:
        count = build(manifest, blobs, target, keep)
    except (OSError, ManifestError, CheckoutError, ValueError, KeyError, AttributeError) as fault:
        sys.stderr.write(f"the files cannot be put in place: {fault}\n")
        return 1
    sys.stdout.write(f"{count} files in {target}\n")
    return 0
