"""Whether a workspace of cargo holds tests at all: a look at the text of its sources, which runs and builds nothing."""

from __future__ import annotations

import os
import re

_TEST = re.compile(rb"^\s*#\[(?:[\w:]+::)?(?:\w*test\w*|rstest)\b|^\s*//[/!]\s*```", re.MULTILINE)
_MANIFEST = re.compile(rb"^\s*\[\[test\]\]", re.MULTILINE)
_SKIPPED = frozenset({"target", "node_modules", "vendor"})
_FIXTURES = frozenset({"fixtures", "testdata", "test_data", "test-data"})
_MOST_FILES = 2000
_MOST_READ = 1 << 20


def made_for_tests(path: str) -> bool:
    """Whether a directory, by its path below the root, holds what tests of something else are made of."""
    return not _FIXTURES.isdisjoint(path.split("/"))


def has_tests(directory: str) -> bool:
    """Whether a file below says so; beyond some thousand files it is taken for granted."""
    left = _MOST_FILES
    waiting = [directory]
    while waiting:
        folders: list[str] = []
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in sorted(entries, key=lambda one: one.name):
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in _SKIPPED and not entry.name.startswith("."):
                            folders.append(entry.path)
                        continue
                    pattern = _MANIFEST if entry.name == "Cargo.toml" else _TEST
                    if entry.name != "Cargo.toml" and not entry.name.endswith(".rs"):
                        continue
                    left -= 1
                    if left < 0 or _holds(entry.path, pattern):
                        return True
        except OSError:
            continue
        waiting += folders[::-1]
    return False


def _holds(path: str, pattern: re.Pattern[bytes]) -> bool:
    try:
        with open(path, "rb") as file:
            return pattern.search(file.read(_MOST_READ)) is not None
    except OSError:
        return False
