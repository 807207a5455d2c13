"""Names of scenarios that can be seen without running anything: a scan of the text of test files.

It is shown while a person decides whether to trust a project, and never taken for an inventory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tracekit.store.survey import SKIPPED

MAX_NAMES = 200
_MAX_FILES = 500
_MAX_BYTES = 256 * 1024
_FILE = re.compile(r"test_.*\.py|.*_test\.py")
_NAME = re.compile(rb"^[ \t]*(?:async[ \t]+)?def[ \t]+(test\w*)", re.MULTILINE)


class Seen(NamedTuple):
    """The names, and whether the scan came to its end: of one that did not, nobody knows how many there are."""

    names: list[str]
    whole: bool


def preview(root: Path) -> Seen:
    """Up to two hundred `file::name` of tests, by their text alone."""
    names: list[str] = []
    left = _MAX_FILES
    for file in _files(root):
        left -= 1
        if left < 0 or len(names) > MAX_NAMES:
            return Seen(names[:MAX_NAMES], whole=False)
        try:
            with file.open("rb") as stream:
                text = stream.read(_MAX_BYTES)
        except OSError:
            continue
        place = file.relative_to(root)
        names += [f"{place}::{name.decode('utf-8', 'replace')}" for name in _NAME.findall(text)]
    return Seen(names[:MAX_NAMES], len(names) <= MAX_NAMES)


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in SKIPPED)
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        for name in sorted(files):
            if _FILE.fullmatch(name):
                yield Path(folder) / name
