"""What only a person knows, asked at the terminal: used once, kept nowhere, and never asked where nobody sits.

Standard output is left alone: it may be somebody's data.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tracekit.cli import edge

if TYPE_CHECKING:
    from tracekit.link.login import Asker, Question


def asker() -> Asker | None:
    """Who asks the person at this terminal; None where there is none."""
    return TerminalAsker() if edge.is_terminal(sys.stdin) and edge.is_terminal(sys.stderr) else None


class TerminalAsker:
    """Asks one thing after another."""

    async def ask(self, question: Question) -> str | None:
        """The answer, or None."""
        import anyio

        return await anyio.to_thread.run_sync(_ask, question)


def _ask(question: Question) -> str | None:
    where = edge.clean(question.where)
    try:
        if question.kind == "host-key":
            return _host_key(question, where)
        lines = [edge.clean(line) for line in question.text.splitlines() if line.strip()] or ["answer"]
        for line in lines[:-1]:
            edge.say_error(line)
        prompt = f"{where}: {lines[-1].rstrip(': ')}: "
        if question.echo:
            sys.stderr.write(prompt)
            sys.stderr.flush()
            return sys.stdin.readline().rstrip("\n")
        import getpass

        return getpass.getpass(prompt)
    except (EOFError, KeyboardInterrupt):
        return None


def _host_key(question: Question, where: str) -> str | None:
    edge.say_error(f"{where} is not known. Its key is {edge.clean(question.fingerprint)}.")
    edge.say_error("Compare it with the machine's own before you trust it.")
    sys.stderr.write("once, save or cancel? [cancel] ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip().lower()
    return answer if answer in {"once", "save"} else None
