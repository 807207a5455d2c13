"""Whether a program speaks the journal as a runner must: it is run, listened to, and every breach is said in words.

It runs the command in the way that a suite with `runner = "command"` does, and records nothing.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tracekit.agent.hosts.journal import JournalReader, Line
from tracekit.agent.reports.cases import Lines, Printed, ReportError, parsed
from tracekit.wire.names import RED, VERDICTS, E

_CHOICE = re.compile(r"\{names(?P<joint>[^}]?)\}")
_SECONDS = 120.0
_SHOWN = 60
Row = tuple[str, bool, str, str]
_FIRST_WORD, _NEXT_WORD = 2.0, 10.0


class Waiting:
    """Says of a command that takes its time, now and then, for how long, in which test, and when it will be ended."""

    def __init__(
        self, say: Callable[[str], None], seconds: float = _SECONDS, first: float = _FIRST_WORD
    ) -> None:
        self.seconds = seconds
        self._say, self._first, self._next = say, first, first

    def begins(self) -> float:
        """A command was started; gives when."""
        self._next = self._first
        return time.monotonic()

    def over(self, began: float, command: Sequence[str], during: Callable[[], str]) -> bool:
        """Whether its time is."""
        lasted = time.monotonic() - began
        if lasted >= self._next:
            self._next += _NEXT_WORD
            words = f"{' '.join(command)} has run for {lasted:.0f} s{during()}"
            self._say(f"{words}; it is ended after {self.seconds:g} s")
        return lasted > self.seconds


@dataclass
class Heard:
    """One run of the command: what it told, when, and how it ended."""

    lines: list[Line] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    #: Which line of standard output each was.
    numbers: list[int] = field(default_factory=list)
    #: The first that is none, and all that begin like one and are broken.
    words: str = ""
    torn: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0
    raw: list[dict[str, Any]] = field(default_factory=list)
    other: int = 0
    code: int = 0
    seconds: float = 0.0
    fault: str = ""

    def of(self, event: str) -> list[Line]:
        """The lines of one event."""
        return [line for line in self.lines if line.event == event]

    def line_of(self, event: str, name: str) -> int:
        """The first line of an event that is about a scenario."""
        at = zip(self.lines, self.numbers, strict=True)
        return next((n for one, n in at if one.event == event and one.fields.get("scenario") == name), 0)

    def unended(self) -> list[str]:
        """Scenarios that began and told no end."""
        return list(Counter(self.names(E.ATTEMPT_STARTED)) - Counter(self.names(E.ATTEMPT_ENDED)))

    def during(self) -> str:
        """The test that runs, where one does."""
        running = self.unended()
        last = running[-1] if running else ""
        return f", while {last!r} ran (line {self.line_of(E.ATTEMPT_STARTED, last)})" if last else ""

    @property
    def killed(self) -> str:
        """The signal that ended it, where one did."""
        return "" if self.code >= 0 else _signal(-self.code)

    def names(self, event: str) -> list[str]:
        """The scenarios that lines of an event are about, in their order."""
        return [str(line.fields.get("scenario")) for line in self.of(event)]


def listen(command: Sequence[str], waiting: Waiting) -> Heard:
    """Run it to its end, without input. Raises OSError where it cannot be started."""
    heard, reading, whole, began = Heard(), JournalReader(), Lines(), waiting.begins()
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
            if waiting.over(began, command, heard.during):
                heard.fault = f"it did not end within {waiting.seconds:g} s"
                break
        while not heard.fault and not _ended(process.pid):
            time.sleep(0.005)
            if waiting.over(began, command, heard.during):
                heard.fault = f"it closed its output and did not end within {waiting.seconds:g} s"
    finally:
        # It is not reaped yet: its number names this group, whoever leaves, and whatever it has left.
        os.killpg(process.pid, signal.SIGKILL)
        heard.code = process.wait()
    heard.seconds = time.monotonic() - began
    # What stands behind the last end of a line is a line, too.
    _take(heard, reading, b"\n" if reading.unfinished else b"", heard.seconds)
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
        heard.count += 1
        if isinstance(one, Line):
            heard.lines.append(one)
            heard.at.append(at)
            heard.numbers.append(heard.count)
            continue
        heard.other += 1
        text = one.text.rstrip("\n") if isinstance(one, Printed) else ""
        heard.words = heard.words or f"line {heard.count}: {text[:_SHOWN]!r}"
        if text.lstrip().startswith("{") and parsed(text) is None:
            heard.torn.append((heard.count, text[:_SHOWN]))


def checks(
    command: Sequence[str], listing: Sequence[str], choosing: Sequence[str], waiting: Waiting
) -> Iterator[Row]:
    """Each check as a row: its name, whether it holds, what was found, what to do."""
    try:
        first = listen(command, waiting)
    except OSError as fault:
        yield (
            "starts",
            False,
            f"{command[0]}: {fault.strerror}",
            "name a program that is on PATH, or its path",
        )
        return
    yield "starts", True, " ".join(command), ""
    during = first.during()
    if first.fault:
        yield "ends", False, f"{first.fault}{during}", "a runner ends when its last test has ended"
        return
    if first.killed:
        action = (
            "look for what kills it: in a run, the test that it was in would be crashed, and the rest not run"
        )
        yield "ends", False, f"killed by {first.killed} after {first.seconds:.2f} s{during}", action
    else:
        yield "ends", True, f"with status {first.code} after {first.seconds:.2f} s", ""
    ends = first.of(E.ATTEMPT_ENDED)
    good = bool(ends)
    yield (
        "journal",
        good,
        f"{len(first.lines)} lines, {first.other} others that count as output"
        + (
            f"; no attempt.ended among them{f', the first is {first.words}' if first.words else ''}"
            if not good
            else ""
        ),
        'print lines of JSON such as {"e":"attempt.started","scenario":"opens"}, as docs/runners.md has them',
    )
    if first.torn:
        number, text = first.torn[0]
        found = f"{len(first.torn)} begin like JSON and are none, the first is line {number}: {text!r}"
        yield (
            "whole lines",
            False,
            found,
            "print each object whole, on a line of its own, and flush it at once",
        )
    if not good:
        return
    yield from _told(first)
    yield from _status(first)
    yield _live(first)
    yield from _again(command, first, listing, choosing, waiting)


def _told(heard: Heard) -> Iterator[Row]:
    started, ended = heard.names(E.ATTEMPT_STARTED), heard.names(E.ATTEMPT_ENDED)
    open_ = Counter(started) - Counter(ended)
    yield (
        "ends told",
        not open_,
        f"{len(ended)} attempts ended"
        if not open_
        else f"no end of {next(iter(open_))!r}, which began in line "
        f"{heard.line_of(E.ATTEMPT_STARTED, next(iter(open_)))}{_more(len(open_))}",
        "every attempt.started needs an attempt.ended, or it is told as crashed",
    )
    early = [name for name in ended if name not in set(started)]
    yield (
        "begins told",
        not early,
        "each attempt was told before its end"
        if not early
        else f"{early[0]!r} ended in line {heard.line_of(E.ATTEMPT_ENDED, early[0])} without having begun"
        f"{_more(len(early))}",
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
        f"{len(red)} red, each with its failure"
        if not silent
        else f"nothing says why {silent[0]!r} is red (line {heard.line_of(E.ATTEMPT_ENDED, silent[0])})"
        f"{_more(len(silent))}",
        'print {"e":"failure","scenario":…,"chain":[{"type":…,"message":…}],"text":…} before its end',
    )


def _listed(listing: Sequence[str], names: Sequence[str], waiting: Waiting) -> Row:
    action = "`list` prints the names of all tests as the journal has them, one a line, and runs none"
    try:
        code, printed = _printed(listing, waiting)
    except TimeoutError:
        return "list", False, f"it did not end within {waiting.seconds:g} s", action
    except OSError as fault:
        return "list", False, f"{listing[0]}: {fault.strerror}", "name a program that is on PATH, or its path"
    listed = [line.strip() for line in printed.decode("utf-8", "replace").splitlines() if line.strip()]
    unheard, unlisted = sorted(set(listed) - set(names)), sorted(set(names) - set(listed))
    if code:
        return "list", False, f"it ended with status {code}", "end with 0 when the names are printed"
    if unheard:
        return "list", False, f"{unheard[0]!r} is listed and was not run{_more(len(unheard))}", action
    if unlisted:
        return "list", False, f"{unlisted[0]!r} was run and is not listed{_more(len(unlisted))}", action
    return "list", True, f"{len(listed)} names", ""


def _printed(command: Sequence[str], waiting: Waiting) -> tuple[int, bytes]:
    """The status and the output of a command. Raises OSError where it cannot be started, TimeoutError at its limit."""
    began = waiting.begins()
    # What it leaves behind may keep a pipe open for ever, and no file.
    with tempfile.TemporaryFile() as file:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while not _ended(process.pid):
                time.sleep(0.005)
                if waiting.over(began, command, str):
                    raise TimeoutError
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        file.seek(0)
        return code, file.read()


def _more(count: int) -> str:
    return f", and {count - 1} more" if count > 1 else ""


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


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
    command: Sequence[str],
    first: Heard,
    listing: Sequence[str],
    choosing: Sequence[str],
    waiting: Waiting,
) -> Iterator[Row]:
    names = list(dict.fromkeys(first.names(E.ATTEMPT_ENDED)))
    second = set(listen(command, waiting).names(E.ATTEMPT_ENDED))
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
        yield _listed(listing, names, waiting)
    if choosing:
        wanted = names[-1]
        words = [
            word.replace(found[0], wanted) if (found := _CHOICE.search(word)) else word for word in choosing
        ]
        ran = list(dict.fromkeys(listen([*command, *words], waiting).names(E.ATTEMPT_ENDED)))
        yield (
            "only",
            ran == [wanted],
            f"{wanted!r} was chosen, and {'it alone ran' if ran == [wanted] else f'{len(ran)} ran'}",
            "what was chosen runs, and nothing else",
        )
