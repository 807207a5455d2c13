"""What the end of a unittest process means: finished, stopped early, crashed in a test, or never really begun.

A module that cannot be imported is told as a failed collection and never as a red test.
"""

from __future__ import annotations

import re
from typing import Any

from tracekit.agent.passes import partial
from tracekit.agent.runners.base import Exit, Progress
from tracekit.agent.runners.ends import (
    CRASH_LIMIT,
    End,
    Fault,
    close_running,
    failed_to_start,
    how,
    not_begun,
    odd,
    text_of,
    told_disk_full,
)
from tracekit.agent.runners.fatal import failures
from tracekit.wire.names import E

NO_TESTS = 5


def read(progress: Progress, exit: Exit, *, discovering: bool) -> End:
    """Lines to write, what was not run and why, and what is still to be run."""
    end = End()
    left = not_begun(progress)
    session = progress.session_ended
    if told_disk_full(end, progress, exit, discovering=discovering):
        pass
    elif session is not None and exit.signal is None:
        close_running(end, progress, exit)
        _in_order(end, progress, left, session, discovering=discovering)
    elif progress.any_probe_line and (
        exit.signal is not None or progress.running or progress.ended or odd(exit)
    ):
        _crash(end, progress, exit, left, discovering=discovering)
    else:
        end.lines.append(_not_started(progress, exit))
        end.not_run, end.why = left, "unittest did not start"
    end.lines += failures(progress, exit)
    _missing(end, progress, discovering=discovering)
    return end


def _in_order(
    end: End, progress: Progress, remaining: list[str], session: dict[str, Any], *, discovering: bool
) -> None:
    status, reason = session.get("exitstatus"), str(session.get("reason") or "")
    if discovering:
        remaining = []
    end.not_run = remaining
    if remaining:
        end.why = f"unittest stopped: {reason}" if reason else "a fixture of their class or module failed"
    found = progress.collected or progress.aside or progress.errors
    if not found and not progress.suite.get("only"):
        paths = " ".join(str(path) for path in progress.suite.get("paths", ())) or progress.launch.cwd
        end.lines.append(
            {
                "e": E.DISCOVER_FAILED,
                "suite": progress.launch.suite,
                "file": "",
                "code": "unittest.no_tests",
                "message": f"no tests were found in {paths}",
                "failure": None,
                "remedy": "check `paths` and `args` of the suite; unittest looks for test*.py in packages",
            }
        )
    elif status == 1 and not (progress.red or progress.errors or progress.running or discovering):
        end.lines.append(
            {
                "e": E.SUITE_FAILED,
                "suite": progress.launch.suite,
                "exit": status,
                "code": "unittest.exit_status",
                "message": "no test is red, and unittest says that the run was not successful",
                "detail": "",
                "remedy": "see its own output",
            }
        )


def _crash(end: End, progress: Progress, exit: Exit, remaining: list[str], *, discovering: bool) -> None:
    close_running(end, progress, exit)
    died = how(exit)
    if not progress.running:
        when = "between two tests" if progress.ended and remaining else "while collecting"
        if progress.ended and not remaining:
            when = "after the last test"
        end.lines.append(
            {**_not_started(progress, exit), "code": "unittest.crashed", "why": f"unittest {died} {when}"}
        )
    if not remaining or discovering:
        return
    if not (progress.running or progress.ended) or progress.crashes >= CRASH_LIMIT:
        end.not_run = remaining
        end.why = f"unittest {died}" + (
            f"; it crashed {progress.crashes + 1} times" if progress.crashes else ""
        )
        return
    end.resume = remaining
    names = ", ".join(progress.running) or "a crash between tests"
    end.resume_reason = f"resumes after {names}: the process {died}"


def _missing(end: End, progress: Progress, *, discovering: bool) -> None:
    wanted = progress.suite.get("only")
    if discovering:
        end.not_run = []
    elif wanted is not None and not partial(progress.launch.reason):
        known = {*progress.collected, *progress.aside}
        gone = [name for name in wanted if name not in known and name.partition(" ▸ ")[0] not in known]
        end.not_run = [*end.not_run, *gone]
        if gone and not end.why:
            end.why = "not found any more: the collection does not hold it"


def _not_started(progress: Progress, exit: Exit) -> dict[str, Any]:
    text = text_of(exit.stderr_tail).strip() or text_of(exit.stdout_tail)
    python = progress.launch.command[0]
    code, remedy = "unittest.failed", f"see the error output; `{python} -m unittest` shows it alone"
    why = f"unittest {how(exit)} before any test"
    found = re.search(r"error: (.+)", text)
    if exit.code == 2 and found:
        code, why = "unittest.usage", found.group(1).strip()
        remedy = "correct `args` or `paths` of the suite"
    elif "No module named '_tkprobe'" in text or "No module named _tkprobe" in text:
        code, why = "unittest.probe_missing", f"{python} did not find the probe"
        remedy = (
            "the interpreter ignores PYTHONPATH (a wrapper with -I or -E?): name the real one as `python`"
        )
    return failed_to_start(progress, exit, Fault(code, remedy, why))
