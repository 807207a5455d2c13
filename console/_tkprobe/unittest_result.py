"""The life of unittest's tests, told by a result class: starts at once, output while it is printed, ends in batches.

Around each test the descriptors 1 and 2 point to a file of ours, so that what children print is the test's too. The
runner's own report goes to a copy of the old standard error. Nothing here changes what the result says.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import unittest
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple, Type

from _tkprobe.compare import Comparison
from _tkprobe.facts import TEXT_LIMIT, Frames, cut
from _tkprobe.handled import handled
from _tkprobe.leaks import Leaks
from _tkprobe.spool import Spool, fields, move_up, quote
from _tkprobe.subtests import SEPARATOR, label_of
from _tkprobe.tracing import Tracer
from _tkprobe.unittest_ids import Names, import_failure

CHUNK = 256 * 1024
PEEK = 4096
REASON_LIMIT = 2000
UNITTEST = f"{os.sep}unittest{os.sep}"


class TimedOut(Exception):  # noqa: N818 - shown to people under this name
    """The test ran for longer than its soft timeout."""


class Stream:
    """One of the two descriptors: where it points during a test."""

    def __init__(self, name: str, number: int, path: str) -> None:
        self.name = name
        self.number = number
        # Bound here: fixtures of a class or a module replace what `os` holds, for all the tests in it.
        self._empty, self._point, self.read = os.ftruncate, os.dup2, os.pread
        self.saved = move_up(os.dup(number))
        self.file = move_up(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
        self.position = 0

    def begin(self, *, keeps: bool) -> None:
        """Whatever is in the file has been read; with `keeps` somebody else still writes into it."""
        # What is empty is left alone: to cut a file off is more than to look into it.
        if not keeps and (self.position or self.read(self.file, 1, 0)):
            self._empty(self.file, 0)
            self.position = 0
        self._point(self.file, self.number)

    def news(self) -> Iterator[bytes]:
        """What was written since the last look, from its first bytes on."""
        data = self.read(self.file, PEEK, self.position)
        while data:
            self.position += len(data)
            yield data
            data = self.read(self.file, CHUNK, self.position)

    def end(self) -> None:
        self._point(self.saved, self.number)


class Recorder:
    """What is told of the running test."""

    def __init__(
        self, spool: Spool, frames: Frames, names: Names, launch: str, attempts: Dict[str, int]
    ) -> None:
        self.spool = spool
        self.frames = frames
        self.names = names
        self.tail = f'"pid":{os.getpid()},"worker":null,"launch":{quote(launch)}'
        self.runner_output = f'"launch":{quote(launch)}'
        self.leaks = Leaks(spool.directory)
        self.attempts = dict(attempts)
        #: What is recorded beside the lines, where it is.
        self.trace: Optional[Tracer] = None
        self.off = False
        self.head = ""
        self.verdict = ""
        self.cause = ""
        self.reason = ""
        self.started = 0
        self.scenario = ""
        #: What began or was left out in this process.
        self.ended: Set[str] = set()
        self.timed_out = False
        #: The attempt that should have ended when nothing could be raised in it.
        self.due = ""
        self.ask_again: Callable[[], None] = lambda: None
        self.subtests = [0, 0, 0]
        self.labels: Dict[str, int] = {}
        base = spool.base
        self.streams = [Stream("stdout", 1, base + ".1"), Stream("stderr", 2, base + ".2")]
        with contextlib.suppress(Exception):
            sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]

    # -- the course of a test

    def begin(self, test: Any) -> None:
        _flush()
        with self.spool.lock:
            # A process that an earlier test left prints between tests, too.
            self.look()
            self._start(self.names.scenario(test))
            for stream in self.streams:
                stream.begin(keeps=bool(self.leaks.lingering))

    def _start(self, scenario: str) -> None:
        number = self.attempts[scenario] = self.attempts.get(scenario, 0) + 1
        self.scenario = scenario
        self.ended.add(scenario)
        self.head = f'"scenario":{quote(scenario)},"attempt":{number}'
        self.verdict = self.cause = self.reason = ""
        self.timed_out = False
        self.subtests = [0, 0, 0]
        self.labels = {}
        self.leaks.begin()
        self.leaks.settle()
        self.started = self.spool.mono()
        self.spool.put_now(f'"attempt.started",{self.head},{self.tail}')
        if self.trace is not None:
            self.trace.begin(quote(scenario), number)

    def settle(self, verdict: str, cause: str = "", reason: str = "") -> None:
        """The worst of what was said: unittest may report a test and its cleanup apart."""
        if self.timed_out and verdict in ("failed", "error"):
            verdict, cause = "timedout", "hang"
        worse = self.verdict == "failed" and verdict == "error"
        settled = self.verdict in ("failed", "error", "timedout") or (self.verdict and verdict == "skipped")
        if settled and not worse:
            return
        self.verdict, self.cause, self.reason = verdict, cause, reason

    def end(self, buffered: List[Tuple[str, str]], loop: Any = None) -> None:
        if self.off or not self.head:
            return
        _flush()
        with self.spool.lock:
            self.look()
            for stream in self.streams:
                stream.end()
            for name, text in buffered:
                if text:
                    self.spool.add_output(
                        name, f'{self.head},"step":"call"', text.encode("utf-8", "surrogateescape")
                    )
            self._told(loop)

    def _told(self, loop: Any = None) -> None:
        lasted = self.spool.mono() - self.started
        verdict, cause = self.verdict or "passed", self.cause
        passed, failed, skipped = self.subtests
        extra = self.leaks.end(lasted, not self.verdict, loop)
        if any(self.subtests):
            extra += f',"subtests":{{"passed":{passed},"failed":{failed},"skipped":{skipped}}}'
        if self.reason:
            extra += f',"reason":{quote(cut(self.reason, REASON_LIMIT))}'
        told = f'"{cause}"' if cause else "null"
        if self.trace is not None:
            self.trace.end(verdict)
        self.spool.put(
            f'"attempt.ended",{self.head},"verdict":"{verdict}","cause":{told},"d":{lasted},'
            f'"durations":{{"call":{lasted}}}{extra}'
        )
        self.head = ""

    def alone(self, scenario: str, verdict: str, when: str, error: Any, text: str) -> None:
        """Something that is red without having begun: a fixture of a class or module."""
        with self.spool.lock:
            self._start(scenario)
            self.settle(verdict, "" if verdict == "skipped" else when, text if verdict == "skipped" else "")
            if error is not None:
                self.failure(error, when, text)
            self._told()
            if when == "setup":
                self._left(scenario)

    def _left(self, fixture: str) -> None:
        """The tests that unittest leaves out because the fixture of their class or module failed or skipped."""
        group, _, what = fixture.rpartition("::")
        for name in self.names.below(group):
            if name not in self.ended:
                self.ended.add(name)
                number = self.attempts[name] = self.attempts.get(name, 0) + 1
                self.spool.put(
                    f'"attempt.ended","scenario":{quote(name)},"attempt":{number},"verdict":"notrun","cause":null,'
                    f'"d":0,"durations":{{}},"reason":{quote(what + " did not let it run")}'
                )

    def interrupted(self, verdict: str, reason: str) -> None:
        """The run ends in the middle of a test."""
        if self.head and not self.off:
            self.settle(verdict, "", reason)
            self.end([])

    def end_test(self, frame: Any) -> None:
        """From a signal handler in the main thread, which was at `frame`: the running test has had its time."""
        if not self.head or self.off or self.timed_out:
            return
        if not inside_test(frame):
            # Raised elsewhere it would end unittest itself: the thread asks again.
            self.due = self.head
            return
        self.timed_out = True
        raise TimedOut("the test ran for longer than its soft timeout")

    def close(self) -> None:
        self.spool.flush()

    # -- evidence

    def failure(self, error: BaseException, when: str, text: str, head: str = "") -> None:
        where = f'{head or self.head},"step":"{when}"'
        if self.trace is not None:
            self.trace.exception(error)
        compared = compared_in(error)
        if compared is not None:
            compared.file = self.frames.place(compared.file)
            self.spool.add(f'"assertion",{where},{fields(compared.fields())}')
        told: Dict[str, object] = {
            "when": when,
            "cause": cause_of(error) if when == "call" else when,
            "chain": self.frames.chain(error),
            "text": cut(text, TEXT_LIMIT),
        }
        before = handled(self.frames, error)
        if before:
            told["handled"] = before
        self.spool.add(f'"failure",{where},{fields(told)}')

    def subtest(self, subtest: Any, error: Optional[BaseException], text: str) -> None:
        """A sub-test as a row of its own."""
        label = label_of(getattr(subtest, "_message", None), dict(getattr(subtest, "params", {}) or {}))
        count = self.labels[label] = self.labels.get(label, 0) + 1
        scenario = quote(self.scenario + SEPARATOR + (label if count == 1 else f"{label} #{count}"))
        number = self.attempts[self.scenario]
        head, parent = f'"scenario":{scenario},"attempt":{number}', f'"parent":{quote(self.scenario)}'
        with self.spool.lock:
            self.spool.put(f'"attempt.started",{head},{parent},{self.tail}')
            verdict, cause = "passed", "null"
            if error is not None:
                failed = isinstance(error, AssertionError)
                verdict, cause = "failed", f'"{cause_of(error)}"'
                self.failure(error, "call", text, head)
                self.settle("failed", "assertion" if failed else "exception", "a sub-test failed")
            self.subtests[1 if error is not None else 0] += 1
            self.spool.put(
                f'"attempt.ended",{head},{parent},"verdict":"{verdict}","d":0,"durations":{{}},"cause":{cause}'
            )

    # -- output

    def look(self) -> None:
        """Whatever was printed since the last look; the lock is held."""
        doubtful = bool(self.leaks.lingering)
        if not self.head and not doubtful:
            return
        where = f'{self.head},"step":"call"' if self.head else self.runner_output
        for stream in self.streams:
            # Most tests print nothing, and to find that out is a part of what each of them costs.
            if not stream.read(stream.file, 1, stream.position):
                continue
            for data in stream.news():
                # A process that an earlier test left holds the same descriptors: whose bytes these are, nobody can say.
                self.spool.add_output(stream.name, where, data, "inferred" if doubtful else "exact")

    def tick(self) -> None:
        """From the background thread, many times a second."""
        with self.spool.lock:
            if self.off:
                return
            with contextlib.suppress(OSError):
                self.look()
            if self.due and self.due == self.head and not self.timed_out:
                self.due = ""
                self.ask_again()
            if self.spool.buffer:
                self.spool.flush()


class RecordingResult(unittest.TextTestResult):
    """unittest's own result, which tells a recorder what happens."""

    recorder: Recorder

    def startTest(self, test: Any) -> None:  # noqa: N802 - unittest's names
        super().startTest(test)
        if import_failure(test) is None and not self.recorder.off:
            self.recorder.begin(test)

    def stopTest(self, test: Any) -> None:  # noqa: N802
        held: List[Tuple[str, str]] = []
        out, err = getattr(self, "_stdout_buffer", None), getattr(self, "_stderr_buffer", None)
        if out is not None or err is not None:
            both = (("stdout", out), ("stderr", err))
            held = [(name, buffer.getvalue()) for name, buffer in both if buffer is not None]
        super().stopTest(test)
        self.recorder.end(held, loop_of(test))

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        self._red(test, err, "error")
        super().addError(test, err)

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        # First ours: unittest takes its own frames out of the traceback, and with them the operands.
        self._red(test, err, "failed")
        super().addFailure(test, err)

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        if self.recorder.off:
            return
        if self.recorder.head:
            self.recorder.settle("skipped", "", str(reason))
        elif not isinstance(test, unittest.TestCase):
            scenario, _ = self.recorder.names.holder(test.id())
            self.recorder.alone(scenario, "skipped", "setup", None, str(reason))

    def addExpectedFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addExpectedFailure(test, err)
        self.recorder.settle("xfailed", "", str(err[1]))

    def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: N802
        super().addUnexpectedSuccess(test)
        # unittest counts it against the run, so it is red here too.
        self.recorder.settle("failed", "assertion", "unexpected success")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        if self.recorder.head and not self.recorder.off:
            self.recorder.subtest(subtest, err[1] if err else None, _text(err) if err else "")
        super().addSubTest(test, subtest, err)

    def _red(self, test: Any, err: Any, verdict: str) -> None:
        if self.recorder.off or import_failure(test) is not None:
            return
        text = _text(err)
        if not self.recorder.head:
            scenario, what = self.recorder.names.holder(test.id())
            when = "setup" if what.startswith("setUp") else "teardown"
            self.recorder.alone(scenario, "error", when, err[1], text)
            return
        when = phase_of(err[2])
        red = "failed" if verdict == "failed" and when == "call" else "error" if when != "call" else "failed"
        self.recorder.settle(red, cause_of(err[1]) if when == "call" else when)
        self.recorder.failure(err[1], when, text)


