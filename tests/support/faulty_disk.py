"""A disk whose N-th call fails, for code that works with files and databases in this process.

Every call that can fail on a full disk is counted: opening to write, each write, sync, rename, making and removing, and
each statement of a database. Number `at` (from 1) fails, and all later ones when `lasting`. Reading never fails.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import os
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, Self
from unittest import mock

_CALLS = ("mkdir", "rename", "replace", "unlink", "rmdir", "write", "fsync", "fdatasync", "ftruncate")


class Disk:
    """Counts, and says when it is time to fail."""

    def __init__(self, at: int, *, lasting: bool) -> None:
        self.at, self.lasting = at, lasting
        self.calls = self.failed = 0

    def count(self) -> bool:
        """One more call; whether it is to fail."""
        self.calls += 1
        fails = self.calls == self.at or (self.lasting and self.calls > self.at)
        self.failed += fails
        return fails

    def call(self) -> None:
        """One more call, which raises when it is to fail."""
        if self.count():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _wrapped(disk: Disk, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        disk.call()
        return real(*args, **options)

    return call


def _opened(disk: Disk, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: Any, flags: int, *args: Any, **options: Any) -> Any:
        if flags & os.O_CREAT:
            disk.call()
        return real(path, flags, *args, **options)

    return call


def _file(disk: Disk, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        if not set(mode) & set("wax+"):
            return real(file, mode, *args, **options)
        disk.call()
        opened = real(file, mode, *args, **options)
        write = opened.write

        def counted(data: Any) -> Any:
            if disk.count():
                # Half of it may be there already when a disk is full.
                write(data[: len(data) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(data)

        return _Writer(opened, counted)

    return call


class _Writer:
    """A file whose writes are counted; all else is the file's own."""

    def __init__(self, file: Any, write: Callable[[Any], Any]) -> None:
        self._file, self.write = file, write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def writelines(self, pieces: Any) -> None:
        for piece in pieces:
            self.write(piece)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Any:
        return iter(self._file)


def _connected(disk: Disk, real: Callable[..., Any]) -> Callable[..., Any]:
    def check() -> None:
        if disk.count():
            raise sqlite3.OperationalError("database or disk is full")

    class Counted(sqlite3.Connection):
        def execute(self, statement: str, *args: Any) -> Any:
            if not statement.startswith("SELECT"):
                check()
            return super().execute(statement, *args)

        def executemany(self, *args: Any) -> Any:
            check()
            return super().executemany(*args)

        def executescript(self, *args: Any) -> Any:
            check()
            return super().executescript(*args)

        def commit(self) -> None:
            check()
            super().commit()

    def connect(database: Any, *args: Any, **options: Any) -> Any:
        if database == ":memory:":
            return real(database, *args, **options)
        check()
        return real(database, *args, factory=Counted, **options)

    return connect


@contextlib.contextmanager
def faulty(at: int, *, lasting: bool = False) -> Iterator[Disk]:
    """The N-th call of this block fails."""
    disk = Disk(at, lasting=lasting)
    with contextlib.ExitStack() as stack:
        for name in _CALLS:
            stack.enter_context(mock.patch.object(os, name, _wrapped(disk, getattr(os, name))))
        stack.enter_context(mock.patch.object(os, "open", _opened(disk, os.open)))
        stack.enter_context(mock.patch.object(io, "open", _file(disk, io.open)))
        stack.enter_context(mock.patch.object(builtins, "open", _file(disk, builtins.open)))
        stack.enter_context(mock.patch.object(sqlite3, "connect", _connected(disk, sqlite3.connect)))
        yield disk
