"""Folded states on disk, so that a long run opens without folding it again. Rebuildable: losing one costs only time.

A checkpoint says which journal length it stands for and a hash of the bytes before that point, so that it is never put
on another journal. It is written by the console that folded, and read only here.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tracekit.model.fold import Fold
from tracekit.store import recorded
from tracekit.store.runs import RunFolder
from tracekit.wire.problems import ProblemError

_TAIL = 64 * 1024
_NAME = "fold.ckpt"


def save(folder: RunFolder, state: bytes, folded: int) -> None:
    """Write a checkpoint; a disk that does not take it is no fault of the run."""
    place = folder.path / "checkpoints"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        head = json.dumps({"folded": folded, "tail": _tail_hash(folder.journal, folded), "size": len(state)})
        part = place / f"{_NAME}.part"
        part.write_bytes(head.encode() + b"\n" + state)
        part.replace(place / _NAME)
    except OSError:
        return


def load(folder: RunFolder) -> tuple[Fold, int] | None:
    """The newest checkpoint that fits the journal as it is, or None."""
    try:
        data = (folder.path / "checkpoints" / _NAME).read_bytes()
        head, _, state = data.partition(b"\n")
        facts = json.loads(head)
        folded = int(facts["folded"])
        if len(state) != facts["size"] or facts["tail"] != _tail_hash(folder.journal, folded):
            return None
        return Fold.restore(state), folded
    except (OSError, ValueError, KeyError, TypeError, ProblemError):
        return None


def _tail_hash(journal: Path, folded: int) -> str:
    with recorded.opened(journal) as file:
        start = max(0, folded - _TAIL)
        file.seek(start)
        tail = file.read(folded - start)
    if len(tail) != folded - start:
        message = "the journal is shorter than the checkpoint"
        raise ValueError(message)
    return hashlib.blake2b(tail, digest_size=16).hexdigest()
