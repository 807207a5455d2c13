"""Writing the quarantine: an entry is put behind the others or taken out, and whatever else stands there stays.

The new text is read again before anybody keeps it: what does not say exactly what was wanted is never written.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from tracekit.config.document import parse
from tracekit.config.faults import Faults
from tracekit.config.quarantine import FILE, TABLE, Entry, entries
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = """\
# Scenarios that run and are shown, and do not fail a run until their day has passed.
# `tracekit quarantine list` tells how each of them does.
"""
_COMMENT = re.compile(r"[ \t]*#")


def added(text: str, entry: Entry) -> str:
    """The text with one more entry at its end; raises ProblemError for an entry that the reader would refuse."""
    before = _read(text)
    block = "\n".join(
        (
            f"[[{TABLE}]]",
            f"scenario = {_quoted(entry.scenario)}",
            f"owner = {_quoted(entry.owner)}",
            f"reason = {_quoted(entry.reason)}",
            f"since = {entry.since.isoformat()}",
            f"expires = {entry.expires.isoformat()}",
        )
    )
    new = f"{text.rstrip() or HEAD.rstrip()}\n\n{block}\n"
    faults = Faults()
    found = entries(_bytes(new), faults)
    if len(faults) and _inline(text):
        raise _by_hand()
    faults.raise_any()
    return _checked(new, [*before, entry], found)


def removed(text: str, number: int) -> str:
    """The text without its entry of this number, from 0 on, and without the comment directly above it."""
    before = _read(text)
    document = parse(text.encode(), FILE, Faults())
    lines = text.splitlines(keepends=True)
    if document is None or _inline(text):
        raise _by_hand()
    start = document.line((TABLE, number)) - 1
    end = document.line((TABLE, number + 1)) - 1 if number + 1 < len(before) else len(lines)
    while end > start and (not lines[end - 1].strip() or _COMMENT.match(lines[end - 1])):
        end -= 1
    above = start
    while above > 0 and _COMMENT.match(lines[above - 1]):
        above -= 1
    # What stands at the top of the file speaks of all of it.
    start = above or start
    while start > 0 and not lines[start - 1].strip():
        start -= 1
    new = "".join((*lines[:start], *lines[end:]))
    wanted = [*before[:number], *before[number + 1 :]]
    return _checked(new, wanted, entries(new.encode(), Faults()))


def write(root: str, text: str) -> None:
    """Put the text in its place, whole or not at all; raises ProblemError."""
    path = os.path.join(root, FILE)
    # A link stays one: the file it leads to is replaced.
    place = os.path.realpath(path)
    part = f"{place}.{os.getpid()}.part"
    try:
        with open(part, "wb") as file:
            file.write(_bytes(text))
        if os.path.exists(place):
            os.chmod(part, os.stat(place).st_mode & 0o7777)
        os.replace(part, place)
    except OSError as error:
        if os.path.lexists(part):
            os.unlink(part)
        what = f"cannot be written: {error.strerror or error}"
        raise ProblemError(
            Problem("config.unwritable", what, path, "make the folder writable, or mend the file by hand")
        ) from None


def text_of(root: str) -> str:
    """The file as it is; empty where there is none."""
    try:
        with open(os.path.join(root, FILE), encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _read(text: str) -> list[Entry]:
    faults = Faults()
    found = list(entries(text.encode(), faults)) if text.strip() else []
    faults.raise_any()
    return found


def _checked(new: str, wanted: Sequence[Entry], found: Sequence[Entry]) -> str:
    if [entry[:5] for entry in found] != [entry[:5] for entry in wanted]:
        raise _by_hand()
    return new


def _inline(text: str) -> bool:
    """Whether the entries stand in a list of another form than `[[quarantine]]`."""
    return re.search(rf"^[ \t]*{TABLE}[ \t]*=", text, re.MULTILINE) is not None


def _by_hand() -> ProblemError:
    what = f"the file is not written as one [[{TABLE}]] after another, so that it cannot be changed safely"
    return ProblemError(Problem("config.quarantine_form", what, FILE, "change it by hand"))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ProblemError(
            Problem("config.not_text", "this is not text in UTF-8", FILE, "use a pattern instead of the name")
        ) from None
