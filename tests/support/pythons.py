"""Other Pythons for tests: `find("3.9")` gives a path or None. Never downloads: `make test` has done it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tests.support.unavailable import unavailable
from tools.tasks import pythons

if TYPE_CHECKING:
    from pathlib import Path


@cache
def find(version: str) -> Path | None:
    """A Python of this version that starts, installed or unpacked earlier; None where there is none."""
    return pythons.find(version)


def need(version: str) -> Path:
    """A Python of this version, or the test says that it cannot run here."""
    return find(version) or unavailable(f"python{version} is neither installed nor in the cache")
