"""A case of a report, whatever tool wrote it, and the faces that its readers share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Optional, Protocol

TEXT_LIMIT = 64 * 1024
MESSAGE_LIMIT = 4 * 1024
#: Beyond this a line of a report is none: nobody holds it in memory.
MOST_LINE = 4 << 20


class ReportError(ValueError):
    """What is wrong with a report, in words for people."""


class CutShortError(ReportError):
    """A report that is not whole; `found` is what came of it at last."""

    def __init__(self, what: str, found: list[Any]) -> None:
        super().__init__(what)
        self.found = found


@dataclass(frozen=True)
class Compared:
    """Two values that were not as a test wanted them."""

    expected: str
    actual: str
    op: str = "=="


@dataclass(frozen=True)
class Case:
    """One test as a report tells it: names from the outside in, how it ended, and what was said."""

    path: tuple[str, ...]
    verdict: str  # passed, failed, error, skipped, xfailed, xpassed; crashed and timedout where it ended its process
    seconds: Optional[float] = None
    kind: str = ""  # of the failure, as the tool calls it
    message: str = ""
    text: str = ""
    file: str = ""
    line: int = 0
    out: str = ""
    err: str = ""
    compared: Optional[Compared] = None


@dataclass(frozen=True)
class Begun:
    """A test that has begun, where a tool tells that, or one whose end a report was cut before."""

    path: tuple[str, ...]


@dataclass(frozen=True)
class Left:
    """A test that has begun and told no end, whose process is known to have ended: of itself, or of another's doing."""

    path: tuple[str, ...]
    verdict: str  # crashed, or cancelled where it was not its own doing
    why: str


@dataclass(frozen=True)
class Printed:
    """What a test, or with an empty path its tool, printed."""

    path: tuple[str, ...]
    text: str


class Reader(Protocol):
    """Takes a report piece by piece."""

    def feed(self, data: bytes) -> list[Any]:
        """What these bytes tell. Raises ReportError."""

    def close(self) -> list[Any]:
        """What is left to tell at the end. Raises CutShortError where the report is not whole."""


class Lines:
    """Bytes to whole lines of text, however they arrive."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete now, without their ends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MOST_LINE:
            raise ReportError(f"a line of more than {MOST_LINE >> 20} MiB")
        return [line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines]

    @property
    def unfinished(self) -> bool:
        """Whether there are bytes of a line that has no end yet."""
        return bool(self._rest)

    def close(self) -> list[str]:
        """The last line, when it has no end."""
        rest, self._rest = self._rest, b""
        return [rest.decode("utf-8", "replace")] if rest else []


def torn(lines: list[str]) -> bool:
    """Whether a last line that has no end is a part of a JSON object."""
    return any(line.lstrip().startswith("{") and parsed(line) is None for line in lines)


def parsed(line: str) -> Optional[dict[str, Any]]:
    """A line's JSON object, or None."""
    try:
        found = json.loads(line) if line.lstrip().startswith("{") else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """A text, or its beginning and how much is missing."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"


def seconds(found: object) -> Optional[float]:
    """A duration, where one stands there; tools write thousands with commas, and nothing at all."""
    try:
        number = float(str(found).replace(",", ""))
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < 1e9 else None
