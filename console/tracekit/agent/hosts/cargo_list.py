"""Asks programs of tests what they hold, as cargo-nextest does; one that gives no list is one scenario as a whole.

Every question has an end: a program that says nothing in time is killed with its group. It runs no test.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from typing import IO, NamedTuple, Optional

from tracekit.agent.hosts.cargo_reader import Target

#: How long a program may take to say what it holds.
PATIENCE = 20.0
_ENTRY = re.compile(r"(.+): (test|benchmark)")
_IGNORED = re.compile(
    r"^test (.+?)(?: - should panic(?: - compile)?)? \.\.\. ignored(?:, (.*))?$", re.MULTILINE
)
# An argument list has a limit; names are short.
_AT_ONCE = 500
_PAUSE = 0.005
_SILENT = f"it did not list its tests within {PATIENCE:g} s when it was asked before"


class Listed(NamedTuple):
    """The tests of one program; `whole` where it gives no list."""

    names: tuple[str, ...] = ()
    ignored: frozenset[str] = frozenset()
    whole: bool = False
    why: str = ""
    #: It was asked, and did not answer in time.
    silent: bool = False


Answer = tuple[int, bytes]


def mark(program: str) -> str:
    """What a program's file is now; one that is built anew has another mark."""
    try:
        found = os.stat(program)
    except OSError:
        return ""
    return f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{program}"


def listed(
    targets: Sequence[Target], size: int, stopped: Callable[[], bool], silent: Collection[str] = ()
) -> list[Listed]:
    """What each holds, asked so many at a time; `silent`: the marks of programs that are known to give no answer."""
    words = ["--list", "--format", "terse"]
    known = [mark(target.program) in silent for target in targets]
    ask = [target for target, told in zip(targets, known) if not told]
    asked = [(target, [*words, *more]) for target in ask for more in ((), ("--ignored",))]
    answers = iter(_answers(asked, size, stopped))
    found: list[Listed] = []
    for told in known:
        if told:
            found.append(Listed(whole=True, why=_SILENT, silent=True))
            continue
        every, ignored = next(answers), next(answers)
        names, why = _names(every)
        if every is None and not stopped():
            found.append(Listed(whole=True, why=why, silent=True))
        elif names is None:
            found.append(Listed(whole=True, why=why))
        else:
            left, _ = _names(ignored)
            found.append(Listed(tuple(names), frozenset(left or ())))
    return found


def reasons(target: Target, names: Sequence[str], stopped: Callable[[], bool]) -> dict[str, str]:
    """Why a program's own tests are ignored: it says so when they are run, and runs none of them."""
    found: dict[str, str] = {}
    for at in range(0, len(names), _AT_ONCE):
        some = list(names[at : at + _AT_ONCE])
        (answer,) = _answers([(target, ["--exact", *some])], 1, stopped)
        text = answer[1].decode("utf-8", "replace") if answer else ""
        found.update({name: reason or "" for name, reason in _IGNORED.findall(text)})
    return found


def _names(answer: Optional[Answer]) -> tuple[Optional[list[str]], str]:
    """The tests of a list, or why it is none."""
    if answer is None:
        return None, f"it did not list its tests within {PATIENCE:g} s"
    code, data = answer
    if code:
        return None, f"asked for a list it ended with status {code}"
    names: list[str] = []
    for line in data.decode("utf-8", "replace").splitlines():
        found = _ENTRY.fullmatch(line)
        if found is None and line.strip():
            return None, "what it prints when it is asked for a list is none"
        if found is not None and found.group(2) == "test":
            names.append(found.group(1))
    return names, ""


def _answers(
    asked: Sequence[tuple[Target, list[str]]], size: int, stopped: Callable[[], bool]
) -> list[Optional[Answer]]:
    """What programs print, in the order they were asked; None for one that did not end in time."""
    found: list[Optional[Answer]] = [None] * len(asked)
    running: dict[int, tuple[subprocess.Popen[bytes], IO[bytes], float]] = {}
    waiting = list(range(len(asked)))[::-1]
    while waiting or running:
        while waiting and len(running) < size and not stopped():
            place = waiting.pop()
            target, words = asked[place]
            file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when its program has ended
            process = subprocess.Popen(
                [target.program, *words],
                cwd=target.cwd,
                env=target.environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            running[place] = process, file, time.monotonic()
        if stopped():
            waiting.clear()
        for place, (process, file, since) in list(running.items()):
            late = stopped() or time.monotonic() - since > PATIENCE
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(0 if late else _PAUSE)
                file.seek(0)
                found[place] = code, file.read()
            if process.returncode is not None or late:
                with contextlib.suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                file.close()
                del running[place]
    return found
