"""The fingerprint of what tests are made of, by content: the same on every machine and after every checkout.

What tests themselves write (logs, databases, reports) is left out, or no two runs would ever be of the same sources.
A file is read again only when its size or time has changed. The kept hashes are a cache: losing them costs a reading.
"""

from __future__ import annotations

import json
import os
import re
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracekit.agent.digests import blake2b
from tracekit.store.survey import CONFIGS, MAX_FILES, SKIPPED

_SCHEMA = "tracekit.sources/1"
# What people write and tests import, build or read as their programme.
_ENDINGS = tuple(
    f".{ending}"
    for ending in (
        *("py", "pyi", "pyx", "pxd", "toml", "cfg", "ini", "lock", "yaml", "yml", "sql", "proto", "graphql"),
        *("rs", "c", "h", "cc", "cpp", "hpp", "go", "java", "kt", "js", "mjs", "ts", "tsx", "sh", "j2"),
    )
)
_MOST_BYTES = 4 << 20
# A file that changed this shortly before it was read may change again within the same tick of its clock.
_SETTLED_NS = 2_000_000_000


# What is kept of earlier sources, to say which files are different.
_FINGERPRINTS = 100
_MOST_REMEMBERED = 20_000
_MOST_UNPACKED = 16 << 20
_FINGERPRINT = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Changed:
    """A file that is not the same in two states of the sources."""

    name: str
    how: str  # changed, new, gone


class SourceStore:
    """Kept hashes of files below one cache directory."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "sources"

    def fingerprint(self, root: str, now_ns: int) -> str:
        """A hash over name and content of every source below a directory; empty where there is none to read."""
        kept = self._load(root)
        found: dict[str, list[Any]] = {}
        for place, facts in _sources(root):
            name = os.path.relpath(place, root)
            stamp = [facts.st_size, facts.st_mtime_ns]
            known = kept.get(name)
            digest = known[2] if known is not None and known[:2] == stamp else _digest(place, facts.st_size)
            if digest:
                found[name] = [*stamp, digest]
        if not found:
            return ""
        settled = {name: row for name, row in found.items() if row[1] < now_ns - _SETTLED_NS}
        if settled != kept:
            self._save(root, settled)
        whole = blake2b(digest_size=16)
        for name in sorted(found):
            whole.update(os.fsencode(name) + b"\0" + found[name][2].encode() + b"\n")
        fingerprint = whole.hexdigest()
        self._remember(fingerprint, {name: row[2] for name, row in found.items()})
        return fingerprint

    def between(self, before: str, after: str) -> list[Changed] | None:
        """Which files make two fingerprints different; None where one of them is not remembered."""
        old, new = self._remembered(before), self._remembered(after)
        if old is None or new is None:
            return None
        return [
            Changed(name, "new" if name not in old else "gone" if name not in new else "changed")
            for name in sorted({*old, *new})
            if old.get(name) != new.get(name)
        ]

    def _place(self, fingerprint: str) -> Path:
        return self._folder / "of" / fingerprint

    def _remember(self, fingerprint: str, files: dict[str, str]) -> None:
        """Keep what a fingerprint is made of, for the day that somebody asks what is different."""
        place = self._place(fingerprint)
        if len(files) > _MOST_REMEMBERED or place.exists():
            return
        part = place.with_name(f"{fingerprint}.{os.getpid()}.{threading.get_ident()}.part")
        try:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_bytes(zlib.compress(json.dumps({"schema": _SCHEMA, "files": files}).encode(), 1))
            part.replace(place)
            kept = sorted(place.parent.iterdir(), key=lambda one: one.stat().st_mtime_ns, reverse=True)
            for old in kept[_FINGERPRINTS:]:
                old.unlink(missing_ok=True)
        except OSError:
            part.unlink(missing_ok=True)

    def _remembered(self, fingerprint: str) -> dict[str, str] | None:
        if not _FINGERPRINT.fullmatch(fingerprint):
            return None
        try:
            unpacked = zlib.decompressobj().decompress(self._place(fingerprint).read_bytes(), _MOST_UNPACKED)
            files = json.loads(unpacked)["files"]
        except (OSError, ValueError, KeyError, TypeError, zlib.error):
            return None
        return files if isinstance(files, dict) else None

    def _file(self, root: str) -> Path:
        return self._folder / f"{blake2b(os.fsencode(root), digest_size=16).hexdigest()}.json"

    def _load(self, root: str) -> dict[str, list[Any]]:
        try:
            held = json.loads(self._file(root).read_bytes())
            if held["schema"] != _SCHEMA or held["root"] != root:
                return {}
            return {
                name: row
                for name, row in held["files"].items()
                if isinstance(row, list) and list(map(type, row)) == [int, int, str]
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _save(self, root: str, files: dict[str, list[Any]]) -> None:
        file = self._file(root)
        part = file.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_text(json.dumps({"schema": _SCHEMA, "root": root, "files": files}))
            part.replace(file)
        except OSError:
            part.unlink(missing_ok=True)


def _sources(root: str) -> Iterator[tuple[str, os.stat_result]]:
    left = MAX_FILES
    pending = [root]
    while pending and left > 0:
        try:
            with os.scandir(pending.pop()) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue
        if any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith(".") and entry.name not in SKIPPED:
                    pending.append(entry.path)
            elif entry.name.endswith(_ENDINGS) or entry.name in CONFIGS:
                try:
                    facts = entry.stat()
                except OSError:
                    continue
                left -= 1
                yield entry.path, facts


def _digest(place: str, size: int) -> str:
    # What is that large was not written by hand: its size stands for it.
    if size > _MOST_BYTES:
        return f"size {size}"
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        return blake2b(os.read(descriptor, _MOST_BYTES), digest_size=16).hexdigest()
    except OSError:
        return ""
    finally:
        os.close(descriptor)
