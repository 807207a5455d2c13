"""The life of attempts, told from inside pytest: starts at once, ends and phases in small batches.

The hooks here run for every test of every suite, so a passing test costs two hand-written lines and one write. They
return nothing, change no report, and whatever goes wrong in them is counted and never raised.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Optional

import pytest

from _tkprobe.capture import Capture
from _tkprobe.facts import cut
from _tkprobe.failures import Failures
from _tkprobe.leaks import Leaks
from _tkprobe.spool import Spool, fields, quote
from _tkprobe.steps import ANNOUNCE_AFTER, Steps
from _tkprobe.subtests import Subtests
from _tkprobe.tracing import Tracer

#: What each phase of a failing report makes of the attempt.
FAILED_AS = {"setup": ("error", "setup"), "call": ("failed", "exception"), "teardown": ("error", "teardown")}


#: Warnings told per process; a suite that warns in a loop says nothing new after these.
WARNINGS_LIMIT = 500
HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
RUNNER = os.path.join("_pytest", "runner.py")
REASON_LIMIT = 2000


TestReport = pytest.TestReport


class Recorder:
    """The plugin object of a process that runs tests."""

    def __init__(
        self, spool: Spool, capture: Capture, failures: Failures, launch: str, worker: Optional[str]
    ) -> None:
        self.spool = spool
        self.capture = capture
        self.failures = failures
        self.steps = Steps(self)
        self.subtests = Subtests(self)
        self.leaks = Leaks(spool.directory)
        #: What is recorded beside the lines, where it is.
        self.trace: Optional[Tracer] = None
        self.off = False
        self.ended = False
        self.mono = spool.mono
        #: Whether phases are told by hooks of their own (`Phases`) and not by the reports.
        self.phases = False
        #: A fork sent the background thread away.
        self.asleep = False
        self.child_told = False
        self.warnings = 0
        self.quoted: Dict[str, str] = {}
        self.attempts: Dict[str, int] = {}
        self.launch = quote(launch)
        worker_text = quote(worker) if worker else "null"
        self.tail = f'"pid":{os.getpid()},"worker":{worker_text},"launch":{self.launch}'
        self.runner_output = f'"launch":{self.launch}'
        self.scenario_of: Callable[[str], str] = str
        self.wake: Callable[[], None] = lambda: None
        # The running attempt.
        self.node = ""
        self.sid = ""
        self.attempt = 0
        self.head = ""
        self.phase = ""
        self.elapsed = 0
        self.phase_started = 0
        self.durations = ""
        self.verdict = ""
        self.cause = ""
        self.reason = ""
        self.timed_out = False
        #: The attempt that could not be ended at the moment when its time was over.
        self.due = ""
        self.ask_again: Callable[[], None] = lambda: None

    # -- hooks -----------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: Any) -> None:
        if self.off:
            return
        try:
            if self.head:
                self._end()
            name = nodeid if type(nodeid) is str else str(nodeid)
            sid = self.quoted.get(name)
            if sid is None:
                sid = self.quoted[name] = quote(self.scenario_of(name))
            self.node = name
            self._start(sid)
        except Exception as error:
            self.failed(error)

    def _start(self, sid: str) -> None:
        """Begin an attempt of a scenario, and say so at once."""
        attempt = self.attempts.get(sid, 0) + 1
        self.attempts[sid] = attempt
        spool = self.spool
        self.sid = sid
        self.attempt = attempt
        self.verdict = self.cause = self.reason = self.durations = ""
        self.timed_out = False
        self.leaks.begin()
        with spool.lock:
            self.phase = "setup"
            self.head = head = f'"scenario":{sid},"attempt":{attempt}'
            self.elapsed = 0
            self.phase_started = spool.mono()
            spool.put_now(f'"attempt.started",{head},{self.tail}')
        trace = self.trace
        if trace is not None:
            trace.begin(sid, attempt)
            trace.phases()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        if self.off:
            self._tell_child()
            return
        if self.asleep:
            self.asleep = False
            self.wake()
        try:
            if type(report) is not TestReport and self.subtests.report(report):
                return
            if self.steps.announced:
                self.steps.phase_ended(report)
            if report.sections:
                self._sections(report)
            when = report.when
            nanoseconds = int(report.duration * 1e9)
            self.elapsed += nanoseconds
            self.durations += f'"{when}":{nanoseconds},'
            if self.trace is not None:
                self.trace.phase(when, report.outcome)
            if not self.phases:
                # A report is told before the next phase begins: that is one hook a phase less.
                self.phase_started = self.mono()
                self.phase = "call" if when == "setup" and report.outcome == "passed" else "teardown"
            if report.outcome != "passed" or "wasxfail" in report.__dict__:
                self._unusual(report)
        except Exception as error:
            self.failed(error)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        if self.head and not self.off:
            try:
                self._end()
            except Exception as error:
                self.failed(error)

    def pytest_exception_interact(self, call: Any, report: Any) -> None:
        if self.off or not isinstance(report, pytest.TestReport):
            return
        try:
            if self.subtests.failure(call, report):
                return
            if self.trace is not None:
                self.trace.exception(call.excinfo.value)
            cause = self.failures.record(self.head, call.excinfo.value, report)
            if report.when == "teardown":
                self.steps.blame(call.excinfo.value)
            if report.when == "call" and self.verdict == "failed" and self.cause == "exception":
                self.cause = cause
        except Exception as error:
            self.failed(error)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        if not self.off:
            self.spool.flush()

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        if self.off or self.warnings >= WARNINGS_LIMIT:
            return
        self.warnings += 1
        try:
            told: Dict[str, object] = {
                "message": cut(str(warning_message.message), REASON_LIMIT),
                "category": warning_message.category.__name__,
                "file": str(warning_message.filename),
                "line": warning_message.lineno,
            }
            where = f',"scenario":{self.quoted[nodeid]}' if nodeid in self.quoted else ""
            self.spool.add(f'"warning",{fields(told)}{where}')
        except Exception as error:
            self.failed(error)

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> None:
        if not self.off:
            try:
                self.failures.compared(op, left, right)
            except Exception as error:
                self.failed(error)

    # -- what is not a plain pass ------------------------------------------------------------------------------

    def _unusual(self, report: Any) -> None:
        when, outcome = report.when, report.outcome
        if outcome == "passed":
            if hasattr(report, "wasxfail"):
                self._settle("xpassed", "", xfail_reason(report))
        elif outcome == "skipped":
            if hasattr(report, "wasxfail"):
                self._settle("xfailed", "", xfail_reason(report))
            else:
                self._settle("skipped", "", skip_reason(report))
        elif outcome == "failed":
            verdict, cause = FAILED_AS.get(when, ("error", "exception"))
            text = report.longrepr if isinstance(report.longrepr, str) else ""
            if text.startswith("[XPASS(strict)]"):
                cause = "assertion"
            elif when == "call":
                cause = self.failures.cause or cause
            self._settle(verdict, cause, cut(text, REASON_LIMIT))
        else:
            # A plugin that runs tests again marks an attempt it does not count; the next one begins here.
            verdict, cause = FAILED_AS.get(when, ("failed", "exception"))
            self._settle(verdict, (self.failures.cause if when == "call" else "") or cause, "")
            sid = self.sid
            self._end()
            self._start(sid)

    def _settle(self, verdict: str, cause: str, reason: str) -> None:
        """The worst of what the phases say; a teardown error never makes a failed test less than failed."""
        if self.verdict in ("failed", "error") or (self.verdict and verdict == "skipped"):
            return
        self.verdict, self.cause, self.reason = verdict, cause, reason

    def _end(self, verdict: str = "", reason: str = "") -> None:
        spool, head = self.spool, self.head
        if self.trace is not None:
            self.trace.end(verdict or self.verdict or "passed")
        left = self.leaks.end(self.elapsed, not (verdict or self.verdict))
        if not (verdict or self.verdict or self.subtests.any) and '"call":' in self.durations:
            with spool.lock:
                self.head = self.phase = ""
                steps = self.steps
                if steps.count or steps.announced:
                    steps.reset()
                spool.put(
                    f'"attempt.ended",{head},"verdict":"passed","cause":null,"d":{self.elapsed},'
                    f'"durations":{{{self.durations[:-1]}}}{left}'
                )
            if self.failures.compared_at or self.failures.cause:
                self.failures.reset()
            return
        verdict = verdict or self.verdict
        if self.timed_out and verdict in ("failed", "error"):
            verdict, self.cause = "timedout", "hang"
        cause, reason, extra = self.cause, reason or self.reason, ""
        if not verdict:
            verdict = "passed"
            if '"call":' not in self.durations:
                verdict, reason = "skipped", "pytest ran no call phase"
        if self.subtests.any:
            extra = self.subtests.counts()
            if self.subtests.failed and verdict in ("passed", "xpassed"):
                verdict, cause = "failed", self.subtests.cause
                reason = (
                    reason
                    or f"{self.subtests.failed} failed sub-test{'s' if self.subtests.failed > 1 else ''}"
                )
        with spool.lock:
            self.head = self.phase = ""
            self.steps.reset()
            told_cause = f'"{cause}"' if cause else "null"
            if reason:
                extra += f',"reason":{quote(reason)}'
            durations = self.durations[:-1]
            spool.add(
                f'"attempt.ended",{head},"verdict":"{verdict}","cause":{told_cause},"d":{self.elapsed},'
                f'"durations":{{{durations}}}{left}{extra}'
            )
        self.subtests.reset()
        self.failures.reset()

    def end_test(self, frame: Any) -> None:
        """From a signal handler in the main thread, which was at `frame`: the running test has had its time."""
        # A teardown is let go on: what it leaves undone would hurt every test after it.
        if not self.head or self.off or self.timed_out or self.phase not in ("setup", "call"):
            return
        if not inside_test(frame):
            # Raised between two phases it would end pytest itself, and within ours lose lines: the thread asks again.
            self.due = self.head
            return
        self.timed_out = True
        pytest.fail("Timeout: the test ran for longer than its soft timeout")

    def interrupted(self, verdict: str, reason: str) -> None:
        """The session ends in the middle of a test, whose reports never came."""
        if self.head and not self.off:
            # What it was in the middle of took its time, too, although nobody reports it.
            spent = max(0, self.spool.mono() - self.phase_started)
            self.elapsed += spent
            if self.phase and f'"{self.phase}":' not in self.durations:
                self.durations += f'"{self.phase}":{spent},'
            self._end(verdict, reason)

    # -- output -------------------------------------------------------------------------------------------------

    def output(self, stream: str, data: bytes) -> None:
        """Bytes that were just printed: the running attempt's, or the runner's own between tests."""
        if self.head:
            where = f'{self.head},"step":"{self.steps.current(self.phase)}"'
            # A process that an earlier test left holds the same descriptors: whose bytes these are, nobody can say.
            self.spool.add_output(stream, where, data, "inferred" if self.leaks.lingering else "exact")
        else:
            self.spool.add_output(stream, self.runner_output, data)
        if self.ended:
            self.spool.flush()

    def capture_edge(self) -> None:
        """A step begins or ends: what was printed so far belongs to what ran so far."""
        with self.spool.lock:
            self.capture.look()

    def _sections(self, report: Any) -> None:
        """Logged lines, and whatever was captured where live output is not possible, of the phase that ended."""
        when = report.when
        for name, text in report.sections:
            captured, _, rest = name.partition(" ")
            stream, _, phase = rest.partition(" ")
            if captured != "Captured" or phase != when or not text or not self.head:
                continue
            if stream == "log" or (
                stream in ("stdout", "stderr") and not (self.capture.live and self.capture.seen)
            ):
                where = f'{self.head},"step":"{when}"'
                self.spool.add_output(stream, where, text.encode("utf-8", "surrogateescape"))

    # -- trouble ------------------------------------------------------------------------------------------------

    def failed(self, error: BaseException) -> None:
        """Our own mistake: counted and told, never raised."""
        why = quote(cut(f"{type(error).__name__}: {error}", 500))
        self.spool.add(f'"gap","what":"probe","count":1,"why":{why}')

    def _tell_child(self) -> None:
        """In a forked child that went on running its parent's tests: its reports do not count, and we say so."""
        if self.child_told:
            return
        self.child_told = True
        spool = Spool(self.spool.directory, "child")
        told: Dict[str, object] = {
            "message": "a forked child process went on running tests; its results are not counted",
            "category": "ForkedChild",
            "file": "",
            "line": 0,
        }
        where = f',"scenario":{self.sid}' if self.sid else ""
        spool.add_now(f'"warning",{fields(told)}{where}')

    def tick(self) -> None:
        """From the background thread, many times a second: a few steps while nothing happened."""
        spool = self.spool
        with spool.lock:
            if self.off:
                return
            try:
                self.capture.look()
                if self.phase and self.phase_started < spool.mono() - ANNOUNCE_AFTER:
                    self.steps.announce()
                if self.due:
                    again, self.due = self.due == self.head, ""
                    if again:
                        self.ask_again()
            except Exception as error:
                self.failed(error)
            if spool.buffer:
                spool.flush()


