"""The block behind a test point of TAP: what of its YAML every tool writes alike, in the dialect of each.

It is no reader of YAML: names with a value on their line, behind a bar, in quotes over several lines, or further in.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from tracekit.agent.reports.cases import Compared, seconds

_FIELD = re.compile(r"(?P<indent> *)(?P<name>[A-Za-z_][\w-]*):(?: +(?P<value>.*))?$")
_BARS = frozenset({"|", "|-", "|+", ">", ">-", ">+"})
# What is compared may be a mapping of its own, whose names are none of ours.
_VALUES = frozenset({"expected", "actual", "wanted", "found"})
_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d{1,9})(?::\d+)?")
_TIMED_OUT = "testTimeoutFailure"
_EQUAL = {"strictEqual": "==", "equal": "==", "deepEqual": "==", "deepStrictEqual": "=="}


def explained(block: Sequence[str]) -> dict[str, Any]:
    """The facts of a test point that its block tells, by the names of a case."""
    told: dict[str, str] = {}
    for name, value in _fields(block):
        if value:
            told.setdefault(name, value)
    found: dict[str, Any] = {"text": "\n".join(line.rstrip() for line in block)}
    found["message"] = told.get("message") or told.get("error") or ""
    if "duration_ms" in told:
        took = seconds(told["duration_ms"])
        found["seconds"] = None if took is None else took / 1000
    _place(told, found)
    found["kind"] = _kind(told)
    expected, actual = (
        told.get(names[0], told.get(names[1])) for names in (("expected", "wanted"), ("actual", "found"))
    )
    if expected is not None and actual is not None:
        op = told.get("operator") or told.get("compare") or "=="
        found["compared"] = Compared(expected, actual, _EQUAL.get(op, op))
    return found


def _kind(told: dict[str, str]) -> str:
    if told.get("failureType") == _TIMED_OUT:
        return "TestTimeout"
    if told.get("exitCode", "null") not in {"null", "~", "0"} or told.get("exit", "0") not in {"0", "null"}:
        return "exit status"
    if told.get("signal", "null") not in {"null", "~"}:
        return "signal"
    kind = told.get("name") or told.get("type") or ""
    return kind if kind and kind not in {"suite", "test"} else told.get("code", "")


def _place(told: dict[str, str], found: dict[str, Any]) -> None:
    line = told.get("line", "")
    if "file" in told:
        found["file"] = told["file"]
    if line.isascii() and line.isdigit():
        found["line"] = int(line[:9])
    for name in ("location", "at"):
        place = _PLACE.fullmatch(told.get(name, ""))
        if place is not None:
            found["file"], found["line"] = place.group("file"), int(place.group("line"))


def _fields(block: Sequence[str]) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(block):
        field = _FIELD.match(block[at])
        at += 1
        if field is None:
            continue
        name, value = field.group("name"), (field.group("value") or "").strip()
        if value in _BARS or (not value and name in _VALUES):
            further = _further(block, at, len(field.group("indent")))
            yield name, textwrap.dedent("\n".join(block[at:further])).strip("\n")
            at = further
        elif value[:1] == '"' and not _closed(value):
            last = next((row for row in range(at, len(block)) if _closed(block[row])), at - 1)
            yield name, _unquoted("\n".join([value, *block[at : last + 1]]))
            at = last + 1
        else:
            yield name, _unquoted(value)


def _further(block: Sequence[str], at: int, indent: int) -> int:
    """Behind the lines that stand further in."""
    while at < len(block) and (not block[at].strip() or block[at][: indent + 1].isspace()):
        at += 1
    return at


def _closed(text: str) -> bool:
    bare = text.rstrip()
    return len(bare) > 1 and bare.endswith('"') and not bare.endswith('\\"')


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        quote, value = value[0], value[1:-1]
        return value.replace("''", "'") if quote == "'" else value.replace('\\"', '"').replace("\\\\", "\\")
    return value
