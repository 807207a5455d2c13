"""Live output while pytest's own capturing stays on: read what the capture files hold before pytest takes it away.

pytest keeps captured output in a file of its own (`fd`) or in memory (`sys`). A background thread reads what was added,
and the one method by which pytest empties both is preceded by a last look, so that no byte is missed, told twice or
given to the next test. These are private names of pytest: whatever is not as expected means "not live", and output is
then taken from the reports instead.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any, Callable, List, Optional, Tuple

from _tkprobe.spool import move_up

CHUNK = 256 * 1024
PEEK = 4096
#: The size of the page of marks: a descriptor and a place for each of two streams.
MARKS = 32
#: The agent's socket beside the page.
WORDS = "words"

#: Takes a stream's name and bytes of it.
Sink = Callable[[str, bytes], None]


class Marks:
    """Which descriptors hold what was printed and not read yet, and from where: a page that outlives this process.

    The agent holds the same files open. Where a test takes its process down, it finds the last words there.
    """

    def __init__(self, path: str) -> None:
        import mmap

        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Never sparse: on a disk without room a store into a hole would kill the process.
            os.posix_fallocate(fd, 0, MARKS)
            page = mmap.mmap(fd, MARKS)
        finally:
            os.close(fd)
        #: Descriptor and place of each stream, as 64-bit numbers.
        self.words = memoryview(page).cast("Q")


def leave(path: str, files: List[int]) -> None:
    """Send the agent our capture files, which it then holds whenever we end: it need not be quick to outlive us."""
    with contextlib.suppress(OSError, ImportError, AttributeError):
        import _socket
        import array

        folder, name = os.path.split(path)
        where = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _send(
                f"/proc/self/fd/{where}/{WORDS}", os.path.splitext(name)[0], array.array("i", files), _socket
            )
        finally:
            os.close(where)


def _send(path: str, name: str, files: Any, library: Any) -> None:
    # The C class: suites forbid `socket.socket`. And the path of a socket may not be long.
    own = library.socket(library.AF_UNIX, library.SOCK_DGRAM | library.SOCK_CLOEXEC)
    try:
        rights = (library.SOL_SOCKET, library.SCM_RIGHTS, files)
        own.sendmsg([name.encode()], [rights], library.MSG_DONTWAIT, path)
    finally:
        own.close()


class FileSource:
    """A stream captured in a file, read by offset through a descriptor of our own."""

    def __init__(self, stream: str, fd: int) -> None:
        self.stream = stream
        self.fd = fd
        self.position = 0
        self.words: Any = None
        self.word = 0
        self._pread = os.pread
        self._fstat = os.fstat

    def drain(self, sink: Sink) -> None:
        data = self._pread(self.fd, PEEK, self.position)
        if not data and self.position and self._fstat(self.fd).st_size < self.position:
            # Somebody else emptied the file (a forked child's pytest shares it): start over.
            self.position = 0
            data = self._pread(self.fd, PEEK, 0)
        while data:
            self.position += len(data)
            sink(self.stream, data)
            if self.words is not None:
                self.words[self.word] = self.position
            data = self._pread(self.fd, CHUNK, self.position)

    def emptied(self) -> None:
        """The file begins anew."""
        if self.position:
            self.position = 0
            if self.words is not None:
                self.words[self.word] = 0


class MemorySource:
    """A stream captured in memory (`--capture=sys`, `tee-sys`)."""

    def __init__(self, stream: str, buffer: io.BytesIO) -> None:
        self.stream = stream
        self.buffer = buffer
        self.position = 0

    def drain(self, sink: Sink) -> None:
        end = self.buffer.tell()
        self.position = min(self.position, end)
        if end > self.position:
            data = self.buffer.getvalue()[self.position : end]
            self.position = end
            sink(self.stream, data)

    def emptied(self) -> None:
        """The buffer begins anew."""
        self.position = 0


def nowhere(_stream: str, _data: bytes) -> None:
    """Where bytes go before anybody asked for them."""


class Capture:
    """The sources of one process. `lock` is held around every look, by the thread and by pytest's own emptying."""

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self.sink: Sink = nowhere
        self.sources: List[Any] = []
        self.live = False
        #: Whether pytest really came by: a version that empties its files elsewhere would otherwise lose us output.
        self.seen = False
        self.off = False
        self.passthrough = False

    def attach(self, manager: Any, marks: str = "") -> None:
        """Find pytest's capture objects and stand before their emptying; anything unexpected leaves us not live.

        `marks` is where it is noted for the agent how far what was printed has been read.
        """
        streams = getattr(manager, "_global_capturing", None)
        if streams is None:
            return
        if getattr(streams, "out", None) is None and getattr(streams, "err", None) is None:
            self.passthrough = True
            return
        sources = [
            source("stdout", getattr(streams, "out", None)),
            source("stderr", getattr(streams, "err", None)),
        ]
        original = getattr(streams, "readouterr", None)
        if None in sources or not callable(original):
            return
        self.sources = sources

        readouterr = self._reader(original, streams)

        try:
            streams.readouterr = readouterr
        except (AttributeError, TypeError):
            return
        # The self-test: pytest must reach the files through the method that was just replaced.
        self.live = streams.readouterr is readouterr
        if marks and self.live and all(type(one) is FileSource for one in sources):
            self._mark(marks)

    def _mark(self, path: str) -> None:
        try:
            words = Marks(path).words
        except (OSError, ValueError, ImportError, TypeError):
            return
        for number, one in enumerate(self.sources):
            words[2 * number + 1] = 0
            words[2 * number] = one.fd
            one.words, one.word = words, 2 * number + 1
        leave(path, [one.fd for one in self.sources])

    def _reader(self, original: Callable[[], Any], streams: Any) -> Callable[[], Any]:
        """What pytest is given in place of its own: cheaper than its own where nothing was printed."""
        first, second = self.sources
        if not (type(first) is type(second) is FileSource):
            return lambda: original() if self.off else self.emptying(original)
        # pytest's own numbers and not ours: whatever a test did to them, we see what pytest would see.
        pread, one, two = os.pread, streams.out.tmpfile.fileno(), streams.err.tmpfile.fileno()
        nothing: Any = None

        def readouterr() -> Any:
            nonlocal nothing
            if self.off:
                return original()
            if nothing is not None and not (first.position or second.position):
                try:
                    # Without the lock: files that are empty are not emptied, so no look can come in between.
                    if not (pread(one, 1, 0) or pread(two, 1, 0)):
                        return nothing
                except OSError:
                    pass
            result = self.emptying(original)
            if nothing is None and isinstance(result, tuple) and not any(result):
                nothing = result
            return result

        return readouterr

    def emptying(self, original: Callable[[], Any]) -> Any:
        """Before pytest takes the output away: the last look. The lock lasts until the files are empty again."""
        self.seen = True
        with self.lock:
            try:
                for one in self.sources:
                    one.drain(self.sink)
            except (OSError, ValueError):
                self.live = False
            try:
                return original()
            finally:
                for one in self.sources:
                    one.emptied()

    def look(self) -> None:
        """From the thread: whatever was added since."""
        try:
            for one in self.sources:
                one.drain(self.sink)
        except (OSError, ValueError):
            return


