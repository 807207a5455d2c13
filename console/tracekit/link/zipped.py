"""The agent as one file: built from this very installation, kept in the cache by its hash.

Building reads some thirty small files; what was built for the same files (path, size, time) is found again without
reading them. The zip itself is content-hashed, so two consoles of one version share it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import _tkprobe
import tracekit.agent
import tracekit.wire
from tracekit.agent.boot import CARRIED
from tracekit.agent.digests import blake2b
from tracekit.wire.problems import Problem, ProblemError


class Carried(NamedTuple):
    """What a box may need: the agent's zip, and a library by what it runs on and the hash of its bytes."""

    archive: Path
    #: Nothing where this installation has none.
    library: Path | None

    @property
    def offered(self) -> str:
        """The library as the box is told of it, by the name of its file."""
        return self.library.stem.replace(".", ":") if self.library is not None else ""


def agent_zip(cache: Path) -> Path:
    """The path of the zipapp for this machine, its library inside; raises ProblemError when there is no room."""
    return _built(cache, "built", _with_library)[0]


def built_before(cache: Path) -> Path | None:
    """The same where an earlier start has built it; nothing is written."""
    found = _found(cache / "agent", "built")
    return found[0] if found else None


def carried(cache: Path) -> Carried:
    """What goes to boxes: an agent that only names its library, and the library apart; raises ProblemError."""
    archive, *library = _built(cache, "carried", _apart)
    return Carried(archive, library[0] if library else None)


def _built(cache: Path, kind: str, make: Callable[[Path], list[Path]]) -> list[Path]:
    """The files that were built of this installation, made now where they are not there."""
    folder = cache / "agent"
    if found := _found(folder, kind):
        return found
    pointer = _pointer(folder, kind)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Once an installation; every later start finds it built.
        made = make(folder)
        _write(pointer, " ".join(f"{path.name} {path.stat().st_size}" for path in made).encode())
    except OSError as fault:
        raise ProblemError(
            Problem(
                "link.cache_unwritable",
                f"the agent cannot be unpacked: {fault.strerror or fault}",
                str(folder),
                "make the cache directory writable, or set XDG_CACHE_HOME to one that is",
            )
        ) from fault
    return made


def _found(folder: Path, kind: str) -> list[Path]:
    # What is not as it was written, as after a power cut, is built anew.
    with contextlib.suppress(OSError, ValueError):
        words = _pointer(folder, kind).read_text("ascii").split()
        found = [folder / name for name in words[::2]]
        if [path.stat().st_size for path in found] == [int(size) for size in words[1::2]]:
            return found
    return []


def _pointer(folder: Path, kind: str) -> Path:
    return folder / f"{_installed()}.{kind}"


def _with_library(folder: Path) -> list[Path]:
    target, data = _library()
    return [_zip(folder, {f"lib/{target}.so": data} if data else {})]


def _apart(folder: Path) -> list[Path]:
    target, data = _library()
    if not data:
        return [_zip(folder, {})]
    digest = blake2b(data, digest_size=16).hexdigest()
    packed = folder / f"{target}.{digest}.z"
    _write(packed, zlib.compress(data, 9))
    return [_zip(folder, {f"lib/{target}.so.name": f"{digest}.so".encode()}), packed]


def _zip(folder: Path, more: dict[str, bytes]) -> Path:
    from tracekit.agent import zipapp

    made = zipapp.build({**zipapp.collect(), **more})
    _write(folder / f"{made.hash}.pyz", made.data)
    return folder / f"{made.hash}.pyz"


def _library() -> tuple[str, bytes]:
    """The box library as it was built with this installation, and what it runs on."""
    from tracekit import _native

    architecture, libc = _native.box_target()
    return f"{architecture}-{libc}", _native.box_library()


def _write(file: Path, data: bytes) -> None:
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(file)


def _installed() -> str:
    digest = blake2b(digest_size=16)
    for package in (tracekit.wire, tracekit.agent, _tkprobe):
        pending = [package.__path__[0]]
        while pending:
            with os.scandir(pending.pop()) as found:
                for entry in sorted(found, key=lambda entry: entry.name):
                    if entry.is_dir():
                        if entry.name != "__pycache__":
                            pending.append(entry.path)
                    elif entry.name.endswith(CARRIED):
                        facts = entry.stat()
                        digest.update(os.fsencode(f"{entry.path}\0{facts.st_size}\0{facts.st_mtime_ns}\n"))
    # The library inside it is part of what is carried.
    found_native = importlib.util.find_spec("tracekit._native")
    if found_native is not None and found_native.origin:
        built = Path(found_native.origin).stat()
        digest.update(os.fsencode(f"{found_native.origin}\0{built.st_size}\0{built.st_mtime_ns}\n"))
    return digest.hexdigest()
