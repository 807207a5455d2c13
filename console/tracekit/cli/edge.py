"""The edge: where problems become words and exit codes, and outside text becomes safe.

Nothing below this room prints; nothing here decides anything but words.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from tracekit.wire.problems import Problem

OK, RED, USAGE, INTERNAL, NOTHING, UNREACHABLE, INCOMPLETE, SIGNAL = 0, 1, 2, 3, 4, 5, 6, 128

# By the first word of a problem's code; whatever stands in neither table is a fault of ours.
_AREAS = {
    "cli": USAGE,
    "config": USAGE,
    "store": USAGE,
    "bundle": USAGE,
    "import": USAGE,
    "recover": USAGE,
    "replay": USAGE,
    "profile": USAGE,
    "ui": USAGE,
    "env": USAGE,
    "rerun": USAGE,
}
_CODES = {
    "select.nothing": NOTHING,
    "rerun.nothing": NOTHING,
    "discover.nothing": NOTHING,
    "config.no_suites": NOTHING,
    "discover.failed": RED,
    "link.cache_unwritable": USAGE,
    "interpreter.missing": USAGE,
    "pytest.no_tests": NOTHING,
    "unittest.no_tests": NOTHING,
    "cargo.no_tests": NOTHING,
    "go.no_tests": NOTHING,
    "vitest.no_tests": NOTHING,
    "jest.no_tests": NOTHING,
    "mocha.no_tests": NOTHING,
    "node.no_tests": NOTHING,
}
_WIDER_AREAS = {
    "link": UNREACHABLE,
    "agent": UNREACHABLE,
    "ssh": UNREACHABLE,
    "box": UNREACHABLE,
    "runner": RED,
    "run": RED,
    "pytest": RED,
    "unittest": RED,
    "cargo": RED,
    "go": RED,
    "vitest": RED,
    "jest": RED,
    "mocha": RED,
    "node": RED,
    "command": RED,
    "bisect": RED,
    "select": USAGE,
    "selector": USAGE,
}


def exit_code(problems: Sequence[Problem]) -> int:
    """The exit code of a command that ended with these problems; the first one decides."""
    code = problems[0].code
    area = code.partition(".")[0]
    return _CODES.get(code, _AREAS.get(area, _WIDER_AREAS.get(area, INTERNAL)))


def complain(problems: Iterable[Problem]) -> None:
    """Say what happened, to what, and what to do, on standard error."""
    for problem in problems:
        # A place may be a drawing of several lines: a selector with a caret under its fault.
        first, *drawing = problem.where.splitlines() or [""]
        say_error(f"tracekit: {first}: {problem.what}" if first else f"tracekit: {problem.what}")
        for line in drawing:
            say_error(line)
        if problem.action:
            say_error(f"  → {problem.action}")


def clean(text: str) -> str:
    """Outside text as one line that a terminal can be given."""
    if text.isascii() and text.isprintable():
        return text
    from tracekit._native import safe

    return safe(text).text


def clean_lines(data: bytes | str) -> list[str]:
    """Outside text as lines that a terminal can be given."""
    from tracekit._native import safe_lines

    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    return [line.text for line in safe_lines(raw)]


def say(line: str = "") -> None:
    """One line on standard output."""
    sys.stdout.write(clean(line) + "\n")


def write(line: str) -> None:
    """One line on standard output whose parts are clean already, colours of ours included."""
    sys.stdout.write(line + "\n")


def flush() -> None:
    """Let go of what was written so far: somebody watches."""
    sys.stdout.flush()


def say_error(line: str) -> None:
    """One line on standard error; a closed one is no reason to fail."""
    try:
        sys.stderr.write(clean(line) + "\n")
        sys.stderr.flush()
    except OSError:
        return


def say_json(schema: str, fact: dict[str, Any]) -> None:
    """One JSON line on standard output."""
    import json

    sys.stdout.write(json.dumps({"schema": schema, **fact}, separators=(",", ":")) + "\n")


def swallow_output() -> None:
    """Standard output takes nothing more: what is still buffered must not raise a second time at exit."""
    import contextlib

    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def colours(stream: Any = None) -> bool:
    """Whether colours are wanted on a stream: NO_COLOR, FORCE_COLOR, TERM and what it is decide."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream or sys.stdout) and os.environ.get("TERM", "dumb") != "dumb"


def on_terminal() -> bool:
    """Whether a screen can be shown: it is drawn on standard error, so that must be the terminal too."""
    return all(map(is_terminal, (sys.stdin, sys.stdout, sys.stderr)))


def is_terminal(stream: Any) -> bool:
    """Whether somebody looks at a stream."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError, OSError):
        return False
