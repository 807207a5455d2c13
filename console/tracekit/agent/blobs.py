"""Files that consoles bring to a box, by the hash of their bytes: each kept once, whole or not at all.

What a console sends is one stream of bytes whose pieces were agreed on before; a piece whose bytes are not what its
name says is thrown away. It knows no trees and no runs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import NamedTuple, Optional

from tracekit.agent.digests import blake2b
from tracekit.agent.system import Files
from tracekit.wire.ids import is_blob_name

#: What no tree has asked for in so long is asked for no more.
KEPT_SECONDS = 14 * 24 * 3600.0
MOST = 1 << 40


class Blob(NamedTuple):
    """A file by what it holds."""

    name: str
    size: int


class Blobs:
    """The files below one directory."""

    def __init__(self, files: Files, directory: str) -> None:
        self.directory = directory
        self._files = files

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name[:2], name)

    def missing(self, wanted: Iterable[Blob]) -> list[Blob]:
        """What is not here; what is here is young again."""
        found = []
        for blob in dict.fromkeys(wanted):
            try:
                os.utime(self.path(blob.name))
            except OSError:
                found.append(blob)
        return found

    def forget_old(self, now: float) -> None:
        """Remove what nobody has wanted for long."""
        for folder, _, names in os.walk(self.directory):
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(OSError):
                    if now - os.stat(path).st_mtime > KEPT_SECONDS:
                        os.unlink(path)

    def receive(self, wanted: list[Blob]) -> Incoming:
        """Begin to take these, one behind the other."""
        return Incoming(self, self._files, wanted)


class Incoming:
    """A stream of blobs on its way in."""

    def __init__(self, blobs: Blobs, files: Files, wanted: list[Blob]) -> None:
        self._blobs = blobs
        self._files = files
        self._wanted = wanted
        self._at = 0
        self._offset = 0
        self._left = 0
        self._descriptor = -1
        self._digest = blake2b(digest_size=32)
        self._part = ""
        #: Names whose bytes were others.
        self.wrong: list[str] = []

    @property
    def done(self) -> bool:
        return self._at >= len(self._wanted)

    def feed(self, offset: int, data: bytes) -> bool:
        """Take the next bytes; False when they are not the next ones. Raises OSError on a full disk."""
        if offset != self._offset:
            return False
        self._offset += len(data)
        view = memoryview(data)
        while not self.done:
            blob = self._wanted[self._at]
            if self._descriptor < 0:
                self._begin(blob)
            piece = view[: self._left]
            view = view[len(piece) :]
            self._digest.update(piece)
            self._files.write_all(self._descriptor, bytes(piece))
            self._left -= len(piece)
            if self._left:
                break
            self._end(blob)
        return not view

    def _begin(self, blob: Blob) -> None:
        path = self._blobs.path(blob.name)
        self._files.make_directory(os.path.dirname(path))
        self._part = f"{path}.{os.getpid()}.{id(self)}.part"
        self._descriptor = self._files.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self._digest = blake2b(digest_size=32)
        self._left = blob.size

    def _end(self, blob: Blob) -> None:
        self._files.close(self._descriptor)
        self._descriptor = -1
        if self._digest.hexdigest() == blob.name:
            self._files.rename(self._part, self._blobs.path(blob.name))
        else:
            os.unlink(self._part)
            self.wrong.append(blob.name)
        self._at += 1

    def drop(self) -> None:
        """The console is gone: what is not whole was never here."""
        if self._descriptor >= 0:
            self._files.close(self._descriptor)
            self._descriptor = -1
            with contextlib.suppress(OSError):
                os.unlink(self._part)


def blobs_of(found: object) -> Optional[list[Blob]]:
    """What a console offers, checked; None for what is no list of files."""
    if not isinstance(found, list):
        return None
    blobs = []
    for each in found:
        if not isinstance(each, list) or len(each) != 2:
            return None
        name, size = each
        if (
            not isinstance(name, str)
            or not is_blob_name(name)
            or type(size) is not int
            or not 0 <= size < MOST
        ):
            return None
        blobs.append(Blob(name, size))
    return blobs
