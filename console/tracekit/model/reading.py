"""Reads the JSON of our own files: by a fast reader, and by the patient one where that is stricter than what we write.

A lone surrogate in the name of a test is such a thing: it is a valid escape, and no valid text.
"""

from __future__ import annotations

import json
from typing import Any

import orjson


def read_json(data: bytes | str) -> Any:
    """The value; raises ValueError for what is no JSON, and RecursionError for what is too deep."""
    try:
        return orjson.loads(data)
    except ValueError:
        return json.loads(data)
