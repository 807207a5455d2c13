"""What the ends of all runners have in common: what is written about a process that died, or was not heard to its end.

A launch that failed is never turned into failed tests, and a disk that took no more lines never into crashed ones.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import Any

from tracekit.agent.runners.base import Exit, Progress
from tracekit.wire.names import E

#: After this many crashes of one suite the rest is left: each costs a start of its runner.
CRASH_LIMIT = 50
TAIL = 8 * 1024


@dataclass
class End:
    lines: list[dict[str, Any]] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)
    why: str = ""
    whys: dict[str, str] = field(default_factory=dict)
    resume: list[str] = field(default_factory=list)
    resume_reason: str = ""


@dataclass(frozen=True)
class Fault:
    """A launch that did not do its work."""

    code: str
    remedy: str
    why: str
    #: What to show as its error output, where the runner did not use standard error.
    text: str = ""


def not_begun(progress: Progress) -> list[str]:
    """What was collected and never begun, as far as anybody was told."""
    return [
        name for name in progress.collected if name not in progress.ended and name not in progress.running
    ]


def told_disk_full(end: End, progress: Progress, exit: Exit, *, discovering: bool) -> bool:
    """Tell of a process that was not heard to its end as the disk took no more lines; whether it was so.

    Nobody knows how its tests ended, and so none of them is called crashed: they are left, and the disk is named.
    """
    left = not_begun(progress)
    if not _unheard(progress, exit, [] if discovering else left):
        return False
    said = "" if exit.code is None and exit.signal is None else f"; the runner itself {how(exit)}"
    why = f"the disk was full, and not every end of a test could be written down{said}"
    remedy = f"free space on the disk of {exit.starved}, and run again"
    end.lines.append(failed_to_start(progress, exit, Fault("disk.full", remedy, why)))
    end.not_run, end.why = left, "the disk was full: how they ended could not be written down"
    return True


def _unheard(progress: Progress, exit: Exit, left: list[str]) -> bool:
    """Whether a process did more than what it could write down."""
    if not exit.starved or not progress.any_probe_line:
        return False
    died = exit.signal is not None or odd(exit)
    if died and not exit.full and len(progress.running) < 2:
        # There is room again, and so the last lines are there, which say in which test it died.
        return False
    session = progress.session_ended
    if session is None:
        return True
    # Its last words came through, as lines of other processes did not, or those before them. What a test's own
    # process has to say of a death is told by the one that saw it; a runner that stopped early says why.
    early = session.get("reason") or session.get("exitstatus") not in (0, 1, None) or session.get("fault")
    return bool(progress.running) or bool(left and not early)


def failed_to_start(progress: Progress, exit: Exit, fault: Fault) -> dict[str, Any]:
    """The line of a launch that did not do its work."""
    stderr = fault.text or text_of(exit.stderr_tail).strip() or text_of(exit.stdout_tail).strip()
    return {
        "e": E.RUNNER_FAILED_TO_START,
        "suite": progress.launch.suite,
        "launch": progress.launch.id,
        "command": list(progress.launch.command),
        "exit": exit.code,
        "signal": exit.signal,
        "stderr": stderr[-TAIL:],
        "remedy": fault.remedy,
        "code": fault.code,
        "why": fault.why,
    }


def text_of(data: bytes) -> str:
    """What a process printed, as text."""
    return data.decode("utf-8", "replace")


def odd(exit: Exit) -> bool:
    """An exit status that no runner of Python's gives by itself."""
    return exit.code not in (0, 1, 2, 3, 4, 5)


def how(exit: Exit) -> str:
    """How a process ended, in words."""
    if exit.signal is not None:
        try:
            return f"killed by {signal.Signals(exit.signal).name}"
        except ValueError:
            return f"killed by signal {exit.signal}"
    return f"exited with status {exit.code}"


def close_running(end: End, progress: Progress, exit: Exit) -> None:
    """Write the end of whatever was running when its process died."""
    for scenario, started in progress.running.items():
        worker = started.get("worker")
        died = progress.session_ended is not None and worker
        reason = (
            f"worker {worker} died during the test"
            if died
            else f"the test process {how(exit)} during the test"
        )
        line: dict[str, Any] = {
            "e": E.ATTEMPT_ENDED,
            "scenario": scenario,
            "attempt": started.get("attempt", 1),
            "verdict": "crashed",
            "cause": "crash",
            "d": 0,
            "durations": {},
            "reason": reason,
            "exit": exit.code,
            "signal": exit.signal,
        }
        if started.get("parent"):
            line["parent"] = started["parent"]
        end.lines.append(line)
