"""A file system whose N-th call fails, once or from then on, as a full disk does."""

from __future__ import annotations

import errno
import os

from tracekit.agent.system import Files, System


class FailingFiles(Files):
    """Counts calls that can fail on a full disk; number `at` (from 1) fails, and all later ones when `lasting`."""

    def __init__(self, at: int, *, lasting: bool = False, code: int = errno.ENOSPC, flag: str = "") -> None:
        self.calls = 0
        self.failed = 0
        self._at = at
        self._lasting = lasting
        self._flag = flag
        self._code = code

    def _count(self) -> bool:
        self.calls += 1
        fails = self.calls == self._at or (self._lasting and self.calls > self._at)
        self.failed += fails
        if fails and self._flag:
            os.close(os.open(self._flag, os.O_WRONLY | os.O_CREAT, 0o600))
        return fails

    def _fail(self) -> None:
        if self._count():
            raise OSError(self._code, os.strerror(self._code))

    def write(self, descriptor: int, data: bytes) -> int:
        """Half of the bytes may already be there when a disk is full."""
        if self._count():
            if len(data) > 1:
                super().write(descriptor, bytes(data)[: len(data) // 2])
            raise OSError(self._code, os.strerror(self._code))
        return super().write(descriptor, data)

    def open(self, path: str, flags: int, mode: int = 0o600) -> int:
        if flags & os.O_CREAT:
            self._fail()
        return super().open(path, flags, mode)

    def sync(self, descriptor: int) -> None:
        self._fail()
        super().sync(descriptor)

    def rename(self, old: str, new: str) -> None:
        self._fail()
        super().rename(old, new)

    def make_directory(self, path: str) -> None:
        self._fail()
        super().make_directory(path)


def failing(at: int, *, lasting: bool = False, flag: str = "") -> System:
    """A system with such files; `flag` is a file that appears once a call was made to fail."""
    return System(files=FailingFiles(at, lasting=lasting, flag=flag))
