"""Control messages: JSON objects cut into frames.

A plan may name 60,000 scenarios, so one message may need many frames: `file` is 1 while more follow and 0 on the last,
`offset` is the place of the piece. A message has a limit of its own, and memory is spent only on bytes that came.
"""

from __future__ import annotations

from typing import Any, Optional

from tracekit.wire.frames import MAX_PAYLOAD, Frame, FrameError, encode_frame
from tracekit.wire.lines import from_json, to_json

MAX_MESSAGE = 64 * 1024 * 1024


def encode_message(kind: int, obj: dict[str, Any]) -> bytes:
    """Encode one message as one or more frames."""
    data = to_json(obj).encode("ascii")
    if len(data) > MAX_MESSAGE:
        message = f"message of {len(data)} bytes, over {MAX_MESSAGE}"
        raise FrameError(message)
    if len(data) <= MAX_PAYLOAD:
        return encode_frame(kind, data)
    last = (len(data) - 1) // MAX_PAYLOAD * MAX_PAYLOAD
    return b"".join(
        encode_frame(kind, data[at : at + MAX_PAYLOAD], file=int(at != last), offset=at)
        for at in range(0, len(data), MAX_PAYLOAD)
    )


class MessageAssembler:
    """Puts the pieces of one direction's messages together again."""

    def __init__(self) -> None:
        self._kind = 0
        self._pieces = bytearray()

    def feed(self, frame: Frame) -> Optional[dict[str, Any]]:
        """Give the message that this frame completes, or None; raises FrameError on what cannot be one."""
        if frame.offset != len(self._pieces) or (self._pieces and frame.type != self._kind):
            raise FrameError(f"piece of message type {frame.type} at {frame.offset} is out of place")
        if len(self._pieces) + len(frame.payload) > MAX_MESSAGE:
            raise FrameError(f"message over {MAX_MESSAGE} bytes")
        self._kind = frame.type
        self._pieces += frame.payload
        if frame.file:
            return None
        data, self._pieces = bytes(self._pieces), bytearray()
        try:
            obj = from_json(data.decode("utf-8"))
        except (ValueError, RecursionError) as fault:
            raise FrameError(f"message is not JSON: {fault}") from fault
        if type(obj) is not dict:
            raise FrameError("a message is an object")
        return obj
