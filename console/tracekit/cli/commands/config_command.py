"""`tracekit config`: what is configured and where each value comes from; of a secret only where it comes from."""

from __future__ import annotations

import argparse
import os

from tracekit.cli import edge
from tracekit.config import loader, roots
from tracekit.config.settings import explain


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("path", nargs="?", default=".", metavar="PATH", help="the project")
    parser.add_argument("--profile", metavar="P", help="a bundled profile, or a profile's file")
    parser.add_argument(
        "--show-origin", action="store_true", help="name the flag, variable or file:line of each value"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line a value")


def run(args: argparse.Namespace) -> int:
    """Print the settled configuration; every fault of every file at once when there are any."""
    from tracekit.ui.action_list import CONTEXTS, DEFAULT_KEYS

    root = roots.find_root(os.path.abspath(args.path))
    config = loader.load(
        root,
        flags={"profile": args.profile},
        environ=os.environ,
        actions=DEFAULT_KEYS,
        contexts=CONTEXTS,
        implicit=False,
    )
    for key, value, origin in explain(config.settings, config.profile):
        if args.json:
            edge.say_json("tracekit.setting/1", {"key": key, "value": value, "origin": origin})
        elif args.show_origin:
            edge.say(f"{key} = {value}    # {origin}")
        else:
            edge.say(f"{key} = {value}")
    return edge.OK
