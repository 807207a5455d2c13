"""The operands of failed comparisons, kept as bounded text at the moment pytest explains them.

pytest asks its plugins how to show a failed `assert left op right`; this one takes the operands and answers nothing, so
pytest's own words never change. Nothing here may raise, mutate an operand, or hold on to one.
"""

from __future__ import annotations

import json
import sys
from types import FrameType
from typing import Any, Dict, List, Optional, Tuple

from _tkprobe.facts import BoundedRepr, cut

OPERAND_LIMIT = 16 * 1024
DIFF_LINES = 400
NODE_LIMIT = 2000


class Comparison:
    """One failed comparison and the line it stands on."""

    def __init__(self, op: str, left: object, right: object, frame: Optional[FrameType]) -> None:
        self.op = op
        self.kind, self.actual, self.expected = operands(left, right)
        self.file = frame.f_code.co_filename if frame else ""
        self.line = frame.f_lineno if frame else 0

    def fields(self) -> Dict[str, object]:
        return {
            "op": self.op,
            "expected": self.expected,
            "actual": self.actual,
            "kind": self.kind,
            "diff": diff(self.expected, self.actual) if self.op in ("==", "is") else "",
            "file": self.file,
            "line": self.line,
            "passed": False,
        }


def asserting_frame() -> Optional[FrameType]:
    """The frame whose `assert` is being explained: the first one outside pytest, pluggy and the probe."""
    frame: Optional[FrameType] = sys._getframe(1)  # noqa: SLF001 - the only way to the frame that asserts
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        package = module.partition(".")[0] if isinstance(module, str) else ""
        if package not in ("_pytest", "pluggy", "_tkprobe", "pytest"):
            return frame
        frame = frame.f_back
    return None


def operands(left: object, right: object) -> Tuple[str, str, str]:
    """The kind of a comparison and the text of its two sides."""
    if (
        type(left) is type(right)
        and isinstance(left, (bytes, bytearray))
        and isinstance(right, (bytes, bytearray))
    ):
        return "bytes", _bytes(bytes(left)), _bytes(bytes(right))
    if type(left) is str and type(right) is str:
        return "text", cut(left, OPERAND_LIMIT), cut(right, OPERAND_LIMIT)
    if isinstance(left, (dict, list)) and isinstance(right, (dict, list)):
        texts = [_json(value) for value in (left, right)]
        if texts[0] is not None and texts[1] is not None:
            return "json", texts[0], texts[1]
    bounded = BoundedRepr(OPERAND_LIMIT)
    bounded.maxlist = bounded.maxtuple = bounded.maxset = bounded.maxfrozenset = bounded.maxdict = 200
    bounded.maxlevel = 6
    return "text", bounded.text(left), bounded.text(right)


def _bytes(data: bytes) -> str:
    """One line, never rows: what is searched for in it later must not be split."""
    shown = repr(data[:OPERAND_LIMIT])
    return shown if len(data) <= OPERAND_LIMIT else f"{shown[:-1]}… ({len(data)} bytes)"


def _json(value: object) -> Optional[str]:
    if not _plain(value, [NODE_LIMIT]):
        return None
    try:
        text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return None
    return text if len(text) <= OPERAND_LIMIT else None


def _plain(value: Any, budget: List[int], depth: int = 0) -> bool:
    """Whether a value is small and made of JSON's own types only, so that writing it runs no code of the test."""
    budget[0] -= 1
    if budget[0] < 0 or depth > 20:
        return False
    kind = type(value)
    if kind is dict:
        return all(type(key) is str and _plain(item, budget, depth + 1) for key, item in value.items())
    if kind is list:
        return all(_plain(item, budget, depth + 1) for item in value)
    if kind is str:
        return len(value) <= OPERAND_LIMIT
    return value is None or kind in (int, float, bool)


def diff(expected: str, actual: str) -> str:
    """A unified diff without its header, or nothing where it would cost too much."""
    before, after = expected.splitlines(), actual.splitlines()
    if expected == actual or max(len(before), len(after)) > DIFF_LINES:
        return ""
    import difflib

    lines = list(difflib.unified_diff(before, after, "expected", "actual", lineterm="", n=3))[2:]
    return cut("\n".join(lines), OPERAND_LIMIT)
