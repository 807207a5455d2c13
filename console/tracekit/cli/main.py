"""The entry points, `tracekit COMMAND …` and `tracekit-tui`: finds the command, turns problems into exit codes."""

from __future__ import annotations

import atexit
import contextlib
import errno
import io
import os
import sys
import threading
from collections.abc import Sequence

from tracekit import __version__
from tracekit.cli import edge, registry
from tracekit.wire.problems import Problem, ProblemError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    return _guarded(list(sys.argv[1:] if argv is None else argv))


def program() -> None:
    """The program `tracekit`: its command, and then the quickest way out."""
    _leave(main())


def _leave(code: int) -> None:
    """End as an interpreter does, but without taking itself apart: somebody waits for the exit code."""
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    # What was asked to happen at the end, as taking temporary folders away.
    atexit._run_exitfuncs()  # noqa: SLF001 - the only way to have it done without taking everything apart
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def tui(argv: Sequence[str] | None = None) -> int:
    """Open the console."""
    words = list(sys.argv[1:] if argv is None else argv)
    return _guarded(["tui", *words])


def _guarded(words: list[str]) -> int:
    _prepare_streams()
    try:
        code = _dispatch(words)
        # What could not be written is found out here, and not behind the exit code.
        sys.stdout.flush()
        return code
    except ProblemError as fault:
        edge.complain(fault.problems)
        return edge.exit_code(fault.problems)
    except KeyboardInterrupt:
        return edge.SIGNAL + 2
    except BrokenPipeError:
        edge.swallow_output()
        return edge.SIGNAL + 13
    except OSError as fault:
        if (
            fault.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF}
            or fault.filename is not None
        ):
            return _our_fault()
        edge.swallow_output()
        what = f"standard output cannot be written: {fault.strerror}"
        edge.complain([Problem("cli.output", what, "", "write to a place with room")])
        return edge.USAGE
    except Exception:  # noqa: BLE001 - the last edge: a traceback for us, a code for scripts
        return _our_fault()


def _our_fault() -> int:
    import traceback

    traceback.print_exc()
    edge.complain(
        [Problem("internal", "this is a fault of tracekit itself", "", "please report the lines above")]
    )
    return edge.INTERNAL


def _prepare_streams() -> None:
    # A closed descriptor leaves None here; and what a locale cannot spell is spelt out, never a crash.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in {"-h", "--help", "help"}:
        sys.stdout.write(registry.overview())
        return edge.OK if words else edge.USAGE
    if words[0] in {"-V", "--version"}:
        sys.stdout.write(f"tracekit {__version__}\n")
        return edge.OK
    try:
        return _command(words[0], words[1:])
    except SystemExit as leaving:
        # How a parser of arguments ends, which has said all that there is to say, as its help.
        return leaving.code if isinstance(leaving.code, int) else edge.USAGE


def _command(name: str, words: list[str]) -> int:
    if name != "tui" and name not in registry.SUMMARIES:
        import difflib

        near = difflib.get_close_matches(name, registry.SUMMARIES, n=1)
        hint = f"did you mean `tracekit {near[0]}`?" if near else "`tracekit --help` lists the commands"
        raise ProblemError(Problem("cli.unknown_command", "no such command", name, hint))
    if name == "tui":
        from tracekit.cli.remembered import picture

        with picture(words) as shown:
            return _run(name, words, picture=shown)
    return _run(name, words)


def _run(name: str, words: list[str], **also: object) -> int:
    args = registry.parse(name, words)
    vars(args).update(also)
    return registry.load(name).run(args)


if __name__ == "__main__":
    program()
