"""`tracekit demo`: the bundled profile with its planted fault, live, in the console or on a plain terminal."""

from __future__ import annotations

import argparse
import sys

from tracekit.cli import edge, project
from tracekit.config.loader import bundled_profiles

_NAME = "demo"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--headless", action="store_true", help="print instead of opening the console")
    parser.add_argument("--json", action="store_true", help="the journal, live, line by line")


def run(args: argparse.Namespace) -> int:
    """Run the demonstration; it ends with 1, as any run with a red scenario does."""
    root = bundled_profiles()[_NAME]
    if not args.headless and not args.json and edge.is_terminal(sys.stdout) and edge.is_terminal(sys.stdin):
        from tracekit.cli.commands.tui_command import demo

        return demo(root, _NAME)
    from tracekit.cli.live import Signals, follow, submitted
    from tracekit.engine.engine import Engine
    from tracekit.engine.requests import Launch

    with Signals().caught() as signals, Engine(project.places()) as engine:
        return follow(engine, submitted(engine, Launch(root, _NAME), signals), signals, as_json=args.json)
