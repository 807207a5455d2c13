"""The file that stacks go to: tasks are written behind them, and never into a file that is not ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from _tkprobe.stalls import Stalls
from _tkprobe.tasks import END


@pytest.fixture
def stalls(tmp_path: Path) -> Stalls:
    made = Stalls(str(tmp_path / "main-1-2"))
    assert "tasks" in made.told()
    return made


def test_look__stacks_were_written__then_tasks_stand_behind_them_once(stalls: Stalls) -> None:
    stalls.look()
    os.write(stalls.fd, b"Current thread 0x1:\n")
    for _ in range(4):
        stalls.look()
    assert Path(stalls.path).read_text() == f"Current thread 0x1:\n{END}\n"


def test_look__its_number_is_another_files_now__then_nothing_is_written_there(
    stalls: Stalls, tmp_path: Path
) -> None:
    other = tmp_path / "theirs"
    theirs = os.open(other, os.O_RDWR | os.O_CREAT)
    os.dup2(theirs, stalls.fd)
    number = stalls.fd
    for size in range(1, 4):
        os.ftruncate(theirs, size)
        stalls.look()
        stalls.look()
    os.close(theirs)
    os.close(number)
    assert other.read_bytes() == bytes(3)
