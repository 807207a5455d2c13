"""What a run leaves behind that somebody wants: files by glob, into blobs of the run, told as attachments.

Secrets are taken out before a byte is written to what is replicated. Nothing outside the project's directory is taken,
and no more than fits: what is left there is counted in a gap.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import Any

from tracekit.agent.digests import blake2b
from tracekit.agent.redact import Redactor, StreamRedactor
from tracekit.agent.system import Files
from tracekit.wire.names import BLOB_DIR, E

MOST_BYTES = 256 << 20
MOST_FILES = 1000
_READ = 1 << 20


def collect(
    files: Files, root: str, globs: Iterable[str], place: str, redactor: Redactor
) -> list[dict[str, Any]]:
    """Bring what the globs name into the run's blobs; gives the lines that tell of it. Never raises OSError."""
    lines: list[dict[str, Any]] = []
    left, count, taken = MOST_BYTES, 0, 0
    for path in _found(root, globs):
        name = os.path.relpath(path, root)
        try:
            size = os.stat(path).st_size
            if size > left or taken >= MOST_FILES:
                count += 1
                continue
            digest, length = _keep(files, path, place, redactor)
        except OSError as fault:
            lines.append(
                {"e": E.GAP, "what": "artefact", "count": 1, "why": f"{name}: {fault.strerror or fault}"}
            )
            continue
        left -= size
        taken += 1
        lines.append({"e": E.ATTACHMENT, "name": redactor.text(name), "hash": digest, "size": length})
    if count:
        why = f"more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB"
        lines.append({"e": E.GAP, "what": "artefact", "count": count, "why": why})
    return lines


def _found(root: str, globs: Iterable[str]) -> list[str]:
    real = os.path.realpath(root)
    found: dict[str, None] = {}
    for pattern in globs:
        if os.path.isabs(pattern) or ".." in pattern.split("/"):
            continue
        import glob  # most runs keep nothing

        for path in sorted(glob.glob(os.path.join(glob.escape(real), pattern), recursive=True)):
            whole = os.path.realpath(path)
            if whole.startswith(real + os.sep) and os.path.isfile(whole):
                found[path] = None
    return list(found)


def _keep(files: Files, path: str, place: str, redactor: Redactor) -> tuple[str, int]:
    folder = os.path.join(place, BLOB_DIR)
    files.make_directory(folder)
    part = os.path.join(folder, "collecting.part")
    digest, length = blake2b(digest_size=32), 0
    stream: StreamRedactor[None] = StreamRedactor(redactor)
    descriptor = files.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        with open(path, "rb") as source:
            while True:
                data = source.read(_READ)
                for _, piece in stream.feed(None, data) if data else stream.flush():
                    digest.update(piece)
                    length += len(piece)
                    files.write_all(descriptor, piece)
                if not data:
                    break
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    finally:
        files.close(descriptor)
    files.rename(part, os.path.join(folder, digest.hexdigest()))
    return digest.hexdigest(), length
