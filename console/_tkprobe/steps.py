"""Fixtures and phases as steps: told when they end, announced when they last longer than a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, List, Set, Tuple

import pytest

from _tkprobe.spool import quote

if TYPE_CHECKING:
    from _tkprobe.recorder import Recorder

#: A step that is still open after this long is announced (nanoseconds).
ANNOUNCE_AFTER = 30_000_000


class Step:
    """An open step."""

    __slots__ = ("announced", "kind", "name", "parent", "started", "text")

    def __init__(self, text: str, kind: str, name: str, parent: str, started: int) -> None:
        self.text = text
        self.kind = kind
        self.name = name
        self.parent = parent
        self.started = started
        self.announced = False

    def body(self, event: str, head: str) -> str:
        parent = f'"{self.parent}"' if self.parent else "null"
        return (
            f'"{event}",{head},"step":"{self.text}","kind":"{self.kind}","name":{self.name},"parent":{parent}'
        )


class Steps:
    """The open steps of the running attempt."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.open: List[Step] = []
        self.count = 0
        self.announced: List[Step] = []
        #: Ended finalisers, whose verdict is known once the teardown's report is.
        self.cleanups: List[Tuple[str, Any]] = []
        self.broken: Set[Any] = set()

    def reset(self) -> None:
        for body, code in self.cleanups:
            self.recorder.spool.add(f'{body},"verdict":"{"error" if code in self.broken else "passed"}"')
        self.open = []
        self.announced = []
        self.cleanups = []
        self.broken = set()
        self.count = 0

    def blame(self, error: BaseException) -> None:
        """A teardown raised: remember whose code it passed through."""
        traceback = error.__traceback__
        while traceback is not None:
            self.broken.add(traceback.tb_frame.f_code)
            traceback = traceback.tb_next
        for member in getattr(error, "exceptions", ()):
            if isinstance(member, BaseException):
                self.blame(member)

    def current(self, phase: str) -> str:
        return self.open[-1].text if self.open else phase

    def announce(self) -> None:
        """From the thread: say which steps have been open for longer than a batch."""
        recorder = self.recorder
        if not recorder.head:
            return
        late = recorder.spool.mono() - ANNOUNCE_AFTER
        phase = recorder.phase
        if not any(step.text == phase for step in self.announced):
            step = Step(phase, phase, f'"{phase}"', "", recorder.phase_started)
            self.announced.append(step)
            recorder.spool.add(step.body("step.started", recorder.head))
        for step in self.open:
            if not step.announced and step.started <= late:
                step.announced = True
                recorder.spool.add(step.body("step.started", recorder.head))

    def phase_ended(self, report: Any) -> None:
        """A report came: the announced phase it is about has ended."""
        recorder = self.recorder
        with recorder.spool.lock:
            for step in self.announced:
                if step.text == report.when and not hasattr(report, "context"):
                    self.announced.remove(step)
                    duration = int((report.duration or 0) * 1e9)
                    verdict = (
                        "error" if report.outcome == "failed" and report.when != "call" else report.outcome
                    )
                    if verdict not in ("passed", "failed", "error", "skipped"):
                        verdict = "failed"
                    body = step.body("step.ended", recorder.head)
                    recorder.spool.add(f'{body},"verdict":"{verdict}","d":{duration},"m0":{step.started}')
                    return

    def begin(self, kind: str, name: str) -> Step:
        recorder = self.recorder
        with recorder.spool.lock:
            self.count += 1
            parent = self.current(recorder.phase)
            # Step names stand in JSON text below: the quoted name without its quotes.
            text = f"{kind}:{quote(name)[1:-1]}#{self.count}"
            step = Step(text, kind, quote(name), parent, recorder.spool.mono())
            self.open.append(step)
            return step

    def close(self, step: Step) -> str:
        """The step is over: its line's body, to which the verdict is added (empty between attempts)."""
        recorder = self.recorder
        if step in self.open:
            del self.open[self.open.index(step) :]
        if not recorder.head:
            return ""
        duration = recorder.spool.mono() - step.started
        return f'{step.body("step.ended", recorder.head)},"d":{duration},"m0":{step.started}'

    def end(self, step: Step, rest: str) -> None:
        with self.recorder.spool.lock:
            body = self.close(step)
            if body:
                self.recorder.spool.add(body + rest)

    def end_cleanup(self, step: Step, code: Any) -> None:
        with self.recorder.spool.lock:
            body = self.close(step)
            if body:
                self.cleanups.append((body, code))

    # -- fixtures ------------------------------------------------------------------------------------------------

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Iterator[None]:
        recorder = self.recorder
        if recorder.off or not recorder.head:
            yield
            return
        recorder.capture_edge()
        name, trace = str(fixturedef.argname), recorder.trace
        step = self.begin("fixture", name)
        if trace is not None:
            trace.step(name, "fixture")
        closing = Finaliser(self, str(fixturedef.argname), getattr(fixturedef.func, "__code__", None))
        fixturedef.addfinalizer(closing.finish)
        before = len(getattr(fixturedef, "_finalizers", ()))
        outcome = yield
        verdict = "passed" if outcome.excinfo is None else _verdict(outcome.excinfo[1])  # type: ignore[attr-defined]
        recorder.capture_edge()
        if fixturedef.scope != "function":
            recorder.leaks.settle()
        if trace is not None:
            trace.step_ended(name, verdict)
        self.end(step, f',"verdict":"{verdict}","scope":"{fixturedef.scope}"')
        if len(getattr(fixturedef, "_finalizers", ())) > before:
            fixturedef.addfinalizer(closing.begin)


class Finaliser:
    """Two finalisers of a fixture around its own, which make its teardown a step."""

    __slots__ = ("code", "name", "step", "steps")

    def __init__(self, steps: Steps, name: str, code: Any) -> None:
        self.code = code
        self.steps = steps
        self.name = name
        self.step: Any = None

    def begin(self) -> None:
        recorder = self.steps.recorder
        if recorder.head and not recorder.off:
            recorder.capture_edge()
            self.step = self.steps.begin("cleanup", self.name)

    def finish(self) -> None:
        step, self.step = self.step, None
        if step is not None and not self.steps.recorder.off:
            self.steps.recorder.capture_edge()
            self.steps.end_cleanup(step, self.code)


def _verdict(error: object) -> str:
    return "skipped" if type(error).__name__ in ("Skipped", "SkipTest") else "error"
