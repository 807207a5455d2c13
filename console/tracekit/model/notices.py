"""Lines that are nobody's verdict: launch failures, collection errors, gaps, warnings, a lost link.

They are shown apart from tests, each with what to do next. A line that a person need not see gives none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tracekit.model import coerce
from tracekit.model.evidence import failure_of
from tracekit.model.facts import Failure, Notice
from tracekit.wire.names import E

#: Kinds that say why tests did not run.
BLOCKING = frozenset({"launch", "discovery"})
_KINDS: dict[str, str] = {
    E.RUNNER_FAILED_TO_START: "launch",
    E.SUITE_FAILED: "launch",
    E.DISCOVER_FAILED: "discovery",
    E.WARNING: "warning",
    E.GAP: "gap",
    E.ATTEMPT_STALLED: "stalled",
    E.LAUNCH_STALLED: "stalled",
    E.PHASE_STARTED: "waiting",
    E.BOX_CONNECTED: "link",
    E.BOX_LOST: "link",
    E.BOX_RESUMED: "link",
}
#: The phases of which it is told at once what they wait for.
_WAITED_FOR = frozenset({"lock", "service"})
_WAITS = {
    "input": "waits for input, which tests do not have",
    "debugger": "waits for input in a debugger, which tests do not have",
}

#: What calls tests is nobody's line to look at; a stack without it shows whose line it is.
_PLUMBING = (
    "/_pytest/",
    "/pluggy/",
    "/_tkprobe/",
    "/xdist/",
    "/execnet/",
    "/unittest/",
    "/pytest/__main__.py",
    "<frozen importlib",
    "<frozen runpy",
)
#: The language's own, and below it the system's.
_BELOW = (
    "/rustc/",
    "library/std/src/",
    "library/core/src/",
    "library/alloc/src/",
    "library/test/src/",
    "/sysdeps/",
    "./nptl/",
    "./misc/../",
)


def once(notices: Iterable[Notice]) -> list[Notice]:
    """All of them, each thing told once.

    A conftest file that raises is told by pytest as a launch that failed, and before that by its own exception, with
    its place: that is the one that stays.
    """
    found = list(notices)
    raised = {notice.suite for notice in found if notice.kind == "discovery" and notice.failure is not None}
    return [notice for notice in found if notice.code != "pytest.conftest" or notice.suite not in raised]


def blocking_of(notices: Iterable[Notice]) -> list[Notice]:
    """What kept tests from running, each thing once."""
    return [notice for notice in once(notices) if notice.kind in BLOCKING]


def notice_of(line: dict[str, Any], t: int) -> Notice | None:
    """The notice a line gives, or None."""
    event = coerce.text(line.get("e"))
    kind = _KINDS.get(event)
    if kind is None or (event == E.PHASE_STARTED and line.get("phase") not in _WAITED_FOR):
        return None
    get = line.get
    failure = get("failure")
    return Notice(
        kind=kind,
        suite=coerce.text(get("suite")),
        message=_message(event, line),
        detail=_detail(event, line),
        action=coerce.text(get("remedy")) or coerce.text(get("action")),
        t=t,
        scenario=coerce.text(get("scenario")),
        code=coerce.text(get("code")) or coerce.text(get("category")),
        file=coerce.text(get("file")),
        line=coerce.natural(get("line")),
        count=max(1, coerce.natural(get("count"))),
        command=coerce.texts(get("command")),
        failure=_failure(failure) if kind == "discovery" else None,
        attempt=coerce.natural(get("attempt")),
    )


#: The limits of a test's whole time, as its suite's configuration calls them.
_LIMITS = {"soft": "its soft timeout", "timeout": "its timeout"}


def _message(event: str, line: dict[str, Any]) -> str:
    told = coerce.text(line.get("message"))
    if told:
        return told
    if event == E.RUNNER_FAILED_TO_START:
        why = coerce.text(line.get("why"))
        if why:
            return why
        return f"the runner failed to start ({_exit(line)})"
    if event == E.DISCOVER_FAILED:
        return f"could not collect {coerce.text(line.get('file')) or 'the suite'}"
    if event == E.GAP:
        why = coerce.text(line.get("why"))
        what = coerce.text(line.get("what")) or "lines"
        return f"{coerce.natural(line.get('count'))} {what} missing" + (f": {why}" if why else "")
    if event == E.ATTEMPT_STALLED and line.get("waits") in _WAITS:
        return _WAITS[line["waits"]]
    if event == E.ATTEMPT_STALLED:
        after, limit = coerce.seconds(line.get("after")), _LIMITS.get(coerce.text(line.get("limit")))
        if limit is None:
            return "no sign of life" + (f" for {after:g}s" if after else "")
        return f"longer than {after:g}s, {limit}" if after else "over its time"
    if event == E.LAUNCH_STALLED:
        when, last = coerce.text(line.get("when")), coerce.text(line.get("last"))
        said = "no sign of life" + (f" {when}" if when else "")
        # Where several processes run tests, each tells where it is.
        worker = coerce.text(line.get("worker"))
        who = f" of {worker} (process {coerce.natural(line.get('pid'))})" if worker else ""
        return f"{said}{who}" + (f", its last test was {last}" if worker and last else "")
    return event.replace(".", " ")


def _detail(event: str, line: dict[str, Any]) -> str:
    if event == E.RUNNER_FAILED_TO_START:
        return coerce.text(line.get("stderr"))
    if event in (E.ATTEMPT_STALLED, E.LAUNCH_STALLED):
        stacks = line.get("stacks")
        if type(stacks) is not list:
            return coerce.text(stacks)
        # Where an event loop has tasks, its own thread only says that it waits for them.
        ordered = sorted(stacks, key=lambda stack: type(stack) is not dict or "task" not in stack)
        return "\n".join(map(_stack, ordered))
    return coerce.text(line.get("detail")) or coerce.text(coerce.table(line.get("failure")).get("text"))


def _stack(thread: Any) -> str:
    """One thread's frames as lines, the innermost first."""
    told = coerce.table(thread)
    name = coerce.text(told.get("name")) or coerce.text(told.get("thread"))
    lines = [f"thread {name}" + (", which runs the test" if told.get("current") else "")]
    if "task" in told:
        lines = [f"task {coerce.text(told.get('task'))}, {coerce.text(told.get('coroutine'))}"]
    frames = told.get("frames")
    left_out, below = 0, False
    for frame in frames if type(frames) is list else ():
        at = coerce.table(frame)
        file = coerce.text(at.get("file"))
        if any(part in file for part in (*_PLUMBING, *_BELOW)):
            left_out += 1
            below = below or any(part in file for part in _BELOW)
            continue
        if left_out:
            lines.append(_left_out(left_out, below=below))
            left_out, below = 0, False
        function = coerce.text(at.get("function"))
        lines.append(f"  {file}:{coerce.natural(at.get('line'))} in {function}" if file else f"  {function}")
    if left_out:
        lines.append(_left_out(left_out, below=below))
    return "\n".join(lines)


def _left_out(count: int, *, below: bool) -> str:
    whose = "of the runner, the language or the system" if below else "of the runner"
    return f"  … {count} {'frame' if count == 1 else 'frames'} {whose}"


def _exit(line: dict[str, Any]) -> str:
    signal = coerce.signal(line.get("signal"))
    if signal is not None:
        return f"signal {signal}"
    code = coerce.integer_or_none(line.get("exit"))
    return "no exit status" if code is None else f"exit status {code}"


def _failure(value: object) -> Failure | None:
    if type(value) is list:  # the chain alone
        return failure_of({"chain": value})
    return failure_of(value) if type(value) is dict else None