class Phases:
    """Hooks that say when a phase begins, for a session in which reports may come long after their phases."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        recorder.phases = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        self.recorder.phase_started = self.recorder.mono()
        self.recorder.phase = "call"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        self.recorder.phase_started = self.recorder.mono()
        self.recorder.phase = "teardown"


def inside_test(frame: Any) -> bool:
    """Whether an exception raised here reaches the call that pytest makes of a test's setup or of the test itself."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(HERE):
            return False
        if code.co_name == "from_call" and code.co_filename.endswith(RUNNER):
            return frame.f_locals.get("when") in ("setup", "call")
        frame = frame.f_back
    return False


def runs_tests_its_own_way(config: Any) -> bool:
    """Whether a plugin beside pytest's own takes part in running a test (to repeat it, in another process, …)."""
    try:
        found = config.hook.pytest_runtest_protocol.get_hookimpls()
        owners = [getattr(impl.plugin, "__name__", type(impl.plugin).__module__) for impl in found]
    except AttributeError:
        return True
    return any(not str(owner).startswith("_pytest.") for owner in owners)


def skip_reason(report: Any) -> str:
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) and len(longrepr) == 3 else str(longrepr or "")
    text = str(text)
    return text[len("Skipped: ") :] if text.startswith("Skipped: ") else cut(text, REASON_LIMIT)


def xfail_reason(report: Any) -> str:
    reason = str(report.wasxfail)
    return reason[len("reason: ") :] if reason.startswith("reason: ") else reason
