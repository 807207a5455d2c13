"""A run's journal and output as they lie on the disk, plain or packed: the one place where they are opened to be read.

Nobody else knows both ways. While a plain file is there it is the one that counts; a packed one is read as it is, from
the start on, and output, which is read anywhere, is unpacked once for as long as somebody looks at it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from tracekit.agent.system import free_space
from tracekit.wire.names import PACKED
from tracekit.wire.problems import Problem

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE = 256 * 1024
# Output that is larger is unpacked into a file, of which this much stays free on its disk.
_IN_MEMORY = 16 << 20
_LEFT_FREE = 64 << 20


class DamagedFileError(OSError):
    """A packed file that does not unpack: cut short, changed, or none at all."""

    def __init__(self, file: Path, what: str) -> None:
        self.what = f"the packed file is damaged: {what}"
        super().__init__(errno.EIO, self.what, str(file))

    @property
    def problem(self) -> Problem:
        """The same as a problem for people."""
        run = Path(self.filename).parent.parent
        action = f"`tracekit verify {run}` shows what is left; a copy of the file mends it"
        return Problem("store.damaged_file", self.what, self.filename, action)


def packed(file: Path) -> Path:
    """What a file is called once it is packed."""
    return file.with_name(file.name + PACKED)


def there(file: Path) -> bool:
    """Whether a journal or an output is there, in one way or the other."""
    return file.is_file() or packed(file).is_file()


def opened(file: Path) -> BinaryIO:
    """A journal or an output, opened to be read; raises OSError, DamagedFileError among them as it is read."""
    try:
        return file.open("rb")
    except FileNotFoundError:
        with contextlib.suppress(FileNotFoundError):
            return cast("BinaryIO", io.BufferedReader(Unpacking(packed(file)), _PIECE))
        # There is neither, or another console has unpacked it in this moment.
        return file.open("rb")


def size(file: Path) -> int:
    """How long a journal or an output is, unpacked; raises OSError."""
    with opened(file) as found:
        return found.seek(0, io.SEEK_END)


class Unpacking(io.RawIOBase):
    """A packed file as the file that it was. Going back costs a new beginning."""

    def __init__(self, path: Path) -> None:
        from tracekit._native import PACKED_HEAD, packed_size

        super().__init__()
        self._path = path
        self._file = path.open("rb", buffering=0)
        found = packed_size(self._file.read(PACKED_HEAD))
        if found is None:
            self._file.close()
            raise DamagedFileError(path, "it does not begin like one")
        self._size = found
        self._wanted = 0
        self._begin()

    def _begin(self) -> None:
        from tracekit._native import Unpacker

        self._file.seek(0)
        self._unpacker = Unpacker()
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._wanted, io.SEEK_END: self._size}[whence]
        self._wanted = max(0, start + offset)
        return self._wanted

    def tell(self) -> int:
        return self._wanted

    def readinto(self, buffer: WriteableBuffer) -> int:
        if self._wanted < self._at:
            self._begin()
        while self._at < self._wanted and self._some(min(_PIECE, self._wanted - self._at)):
            pass
        if self._at < self._wanted:
            return 0
        view = memoryview(buffer).cast("B")
        data = self._some(len(view))
        view[: len(data)] = data
        self._wanted = self._at
        return len(data)

    def _some(self, most: int) -> bytes:
        """The next bytes, at most so many; none at its end, which is one only if everything is right."""
        while True:
            piece = self._file.read(_PIECE) if self._unpacker.hungry else b""
            if self._unpacker.hungry and not piece:
                raise DamagedFileError(self._path, "it is cut short")
            try:
                data = self._unpacker.unpack(piece, most)
            except ValueError as fault:
                raise DamagedFileError(self._path, str(fault)) from fault
            self._at += len(data)
            if self._at > self._size or (self._unpacker.done and self._at < self._size):
                raise DamagedFileError(self._path, "it does not hold as much as it says")
            if data:
                return data
            if self._unpacker.done:
                if self._file.read(1):
                    raise DamagedFileError(self._path, "something follows its end")
                return b""

    def close(self) -> None:
        self._file.close()
        super().close()


def plain_folder(file: Path, owner: object) -> Path:
    """The folder of a file for a reader that opens plain ones itself; raises OSError.

    Of a packed one it is a folder that holds it unpacked, and that is gone with its owner.
    """
    if file.exists() or not packed(file).exists():
        return file.parent
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="tracekit-"))
    gone = weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    try:
        with opened(file) as source, (folder / file.name).open("wb") as target:
            _with_room(source, folder)
            shutil.copyfileobj(source, target, _PIECE)
    except BaseException:
        gone()
        raise
    return folder


class Window:
    """A run's output, read anywhere and again and again, by any thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._whole: IO[bytes] | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The output for as long as the block lasts; raises OSError."""
        plain = self._plain() if self._whole is None else None
        if plain is not None:
            with plain:
                yield plain
            return
        with self._lock:
            if self._whole is None:
                self._whole = _whole(self._file)
                weakref.finalize(self, self._whole.close)
            yield self._whole

    def _plain(self) -> IO[bytes] | None:
        try:
            return self._file.open("rb")
        except FileNotFoundError:
            return None


def _whole(file: Path) -> IO[bytes]:
    """All of a packed file, in memory or in a file without a name: gone with whoever holds it."""
    import shutil
    import tempfile

    with opened(file) as source:
        length = _with_room(source, Path(tempfile.gettempdir()))
        target: IO[bytes] = io.BytesIO() if length <= _IN_MEMORY else tempfile.TemporaryFile()  # noqa: SIM115 - closed with its holder
        shutil.copyfileobj(source, target, _PIECE)
    return target


def _with_room(source: IO[bytes], folder: Path) -> int:
    """How long what is packed is; raises OSError where there is no room for it."""
    length = source.seek(0, os.SEEK_END)
    source.seek(0)
    if length > _IN_MEMORY and free_space(str(folder)) < length + _LEFT_FREE:
        raise OSError(errno.ENOSPC, f"there is no room to unpack its {length} bytes", str(folder))
    return length
