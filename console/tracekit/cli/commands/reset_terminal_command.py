"""`tracekit reset-terminal`: gives a terminal back whose console was killed before it could do that itself."""

from __future__ import annotations

import argparse
import os
import sys
import termios

from tracekit.cli import edge
from tracekit.wire.problems import Problem, ProblemError

NO_TERMINAL = "ui.no_terminal"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON line")


def run(args: argparse.Namespace) -> int:
    """Modes off, line discipline as a shell expects it."""
    from tracekit.ui.modes import reset

    descriptor = _terminal()
    name = os.ttyname(descriptor)
    try:
        reset(descriptor)
    except (OSError, termios.error) as fault:
        what = f"it cannot be restored: {fault.args[-1]}"
        raise ProblemError(Problem(NO_TERMINAL, what, name, "close it, and open another one")) from None
    if args.json:
        edge.say_json("tracekit.reset-terminal/1", {"terminal": name})
    else:
        edge.say(f"{name} is as a shell expects it")
    return edge.OK


def _terminal() -> int:
    """The terminal that was typed in, whatever the streams are."""
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        for stream in (sys.stdin, sys.stderr, sys.stdout):
            if edge.is_terminal(stream):
                return int(stream.fileno())
    what = "there is no terminal here to restore"
    raise ProblemError(Problem(NO_TERMINAL, what, "", "run it in the terminal that looks wrong"))