def source(stream: str, capture: Any) -> Optional[Any]:
    """The source behind one of pytest's capture objects, or None where it does not look like one we know."""
    file: Any = getattr(capture, "tmpfile", None)
    kind = type(capture).__name__
    if kind in ("FDCapture", "FDCaptureBinary"):
        try:
            fd = file.fileno()
            os.pread(fd, 1, 0)
            return FileSource(stream, move_up(os.dup(fd)))
        except (AttributeError, OSError, ValueError):
            return None
    if kind in ("SysCapture", "SysCaptureBinary"):
        buffer = getattr(file, "buffer", None)
        return MemorySource(stream, buffer) if type(buffer) is io.BytesIO else None
    return None


class OwnStream:
    """With `-s` nothing is captured: what a test prints is the growth of our own stdout, where that is a file."""

    def __init__(self, stream: str, fd: int, text: Any) -> None:
        self.stream = stream
        self.text = text
        self.fd = -1
        self.position = 0
        self._pread, self._fstat = os.pread, os.fstat
        with contextlib.suppress(OSError):
            import stat

            if stat.S_ISREG(os.fstat(fd).st_mode):
                self.fd = move_up(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC))

    def skip(self) -> None:
        """What was printed up to here belongs to the runner."""
        if self.fd >= 0:
            self.push()
            self.position = self._fstat(self.fd).st_size

    def drain(self, sink: Sink) -> None:
        if self.fd < 0:
            return
        data = self._pread(self.fd, CHUNK, self.position)
        while data:
            self.position += len(data)
            sink(self.stream, data)
            data = self._pread(self.fd, CHUNK, self.position)

    def push(self) -> None:
        with contextlib.suppress(Exception):
            self.text.flush()


def own_streams() -> List[OwnStream]:
    """The process's own stdout and stderr, made line-buffered as they are on a terminal."""
    streams = []
    found: List[Tuple[str, int, Any]] = [("stdout", 1, sys.stdout), ("stderr", 2, sys.stderr)]
    for name, fd, text in found:
        with contextlib.suppress(Exception):
            text.reconfigure(line_buffering=True)
        stream = OwnStream(name, fd, text)
        if stream.fd >= 0:
            streams.append(stream)
    return streams
