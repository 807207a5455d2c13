"""Bytes that no peer of good faith sends, by name."""

from __future__ import annotations

import struct

from tracekit.wire.frames import MAX_FRAME, FrameType, encode_frame

HOSTILE: dict[str, bytes] = {
    "length 2^31": struct.pack(">I", 1 << 31) + b"x" * 64,
    "length 2^32-1": struct.pack(">I", (1 << 32) - 1) + b"x" * 64,
    "length 0": struct.pack(">I", 0) * 100,
    "over the limit": struct.pack(">I", MAX_FRAME + 1) + b"x" * 64,
    "bad checksum": encode_frame(FrameType.RUNS, b"{}")[:-1] + b"\0",
    "nesting": encode_frame(FrameType.RUNS, b"[" * 60_000),
    "nested objects": encode_frame(FrameType.CANCEL, b'{"a":' * 10_000),
    "not an object": encode_frame(FrameType.RUNS, b"[1]"),
    "not JSON": encode_frame(FrameType.START, b"{]"),
    "not UTF-8": encode_frame(FrameType.START, b'{"a":"\xff"}'),
    "piece out of place": encode_frame(FrameType.START, b"{}", offset=1 << 40),
    "offset over 2^63": encode_frame(FrameType.START, b"{}", offset=(1 << 64) - 1),
    "two messages mixed": encode_frame(FrameType.START, b"{", file=1)
    + encode_frame(FrameType.CANCEL, b"}", offset=1),
    "agent's own type": encode_frame(FrameType.HELLO, b"{}"),
    "data for an agent": encode_frame(FrameType.DATA, b"x", file=1),
}
