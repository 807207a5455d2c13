"""The fingerprint of a project's sources: which files could change what discovery finds.

It lists and stats, it never reads a file: 3,000 files cost some ten milliseconds. Caches are valid as long as the
fingerprint is the same.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

SKIPPED = frozenset({"__pycache__", "node_modules", "target", "dist", "build", "site-packages"})
CONFIGS = frozenset({"pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg", "tracekit.toml", "pytest.toml"})
MAX_FILES = 50_000


def fingerprint(root: Path) -> str:
    """A hash over path, size and time of every source below a directory."""
    digest = hashlib.blake2b(digest_size=16)
    left = MAX_FILES
    pending = [str(root)]
    while pending and left > 0:
        here = pending.pop()
        try:
            with os.scandir(here) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue
        names = {entry.name for entry in entries}
        if "pyvenv.cfg" in names:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith(".") and entry.name not in SKIPPED:
                    pending.append(entry.path)
            elif entry.name.endswith(".py") or entry.name in CONFIGS:
                left -= 1
                _add(digest, entry)
    return digest.hexdigest()


def _add(digest: hashlib.blake2b, entry: os.DirEntry[str]) -> None:
    try:
        facts = entry.stat()
    except OSError:
        return
    digest.update(os.fsencode(f"{entry.path}\0{facts.st_size}\0{facts.st_mtime_ns}\n"))
