"""Where two values that look alike differ first, in a few words.

Test frameworks shorten what they compare in its middle, and two long values that differ there read the same. It reads
recorded values only, to a bounded depth.
"""

from __future__ import annotations

import json
from typing import Any

_DEEPEST = 24
_LONGEST = 48
#: How much of what both begin with is shown before the difference.
_BEFORE = 12


def alike(words: str, op: str) -> bool:
    """Whether a comparison's words are the same on both of its sides: they say nothing."""
    between = f" {op} "
    size = len(words) - len(between)
    half = size // 2
    return size > 0 and size % 2 == 0 and words == words[:half] + between + words[:half]


def first_difference(actual: Any, expected: Any, op: str) -> str:
    """`[0].headers.host: "a" == "b"`, or nothing where no difference was recorded."""
    path = ""
    for _ in range(_DEEPEST):
        step = _into(actual, expected)
        if step is None:
            break
        name, actual, expected = step
        path += name
    if _same(actual, expected):
        return ""
    left, right = _sides(actual, expected)
    where = path.removeprefix(".")
    return f"{where}: {left} {op} {right}" if where else f"{left} {op} {right}"


def _into(actual: Any, expected: Any) -> tuple[str, Any, Any] | None:
    """The first part in which both differ; None where they are to be shown as they are."""
    if isinstance(actual, dict) and isinstance(expected, dict) and actual.keys() == expected.keys():
        parts = ((_key(key), actual[key], expected[key]) for key in actual)
    elif isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
        parts = (
            (f"[{at}]", one, other) for at, (one, other) in enumerate(zip(actual, expected, strict=True))
        )
    else:
        return None
    return next((part for part in parts if not _same(part[1], part[2])), None)


def _key(key: object) -> str:
    return f".{key}" if str(key).isidentifier() else f"[{json.dumps(str(key), ensure_ascii=False)}]"


def _same(one: Any, other: Any) -> bool:
    """Equal, and of one kind: `1` is not `true`."""
    return type(one) is type(other) and bool(one == other)


def _sides(actual: Any, expected: Any) -> tuple[str, str]:
    """Both as text, of a bounded length, with the place in it where they part."""
    if isinstance(actual, dict) and isinstance(expected, dict):
        return _lone(actual, expected), _lone(expected, actual)
    if isinstance(actual, list) and isinstance(expected, list):
        return f"{len(actual)} items", f"{len(expected)} items"
    left, right = _told(actual), _told(expected)
    if max(len(left), len(right)) <= _LONGEST:
        return left, right
    at = next(
        (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )
    return _around(left, at), _around(right, at)


def _lone(one: dict[Any, Any], other: dict[Any, Any]) -> str:
    """Which keys only the first of both has."""
    keys = _told(sorted(str(key) for key in one if key not in other))
    return f"with {keys if len(keys) <= _LONGEST else keys[:_LONGEST] + '...'}"


def _told(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _around(text: str, at: int) -> str:
    begin = max(0, min(at, len(text)) - _BEFORE)
    shown = text[begin : begin + _LONGEST]
    return ("..." if begin else "") + shown + ("..." if begin + _LONGEST < len(text) else "")
