"""How much of one run one box may write on this machine: a box that lies, or a test without end, fills no disk here.

What matters least is refused first: traces, then blobs, then output; the journal may use all that there is. Pure but
for one question to the file system; it writes nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

from tracekit.wire.names import BLOB_DIR, OUTPUT_FILE, STRINGS_FILE, TRACE_DIR

TRACE, BLOBS, OUTPUT = "trace", "blobs", "output"
MOST = 8 << 30
#: What a file weighs beside its bytes: ever so many empty ones fill a disk as well.
FILE = 4096
# Up to which part of the whole each kind is taken; what has no part has all of it.
_SHARES = {TRACE: 0.5, BLOBS: 0.75, OUTPUT: 0.875}
# The last of a disk is left to this console's own journals, and to everybody else; of a small disk a twentieth.
_LEFT = 256 << 20
_ASK_EVERY = 16 << 20


def kind_of(name: str) -> str:
    """What a file is, as a box is asked to send no more of; empty for what a run cannot be read without."""
    if name == OUTPUT_FILE:
        return OUTPUT
    if name == STRINGS_FILE or name.startswith(f"{TRACE_DIR}/"):
        return TRACE
    return BLOBS if name.startswith(f"{BLOB_DIR}/") else ""


class Allowance:
    """What one copy may still take."""

    def __init__(self, place: Path, most: int = MOST) -> None:
        self.most = most
        self.used = 0
        #: The kinds of which nothing more is taken.
        self.refused: set[str] = set()
        #: Some of it for the sake of this disk, and not of what one run may take.
        self.disk_is_full = False
        self._place = place
        self._disk = 0
        self._asked_at = -1

    def count(self, folders: list[Path]) -> None:
        """Begin with what is here already, older copies of the same run among it."""
        self.used, self._asked_at = 0, -1
        for folder in folders:
            for place, _, names in os.walk(folder):
                for name in names:
                    try:
                        self.used += (Path(place) / name).lstat().st_size + FILE
                    except OSError:
                        continue

    def takes(self, name: str, more: int) -> bool:
        """Whether so many more bytes of a file are taken; once they are not, none of its kind is."""
        kind = kind_of(name)
        if kind in self.refused:
            return False
        if kind and self.used + more > self._on_the_disk(more):
            self.disk_is_full = True
            self.refused.add(kind)
            return False
        if kind and self.used + more > self.most * _SHARES[kind]:
            self.refused.add(kind)
            return False
        return self.used + more <= self.most

    def took(self, more: int) -> None:
        """Count what has been written."""
        self.used += more

    def _on_the_disk(self, more: int) -> int:
        """How much may be used before the disk is as full as it should be; asked now and then."""
        if self._asked_at < 0 or self.used + more - self._asked_at >= _ASK_EVERY:
            try:
                found = os.statvfs(self._place)
            except OSError:
                return self.most
            self._asked_at = self.used
            left = min(_LEFT, found.f_blocks * found.f_frsize // 20)
            self._disk = self.used + found.f_bavail * found.f_frsize - left
        return self._disk
