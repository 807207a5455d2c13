"""The frame codec and messages: any chunking, any damage, hostile lengths."""

from __future__ import annotations

import contextlib
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekit.wire.frames import (
    MAX_FRAME,
    MAX_PAYLOAD,
    Frame,
    FrameDecoder,
    FrameError,
    FrameType,
    data_frames,
    encode_frame,
)
from tracekit.wire.messages import MessageAssembler, encode_message

frames = st.builds(
    Frame,
    type=st.integers(0, 255),
    file=st.integers(0, 65535),
    offset=st.integers(0, (1 << 63) - 1),
    payload=st.binary(max_size=200),
)


def _encoded(frame: Frame) -> bytes:
    return encode_frame(frame.type, frame.payload, file=frame.file, offset=frame.offset)


@given(st.lists(frames, max_size=8), st.integers(1, 50))
def test_decoder__any_chunking__then_same_frames(sent: list[Frame], step: int) -> None:
    data = b"".join(map(_encoded, sent))
    decoder = FrameDecoder()
    got = [frame for at in range(0, len(data), step) for frame in decoder.feed(data[at : at + step])]
    assert got == sent
    assert decoder.pending == 0


@given(st.integers(0, 3), st.integers(-2, 2), st.integers(0, 1 << 40), st.integers(0, 65535))
def test_data_frames__any_size__then_the_same_bytes_and_no_frame_longer_than_one_may_be(
    many: int, more: int, offset: int, file: int
) -> None:
    data = bytes(range(256)) * (MAX_PAYLOAD // 256 + 1) * 3
    data = data[: max(0, many * MAX_PAYLOAD + more)]
    raw = b"".join(data_frames(data, file, offset))
    got = FrameDecoder().feed(raw)
    assert b"".join(frame.payload for frame in got) == data
    assert raw == b"".join(map(_encoded, got))
    at = offset
    for frame in got:
        assert frame[:3] == (FrameType.DATA, file, at)
        assert 0 < len(frame.payload) <= MAX_PAYLOAD
        at += len(frame.payload)


some_data = st.builds(
    Frame,
    type=st.just(int(FrameType.DATA)),
    file=st.integers(0, 65535),
    offset=st.integers(0, 1 << 62),
    payload=st.binary(max_size=200),
)


@given(st.lists(st.one_of(frames, some_data), max_size=8), st.integers(1, 300))
def test_decoder__payloads_as_views__then_the_same_bytes_one_behind_the_other(
    sent: list[Frame], step: int
) -> None:
    decoder = FrameDecoder(views=True)
    for frame in sent:
        data = _encoded(frame)
        got = [part for at in range(0, len(data), step) for part in decoder.feed(data[at : at + step])]
        assert got[0][:3] == frame[:3]
        assert len(got) == 1 or frame.type == FrameType.DATA
        for part, following in pairwise(got):
            assert following[:3] == (part.type, part.file, part.offset + len(part.payload))
        assert b"".join(part.payload for part in got) == frame.payload
        views = {type(part.payload) for part in got}
        assert views == ({memoryview} if frame.type == FrameType.DATA else {bytes})
    assert decoder.pending == 0


@given(some_data, st.integers(16, 60), st.data())
def test_decoder__one_bit_of_a_frame_in_parts_flipped__then_no_part_of_it_is_given(
    frame: Frame, step: int, data: st.DataObject
) -> None:
    raw = bytearray(_encoded(frame))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << (bit % 8)
    decoder = FrameDecoder(views=True)
    with contextlib.suppress(FrameError):
        for at in range(0, len(raw), step):
            assert decoder.feed(bytes(raw[at : at + step])) == []


def test_decoder__largest_frame_comes_byte_by_byte__then_it_costs_few_pieces() -> None:
    data = encode_frame(FrameType.DATA, bytes(MAX_PAYLOAD))
    decoder, most = FrameDecoder(), 0
    for at in range(len(data) - 1):
        assert decoder.feed(data[at : at + 1]) == []
        most = max(most, len(decoder._parts))
    assert most < 100
    assert decoder.pending == MAX_FRAME - 1
    assert len(decoder.feed(data[-1:])) == 1


@given(frames, st.data())
def test_decoder__one_bit_flipped__then_refused_or_still_waiting(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(_encoded(frame))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << (bit % 8)
    decoder = FrameDecoder()
    try:
        assert decoder.feed(bytes(raw)) == []
    except FrameError:
        with pytest.raises(FrameError):
            decoder.feed(_encoded(frame))


@pytest.mark.parametrize("length", [0, 14, MAX_FRAME, 2**31, 2**32 - 1])
def test_decoder__hostile_length__then_refused_before_a_byte_is_kept(length: int) -> None:
    decoder = FrameDecoder()
    with pytest.raises(FrameError, match="length"):
        decoder.feed(struct.pack(">I", length) + b"x" * 100)
    assert decoder.pending == 0


def test_decoder__wrapped_offset__then_refused() -> None:
    with pytest.raises(FrameError, match="offset"):
        FrameDecoder().feed(encode_frame(FrameType.DATA, b"x", offset=2**64 - 1))


def test_encode_frame__payload_over_limit__then_refused() -> None:
    assert len(encode_frame(1, b"x" * MAX_PAYLOAD)) == MAX_FRAME
    with pytest.raises(FrameError):
        encode_frame(1, b"x" * (MAX_PAYLOAD + 1))


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=50), max_size=5), st.integers(0, 3))
def test_messages__any_size__then_round_trip(obj: dict[str, str], blow_up: int) -> None:
    big = {**obj, "big": "ä" * (MAX_PAYLOAD * blow_up // 5)}
    decoder, assembler = FrameDecoder(), MessageAssembler()
    got = [assembler.feed(frame) for frame in decoder.feed(encode_message(FrameType.START, big))]
    assert got[-1] == big
    assert all(piece is None for piece in got[:-1])


@pytest.mark.parametrize(
    "hostile",
    [
        Frame(5, 0, 7, b"{}"),
        Frame(5, 0, 0, b"[]"),
        Frame(5, 0, 0, b"{" * 60000),
        Frame(5, 0, 0, b"\xff\xfe"),
        Frame(5, 0, 0, b"[" * 60000),
    ],
)
def test_messages__hostile_piece__then_frame_error(hostile: Frame) -> None:
    with pytest.raises(FrameError):
        MessageAssembler().feed(hostile)


def test_messages__pieces_of_two_messages_mixed__then_refused() -> None:
    assembler = MessageAssembler()
    assert assembler.feed(Frame(5, 1, 0, b'{"a":')) is None
    with pytest.raises(FrameError, match="out of place"):
        assembler.feed(Frame(6, 0, 5, b"1}"))
