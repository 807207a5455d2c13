"""Whether test files are written for unittest, and where unittest must begin to find them.

It reads the text of a few files and imports none; what it is not sure of it calls pytest's.
"""

from __future__ import annotations

import enum
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_FILES = 200
_MAX_READ = 256 << 10
_UNITTEST = re.compile(rb"^\s*(?:import|from)\s+unittest\b|\bTestCase\b", re.MULTILINE)
# What only pytest runs: its own name, and functions outside a class; one called test_suite hands tests to unittest.
_PYTEST = re.compile(rb"^\s*(?:import|from)\s+pytest\b|^(?:async\s+)?def\s+test(?!_suite\s*\()", re.MULTILINE)


class Style(enum.Enum):
    """Whose tests a project holds."""

    NONE = "none"
    UNITTEST = "unittest"
    PYTEST = "pytest"


def style_of(root: str, files: Sequence[str]) -> Style:
    """Unittest's, when some of the files use it and none of them asks for pytest."""
    found = Style.NONE
    for file in files[:MAX_FILES]:
        try:
            with open(os.path.join(root, file), "rb") as opened:
                text = opened.read(_MAX_READ)
        except OSError:
            continue
        if _PYTEST.search(text):
            return Style.PYTEST
        if _UNITTEST.search(text):
            found = Style.UNITTEST
    return found


def start_directories(places: Iterable[str], packages: set[str]) -> list[str]:
    """Where unittest has to begin: it enters packages only, and imports what it finds from where it began."""
    starts: dict[str, None] = {}
    for place in places:
        while place != "." and place in packages:
            place = os.path.dirname(place) or "."
        starts[place] = None
    return sorted(starts)
