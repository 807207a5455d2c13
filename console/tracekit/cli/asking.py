"""What only a person knows, asked at the terminal: used once, kept nowhere, and never asked where nobody sits.

Standard output is left alone: it may be somebody's data.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import threading
from typing import TYPE_CHECKING

from tracekit.cli import edge

if TYPE_CHECKING:
    from tracekit.link.login import Asker, Question


# One person, one terminal: whoever asks waits for the one before.
_TURN = threading.Lock()
#: How soon a question that nobody waits for any more is taken back, in seconds.
_LOOK = 0.2


def asker() -> Asker | None:
    """Who asks the person at this terminal; None where there is none."""
    return TerminalAsker() if edge.is_terminal(sys.stdin) and edge.is_terminal(sys.stderr) else None


class TerminalAsker:
    """Asks one thing after another: two boxes that log in at once never share the prompt, nor an answer."""

    async def ask(self, question: Question) -> str | None:
        """The answer, or None."""
        import anyio

        gone = threading.Event()
        try:
            return await anyio.to_thread.run_sync(_in_turn, question, gone, abandon_on_cancel=True)
        finally:
            gone.set()


def _in_turn(question: Question, gone: threading.Event) -> str | None:
    while not gone.is_set():
        if _TURN.acquire(timeout=_LOOK):
            try:
                return None if gone.is_set() else _ask(question, gone)
            finally:
                _TURN.release()
    return None


def _ask(question: Question, gone: threading.Event) -> str | None:
    where = edge.clean(question.where)
    if question.kind == "host-key":
        return _host_key(question, where, gone)
    lines = [edge.clean(line) for line in question.text.splitlines() if line.strip()] or ["answer"]
    for line in lines[:-1]:
        edge.say_error(line)
    return _line(f"{where}: {lines[-1].rstrip(': ')}: ", gone, echo=question.echo)


def _line(prompt: str, gone: threading.Event, *, echo: bool) -> str | None:
    """A line of the terminal; None at its end, or when nobody waits for it any more. Echo is as it was after it."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    if not echo:
        quiet = [*before]
        quiet[3] = before[3] & ~termios.ECHO
        # What was typed before the question is no answer to it.
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, quiet)
    sys.stderr.write(prompt)
    sys.stderr.flush()
    typed = bytearray()
    try:
        while b"\n" not in typed:
            if gone.is_set():
                return None
            if select.select([descriptor], [], [], _LOOK)[0]:
                more = os.read(descriptor, 4096)
                if not more:
                    return None
                typed += more
    except OSError:
        return None
    finally:
        if not echo:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
            sys.stderr.write("\n")
            sys.stderr.flush()
    return bytes(typed).partition(b"\n")[0].decode("utf-8", "surrogateescape").rstrip("\r")


def _host_key(question: Question, where: str, gone: threading.Event) -> str | None:
    edge.say_error(f"{where} is not known. Its key is {edge.clean(question.fingerprint)}.")
    edge.say_error("Compare it with the machine's own before you trust it.")
    answer = (_line("once, save or cancel? [cancel] ", gone, echo=True) or "").strip().lower()
    return answer if answer in {"once", "save"} else None
