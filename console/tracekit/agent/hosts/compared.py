"""Two values that were not as a test wanted them, as the fields of an `assertion` line: with their difference by lines.

Pure: whatever tool told them, they look the same.
"""

from __future__ import annotations

import difflib
from typing import Any

from tracekit.agent.reports.cases import cut

_DIFF_LINES = 2000


def compared(op: str, expected: str, actual: str, file: str = "", line: int = 0) -> dict[str, Any]:
    """The fields of the line."""
    before, after = expected.splitlines(), actual.splitlines()
    diff = ""
    if expected != actual and max(len(before), len(after)) <= _DIFF_LINES:
        rows = difflib.unified_diff(before, after, "expected", "actual", lineterm="", n=3)
        diff = "\n".join(list(rows)[2:])
    return {
        "op": op,
        "expected": cut(expected),
        "actual": cut(actual),
        "kind": "text",
        "diff": cut(diff),
        "file": file,
        "line": line,
        "passed": False,
    }
