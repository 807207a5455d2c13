"""A file to be mapped as code, from a place where that is allowed: some homes are mounted so that nothing runs there.

It copies once, into a directory that is ours alone, by the hash of its bytes; where no place will do, the file stays
where it is and its loader says why it cannot be used.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from tracekit.agent.boot import LIBRARY, places, private
from tracekit.agent.boot import runs as _allowed
from tracekit.agent.digests import blake2b

_FOUND: dict[str, str] = {}


def runnable(path: str, elsewhere: Sequence[str] = ()) -> str:
    """Where the file can be mapped as code; looked for once in a process."""
    found = _FOUND.get(path)
    if found is None:
        found = path if _allowed(os.path.dirname(path)) else _moved(path, elsewhere or places())
        if os.path.isfile(path):
            _FOUND[path] = found
    return found


def _moved(path: str, elsewhere: Sequence[str]) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return path
    name = f"{blake2b(data, digest_size=16).hexdigest()}.so"
    for base in elsewhere:
        try:
            place = os.path.join(base, LIBRARY)
            if not private(base) or not _allowed(base) or not private(place):
                continue
            target = os.path.join(place, name)
            if not _holds(target, data):
                part = f"{target}.{os.getpid()}.part"
                with open(part, "wb") as file:
                    file.write(data)
                os.rename(part, target)
        except OSError:
            continue
        return target
    return path


def _holds(path: str, data: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read() == data
    except OSError:
        return False
