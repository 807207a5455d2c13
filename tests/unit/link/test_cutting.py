"""The library gets whole packets where they can be told apart, and the same bytes in any case."""

from __future__ import annotations

import asyncio
import random
from itertools import accumulate

import pytest

from tracekit.link.cutting import Cutting
from tracekit.link.unsealing import Unsealing


class Library(asyncio.Protocol):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.given.append(data)


class Line(asyncio.Transport):
    """Brings bytes to its protocol as a loop does, in parts of any size."""

    def __init__(self, library: Library, unsealing: Unsealing | None = None) -> None:
        super().__init__()
        self.library = library
        self.protocol: asyncio.BaseProtocol = Cutting(library, self, unsealing)
        self.closing = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self.closing

    def bring(self, data: bytes) -> None:
        while data:
            if isinstance(self.protocol, Cutting):
                view = self.protocol.get_buffer(-1)
                some = min(len(view), len(data))
                view[:some] = data[:some]
                self.protocol.buffer_updated(some)
                data = data[some:]
            else:
                self.library.data_received(data)
                return


class Opening(Unsealing):
    """Opens nothing, and says whether it could."""

    def __init__(self) -> None:
        self.could = True

    @property
    def ready(self) -> bool:
        return self.could

    def take(self, view: memoryview, begun: int, end: int) -> int:
        return begun


def packet(number: int, size: int) -> bytes:
    return size.to_bytes(4, "big") + bytes([number % 256]) * (size + 16)


@pytest.mark.parametrize("seed", range(20))
def test_cutting__packets_come_in_parts_of_any_size__then_none_is_given_with_a_part_of_another(
    seed: int,
) -> None:
    chance = random.Random(seed)
    packets = [packet(number, chance.choice([16, 32, 700, 33_000, 131_000])) for number in range(60)]
    stream = b"".join(packets)
    library = Library()
    line = Line(library)
    at, ends = 0, set(accumulate(map(len, packets)))
    while at < len(stream):
        size = chance.choice([1, 2, 3, 5, 40, 5_000, 300_000, 3 << 20])
        line.bring(stream[at : at + size])
        at += size
        # Nothing is held back: what has come is there.
        assert sum(map(len, library.given)) == min(at, len(stream))
    assert b"".join(library.given) == stream
    begun = 0
    for piece in library.given:
        inside = [end for end in ends if begun < end < begun + len(piece)]
        assert not inside
        begun += len(piece)


@pytest.mark.parametrize("seed", range(20))
def test_cutting__packets_are_opened_here__then_the_library_is_given_whole_ones_and_the_rest_at_the_end(
    seed: int,
) -> None:
    chance = random.Random(seed)
    packets = [packet(number, chance.choice([16, 32, 700, 33_000, 131_000, 1 << 19])) for number in range(60)]
    stream = b"".join(packets)[:-7]
    library, opening = Library(), Opening()
    line = Line(library, opening)
    at, ends = 0, list(accumulate(map(len, packets)))
    while at < len(stream):
        size = chance.choice([1, 2, 3, 5, 40, 5_000, 300_000, 3 << 20])
        line.bring(stream[at : at + size])
        at = min(at + size, len(stream))
        assert sum(map(len, library.given)) == max([0, *(end for end in ends if end <= at)])
    assert library.given == packets[:-1]
    assert isinstance(line.protocol, Cutting)
    line.protocol.eof_received()
    assert b"".join(library.given) == stream


@pytest.mark.parametrize("seed", range(20))
def test_cutting__keys_come_whose_packets_tell_no_length__then_nothing_is_held_back(seed: int) -> None:
    chance = random.Random(seed)
    stream = b"".join(packet(number, chance.choice([16, 700, 33_000])) for number in range(40))
    library, opening = Library(), Opening()
    line = Line(library, opening)
    at = 0
    while at < len(stream):
        size = chance.choice([1, 3, 40, 5_000, 100_000])
        opening.could = opening.could and at < 200_000
        line.bring(stream[at : at + size])
        at = min(at + size, len(stream))
        if not opening.could:
            assert sum(map(len, library.given)) == at
    assert b"".join(library.given) == stream


def test_cutting__it_began_in_the_middle_of_a_packet__then_the_rest_goes_straight_to_the_library() -> None:
    library = Library()
    line = Line(library)
    line.bring(b"\xff" * 100 + packet(1, 5000))
    line.bring(packet(2, 5000))
    assert line.protocol is library
    assert library.given == [b"\xff" * 100 + packet(1, 5000), packet(2, 5000)]


def test_cutting__the_library_gives_a_connection_up__then_it_is_given_nothing_more() -> None:
    library = Library()
    line = Line(library)
    line.closing = True
    line.bring(packet(1, 500) + packet(2, 500) + packet(3, 500))
    assert library.given == [packet(1, 500)]


def test_cutting__the_line_ends_or_is_full__then_the_library_hears_it() -> None:
    heard: list[object] = []

    class Hearing(Library):
        def eof_received(self) -> bool:
            heard.append("eof")
            return True

        def connection_lost(self, exc: Exception | None) -> None:
            heard.append(exc)

        def pause_writing(self) -> None:
            heard.append("full")

        def resume_writing(self) -> None:
            heard.append("free")

    library = Hearing()
    cutting = Cutting(library, Line(library))
    fault = OSError("gone")
    assert cutting.eof_received() is True
    cutting.pause_writing()
    cutting.resume_writing()
    cutting.connection_lost(fault)
    assert heard == ["eof", "full", "free", fault]
