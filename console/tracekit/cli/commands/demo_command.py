"""`tracekit demo`: the bundled profile with its planted fault, live, in the console or on a plain terminal."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys

from tracekit.cli import edge, project
from tracekit.config.loader import bundled_profiles
from tracekit.wire.problems import Problem, ProblemError

_NAME = "demo"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--headless", action="store_true", help="print instead of opening the console")
    parser.add_argument("--json", action="store_true", help="the journal, live, line by line")


def _use_own_interpreter() -> None:
    # The demonstration is part of this program, and so is the interpreter that it needs: nobody's project chooses it.
    if importlib.util.find_spec("pytest") is None:
        raise ProblemError(
            Problem(
                "interpreter.missing",
                "the demonstration is a pytest suite, and pytest is not installed beside tracekit",
                sys.executable,
                f"{sys.executable} -m pip install pytest (or: uvx --with pytest tracekit demo)",
            )
        )
    os.environ["VIRTUAL_ENV"] = sys.prefix


def run(args: argparse.Namespace) -> int:
    """Run the demonstration; it ends with 1, as any run with a red scenario does."""
    root = bundled_profiles()[_NAME]
    _use_own_interpreter()
    if not args.headless and not args.json and edge.on_terminal():
        from tracekit.cli.commands.tui_command import demo

        return demo(root, _NAME)
    from tracekit.cli.live import follow, submitted
    from tracekit.cli.signals import Signals
    from tracekit.engine.engine import Engine
    from tracekit.engine.requests import Launch

    with Signals().caught() as signals, Engine(project.places()) as engine:
        return follow(engine, submitted(engine, Launch(root, _NAME), signals), signals, as_json=args.json)
