"""The spool loses lines rather than raising, counts what it lost, and never writes into anybody else's file."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from _tkprobe.spool import AppendFile, Spool, quote
from _tkprobe.ticker import Ticker
from tests.support.until import until


def _lines(spool: Spool) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(spool.lines.path).read_bytes().splitlines()]


class _Disk:
    """A disk that is full until it is told otherwise; `room` bytes still fit."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, fd: int, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = data[: self.room]
        self.room -= len(taken)
        return os.write(fd, taken)


def test_spool__lines__then_they_are_counted_from_one_without_gaps(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), "main")
    for _ in range(3):
        spool.add('"warning","message":"x"')
    spool.flush()

    assert [line["n"] for line in _lines(spool)] == [1, 2, 3]
    assert Path(spool.lines.path).name.startswith(f"main-{os.getpid()}-")


def test_spool__disk_full_for_a_while__then_the_loss_is_told_when_there_is_room_again(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), "main")
    spool.add_now('"attempt.ended","message":"before"')
    disk = _Disk(0)
    spool.lines._write = disk.write  # type: ignore[assignment]
    spool.add_now('"attempt.ended","message":"lost"')
    spool.add_now('"attempt.ended","message":"lost too"')
    disk.room = 10**6
    spool.add_now('"attempt.ended","message":"after"')

    told = _lines(spool)
    assert [line.get("message") for line in told] == ["before", "after", None]
    gap = told[-1]
    assert (gap["e"], gap["what"], gap["count"]) == ("gap", "spool", 2)
    assert "space" in gap["why"]


def test_spool__disk_full_in_the_middle_of_a_line__then_the_torn_line_spoils_no_other(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), "main")
    disk = _Disk(20)
    spool.lines._write = disk.write  # type: ignore[assignment]
    spool.add_now('"attempt.ended","message":"torn"')
    disk.room = 10**6
    spool.add_now('"attempt.ended","message":"whole"')

    torn, *whole = Path(spool.lines.path).read_bytes().splitlines()
    with pytest.raises(json.JSONDecodeError):
        json.loads(torn)
    assert [json.loads(line)["e"] for line in whole] == ["attempt.ended", "gap"]


def test_spool__disk_full__then_room_is_for_what_verdicts_depend_on_and_losses_are_told_when_they_doubled(
    tmp_path: Path,
) -> None:
    spool = Spool(str(tmp_path), "main")
    disk = _Disk(0)
    spool.lines._write = disk.write  # type: ignore[assignment]
    spool.add_now('"attempt.started","number":0')
    disk.room = 10**6
    for number in range(1, 101):
        spool.add('"step.started","name":"call"')
        spool.add_now(f'"attempt.ended","number":{number}')
    spool.add('"step.started","name":"call"')
    spool.add_now('"session.ended","exitstatus":1')

    told = _lines(spool)
    assert [line["number"] for line in told if line["e"] == "attempt.ended"] == list(range(1, 101))
    gaps = [line["count"] for line in told if line["e"] == "gap"]
    assert sum(gaps) == 102
    assert len(gaps) < 10
    assert {line["e"] for line in told} == {"attempt.ended", "session.ended", "gap"}


def test_spool__output_that_does_not_fit__then_its_bytes_are_counted(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), "main")
    disk = _Disk(4)
    spool.output._write = disk.write  # type: ignore[assignment]
    spool.add_output("stdout", '"launch":"L1"', b"12345678")
    spool.add_output("stdout", '"launch":"L1"', b"more")
    spool.flush()

    output, gap = _lines(spool)
    assert output["length"] == 4
    assert (gap["what"], gap["bytes"]) == ("spool", 8)


def test_append_file__our_number_names_another_file_now__then_that_one_is_left_alone(tmp_path: Path) -> None:
    file = AppendFile(str(tmp_path / "ours"))
    file.append(b"one\n")
    theirs = os.open(tmp_path / "theirs", os.O_WRONLY | os.O_CREAT)
    os.dup2(theirs, file.fd)

    file.append(b"two\n")

    assert (tmp_path / "ours").read_bytes() == b"one\ntwo\n"
    assert (tmp_path / "theirs").read_bytes() == b""


@pytest.mark.parametrize("text", ["plain", 'quote " and \\', "ü 🦀 שלום", "\x00\x1f\n", "\ud800"])
def test_quote__any_text__then_it_reads_back(text: str) -> None:
    assert json.loads(quote(text)) == text
    assert quote(text).isascii()


def test_ticker__stopped_and_waited_for__then_the_kernel_counts_no_thread_of_ours() -> None:
    def threads() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    before = threads()
    ticker = Ticker(lambda: None, 0.001)
    ticker.start()
    during = threads()
    ticker.stop(wait=True)

    assert during == before + 1
    assert threads() == before


def test_ticker__what_it_calls_raises__then_it_goes_on_and_nothing_is_said(
    capfd: pytest.CaptureFixture[str],
) -> None:
    called: list[int] = []

    def tick() -> None:
        called.append(1)
        raise pytest.fail.Exception("a fake of a test")

    ticker = Ticker(tick, 0.001)
    ticker.start()
    until(lambda: len(called) > 2)
    ticker.stop(wait=True)
    assert capfd.readouterr() == ("", "")


def test_spool__clock_of_the_day_is_faked__then_lines_keep_the_real_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = time.time_ns()
    spool = Spool(str(tmp_path), "main")
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    for _ in range(2):
        spool.add_now('"warning","message":"x"')
    monkeypatch.undo()

    one, other = _lines(spool)
    assert before <= one["t"] <= other["t"] <= time.time_ns()
    assert other["t"] - one["t"] == other["m"] - one["m"]
