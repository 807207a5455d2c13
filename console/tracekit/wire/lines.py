"""Journal lines: one JSON object a line, ASCII, compact.

The same bytes stand in the run directory, on the wire and on standard output. Decoding refuses what is too long, too
deep or not an object; it never guesses.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_LINE = 1 << 20
MAX_DEPTH = 64

# One encoder and one decoder for the life of the process: `json.dumps` with options builds a new one at each call.
to_json = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode
from_json = json.JSONDecoder().decode

_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)


class LineError(ValueError):
    """A line that is not a journal line, and why."""


def encode(obj: dict[str, Any]) -> bytes:
    """Turn an object into a line with its newline; raises LineError for what JSON cannot hold."""
    try:
        return to_json(obj).encode("ascii") + b"\n"
    except (TypeError, ValueError, RecursionError) as fault:
        message = f"cannot be written as a line: {fault}"
        raise LineError(message) from fault


def decode(line: bytes) -> dict[str, Any]:
    """Turn a line into an object; raises LineError, never anything else."""
    if len(line) > MAX_LINE:
        message = f"line of {len(line)} bytes, over {MAX_LINE}"
        raise LineError(message)
    if line.count(b"{") + line.count(b"[") > MAX_DEPTH and _depth(line) > MAX_DEPTH:
        message = f"nested deeper than {MAX_DEPTH}"
        raise LineError(message)
    try:
        obj = from_json(line.decode("utf-8"))
    except (ValueError, RecursionError) as fault:
        message = f"not JSON: {fault}"
        raise LineError(message) from fault
    if type(obj) is not dict:
        message = f"a line holds an object, not {type(obj).__name__}"
        raise LineError(message)
    return obj


def flat(line: bytes) -> bool:
    """Whether a line is plainly neither too long nor too deep, nor of letters that need a careful reader."""
    return len(line) <= MAX_LINE and line.isascii() and line.count(b"{") + line.count(b"[") <= MAX_DEPTH


def whole_lines(data: bytes) -> int:
    """How many of these bytes are whole lines."""
    return data.rfind(b"\n") + 1


def _depth(line: bytes) -> int:
    # Brackets inside strings must not count: names of tests are full of them. What follows an unterminated string is
    # not JSON, whatever its depth.
    depth = deepest = 0
    for byte in _STRINGS.sub(b"", line):
        if byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest
