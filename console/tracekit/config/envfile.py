"""Files of `NAME=value` lines. The lines may hold secrets, so a message names the line and never what stands in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracekit.config.document import place
from tracekit.config.rules import RULES

if TYPE_CHECKING:
    from tracekit.config.faults import Faults

_LINE = re.compile(r"(?:export[ \t]+)?([^=\s]+)[ \t]*=[ \t]*(.*)")
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


def parse_env_file(data: bytes, label: str, faults: Faults) -> dict[str, str]:
    """The variables of a file; a line that is none becomes a fault."""
    found: dict[str, str] = {}
    for number, raw in enumerate(data.split(b"\n"), 1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            faults.add("syntax", "this line is not UTF-8", place(label, number), "save the file as UTF-8")
            continue
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if not match:
            faults.add(
                "syntax",
                "this line is no NAME=value",
                place(label, number),
                "write NAME=value, or # before it",
            )
            continue
        name, text = match[1], match[2]
        fault = RULES["variable"].fault(name)
        value = _value(text)
        if fault is not None:
            faults.add("value", f"the name before = {fault[0]}", place(label, number), fault[1])
        elif value is None or RULES["text"].fault(value) is not None:
            what = "the value is not closed, or holds a control character"
            faults.add("value", what, place(label, number), "close the quote on the same line")
        else:
            found[name] = value
    return found


def _value(text: str) -> str | None:
    if text[:1] == "'":
        end = text.find("'", 1)
        return text[1:end] if end > 0 and _is_rest(text[end + 1 :]) else None
    if text[:1] == '"':
        match = re.match(r'"((?:[^"\\]|\\.)*+)"', text)
        if not match or not _is_rest(text[match.end() :]):
            return None
        return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[0]), match[1])
    return re.split(r"[ \t]#", text, maxsplit=1)[0].strip()


def _is_rest(text: str) -> bool:
    return not text.strip() or text.strip().startswith("#")
