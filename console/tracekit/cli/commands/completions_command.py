"""`tracekit completions`: a shell's script, and the words that such a script asks for while somebody types.

A keypress waits for the answer: it is read from what is kept already, and nothing is discovered, checked or repaired.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from tracekit.config import paths, roots

if TYPE_CHECKING:
    import argparse

# So many fit on a screen; more are told by their beginnings.
_MOST = 60
_RUNS = 30


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "shell", nargs="?", choices=("bash", "zsh", "fish"), help="print the script of this shell"
    )
    parser.add_argument(
        "--values",
        choices=tuple(_VALUES),
        help="what such a script asks for: what can stand here, one a line",
    )
    parser.add_argument("--prefix", default="", metavar="TEXT", help="with --values: what is typed already")
    parser.add_argument("--json", action="store_true", help="one JSON line a value")


def run(args: argparse.Namespace) -> int:
    """Print a script, or values."""
    from tracekit.cli import edge
    from tracekit.wire.problems import Problem, ProblemError

    if args.values is not None:
        for value in _VALUES[args.values](args.prefix):
            if args.json:
                edge.say_json("tracekit.completion/1", {"kind": args.values, "value": value})
            elif value.isprintable():
                # One that is not could not be typed, and would be more than a line.
                sys.stdout.write(value + "\n")
        return edge.OK
    if args.shell is None:
        raise ProblemError(Problem("cli.shell", "say which shell", "", "tracekit completions bash|zsh|fish"))
    from tracekit.cli.shells import script

    sys.stdout.write(script(args.shell))
    return edge.OK


def _runs(prefix: str) -> Iterator[str]:
    from tracekit.wire.ids import is_run_id

    try:
        names = os.listdir(os.path.join(paths.state_dir(os.environ), "runs"))  # noqa: PTH208 - names
    except OSError:
        names = []
    newest = sorted(filter(is_run_id, names), reverse=True)[:_RUNS]
    return (name for name in (*(("last",) if newest else ()), *newest) if name.startswith(prefix))


def _scenarios(prefix: str) -> Iterable[str]:
    """Ids of the kept inventory that begin like this, with or without their runner; many by their beginnings."""
    from tracekit.store.inventory import InventoryStore

    root = roots.find_root(os.getcwd())  # noqa: PTH109 - text is what is needed
    kept = InventoryStore(paths.cache_dir(os.environ)).load(root, os.environ.get("TRACEKIT_PROFILE", ""))
    found: list[str] = []
    for facts in kept.scenarios() if kept is not None else ():
        native = facts.id.partition(":")[2]
        if facts.id.startswith(prefix):
            found.append(facts.id)
        elif native.startswith(prefix):
            found.append(native)
    return _shortened(found, prefix)


def _shortened(found: list[str], prefix: str) -> Iterable[str]:
    if len(found) <= _MOST:
        return found
    return dict.fromkeys(_beginning(name, len(prefix)) for name in found)


def _beginning(name: str, typed: int) -> str:
    """A name up to the end of the next of its parts: a folder, a file, a class."""
    ends = [at + len(sign) for sign in ("/", "::") if (at := name.find(sign, typed)) >= 0]
    return name[: min(ends)] if ends else name


def _selectors(prefix: str) -> Iterator[str]:
    from tracekit.model.selector_syntax import FIELDS

    yield from (
        f"{field}:" for field in FIELDS if prefix and f"{field}:".startswith(prefix) and prefix != f"{field}:"
    )
    yield from _scenarios(prefix)


def _profiles(prefix: str) -> Iterator[str]:
    from tracekit.config.loader import bundled_profiles

    return (name for name in bundled_profiles() if name.startswith(prefix))


def _environments(prefix: str) -> Iterator[str]:
    from tracekit.config import loader
    from tracekit.wire.problems import ProblemError

    try:
        root = roots.find_root(os.getcwd())  # noqa: PTH109 - text is what is needed
        profile = loader.load(root, environ=os.environ, implicit=False).profile
        names = [environment.name for environment in profile.environments]
    except ProblemError:
        names = []
    return (name for name in dict.fromkeys(("local", *names)) if name.startswith(prefix))


_VALUES: dict[str, Callable[[str], Iterable[str]]] = {
    "runs": _runs,
    "scenarios": _scenarios,
    "selectors": _selectors,
    "profiles": _profiles,
    "environments": _environments,
}
