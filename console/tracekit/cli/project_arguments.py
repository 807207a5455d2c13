"""The arguments by which a command names a project. Apart from what resolves them, so that a cached answer is cheap."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def count(text: str) -> int:
    """A whole number that is not negative, or an argument error."""
    if not text.isdecimal() or not text.isascii() or len(text) > 10:
        import argparse

        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _at_least_one(text: str) -> int:
    found = count(text)
    if not found:
        import argparse

        raise argparse.ArgumentTypeError("at least 1 runs at once")
    return found


def at_once_argument(parser: argparse.ArgumentParser) -> None:
    """The argument that says how many scenarios of a suite run at once."""
    parser.add_argument(
        "-j",
        "--jobs",
        type=_at_least_one,
        default=0,
        metavar="N",
        dest="at_once",
        help="how many scenarios of a suite run at once (default: as many as its own runner has it)",
    )


def isolate_argument(parser: argparse.ArgumentParser) -> None:
    """The argument by which scenarios get a process of their own."""
    parser.add_argument(
        "--isolate",
        action="append",
        default=[],
        metavar="ID",
        help="run what this id, file or glob names in processes of their own, one by one; repeatable",
    )


def trace_argument(parser: argparse.ArgumentParser) -> None:
    """The argument that says how much of what happens inside is recorded."""
    parser.add_argument(
        "--trace",
        choices=("off", "default", "calls"),
        help="what is recorded inside test processes: nothing; marks, logs, exceptions and what reaches outside; "
        "and the calls of the project's functions",
    )


def project_arguments(parser: argparse.ArgumentParser, *, selectors: bool = True) -> None:
    """The arguments by which a command names a project."""
    parser.add_argument(
        "path", nargs="?", default=".", metavar="PATH", help="the project, or a file or folder in it"
    )
    parser.add_argument("--profile", metavar="P", help="a bundled profile, or a profile's file")
    parser.add_argument("--env", metavar="E", dest="environment", help="the environment (default: local)")
    if selectors:
        parser.add_argument(
            "-s",
            "--select",
            action="append",
            default=[],
            metavar="SELECTOR",
            dest="selectors",
            help="a path, an id, a glob, tag:… suite:… flag:…, combined with or, not and parentheses; repeatable",
        )
