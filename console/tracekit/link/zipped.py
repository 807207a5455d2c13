"""The agent as one file: built from this very installation, kept in the cache by its hash.

Building reads some thirty small files; what was built for the same files (path, size, time) is found again without
reading them. The zip itself is content-hashed, so two consoles of one version share it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path

import _tkprobe
import tracekit.agent
import tracekit.wire
from tracekit.wire.problems import Problem, ProblemError


def agent_zip(cache: Path) -> Path:
    """The path of the zipapp for this installation; raises ProblemError when the cache cannot hold it."""
    folder = cache / "agent"
    pointer = folder / f"{_installed()}.built"
    try:
        built = folder / pointer.read_text()
        if built.is_file():
            return built
    except OSError:
        pass
    # Once an installation; every later start finds it built.
    from tracekit.agent import zipapp

    made = zipapp.build({**zipapp.collect(), **_library()})
    built = folder / f"{made.hash}.pyz"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(built, made.data)
        _write(pointer, built.name.encode())
    except OSError as fault:
        raise ProblemError(
            Problem(
                "link.cache_unwritable",
                f"the agent cannot be unpacked: {fault.strerror or fault}",
                str(folder),
                "make the cache directory writable, or set XDG_CACHE_HOME to one that is",
            )
        ) from fault
    return built


def _library() -> dict[str, bytes]:
    """The box library as it was built with this installation, named by what it runs on."""
    from tracekit import _native

    architecture, libc = _native.box_target()
    data = _native.box_library()
    return {f"lib/{architecture}-{libc}.so": data} if data else {}


def _write(file: Path, data: bytes) -> None:
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(file)


def _installed() -> str:
    digest = hashlib.blake2b(digest_size=16)
    for package in (tracekit.wire, tracekit.agent, _tkprobe):
        pending = [package.__path__[0]]
        while pending:
            with os.scandir(pending.pop()) as found:
                for entry in sorted(found, key=lambda entry: entry.name):
                    if entry.is_dir():
                        if entry.name != "__pycache__":
                            pending.append(entry.path)
                    elif entry.name.endswith(".py"):
                        facts = entry.stat()
                        digest.update(os.fsencode(f"{entry.path}\0{facts.st_size}\0{facts.st_mtime_ns}\n"))
    # The library inside it is part of what is carried.
    found_native = importlib.util.find_spec("tracekit._native")
    if found_native is not None and found_native.origin:
        built = Path(found_native.origin).stat()
        digest.update(os.fsencode(f"{found_native.origin}\0{built.st_size}\0{built.st_mtime_ns}\n"))
    return digest.hexdigest()
