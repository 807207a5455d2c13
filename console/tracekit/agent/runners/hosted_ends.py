"""What the end of a host means: finished, cancelled, killed in the middle, or that its runner could not begin.

A build that failed is told as a launch that failed, in the compiler's words, and never as red tests.
"""

from __future__ import annotations

from typing import Any

from tracekit.agent.passes import partial
from tracekit.agent.runners.base import Exit, Progress
from tracekit.agent.runners.ends import (
    CRASH_LIMIT,
    TAIL,
    End,
    Fault,
    close_running,
    failed_to_start,
    how,
    not_begun,
    text_of,
    told_disk_full,
)
from tracekit.wire.ids import SUBTEST_MARK
from tracekit.wire.names import E

_BEGINNING = 16 * 1024
_UNBUILT = "what holds them does not compile"
_GONE = "not found any more: the collection does not hold it"
_NOTHING = {
    "cargo": "check `paths` and `args` of the suite; `cargo test` runs functions that are marked #[test]",
    "vitest": "check `paths` and `args` of the suite; `vitest run` says which files it looks for",
    "jest": "check `paths` and `args` of the suite; `jest --listTests` says which files it looks for",
    "mocha": "check `paths` and `args` of the suite; without a configuration mocha looks into test/",
    "node": "check `paths` and `args` of the suite; `node --test` looks for *.test.js, test-*.js and test/",
    "go": "check `paths` and `args` of the suite; `go test` looks for func Test… in *_test.go",
}


def read(progress: Progress, exit: Exit, runner: str, *, discovering: bool) -> End:
    """Lines to write, what was not run and why, and what is still to be run."""
    end = End()
    left = not_begun(progress)
    session = progress.session_ended
    if told_disk_full(end, progress, exit, discovering=discovering):
        pass
    elif session is None:
        _killed(end, progress, exit, left, runner, discovering=discovering)
    elif isinstance(session.get("fault"), dict):
        fault = session["fault"]
        end.lines.append(_failed(progress, exit, fault))
        end.not_run, end.why = left, str(fault.get("what", ""))
    else:
        close_running(end, progress, exit)
        failed = isinstance(session.get("failed"), dict)
        if failed:
            end.lines.append({"e": E.SUITE_FAILED, "suite": progress.launch.suite, **session["failed"]})
        end.not_run = left
        given = session.get("whys")
        end.whys = {str(name): str(why) for name, why in given.items()} if isinstance(given, dict) else {}
        if left:
            # What a host says of its own end is nearer to the reason than that there was one.
            said = session.get("reason") or (session["failed"].get("message") if failed else "")
            end.why = f"{runner} stopped: {said or 'it ended early'}"
        # Why there are none has been said where it failed; and who was asked for less need not have found any.
        silent = not (failed or partial(progress.launch.reason) or progress.suite.get("only"))
        if silent and not (progress.collected or progress.aside or progress.errors):
            end.lines.append(_nothing(progress, runner))
    wanted = progress.suite.get("only")
    if discovering:
        end.not_run = []
    elif wanted is not None and not partial(progress.launch.reason):
        found = {*progress.collected, *progress.aside}
        gone = [name for name in wanted if name not in found and name.partition(SUBTEST_MARK)[0] not in found]
        end.not_run = [*end.not_run, *(name for name in gone if name not in end.not_run)]
        if gone and not end.why:
            unbuilt = (session or {}).get("unbuilt") or {}
            whys = {unbuilt.get(name.partition("::")[0]): None for name in gone}
            end.why = _GONE if None in whys else str(next(iter(whys))) if len(whys) == 1 else _UNBUILT
    return end


def _killed(
    end: End, progress: Progress, exit: Exit, remaining: list[str], runner: str, *, discovering: bool
) -> None:
    """The host itself is gone: nobody knows how what it ran would have ended."""
    close_running(end, progress, exit)
    died = how(exit)
    for line in end.lines:
        line["reason"] = f"the host of {runner} {died} during the test, and the test with it"
    if not progress.running:
        what = f"the host of {runner} {died}"
        fault = {"code": f"{runner}.host_died", "what": what, "remedy": "see its output, and run again"}
        end.lines.append(_failed(progress, exit, fault))
    if not remaining or discovering:
        return
    if not (progress.running or progress.ended) or progress.crashes >= CRASH_LIMIT:
        end.not_run, end.why = remaining, f"the host of {runner} {died}"
        return
    end.resume = remaining
    end.resume_reason = f"resumes: the host of {runner} {died}"


def _failed(progress: Progress, exit: Exit, fault: dict[str, Any]) -> dict[str, Any]:
    text = str(fault.get("text") or "")[:_BEGINNING]
    said = text or text_of(exit.stderr_tail).strip()[-TAIL:]
    told = Fault(str(fault.get("code", "")), str(fault.get("remedy", "")), str(fault.get("what", "")))
    return {
        **failed_to_start(progress, exit, told),
        "command": list(fault.get("command") or progress.launch.command),
        "exit": fault.get("exit", exit.code),
        "stderr": said,
    }


def _nothing(progress: Progress, runner: str) -> dict[str, Any]:
    return {
        "e": E.DISCOVER_FAILED,
        "suite": progress.launch.suite,
        "file": "",
        "code": f"{runner}.no_tests",
        "message": f"no tests were found in {progress.launch.cwd}",
        "failure": None,
        "remedy": _NOTHING.get(runner, "check `paths` and `args` of the suite"),
    }
