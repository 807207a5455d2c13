"""What pytest is given in place of its own reading: the same answers, and its files emptied when there is something."""

from __future__ import annotations

import os
import tempfile
import threading
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, NamedTuple

import pytest

from _tkprobe.capture import Capture

if TYPE_CHECKING:
    from collections.abc import Iterator


class Result(NamedTuple):
    out: bytes
    err: bytes


class FDCapture:
    """As much of pytest's class of this name as is looked at."""

    def __init__(self, tmpfile: IO[bytes]) -> None:
        self.tmpfile = tmpfile

    def snap(self) -> bytes:
        self.tmpfile.seek(0)
        data = self.tmpfile.read()
        self.tmpfile.seek(0)
        self.tmpfile.truncate()
        return data


class Streams:
    """As much of pytest's pair of captures."""

    def __init__(self, out: IO[bytes], err: IO[bytes]) -> None:
        self.out, self.err = FDCapture(out), FDCapture(err)
        self.asked = 0

    def readouterr(self) -> Result:
        self.asked += 1
        return Result(self.out.snap(), self.err.snap())

    def say(self, data: bytes) -> None:
        os.write(self.out.tmpfile.fileno(), data)


@pytest.fixture
def streams() -> Iterator[Streams]:
    with tempfile.TemporaryFile(buffering=0) as out, tempfile.TemporaryFile(buffering=0) as err:
        yield Streams(out, err)


@pytest.fixture
def told(streams: Streams) -> list[bytes]:
    seen: list[bytes] = []
    capture = Capture(threading.RLock())
    capture.sink = lambda _stream, data: seen.append(data)
    capture.attach(SimpleNamespace(_global_capturing=streams))
    assert capture.live
    return seen


def test_readouterr__nothing_printed__then_the_answer_is_pytests_and_its_files_are_let_alone(
    streams: Streams, told: list[bytes]
) -> None:
    answers = [streams.readouterr() for _ in range(3)]

    assert answers == [Result(b"", b"")] * 3
    assert streams.asked == 1
    assert told == []


def test_readouterr__printed_after_silence__then_told_once_given_to_pytest_and_emptied(
    streams: Streams, told: list[bytes]
) -> None:
    streams.readouterr()
    streams.readouterr()
    streams.say(b"one")
    first = streams.readouterr()
    streams.say(b"two")

    assert (first, streams.readouterr(), streams.readouterr()) == (
        Result(b"one", b""),
        Result(b"two", b""),
        Result(b"", b""),
    )
    assert told == [b"one", b"two"]


def test_readouterr__file_closed_by_the_test__then_the_trouble_is_pytests_own(
    streams: Streams, told: list[bytes]
) -> None:
    streams.readouterr()
    streams.out.tmpfile.close()

    with pytest.raises(ValueError, match="closed file"):
        streams.readouterr()
    assert told == []
