"""Writing `boxes.toml`: a box is put behind the others or taken out, and whatever else stands there stays.

The new text is read again before anybody keeps it: what does not say exactly what was wanted is never written.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from tracekit.wire.problems import Problem, ProblemError

HEAD = "# The boxes of this user, for every project; `tracekit box check` looks at them.\n"
_HEADER = re.compile(r"^[ \t]*\[")


def added(text: str, name: str, keys: Mapping[str, Any]) -> str:
    """The text with one more box at its end; raises ProblemError when there is one of that name."""
    before = _read(text)
    if name in before:
        raise ProblemError(
            Problem(
                "config.exists", "there is a box of that name", name, f"`tracekit box remove {name}` first"
            )
        )
    rows = "".join(f"{key} = {_value(value)}\n" for key, value in keys.items())
    new = f"{text.rstrip() or HEAD.rstrip()}\n\n[env.{json.dumps(name)}]\n{rows}"
    return _checked(new, {**before, name: dict(keys)})


def removed(text: str, name: str) -> str:
    """The text without a box; raises ProblemError when there is none, or when it is not written as a table."""
    before = _read(text)
    if name not in before:
        known = ", ".join(sorted(before)) or "none"
        action = f"of your own there are: {known}; what a project declares stands in its profile"
        raise ProblemError(Problem("config.no_box", "no box of that name is in boxes.toml", name, action))
    mine = re.compile(rf"^[ \t]*\[env\.(?:{re.escape(name)}|\"{re.escape(name)}\")[\].]")
    kept, ours = [], False
    for line in text.splitlines(keepends=True):
        if _HEADER.match(line):
            ours = bool(mine.match(line))
        if not ours:
            kept.append(line)
    del before[name]
    return _checked("".join(kept), before)


def write(place: str, text: str) -> None:
    """Keep the file, whole or not at all; raises ProblemError."""
    part = f"{place}.{os.getpid()}.part"
    try:
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(part, place)
    except OSError as fault:
        what = f"cannot be written: {fault.strerror or fault}"
        raise ProblemError(Problem("config.unwritable", what, place, "make it writable")) from fault


def read(place: str) -> str:
    """What stands in the file; nothing where there is none. Raises ProblemError."""
    try:
        with open(place, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as fault:
        what = f"cannot be read: {getattr(fault, 'strerror', None) or fault}"
        raise ProblemError(Problem("config.unreadable", what, place, "mend it, or move it away")) from fault


def _read(text: str) -> dict[str, Any]:
    import tomli

    try:
        found = tomli.loads(text).get("env", {})
    except tomli.TOMLDecodeError as fault:
        raise ProblemError(Problem("config.syntax", str(fault), "boxes.toml", "mend it first")) from fault
    return dict(found) if isinstance(found, dict) else {}


def _checked(text: str, wanted: Mapping[str, Any]) -> str:
    try:
        same = _read(text) == dict(wanted)
    except ProblemError:
        same = False
    if not same:
        what = "it is written in a way that is not changed by a program"
        raise ProblemError(Problem("config.by_hand", what, "boxes.toml", "change it by hand"))
    return text


def _value(value: object) -> str:
    # A JSON string is a TOML string, once what JSON leaves as it is and TOML does not is gone.
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
