"""Runs the tests of a program in one process of it, as `cargo test` does: libtest's own threads, and its own words.

libtest writes each result into a file, so verdicts are exact. When a test begins, and whose a line of output is, it
tells nobody: both are inferred from its order, and are marked so. What died beside others is run alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from tracekit.agent.hosts.crew import TICK, End, Word
from tracekit.agent.hosts.following import Faces, Followed
from tracekit.agent.hosts.libtest import RED_STATUS, RustTest
from tracekit.agent.hosts.libtest_words import Program, Spoken
from tracekit.agent.hosts.request import Request
from tracekit.agent.hosts.telling import Teller
from tracekit.agent.system import System
from tracekit.wire.names import THREAD_SCENARIOS, E

#: The names of tests that one command line may carry, in bytes; the system takes at least sixteen times as much.
_NAMES = 128 * 1024
#: The end of standard error, in which a process says that its stack overflowed.
_KEPT = 64 * 1024
_WARNS = re.compile(rb"\Awarning: `--logfile` is deprecated\n?")
_WORD = re.compile(r"(ok|failed|ignored)\b(?:: )?(.*)", re.DOTALL)
_OVERFLOWED = re.compile(r"^thread '([^']*)'(?: \(\d+\))? has overflowed its stack", re.MULTILINE)
_NOTE = ("panic did not contain", "test did not panic")


@dataclass
class Told:
    """A test of the process that runs now."""

    test: RustTest
    number: int
    began: int
    ended: bool = False


@dataclass
class Batch:
    """The tests of one process, in libtest's order."""

    tests: list[RustTest]
    threads: int
    pid: int = 0
    told: dict[str, Told] = field(default_factory=dict)
    #: Those of them that run, and where in the order the first is that nobody has said anything of.
    alive: dict[str, Told] = field(default_factory=dict)
    next: int = 0
    record: str = ""
    stderr: str = ""
    any: bool = False
    warned: bool = False

    def __post_init__(self) -> None:
        self.named = {test.name: test for test in self.tests}
        self.longest = max(map(len, self.named), default=0)

    @property
    def running(self) -> list[Told]:
        return list(self.alive.values())

    @property
    def waiting(self) -> list[RustTest]:
        return [test for test in self.tests[self.next :] if test.name not in self.told]

    def come(self, room: int) -> list[RustTest]:
        """The first so many that wait: each is looked at once, since there may be very many."""
        found: list[RustTest] = []
        while len(found) < room and self.next < len(self.tests):
            test = self.tests[self.next]
            self.next += 1
            if test.name not in self.told:
                found.append(test)
        return found

    def meant(self, record: str) -> Optional[RustTest]:
        """Whose name ends a line, the longest where there are several: a name may have spaces in it."""
        at = record.find(" ", max(0, len(record) - self.longest - 1))
        while at >= 0:
            if (test := self.named.get(record[at + 1 :])) is not None:
                return test
            at = record.find(" ", at + 1)
        return None


