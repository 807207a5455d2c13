"""Sub-tests as rows of their own: pytest's `subtests`, the pytest-subtests plugin, and `unittest.TestCase.subTest`.

All three report through a test report that also carries a `context`; that attribute is all that is relied on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from _tkprobe.facts import cut
from _tkprobe.failures import cause_of
from _tkprobe.spool import quote

if TYPE_CHECKING:
    from _tkprobe.recorder import Recorder

SEPARATOR = " ▸ "
LABEL_LIMIT = 300


def label_of(message: object, parameters: Dict[str, Any]) -> str:
    """What a sub-test is called in its row."""
    parts = [f"[{message}]"] if isinstance(message, str) else []
    if parameters:
        parts.append("(" + ", ".join(f"{key}={value}" for key, value in parameters.items()) + ")")
    return cut(" ".join(parts), LABEL_LIMIT) or "(<subtest>)"


class Subtests:
    """The sub-tests of the running attempt."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.any = False
        self.passed = self.failed = self.skipped = 0
        self.cause = ""
        self.labels: Dict[str, int] = {}
        #: A failed sub-test's report, names and end: its exception is shown to us just after the report.
        self.held: Optional[Tuple[Any, str, str, str]] = None

    def reset(self) -> None:
        if self.any:
            self._release()
            self.__init__(self.recorder)  # type: ignore[misc]

    def counts(self) -> str:
        self._release()
        return f',"subtests":{{"passed":{self.passed},"failed":{self.failed},"skipped":{self.skipped}}}'

    def report(self, report: Any) -> bool:
        """Take a report if it is a sub-test's."""
        context = getattr(report, "context", None)
        if context is None or not hasattr(context, "kwargs"):
            return False
        self._release()
        self.any = True
        recorder, spool = self.recorder, self.recorder.spool
        label = self._label(context)
        scenario = quote(recorder.scenario_of(recorder.node) + SEPARATOR + label)
        head = f'"scenario":{scenario},"attempt":{recorder.attempt}'
        parent = f'"parent":{recorder.sid}'
        spool.add(f'"attempt.started",{head},{parent},{recorder.tail}')
        for name, text in report.sections:
            stream = name[len("Captured ") : -len(" call")] if name.endswith(" call") else ""
            if text and stream in ("stdout", "stderr", "log"):
                spool.add_output(stream, f'{head},"step":"call"', text.encode("utf-8", "surrogateescape"))
        verdict = self._count(report)
        duration = int((report.duration or 0) * 1e9)
        end = f'"attempt.ended",{head},{parent},"verdict":"{verdict}","d":{duration},"durations":{{"call":{duration}}}'
        if verdict == "failed":
            self.held = (report, head, end, "exception")
        else:
            spool.add(f'{end},"cause":null')
        return True

    def _count(self, report: Any) -> str:
        if report.outcome == "failed":
            self.failed += 1
            self.cause = self.cause or "exception"
            return "failed"
        if report.outcome == "skipped":
            self.skipped += 1
            return "xfailed" if hasattr(report, "wasxfail") else "skipped"
        self.passed += 1
        return "passed"

    def _label(self, context: Any) -> str:
        label = label_of(context.msg, context.kwargs)
        count = self.labels[label] = self.labels.get(label, 0) + 1
        return label if count == 1 else f"{label} #{count}"

    def failure(self, call: Any, report: Any) -> bool:
        """Take an exception if it is the held sub-test's."""
        if self.held is None or self.held[0] is not report:
            return False
        error = call.excinfo.value
        _, head, end, _ = self.held
        self.held = (report, head, end, cause_of(error))
        if self.cause in ("", "exception"):
            self.cause = cause_of(error)
        self.recorder.failures.record(head, error, report)
        self._release()
        return True

    def _release(self) -> None:
        held, self.held = self.held, None
        if held is not None:
            self.recorder.spool.add(f'{held[2]},"cause":"{held[3]}"')
