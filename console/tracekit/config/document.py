"""One TOML file read with its positions: bounded before it is parsed, a syntax error as one fault with its line.

Reads regular files only and never more than the bound, whatever the path leads to.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from tracekit.config.positions import Index, Path, RefusedError
from tracekit.config.words import plain

if TYPE_CHECKING:
    from tracekit.config.faults import Faults

MAX_BYTES = 1 << 20
_MARGIN = 4096  # text after the place where the scan gave up that the reader still gets to see


class Document:
    """A parsed file: `data` is what the file says to us, `prefix` where that stands in it (`tool.tracekit`)."""

    def __init__(self, label: str, data: dict[str, Any], index: Index, prefix: tuple[str, ...] = ()) -> None:
        self.label, self.data, self.prefix = label, data, prefix
        self.index = index

    def line(self, path: Path) -> int:
        """The line of a key, or of the nearest thing around it."""
        position = self.index.of((*self.prefix, *path))
        return position[0] if position else 1

    def column(self, path: Path) -> int:
        """The column of a key, or of the nearest thing around it."""
        position = self.index.of((*self.prefix, *path))
        return position[1] if position else 1

    def where(self, path: Path) -> str:
        """`file:line:key`."""
        return place(self.label, self.line(path), (*self.prefix, *path))

    def origin(self, path: Path) -> str:
        """`file:line`."""
        return f"{self.label}:{self.line(path)}"


def place(label: str, line: int, path: Path = ()) -> str:
    """`file:line:key`, safe to show."""
    key = dotted(path)
    return f"{plain(label, 400)}:{line}:{key}" if key else f"{plain(label, 400)}:{line}"


def dotted(path: Path) -> str:
    """A key path as a person would write it; a very long one is cut in the middle of nowhere on purpose."""
    words = ""
    for part in path[:20]:
        if isinstance(part, int):
            words += f"[{part}]"
        else:
            shown = plain(part, 40)
            bare = part != "" and all(char.isascii() and (char.isalnum() or char in "_-") for char in part)
            words += ("." if words else "") + (shown if bare else f'"{shown}"')
    return words + ("…" if len(path) > 20 else "")


def read_bytes(path: str, label: str, faults: Faults) -> bytes | None:
    """The bytes of a regular file within the bound, or a fault."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        faults.add(
            "unreadable", f"cannot be read: {reason}", plain(label, 400), "check the path and its permissions"
        )
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        faults.add("unreadable", "is not a regular file", plain(label, 400), "name a TOML file")
        return None
    with os.fdopen(descriptor, "rb") as file:
        try:
            data = file.read(MAX_BYTES + 1)
        except OSError as error:
            faults.add("unreadable", f"cannot be read: {error.strerror}", plain(label, 400), "check the disk")
            return None
    if len(data) > MAX_BYTES:
        faults.add("too_large", "is larger than 1 MiB", place(label, 1), "keep data out of the configuration")
        return None
    return data


def parse(data: bytes, label: str, faults: Faults) -> Document | None:
    """Parse a file's bytes; what is wrong with them becomes one fault."""
    if len(data) > MAX_BYTES:
        faults.add("too_large", "is larger than 1 MiB", place(label, 1), "keep data out of the configuration")
        return None
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        faults.add("syntax", f"byte {error.start} is not UTF-8", place(label, line), "save the file as UTF-8")
        return None
    try:
        index = Index(text)
    except RefusedError as refused:
        where = place(label, refused.position[0], refused.path)
        faults.add(
            "too_deep" if "nested" in refused.what else "too_large", refused.what, where, "make it simpler"
        )
        return None
    tree = _read(text, index, label, faults)
    return None if tree is None else Document(label, tree, index)


def _read(text: str, index: Index, label: str, faults: Faults) -> dict[str, Any] | None:
    import tomli  # start-up time: many commands read no file

    if index.stopped is not None:
        text = text[: index.stopped + _MARGIN]
    try:
        tree: dict[str, Any] = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        (line, column), what = (error.lineno, error.colno), _lowered(error.msg)
        if index.unclosed and error.pos >= len(text) - 1:
            (line, column), what = index.unclosed
        where = place(label, line)
        faults.add(
            "syntax", f"{what}, at column {column}", where, "see toml.io for what a line may look like"
        )
        return None
    except (ValueError, RecursionError, OverflowError):
        faults.add(
            "syntax", "a value is beyond what can be read", place(label, 1), "look for a very long number"
        )
        return None
    if index.stopped is not None:
        line = text.count("\n", 0, index.stopped) + 1
        faults.add("syntax", "this cannot be followed", place(label, line), "write it in a simpler way")
        return None
    return tree


def _lowered(message: str) -> str:
    """The reader's sentence as a fragment, with anything it quotes made safe and short."""
    return plain(message[:1].lower() + message[1:], 160)
