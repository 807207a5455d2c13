"""The agent's file calls: what fails says where."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tracekit.agent.paths import unwritable
from tracekit.agent.system import Files


class Full(Files):
    """A disk without room."""

    def write(self, descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_put__disk_is_full__then_the_place_is_named_that_is_full(tmp_path: Path) -> None:
    place = tmp_path / "state" / "live.json"
    place.parent.mkdir()
    with pytest.raises(OSError, match="No space") as caught:
        Full().put(str(place), b"{}")
    problem = unwritable("/somewhere/else", caught.value)
    assert problem.where == str(place)
    assert caught.value.errno == errno.ENOSPC
