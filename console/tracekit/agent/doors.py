"""The two sockets that a daemon listens at, and whether the place that they stand for is still the daemon's own.

A state directory can be removed, or another put in its place, while its daemon lives. The next daemon then listens at
the very same paths: what is at them is taken away only by the one that put it there.
"""

from __future__ import annotations

import contextlib
import os
from typing import Optional

from tracekit.agent.control import listen
from tracekit.agent.paths import Places

# Device and inode. Neither is given to anything else as long as we hold the thing open.
_Mark = tuple[int, int]


class Doors:
    """One for consoles, one for wardens; the lock of the place is held by whoever makes them."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._sockets = places.socket_directory()
        # Held open, so that what stands there later never has its number.
        self._held = os.open(places.base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._home = _mark(os.fstat(self._held))
        self._faces = self.path("d"), self.path("w")
        self.face, self.side = listen(self._faces[0]), listen(self._faces[1])
        self._marks = [_found(path) for path in self._faces]

    def path(self, name: str) -> str:
        """Where a socket of ours is, by its short name."""
        return os.path.join(self._sockets, name)

    def told(self) -> dict[str, str]:
        """What the daemon's note says of them."""
        return {"socket": self._faces[0], "wardens": self._faces[1]}

    def ours(self) -> bool:
        """Whether our directory still stands where it stood."""
        return _found(self._places.base) == self._home

    def close(self) -> None:
        """Listen no longer, and take away what is ours; a second time it does nothing."""
        if self._held < 0:
            return
        if self.ours():
            _remove(self._places.note)
        for path, mark in zip(self._faces, self._marks):
            if mark is not None and _found(path) == mark:
                _remove(path)
        with contextlib.suppress(OSError):
            os.rmdir(self._sockets)  # stays while a socket is in it, a run's or the next daemon's
        self.face.close()
        self.side.close()
        os.close(self._held)
        self._held = -1


def _mark(found: os.stat_result) -> _Mark:
    return found.st_dev, found.st_ino


def _found(path: str) -> Optional[_Mark]:
    try:
        return _mark(os.lstat(path))
    except OSError:
        return None


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
