"""Documentation tests through `cargo test --doc`: rustdoc compiles and runs them, and tells them as they end.

rustdoc gives nobody a process of one test alone, and no name of one on its command line: which of them runs is inferred
from their order, and a choice may run more than was chosen, of which nothing is told.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from tracekit.agent.hosts import panics
from tracekit.agent.hosts.crew import TICK
from tracekit.agent.hosts.panics import Place, Sources
from tracekit.agent.hosts.telling import Teller
from tracekit.agent.paths import read_json, told_name
from tracekit.agent.system import System
from tracekit.wire.names import E

DOC = "doctests"
_ENTRY = re.compile(r"(?P<name>(?P<file>.+?) - (?P<item>.*?) ?\(line (?P<line>\d+)\)): test")
_RESULT = re.compile(
    r"test (?P<name>.+ \(line \d+\))(?: - [a-z ]+)? \.\.\. (?P<word>ok|FAILED|ignored)(?:, (?P<why>.*))?"
)
_SECTION = re.compile(r"---- (?P<name>.+ \(line \d+\))(?: - [a-z ]+)? stdout ----")
_PRINTED = re.compile(r"^stdout:\n(.*?)(?=^\nstderr:$|\Z)", re.MULTILINE | re.DOTALL)
_ERROR = re.compile(r"^error(?:\[\w+\])?: (.+)$", re.MULTILINE)
_RED = "FAILED"
#: How long cargo may say nothing while it is asked for a list, in seconds.
PATIENCE = 300.0
_SAID = 16 * 1024
# A package without a library has no documentation tests, which cargo takes for a fault.
_NO_LIBRARY = "no library targets found"


@dataclass
class UnlistedError(Exception):
    """Nobody knows which documentation tests there are; `text` is what cargo said."""

    why: str
    text: str


@dataclass(frozen=True)
class DocTest:
    """One of them: its scenario, rustdoc's own name, and where it stands."""

    scenario: str
    name: str
    path: tuple[str, ...]
    file: str
    line: int


@dataclass
class _Batch:
    """One process of cargo, and what it has told so far."""

    waiting: list[DocTest]
    failed: list[DocTest] = field(default_factory=list)
    text: str = ""
    section: str = ""
    sections: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Telling:
    """Where and how a launch tells of them."""

    teller: Teller
    spool: str
    launch: str
    attempts: dict[str, int]
    sources: Sources