class Together:
    """Programs of tests, one process each, one after another."""

    def __init__(
        self, system: System, request: Request, threads: int, words: Callable[[bool], list[str]]
    ) -> None:
        self._system = system
        self._request = request
        self._threads = threads
        self._words = words
        self._teller = Teller(system, request.spool, "binary")
        self._followed: Optional[Followed] = None
        self._batch = Batch([], threads)
        self._program = Program((), 1)
        self._spoken = Spoken(1)
        self._processes = 0
        self.attempts = dict(request.attempts)
        self.stopping = False
        #: Deaths of processes in words, and who of those that ran may have been the cause.
        self.faults: list[tuple[str, set[str]]] = []

    def stop(self) -> None:
        """Start nothing more, and ask what runs to end."""
        self.stopping = True
        if self._followed is not None:
            self._followed.stop()

    def run(self, tests: Sequence[RustTest], *, whole: bool) -> list[RustTest]:
        """Run the tests of one program; gives those that have to be run alone."""
        alone: list[RustTest] = []
        left = list(tests)
        while left and not self.stopping:
            size, some = 0, list[RustTest]()
            for test in left:
                size += len(test.name.encode()) + 1
                if some and size > _NAMES and not whole:
                    break
                some.append(test)
            rest = left[len(some) :]
            more, left = self._one(some, whole=whole)
            alone += more
            left += rest
            whole = False
        return alone

    # -- one process

    def _one(self, tests: list[RustTest], *, whole: bool) -> tuple[list[RustTest], list[RustTest]]:
        """Gives what has to be run alone, and what this process did not come to."""
        batch = self._batch = Batch(tests, self._threads)
        self._program = Program([test.name for test in tests], batch.threads)
        self._spoken = Spoken(batch.threads)
        self._processes += 1
        faces = Faces(self._heard, lambda *_: None, self._line)
        name = f"{self._request.launch}.binary{self._processes}"
        followed = Followed(self._system, self._request.spool, name, faces)
        target = tests[0].target
        command = [target.program, *self._words(whole), "--nocapture", f"--test-threads={batch.threads}"]
        command += ["--logfile", followed.report]
        if not whole:
            ignored = ["--include-ignored"] if any(test.ignored for test in tests) else []
            command += [*ignored, "--exact", *(test.name for test in tests)]
        try:
            followed.start(command, target.cwd, {**target.environ, THREAD_SCENARIOS: self._whose(tests)})
        except OSError:
            return tests, []  # each says for itself why its process does not start
        self._followed, batch.pid = followed, followed.pid
        self._begin()
        while not followed.step():
            self._flush()
            self._system.clock.sleep(TICK)
        self._followed = None
        end = followed.ended
        self._flush(last=True)
        self._teller.settle()
        if end is None or self.stopping:
            return [], []
        return self._concluded(batch, end, followed.note)

    def _whose(self, tests: list[RustTest]) -> str:
        """The file by which a tracer that they link knows whose the threads are: libtest calls each by its test."""
        path = os.path.join(self._request.spool, f"{self._request.launch}.binary{self._processes}.scenarios")
        with open(path, "wb") as file:
            file.writelines(os.fsencode(f"{test.name}\t{test.scenario}\n") for test in tests)
        return path

    def _begin(self) -> None:
        """As many tests run as libtest has threads, in its order: who has begun follows from that."""
        batch = self._batch
        for test in batch.come(batch.threads - len(batch.alive)):
            self._start(test)

    def _start(self, test: RustTest) -> Told:
        number = self.attempts[test.scenario] = self.attempts.get(test.scenario, 0) + 1
        told = self._batch.told[test.name] = Told(test, number, self._system.clock.mono())
        self._batch.alive[test.name] = told
        facts = {"pid": self._batch.pid, "worker": self._teller.role, "launch": self._request.launch}
        self._teller.line(E.ATTEMPT_STARTED, scenario=test.scenario, attempt=number, **facts)
        return told

    def _line(self, followed: Followed, text: str) -> None:
        """A line of libtest's own log; what a test was expected to say may make it several."""
        batch = self._batch
        batch.record = f"{batch.record}\n{text}" if batch.record else text
        test = batch.meant(batch.record)
        found = _WORD.match(batch.record)
        if found is None:
            batch.record = ""
            return
        if test is None:
            if found.group(1) != "failed":
                batch.record = ""  # a test that nobody chose
            return
        batch.record = ""
        followed.drain()
        message = found.group(2)[: -len(test.name)].strip()
        # libtest's order is that of our list, but nobody promises it: whoever has ended had begun.
        told = batch.told.get(test.name) or self._start(test)
        if not told.ended:
            batch.any = True
            self._end(told, self._word(told, found.group(1), message))
            self._begin()

    def _word(self, told: Told, word: str, message: str) -> Word:
        test = told.test
        if word == "ok":
            self._spoken.forget(test.name)
            return Word("passed")
        if word == "ignored":
            return Word("skipped", None, message or "ignored")
        said = f"note: {message}" if message.startswith(_NOTE) else ""
        own = "" if said else self._spoken.of(test.name)
        if said and not message.startswith(_NOTE[1]):
            own = self._spoken.of(test.name)
        return test.judged(own, said, alone=self._batch.threads == 1)

    # -- what it printed

    def _heard(self, _: Followed, stream: str, data: bytes) -> None:
        batch = self._batch
        if stream == "stdout":
            for name, piece in self._program.feed(data):
                self._output(stream, name, piece)
            return
        if not batch.warned:
            batch.warned, data = True, _WARNS.sub(b"", data, count=1)
        text = data.decode("utf-8", "surrogateescape")
        batch.stderr = (batch.stderr + text)[-_KEPT:]
        self._spoken.hear(text)
        for name, said in self._program.panics(text):
            self._output(stream, name, said.encode("utf-8", "surrogateescape"))

    def _flush(self, *, last: bool = False) -> None:
        for name, piece in self._program.flush(last=last):
            self._output("stdout", name, piece)

    def _output(self, stream: str, name: str, data: bytes) -> None:
        running = self._batch.running
        told = self._batch.told.get(name)
        if told is None and name:
            # Whoever says something has begun, whatever libtest's order let one think.
            said = self._batch.named.get(name)
            told = None if said is None else self._start(said)
        if told is None and len(running) == 1:
            told = running[0]
        whose: dict[str, Any] = {"launch": self._request.launch}
        if told is not None and not told.ended:
            whose = {"scenario": told.test.scenario, "attempt": told.number, "step": "call"}
        if data:
            self._teller.output(stream, whose, data, "inferred")

    # -- its end

    def _concluded(
        self, batch: Batch, end: End, note: Optional[dict[str, Any]]
    ) -> tuple[list[RustTest], list[RustTest]]:
        running, waiting = batch.running, batch.waiting
        target = batch.tests[0].target
        whole = not running and not waiting and end.code in {0, RED_STATUS}
        if whole and not self._program.concluded and b"test result: " not in end.out:
            message = f"a test of {target.name} closed standard output: what was printed after that is lost"
            self._teller.line(E.WARNING, message=message, category="cargo", file=batch.tests[0].file)
        if note is not None:
            meant = str(note.get("scenario"))
            cause = "hang" if note.get("verdict") == "timedout" else None
            word = Word(str(note.get("verdict")), cause, str(note.get("reason", "")))
            other = Word("cancelled", None, f"its process was ended because of {meant}")
            for told in running:
                self._end(told, word if told.test.scenario == meant else other)
            return [], [told.test for told in running if told.test.scenario != meant] + waiting
        if not batch.any and running and end.signal is None and end.code not in {0, RED_STATUS}:
            pass  # it ended as a test makes it end
        elif not batch.any and end.signal is None and not self._program.began:
            message = f"{target.name} does not run several tests in one process: each has one of its own"
            self._teller.line(E.WARNING, message=message, category="cargo", file=batch.tests[0].file)
            other = Word("cancelled", None, message)
            for told in running:
                self._end(told, other)
            return list(batch.tests), []
        if not running:
            if waiting and end.signal is None and end.code in {0, RED_STATUS}:
                self._unknown(waiting)
                return [], []
            return [], waiting
        if end.signal is None and self._program.concluded:
            self._unknown([told.test for told in running] + waiting)
            return [], []
        how = f"the process of {target.name} {end.how}"
        overflowed = set(_OVERFLOWED.findall(batch.stderr))
        guilty = [told for told in running if told.test.name in overflowed] or running
        if len(guilty) == 1:
            word = guilty[0].test.died(end, self._spoken.of(guilty[0].test.name))
            self._end(guilty[0], word, end)
            other = Word("cancelled", None, f"{how} because of {guilty[0].test.scenario}")
        else:
            other = Word(
                "cancelled", None, f"{how} while {len(running)} tests ran in it: each is run again, alone"
            )
            names = ", ".join(told.test.name for told in running)
            self.faults.append((f"{how} while {names} ran in it", {told.test.scenario for told in running}))
        again = [told for told in running if not told.ended]
        for told in again:
            self._end(told, other)
        return [told.test for told in again], waiting

    def _unknown(self, tests: Sequence[RustTest]) -> None:
        for test in tests:
            told = self._batch.told.get(test.name)
            if told is None:
                number = self.attempts[test.scenario] = self.attempts.get(test.scenario, 0) + 1
                told = Told(test, number, self._system.clock.mono())
            reason = f"{test.target.name} does not know this test any more"
            self._end(told, Word("error", "environment", reason))

    def _end(self, told: Told, word: Word, end: Optional[End] = None) -> None:
        told.ended = True
        self._batch.alive.pop(told.test.name, None)
        head = {"scenario": told.test.scenario, "attempt": told.number}
        for event, fields in ((E.ASSERTION, word.assertion), (E.FAILURE, word.failure)):
            if fields is not None:
                self._teller.line(event, **head, step="call", **fields)
        lasted = self._system.clock.mono() - told.began
        more: dict[str, Any] = {"reason": word.reason} if word.reason else {}
        if end is not None and word.verdict == "crashed":
            more.update(exit=end.code, signal=end.signal)
        whole = word.verdict not in {"crashed", "timedout", "cancelled"}
        verdict = {"verdict": word.verdict, "cause": word.cause, "d": lasted}
        durations = {"call": lasted} if whole else {}
        self._teller.line(E.ATTEMPT_ENDED, **head, **verdict, durations=durations, **more)
