"""Packs the folder of a box and dies, without a word and without cleaning up, before its N-th step on the disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

_STEPS = ("open", "write", "fdatasync", "rename", "unlink", "close")
_KILLED = 9


def main(place: str, step: int) -> None:
    """Pack; leave at that step."""
    from tracekit import _native  # noqa: F401 - loaded before the steps are counted
    from tracekit.agent.system import Files
    from tracekit.store.packing import pack

    left = step

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                os._exit(_KILLED)
            return real(*args, **options)

        return call

    for name in _STEPS:
        setattr(os, name, counted(getattr(os, name)))
    pack(Path(place), Files(), smallest=0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
