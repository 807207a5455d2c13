"""The entry points, `tracekit COMMAND …` and `tracekit-tui`: finds the command, turns problems into exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tracekit import __version__
from tracekit.cli import edge, registry
from tracekit.wire.problems import Problem, ProblemError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in {"-h", "--help", "help"}:
        sys.stdout.write(registry.overview())
        return edge.OK if words else edge.USAGE
    if words[0] in {"-V", "--version"}:
        sys.stdout.write(f"tracekit {__version__}\n")
        return edge.OK
    return _guarded(words[0], words[1:])


def tui(argv: Sequence[str] | None = None) -> int:
    """Open the console."""
    words = list(sys.argv[1:] if argv is None else argv)
    return _guarded("tui", words)


def _guarded(name: str, words: list[str]) -> int:
    try:
        return _dispatch(name, words)
    except ProblemError as fault:
        edge.complain(fault.problems)
        return edge.exit_code(fault.problems)
    except KeyboardInterrupt:
        return edge.SIGNAL + 2
    except BrokenPipeError:
        # Whoever read our output has gone; what is still buffered must not raise a second time at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return edge.SIGNAL + 13
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else edge.USAGE
    except Exception:  # noqa: BLE001 - the last edge: a traceback for us, a code for scripts
        import traceback

        traceback.print_exc()
        edge.complain(
            [Problem("internal", "this is a fault of tracekit itself", "", "please report the lines above")]
        )
        return edge.INTERNAL


def _dispatch(name: str, words: list[str]) -> int:
    if name != "tui" and name not in registry.SUMMARIES:
        import difflib

        near = difflib.get_close_matches(name, registry.SUMMARIES, n=1)
        hint = f"did you mean `tracekit {near[0]}`?" if near else "`tracekit --help` lists the commands"
        raise ProblemError(Problem("cli.unknown_command", "no such command", name, hint))
    return registry.load(name).run(registry.parse(name, words))


if __name__ == "__main__":
    sys.exit(main())
