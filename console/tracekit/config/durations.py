"""Durations as people write them: `250ms`, `5s`, `2m`, `12h`, `1d`."""

from __future__ import annotations

import re

PATTERN = r"[0-9]{1,9}(\.[0-9]{1,6})?(ms|s|m|h|d)"
EXAMPLE = "5s"
OFF = "off"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float | None:
    """Seconds, or None for a text that is no duration."""
    match = re.fullmatch(PATTERN, text)
    if not match:
        return None
    unit = match[2]
    seconds = float(text[: -len(unit)]) * _UNITS[unit]
    return round(seconds, 6)


def format_duration(seconds: float) -> str:
    """The shortest way of writing it that reads back the same."""
    for unit in ("d", "h", "m", "s"):
        count = seconds / _UNITS[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    if seconds < 1:
        return f"{seconds * 1000:.3f}".rstrip("0").rstrip(".") + "ms"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"
