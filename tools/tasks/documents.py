"""Reads commands out of the fenced blocks of documents, with the exit code that the document promises.

A block marked `sh` holds commands, one a line. A comment `# exit N` behind a command promises N, else 0 is
promised. Must never execute anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FENCE = re.compile(r"^(`{3,})\s*(\w*)")
SHELLS = {"sh", "bash", "shell", "console"}
EXIT = re.compile(r"\bexit (\d+)\b")


@dataclass(frozen=True)
class Command:
    """One command of a document."""

    line: str
    exit: int
    document: str
    number: int


def split_comment(text: str) -> tuple[str, str]:
    """A command and the comment behind it; a hash inside quotes is no comment."""
    quote = ""
    for position, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "#" and (position == 0 or text[position - 1].isspace()):
            return text[:position].strip(), text[position + 1 :].strip()
    return text.strip(), ""


def fenced(document: Path) -> list[Command]:
    """Every command of a document's fenced shell blocks, in order."""
    commands: list[Command] = []
    fence = language = ""
    for number, text in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        if match := FENCE.match(text):
            if not fence:
                fence, language = match.group(1), match.group(2)
            elif text.startswith(fence):
                fence = language = ""
            continue
        if fence and language in SHELLS:
            line, comment = split_comment(text.removeprefix("$ "))
            promised = EXIT.search(comment)
            if line:
                commands.append(
                    Command(line, int(promised.group(1)) if promised else 0, document.name, number)
                )
    return commands
