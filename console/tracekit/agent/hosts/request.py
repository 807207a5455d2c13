"""What a host is asked for: one file of JSON that its adapter wrote, and which scenarios of those found that means."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

_BOUNDARY = r"(?:$|::|/|\[)"


@dataclass(frozen=True)
class Request:
    """One launch of one suite."""

    runner: str
    suite: str
    prefix: str
    launch: str
    spool: str
    cwd: str
    root: str
    discovers: bool
    args: tuple[str, ...]
    paths: tuple[str, ...]
    ignore: tuple[str, ...]
    only: Optional[tuple[str, ...]]
    order: str
    isolate: tuple[str, ...]
    attempts: dict[str, int]
    #: What only this runner needs.
    more: dict[str, Any]
    #: How many run at once; 0 is as many as the runner itself has it.
    at_once: int = 0

    def under(self, file: str) -> bool:
        """Whether a file, below the suite's directory, is one that the suite looks at."""
        return (not self.paths or _within(file, self.paths)) and not _within(file, self.ignore)

    def chosen(self, names: Sequence[str]) -> list[int]:
        """The places of those that are to run, in their order."""
        wanted = None if self.only is None else set(self.only)
        places = [place for place, name in enumerate(names) if wanted is None or name in wanted]
        if self.order == "given" and self.only is not None:
            ranks = {name: rank for rank, name in reversed(list(enumerate(self.only)))}
            places.sort(key=lambda place: ranks[names[place]])
        elif self.order.startswith("shuffle:"):
            seed = self.order.partition(":")[2]
            places.sort(key=lambda place: _shuffled(seed, names[place]))
        return places

    def aside(self, name: str) -> Optional[str]:
        """The pattern by which a scenario is left for a launch of its own, or None."""
        return next((one for one in self.isolate if re.match(self._expression(one), name, re.DOTALL)), None)

    def _expression(self, pattern: str) -> str:
        text = re.sub(r"\*+", "*", pattern.removeprefix("./").removesuffix("/"))
        body = "".join({"*": ".*", "?": "."}.get(letter) or re.escape(letter) for letter in text)
        return f"(?:{re.escape(self.prefix)})?{body}{_BOUNDARY}"


def load(path: str) -> Request:
    """Read a request. Raises OSError or ValueError where there is none."""
    with open(path, encoding="ascii") as file:
        found: dict[str, Any] = json.load(file)
    only = found.get("only")

    def words(name: str) -> tuple[str, ...]:
        return tuple(map(str, found.get(name) or ()))

    return Request(
        runner=str(found["runner"]),
        suite=str(found["suite"]),
        prefix=str(found["prefix"]),
        launch=str(found["launch"]),
        spool=str(found["spool"]),
        cwd=str(found["cwd"]),
        root=str(found["root"]),
        order=str(found.get("order") or ""),
        args=words("args"),
        paths=words("paths"),
        ignore=words("ignore"),
        isolate=words("isolate"),
        discovers=bool(found.get("discovers")),
        at_once=int(found.get("at_once") or 0),
        only=None if only is None else tuple(map(str, only)),
        attempts={str(name): int(number) for name, number in (found.get("attempts") or {}).items()},
        more=dict(found.get("more") or {}),
    )


def _within(file: str, places: Sequence[str]) -> bool:
    found = (place.rstrip("/").removeprefix("./") for place in places)
    return any(place in {"", ".", file} or file.startswith(place + "/") for place in found)


def _shuffled(seed: str, name: str) -> tuple[bytes, ...]:
    """Binaries stay together, and modules within them."""
    parts = name.split("::")
    levels = ["::".join(parts[: depth + 1]) for depth in range(len(parts))]
    return tuple(
        hashlib.blake2b(f"{seed}\0{level}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for level in levels
    )