def recording_result(recorder: Recorder) -> Type[unittest.TextTestResult]:
    """A result class bound to `recorder`: unittest makes the result itself."""
    return type("RecordingResult", (RecordingResult,), {"recorder": recorder})


def inside_test(frame: Any) -> bool:
    """Whether code of a test or of its setUp is being run, and not ours or unittest's own."""
    if os.sep + "_tkprobe" + os.sep in frame.f_code.co_filename:
        return False
    while frame is not None:
        code = frame.f_code
        if code.co_name in ("_callTestMethod", "_callSetUp") and UNITTEST in code.co_filename:
            return True
        frame = frame.f_back
    return False


def loop_of(test: Any) -> Any:
    """The event loop of an asynchronous test, which unittest closes when it has told of the test's end."""
    runner = getattr(test, "_asyncioRunner", None)
    return getattr(runner, "_loop", None) or getattr(test, "_asyncioTestLoop", None)


def phase_of(tb: Any) -> str:
    """Whether a traceback came out of setUp, tearDown or a cleanup, or the test itself."""
    while tb is not None:
        code = tb.tb_frame.f_code
        if UNITTEST not in code.co_filename:
            name = code.co_name
            if name in ("setUp", "asyncSetUp"):
                return "setup"
            if name in ("tearDown", "asyncTearDown"):
                return "teardown"
            return "call"
        if code.co_name == "doCleanups":
            return "teardown"
        tb = tb.tb_next
    return "call"


def cause_of(error: BaseException) -> str:
    if isinstance(error, TimedOut):
        return "hang"
    return "assertion" if isinstance(error, AssertionError) else "exception"


def compared_in(error: BaseException) -> Optional[Comparison]:
    """The operands of `assertEqual(first, second)`, where that is what raised."""
    if not isinstance(error, AssertionError):
        return None
    tb, test_frame = error.__traceback__, None
    while tb is not None:
        frame = tb.tb_frame
        if UNITTEST in frame.f_code.co_filename and frame.f_code.co_name == "assertEqual":
            names = frame.f_locals
            if "first" in names and "second" in names and test_frame is not None:
                return Comparison("==", names["first"], names["second"], test_frame)
        elif UNITTEST not in frame.f_code.co_filename:
            test_frame = frame
        tb = tb.tb_next
    return None


def _text(err: Any) -> str:
    try:
        return "".join(traceback.format_exception(*err))
    except Exception as error:
        return f"(no text: {type(error).__name__})"


def _flush() -> None:
    # Around each test: a context manager for each would be a tenth of what a test costs here.
    try:
        sys.stdout.flush()
    except Exception:
        pass
    try:
        sys.stderr.flush()
    except Exception:
        pass