class DocTests:
    """The documentation tests of a workspace."""

    def __init__(self, system: System, command: Sequence[str], cwd: str, stopped: Callable[[], bool]) -> None:
        self._system = system
        self.command = list(command)
        self._cwd = cwd
        self._stopped = stopped
        self._process: Optional[subprocess.Popen[bytes]] = None

    def found(
        self, prefix: str, name: Callable[[str], tuple[str, bool]], taken: Iterable[str]
    ) -> list[DocTest]:
        """All there are, in rustdoc's order; `taken` are the ids of other tests. Raises UnlistedError."""
        lines = self._listed().splitlines()
        told = [entry for entry in map(_ENTRY.fullmatch, lines) if entry is not None]
        found: dict[str, DocTest] = {}
        counts = dict.fromkeys(taken, 1)
        # rustdoc sorts lines as words, 12 before 9: by that a number would go to another test with any line above it.
        for entry in sorted(told, key=lambda one: int(one.group("line"))):
            file = name(entry.group("file"))[0]
            path = (file, DOC, entry.group("item").strip() or "crate")
            scenario = prefix + "::".join(path)
            # Lines move with every edit: a test is known by its item, and by its number there.
            count = counts[scenario] = counts.get(scenario, 0) + 1
            if count > 1:
                scenario, path = f"{scenario}[{count}]", (*path[:2], f"{path[2]}[{count}]")
            full = entry.group("name")
            found[full] = DocTest(scenario, full, path, file, int(entry.group("line")))
        return [found[entry.group("name")] for entry in told]

    def _listed(self) -> str:
        """What rustdoc lists. A build takes what it takes, and one that falls silent is not waited for."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self._process = subprocess.Popen(
                [*self.command, "--", "--list", "--format", "terse"],
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            size, since, why = 0, self._system.clock.mono(), ""
            while process.returncode is None and not why:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(TICK)
                now, grown = (
                    self._system.clock.mono(),
                    sum(os.fstat(file.fileno()).st_size for file in (out, err)),
                )
                size, since = grown, now if grown != size else since
                if now - since > PATIENCE * 1_000_000_000:
                    why = f"cargo said nothing for {PATIENCE:g} s"
            self._system.processes.signal_group(process.pid, signal.SIGKILL)
            process.wait()
            self._process = None
            out.seek(0)
            err.seek(0)
            said = err.read().decode("utf-8", "replace")
            if self._stopped() or (process.returncode and _NO_LIBRARY in said):
                return ""
            if process.returncode:
                raise UnlistedError(why or f"cargo ended with status {process.returncode}", said[-_SAID:])
            return out.read().decode("utf-8", "replace")

    def stop(self) -> None:
        """Ask what runs to end."""
        if self._process is not None:
            self._system.processes.signal_group(self._process.pid, signal.SIGTERM)

    def run(self, tests: Sequence[DocTest], every: Sequence[DocTest], told: Telling) -> None:
        """Run these; what a process that died had not come to runs in another one."""
        left = list(tests)
        while left and not self._stopped():
            run = _Run(self._system, told)
            words = (
                []
                if len(left) == len(every)
                else narrowed([test.name for test in left], [t.name for t in every])
            )
            file = os.path.join(told.spool, "doc.1")
            out = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.unlink(file)
            with contextlib.closing(os.fdopen(out, "rb", 0)) as reader:
                self._process = subprocess.Popen(
                    [*self.command, "--", *words],
                    cwd=self._cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    start_new_session=True,
                )
                again = run.follow(self._process, reader.fileno(), left, self._stopped)
            self._process = None
            if len(again) == len(left):
                break
            left = again


class _Run:
    """Follows one process of cargo."""

    def __init__(self, system: System, told: Telling) -> None:
        self._system, self._teller, self._attempts = system, told.teller, told.attempts
        self._spool, self._launch, self._sources = told.spool, told.launch, told.sources
        self._running: Optional[DocTest] = None
        self._began: dict[str, int] = {}
        self._pid = 0

    def follow(
        self, process: subprocess.Popen[bytes], out: int, tests: list[DocTest], stopped: Callable[[], bool]
    ) -> list[DocTest]:
        """Tell what happens until it ends; gives what it did not come to."""
        self._pid, batch, read = process.pid, _Batch(list(tests)), 0
        started = self._system.processes.started(process.pid)
        self._next(batch)
        ended = False
        while not ended:
            ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            data = os.pread(out, 1 << 20, read)
            read += len(data)
            batch.text += data.decode("utf-8", "replace")
            *lines, batch.text = batch.text.split("\n")
            for line in lines:
                self._take(batch, line)
            if not ended and not data:
                self._system.clock.sleep(TICK)
            ended = ended and not data
        self._system.processes.signal_group(process.pid, signal.SIGKILL)
        code = process.wait()
        self._settle(batch)
        if stopped() or self._running is None:
            return []
        test = self._running
        batch.waiting.remove(test)
        told = read_json(os.path.join(self._spool, told_name(process.pid, started)))
        if told is not None:
            cause = "hang" if told.get("verdict") == "timedout" else None
            self._end(test, str(told["verdict"]), cause, str(told.get("reason", "")))
            return batch.waiting
        reason = f"cargo ended with status {code} and said nothing of it"
        self._end(test, "error", "launch", reason)
        return batch.waiting if code < 0 else self._lost(batch, reason)

    def _lost(self, batch: _Batch, reason: str) -> list[DocTest]:
        for test in batch.waiting:
            self._start(test)
            self._end(test, "error", "launch", reason)
        return []

    def _take(self, batch: _Batch, line: str) -> None:
        result = _RESULT.fullmatch(line)
        if result is not None:
            batch.section = ""
            self._result(batch, result)
            return
        section = _SECTION.fullmatch(line)
        if section is not None:
            batch.section = section.group("name")
            batch.sections[batch.section] = []
        elif line.startswith("test result: "):
            self._settle(batch)
        elif line == "failures:":
            batch.section = ""
        elif batch.section:
            batch.sections[batch.section].append(line)

    def _result(self, batch: _Batch, result: re.Match[str]) -> None:
        test = next((one for one in batch.waiting if one.name == result.group("name")), None)
        if test is None:
            return  # it ran because rustdoc could not be asked for less
        self._start(test)
        batch.waiting.remove(test)
        word = result.group("word")
        if word == _RED:
            batch.failed.append(test)
        elif word == "ok":
            self._end(test, "passed")
        else:
            self._end(test, "skipped", None, result.group("why") or "ignored")
        if test is self._running:
            self._next(batch)

    def _next(self, batch: _Batch) -> None:
        self._running = batch.waiting[0] if batch.waiting else None
        if self._running is not None:
            self._start(self._running)

    def _start(self, test: DocTest) -> None:
        if test.scenario in self._began:
            return
        number = self._attempts.get(test.scenario, 0)
        self._attempts[test.scenario] = number + 1
        self._began[test.scenario] = self._system.clock.mono()
        facts = {"pid": self._pid, "worker": self._teller.role, "launch": self._launch}
        self._teller.line(E.ATTEMPT_STARTED, scenario=test.scenario, attempt=number + 1, **facts)

    def _settle(self, batch: _Batch) -> None:
        """A package is over: its failures have been explained."""
        for test in batch.failed:
            self._red(test, "\n".join(batch.sections.get(test.name, ())))
        batch.failed, batch.section = [], ""

    def _red(self, test: DocTest, text: str) -> None:
        head = {"scenario": test.scenario, "attempt": self._attempts[test.scenario], "step": "call"}
        printed = _PRINTED.search(text)
        if printed is not None:
            self._teller.output("stdout", head, printed.group(1).strip("\n").encode() + b"\n")
        place = Place(test.file, test.line, test.path[-1])
        told = panics.read(text, "main", place, self._sources)
        frames = panics.at(place, self._sources)
        if told is None:
            error = _ERROR.search(text)
            kind, message = ("does not compile", error.group(1)) if error else ("failed", text.strip()[:400])
            cause, chain = "exception", [panics.link(kind, message, frames)]
        else:
            # rustdoc counts lines from where its own wrapping of the example begins: the place is the example's.
            cause, chain = told.cause, [{**told.chain[0], "frames": frames}, *told.chain[1:]]
            if told.assertion is not None:
                self._teller.line(
                    E.ASSERTION, **head, **{**told.assertion, "file": test.file, "line": test.line}
                )
        failure: dict[str, Any] = {
            "when": "call",
            "cause": cause,
            "chain": chain,
            "text": text[-panics.TEXT_LIMIT :],
        }
        self._teller.line(E.FAILURE, **head, **failure)
        self._end(test, "failed", cause)

    def _end(self, test: DocTest, verdict: str, cause: Optional[str] = None, reason: str = "") -> None:
        more = {"reason": reason} if reason else {}
        # When any other began, nobody says.
        lasted = self._system.clock.mono() - self._began[test.scenario] if test is self._running else 0
        facts: dict[str, Any] = {"verdict": verdict, "cause": cause, "d": lasted, "durations": {}}
        number = self._attempts[test.scenario]
        self._teller.line(E.ATTEMPT_ENDED, scenario=test.scenario, attempt=number, **facts, **more)


def narrowed(wanted: Sequence[str], every: Sequence[str]) -> list[str]:
    """What to tell rustdoc so that it runs these and few others: it cuts what it is told at every space."""
    filters = list(dict.fromkeys(name.rpartition(" ")[2] for name in wanted))
    chosen = set(wanted)
    skipped: dict[str, None] = {}
    for name in every:
        if name in chosen or not any(one in name for one in filters):
            continue
        word = next(
            (one for one in name.split(" ") if len(one) > 2 and not any(one in keep for keep in wanted)), ""
        )
        if word:
            skipped[word] = None
    return [*filters, *(part for word in skipped for part in ("--skip", word))]
