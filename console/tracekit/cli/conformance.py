"""Whether a program speaks the journal as a runner must: it is run, listened to, and every breach is said in words.

It runs the command in the way that a suite with `runner = "command"` does, and records nothing.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tracekit.agent.hosts.journal import JournalReader, Line
from tracekit.agent.reports.cases import Lines, ReportError, parsed
from tracekit.wire.names import RED, VERDICTS, E

_CHOICE = re.compile(r"\{names(?P<joint>[^}]?)\}")
_SECONDS = 120.0
Row = tuple[str, bool, str, str]


@dataclass
class Heard:
    """One run of the command: what it told, when, and how it ended."""

    lines: list[Line] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    raw: list[dict[str, Any]] = field(default_factory=list)
    other: int = 0
    code: int = 0
    seconds: float = 0.0
    fault: str = ""

    def of(self, event: str) -> list[Line]:
        """The lines of one event."""
        return [line for line in self.lines if line.event == event]

    def names(self, event: str) -> list[str]:
        """The scenarios that lines of an event are about, in their order."""
        return [str(line.fields.get("scenario")) for line in self.of(event)]


def listen(command: Sequence[str], seconds: float = _SECONDS) -> Heard:
    """Run it to its end, without input. Raises OSError where it cannot be started."""
    heard, reading, whole, began = Heard(), JournalReader(), Lines(), time.monotonic()
    # A group of its own: what it leaves behind goes with it.
    process = subprocess.Popen(
        list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None  # noqa: S101 - it was asked for
    os.set_blocking(process.stdout.fileno(), False)
    open_, ended = True, False
    try:
        while open_:
            data = cast("bytes | None", process.stdout.read())
            if data:
                _take(heard, reading, data, time.monotonic() - began)
                heard.raw += [found for text in whole.feed(data) if (found := parsed(text)) is not None]
            elif data == b"" or ended:
                open_ = False
            else:
                time.sleep(0.005)
                ended = _ended(process.pid)
            if time.monotonic() - began > seconds:
                heard.fault = f"it did not end within {seconds:g} s"
                break
        until = time.monotonic() + (1 if heard.fault else seconds)
        while not _ended(process.pid) and time.monotonic() < until:
            time.sleep(0.005)
    finally:
        # It is not reaped yet: its number names this group, whoever leaves, and whatever it has left.
        os.killpg(process.pid, signal.SIGKILL)
        heard.code = process.wait()
    heard.seconds = time.monotonic() - began
    process.stdout.close()
    return heard


def _ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _take(heard: Heard, reading: JournalReader, data: bytes, at: float) -> None:
    try:
        told = reading.feed(data)
    except ReportError as fault:
        heard.fault = str(fault)
        return
    for one in told:
        if isinstance(one, Line):
            heard.lines.append(one)
            heard.at.append(at)
        else:
            heard.other += 1


def checks(command: Sequence[str], listing: Sequence[str], choosing: Sequence[str]) -> Iterator[Row]:
    """Each check as a row: its name, whether it holds, what was found, what to do."""
    try:
        first = listen(command)
    except OSError as fault:
        yield (
            "starts",
            False,
            f"{command[0]}: {fault.strerror}",
            "name a program that is on PATH, or its path",
        )
        return
    yield "starts", True, " ".join(command), ""
    if first.fault:
        yield "ends", False, first.fault, "a runner ends when its last test has ended"
        return
    yield "ends", True, f"with status {first.code} after {first.seconds:.2f} s", ""
    ends = first.of(E.ATTEMPT_ENDED)
    good = bool(ends)
    yield (
        "journal",
        good,
        f"{len(first.lines)} lines, {first.other} others that count as output",
        'print lines of JSON such as {"e":"attempt.started","scenario":"opens"}, as docs/runners.md has them',
    )
    if not good:
        return
    yield from _told(first)
    yield from _status(first)
    yield _live(first)
    yield from _again(command, first, listing, choosing)


def _told(heard: Heard) -> Iterator[Row]:
    started, ended = heard.names(E.ATTEMPT_STARTED), heard.names(E.ATTEMPT_ENDED)
    open_ = Counter(started) - Counter(ended)
    yield (
        "ends told",
        not open_,
        f"{len(ended)} attempts ended"
        if not open_
        else f"no end of {next(iter(open_))!r} and {len(open_) - 1} more",
        "every attempt.started needs an attempt.ended, or it is told as crashed",
    )
    early = [name for name in ended if name not in set(started)]
    yield (
        "begins told",
        not early,
        "each attempt was told before its end" if not early else f"{early[0]!r} ended without having begun",
        "print attempt.started when a test begins: that is what makes it live, and how long it took",
    )
    odd = [str(line.get("verdict")) for line in heard.raw if line.get("e") == E.ATTEMPT_ENDED]
    unknown = sorted({word for word in odd if word not in VERDICTS})
    yield (
        "verdicts",
        not unknown,
        ", ".join(f"{count} {word}" for word, count in Counter(odd).items()),
        f"known are {', '.join(VERDICTS)}" + (f"; not {', '.join(unknown)}" if unknown else ""),
    )
    red = {
        str(line.fields["scenario"]) for line in heard.of(E.ATTEMPT_ENDED) if line.fields["verdict"] in RED
    }
    silent = sorted(red - set(heard.names(E.FAILURE)))
    yield (
        "failures",
        not silent,
        f"{len(red)} red, each with its failure" if not silent else f"nothing says why {silent[0]!r} is red",
        'print {"e":"failure","scenario":…,"chain":[{"type":…,"message":…}],"text":…} before its end',
    )


def _status(heard: Heard) -> Iterator[Row]:
    red = any(line.fields["verdict"] in RED for line in heard.of(E.ATTEMPT_ENDED))
    found = f"status {heard.code}, and {'something' if red else 'nothing'} is red"
    action = "end with 0 when nothing is red, and with another status when something is"
    yield "status", red == (heard.code != 0), found, action


def _live(heard: Heard) -> Row:
    spread = heard.at[-1] - heard.at[0]
    late = heard.seconds > 0.5 and len(heard.lines) > 2 and spread < heard.seconds * 0.05
    found = f"first line after {heard.at[0]:.2f} s, last after {heard.at[-1]:.2f} s, of {heard.seconds:.2f} s"
    return "live", not late, found, "flush standard output after each line; a pipe is buffered otherwise"


def _again(
    command: Sequence[str], first: Heard, listing: Sequence[str], choosing: Sequence[str]
) -> Iterator[Row]:
    names = list(dict.fromkeys(first.names(E.ATTEMPT_ENDED)))
    second = set(listen(command).names(E.ATTEMPT_ENDED))
    changed = sorted(second ^ set(names))
    yield (
        "same names",
        not changed,
        f"{len(names)} scenarios, the same in two runs"
        if not changed
        else f"{changed[0]!r} was in one run only",
        "a name must be the same on every run: no addresses, times or numbers of processes in it",
    )
    if listing:
        done = subprocess.run(
            list(listing), stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
        listed = [
            line.strip() for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()
        ]
        unlike = sorted(set(listed) ^ set(names))
        yield (
            "list",
            not unlike and done.returncode == 0,
            f"{len(listed)} names" if not unlike else f"{unlike[0]!r} is listed or run, not both",
            "`list` prints the names of all tests as the journal has them, one a line, and runs none",
        )
    if choosing:
        wanted = names[-1]
        words = [
            word.replace(found[0], wanted) if (found := _CHOICE.search(word)) else word for word in choosing
        ]
        ran = list(dict.fromkeys(listen([*command, *words]).names(E.ATTEMPT_ENDED)))
        yield (
            "only",
            ran == [wanted],
            f"{wanted!r} was chosen, and {'it alone ran' if ran == [wanted] else f'{len(ran)} ran'}",
            "what was chosen runs, and nothing else",
        )
