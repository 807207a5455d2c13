"""Every command by name with its one-line summary; a command's module is imported only when it is asked for.

The list is plain data so that `--help` and completions cost nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import argparse


class Command(Protocol):
    """What a module below `cli.commands` provides."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it, and give the exit code; raises ProblemError."""
        ...


SUMMARIES: dict[str, str] = {
    "list": "show the scenarios that discovery finds",
    "run": "run scenarios and follow them live",
    "rerun": "run the failed scenarios of a run again",
    "runs": "list recorded and live runs",
    "history": "show a scenario's last verdicts and durations",
    "compare": "show what changed from one run to another",
    "show": "show a run, or one scenario of it",
    "replay": "print or open a recorded run",
    "events": "show what happened inside the processes of a run",
    "attach": "follow a run that goes on without a console",
    "cancel": "stop a run and everything it started",
    "box": "machines that run tests: add, list, check, shell, remove",
    "export": "write a run as one file: a bundle, or another tool's format",
    "import": "bring in a bundle, or reports of other tools as a run",
    "debug": "run one scenario of a run again in the foreground, with its debugger",
    "bisect": "find which tests before it make a scenario fail",
    "pin": "keep a run whatever the limits say",
    "delete": "take runs off the disk",
    "gc": "let go of runs over the limits, pack old ones, rebuild the catalogue",
    "quarantine": "scenarios that do not fail a run for now: add, list, remove",
    "ci": "write a workflow for continuous integration: init",
    "verify": "check a recorded run for damage",
    "recover": "bring a run to an end after the death of everything",
    "config": "show what is configured, and where from",
    "doctor": "check this installation and the project",
    "reset-terminal": "restore a terminal whose console was killed",
    "completions": "print a completion script for bash, zsh or fish",
    "demo": "run the bundled demonstration with its planted fault",
}

EXIT_CODES = """\
exit codes:
  0  all passed (flaky and quarantined count as passed; `run --detach`: the agent has accepted)
  1  a scenario ended failed, error, timedout or crashed; a suite could not be collected or started;
     somebody else cancelled; `verify` found damage
  2  usage or configuration: a missing interpreter, an unwritable state directory, a damaged run
  3  internal error
  4  no tests, or nothing matched
  5  environment unreachable or unhealthy
  6  the recording is incomplete (only with `run --strict-recording`)
  128+n  ended by signal n
"""


def load(name: str) -> Command:
    """Import one command's module."""
    module: Command = importlib.import_module(f"tracekit.cli.commands.{name.replace('-', '_')}_command")
    return module


def parser(name: str) -> argparse.ArgumentParser:
    """The whole parser of one command."""
    # Only here: an overview and a version need no parser.
    import argparse

    made = argparse.ArgumentParser(
        prog="tracekit-tui" if name == "tui" else f"tracekit {name}",
        description=SUMMARIES.get(name, "open the console"),
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    load(name).arguments(made)
    return made


def parse(name: str, words: list[str]) -> argparse.Namespace:
    """Parse a command's words; what stands behind `--` is the runner's and is never looked at."""
    ours, theirs = words, None
    if "--" in words:
        at = words.index("--")
        ours, theirs = words[:at], words[at + 1 :]
    made = parser(name)
    if made.get_default("filter") is not None:
        ours = [_no_option(made, word) for word in ours]
    try:
        # A word may stand behind an option, too: `events RUN --json FILTER`.
        args = made.parse_intermixed_args(ours)
    except TypeError:
        args = made.parse_args(ours)  # of commands with commands of their own
    if theirs is not None:
        if not hasattr(args, "args"):
            made.error("only `run` hands arguments to a runner")
        args.args = tuple(theirs)
    return args


def _no_option(made: argparse.ArgumentParser, word: str) -> str:
    """A filter that begins with what must not hold, `-kind:log`, kept apart from options; blanks in it mean nothing."""
    short = word[:1] == "-" and word[1:2] not in {"", "-"}
    return f" {word}" if short and f"{word[:2]}, " not in made.format_help() else word


def overview() -> str:
    """What `tracekit --help` prints."""
    width = max(map(len, SUMMARIES))
    rows = "\n".join(f"  {name:{width}}  {summary}" for name, summary in SUMMARIES.items())
    return (
        "usage: tracekit [--help] [--version] COMMAND ...\n\n"
        "Integration tests in one terminal: what happens inside, and why a test fails.\n"
        "`tracekit-tui` opens the console; these commands are the same program without it.\n\n"
        f"commands:\n{rows}\n\n`tracekit COMMAND --help` tells more.\n\n{EXIT_CODES}"
    )
