"""A file system of a few hundred kilobytes, really mounted: what a full disk does is not imitated."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NoMountError(Exception):
    """Nobody may mount anything here."""


@contextmanager
def mounted(place: Path, size: str) -> Iterator[None]:
    """A folder that takes so much and no more, until the end."""
    place.mkdir(parents=True, exist_ok=True)
    told = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, check=False
    )
    if told.returncode:
        raise NoMountError(told.stderr.decode("utf-8", "replace").strip())
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def resize(place: Path, size: str) -> None:
    """The same disk with more room, or less; what lies there stays."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)
