"""Sizes as people write them: `500MiB`, `10GiB`, `1TiB`."""

from __future__ import annotations

import re

PATTERN = r"[0-9]{1,6}(\.[0-9]{1,3})?(MiB|GiB|TiB)"
_UNITS = {"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def parse_size(text: str) -> int | None:
    """Bytes, or None for a text that is no size."""
    if not re.fullmatch(PATTERN, text):
        return None
    return int(float(text[:-3]) * _UNITS[text[-3:]])
