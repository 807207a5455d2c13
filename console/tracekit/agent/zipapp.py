"""Builds the agent: the same files give the same bytes, wherever and whenever it is built.

`build` is a pure function; `collect` finds the files of the installed package. It runs on the console, never on a box.
"""

from __future__ import annotations

import importlib.util
import io
import os
import zipfile
from collections.abc import Mapping
from typing import NamedTuple

from tracekit.agent.boot import CARRIED
from tracekit.agent.digests import blake2b

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16


class Built(NamedTuple):
    """An agent ready to be sent, and the hash that names it."""

    data: bytes
    hash: str


def build(files: Mapping[str, bytes]) -> Built:
    """Zip these files, by name, and hash what they hold."""
    digest = blake2b(digest_size=16)
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    found = digest.hexdigest()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in sorted({**files, "HASH": found.encode("ascii")}.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = _MODE
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            archive.writestr(entry, data)
    return Built(target.getvalue(), found)


def collect() -> dict[str, bytes]:
    """The agent's files as this console has them: app, probe, and what runs first."""
    here = os.path.dirname(os.path.abspath(__file__))
    package = os.path.dirname(here)
    files = {"app/tracekit/__init__.py": _read(os.path.join(package, "__init__.py"))}
    for room in ("wire", "agent"):
        files.update(_tree(os.path.join(package, room), f"app/tracekit/{room}"))
    found = importlib.util.find_spec("_tkprobe")
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        files.update(_tree(place, "probe/_tkprobe"))
    files["__main__.py"] = _read(os.path.join(here, "boot.py"))
    return files


def _tree(directory: str, name: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in sorted(os.listdir(directory)):
        path = os.path.join(directory, entry)
        if os.path.isdir(path) and entry != "__pycache__":
            found.update(_tree(path, f"{name}/{entry}"))
        elif entry.endswith(CARRIED):
            found[f"{name}/{entry}"] = _read(path)
    return found


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
