"""A run in words: notices first, failures grouped by their cause, the exact command that runs them again.

It reads a view and gives lines; it prints nothing itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence

from tracekit.cli.clockwords import odd_clock
from tracekit.cli.edge import NOTHING, OK, UNREACHABLE, clean, clean_lines, exit_code
from tracekit.cli.edge import RED as EXIT_RED
from tracekit.cli.edge import USAGE as EXIT_USAGE
from tracekit.cli.painting import SLOW, Paint, counted
from tracekit.engine.view import RunView
from tracekit.model.facts import Handled
from tracekit.model.handling import handled_before
from tracekit.model.notices import BLOCKING, blocking_of
from tracekit.model.runfacts import ELSEWHERE
from tracekit.model.state import Attempt, CauseGroup, ExceptionFacts, Notice, RunState, Status, below
from tracekit.model.words import seconds
from tracekit.store.runs import LOCAL_BOX
from tracekit.wire.names import RED
from tracekit.wire.problems import Problem

MAX_GROUPS = 20
MAX_IN_GROUP = 5
MAX_DETAIL = 20
MAX_NOT_RUN = 5
MAX_STACK = 16
MAX_LEAK = 120
_REBOOTED = "rebooted"
_UNWELL = "box.service"
#: Warnings of the agent's own, which are said in words; the tests' own are counted.
_OURS = frozenset({"isolate", "unavailable"})


def outcome(view: RunView) -> int:
    """The exit code of a run that ended by itself."""
    if view.link == "lost":
        return UNREACHABLE
    verdicts = view.verdicts()
    if view.link == "replay" and (view.state.damaged or not view.folded):
        return EXIT_USAGE
    with view.lock:
        blocking = [notice for notice in view.state.notices if notice.kind in BLOCKING]
        reason = view.state.run.reason or str(view.end.get("reason", ""))
        excused = len(view.state.excused())
    if sum(verdicts.get(word, 0) for word in RED) > excused:
        return EXIT_RED
    if any(notice.code == _UNWELL for notice in blocking):
        return UNREACHABLE
    if blocking:
        # Another code than 1 only where every suite says the same: no interpreter anywhere, or no tests at all.
        codes = {exit_code([Problem(notice.code, "")]) if notice.code else EXIT_RED for notice in blocking}
        told = codes.pop() if len(codes) == 1 else EXIT_RED
        return told if told in {EXIT_USAGE, NOTHING} else EXIT_RED
    if reason == _REBOOTED:
        return UNREACHABLE
    # A scenario that somebody stopped is not a passed one, though the run went to its end.
    if reason not in {"finished", ""} or verdicts.get("cancelled"):
        return EXIT_RED
    ran = sum(count for word, count in verdicts.items() if word not in {"pending", "running", "notrun"})
    # What was asked for and did not run is not known to be well, whatever the others say.
    if view.not_run_count() or view.failed_unrecorded:
        return EXIT_RED
    return OK if ran else NOTHING


def lines(view: RunView, paint: Paint, told: Container[int] = ()) -> Iterator[str]:
    """Everything a person should know after a run; `told`: notices that have been printed before."""
    with view.lock:
        state = view.state
        groups = state.causes()
        yield from _notices(state, paint, told)
        for group in groups[:MAX_GROUPS]:
            if group.indices:
                yield from _group(state, group, view, paint)
        if len(groups) > MAX_GROUPS:
            yield paint.dim(f"… and {len(groups) - MAX_GROUPS} more causes: tracekit show {view.run_id}")
        yield from _flaky(state, paint, "" if view.imported else view.run_id)
        yield from _leaks(state, paint)
        yield from _slow(state, paint)
        yield from _quarantine(state, paint)
        yield from _not_run(state, paint)
        run = state.run
        took = (
            seconds(max(0, run.ended_t - run.started_t))
            if run.ended
            else (
                "an unrecorded time"
                if view.end
                else ("a run that goes on" if view.live else "a run without an end")
            )
        )
        reason = f", {clean(run.reason)}" if run.ended and run.reason != "finished" else ""
        hurt = _hurt(state)
        red = any(state.counts.get(word) for word in RED)
        excused = len(state.excused())
    yield ""
    if view.problem is not None:
        yield clean(f"! {view.problem.what} ({view.problem.action})")
    if view.failed_unrecorded:
        yield "! a part of the suite is unknown: how its tests ended could not be written down, so this is no green run"
    if hurt:
        yield f"! {hurt}: tracekit verify {view.run_id}"
    if told_clock := odd_clock(view.box_dir):
        yield f"! {clean(view.box_dir.name)}: {told_clock} (durations are right; set the clock there, as by NTP)"
    if run.ended and run.reason == _REBOOTED:
        yield "! the box was restarted while the run went on; what was running there is no failed test"
        if not view.imported:
            yield f"  run what is left: tracekit rerun {view.run_id} --outstanding"
    uncounted = f" ({excused} red in quarantine, not counted)" if excused else ""
    yield f"{counted(view.verdicts(), paint)}{uncounted} in {took}{reason}  {paint.dim('run ' + view.run_id)}"
    if red and view.imported:
        yield paint.dim(ELSEWHERE)
    elif red:
        yield f"rerun all of them: tracekit rerun {view.run_id} --failed"


def flaky(state: RunState) -> list[int]:
    """The scenarios that passed only after a red attempt."""
    return [i for i in state.numbers if state.facts[i].parent < 0 and state.flaky(i)]


def _flaky(state: RunState, paint: Paint, run_id: str) -> Iterator[str]:
    found = flaky(state)
    if not found:
        return
    yield ""
    yield paint.bold(f"↻ {len(found)} flaky") + paint.dim("  passed, after an attempt that did not")
    for index in found[:MAX_GROUPS]:
        attempts = state.attempts(index)
        words = ", ".join(str(attempt.verdict or "running") for attempt in attempts)
        yield f"    {clean(state.ids[index])}  {paint.dim(words)}"
    if len(found) > MAX_GROUPS:
        yield paint.dim(f"    … and {len(found) - MAX_GROUPS} more")
    behind = next((i for i in found if _passed_elsewhere(state, i)), None)
    if behind is not None and run_id:
        # Nothing is known of the reason; only that the attempt which passed had not the same tests before it.
        import shlex

        victim = clean(shlex.quote(state.ids[behind]))
        yield f"    which test before it made it fail, if one did: tracekit bisect {run_id} {victim}"


def _passed_elsewhere(state: RunState, i: int) -> bool:
    """Whether a test failed behind others, and passed in a process of its own or of fewer."""
    attempts = state.attempts(i)
    first, last = attempts[0].pid, attempts[-1].pid
    return bool(first and last and first != last and attempts[0].verdict in RED and len(state.ids) > 1)


def _leaks(state: RunState, paint: Paint) -> Iterator[str]:
    """Who left a process, a port, a file or a thread behind."""
    found = state.leaking()
    if not found:
        return
    yield ""
    yield paint.bold(f"◊ {len(found)} left something behind")
    for index in found[:MAX_IN_GROUP]:
        leaks = state.attempts(index)[-1].leaks
        told = ", ".join(f"{leak.kind} {leak.what} {leak.detail}" for leak in leaks[:MAX_IN_GROUP])
        yield clean(f"    {state.ids[index]}  ") + paint.dim(clean(" ".join(told.split())[:MAX_LEAK]))
    if len(found) > MAX_IN_GROUP:
        yield paint.dim(f"    … and {len(found) - MAX_IN_GROUP} more")


def mark(state: RunState, index: int, paint: Paint) -> str:
    """What stands behind a row beside its verdict."""
    slow = paint.dim("  slow") if state.slow(index) and state.facts[index].parent < 0 else ""
    return slow + _flag(state, index, paint)


def _slow(state: RunState, paint: Paint) -> Iterator[str]:
    """The slowest of what took longer than its suite calls slow."""
    least = min((suite.slow_ns for suite in state.run.suites if suite.slow_ns), default=0)
    took_long = [i for i, took in enumerate(state.duration) if took > least > 0]
    found = [i for i in took_long if state.facts[i].parent < 0 and state.slow(i)]
    if not found:
        return
    found.sort(key=lambda i: -state.duration[i])
    yield ""
    yield paint.bold(f"{SLOW} {len(found)} slow")
    for index in found[:MAX_IN_GROUP]:
        limit = seconds(state.slow_ns(index))
        yield f"    {clean(state.ids[index])}  {seconds(state.duration[index])}{paint.dim(f' > {limit}')}"
    if len(found) > MAX_IN_GROUP:
        yield paint.dim(f"    … and {len(found) - MAX_IN_GROUP} more")


def _flag(state: RunState, index: int, paint: Paint) -> str:
    """What stands behind a scenario's name: whether it is in quarantine, and whose it is."""
    entry = state.quarantined(index)
    if entry is None:
        return ""
    word = f"quarantine expired {entry.expires}" if entry.expired else "quarantined"
    return paint.dim(clean(f"  ⚑ {word} ({entry.owner})"))


def _quarantine(state: RunState, paint: Paint) -> Iterator[str]:
    """Who is excused and until when, and whose time is over."""
    if not state.quarantine:
        return
    found = [
        (index, entry, Status(state.status[index]))
        for index, facts in enumerate(state.facts)
        if facts.parent < 0 and (entry := state.quarantined(index)) is not None
    ]
    held = [row for row in found if not row[1].expired and row[2] != Status.PENDING]
    over = [row for row in found if row[1].expired and row[2].red]
    if held:
        yield ""
        yield paint.bold(f"⚑ {len(held)} in quarantine") + paint.dim("  run and shown, not counted")
    for index, entry, status in sorted(held, key=lambda row: not row[2].red)[:MAX_GROUPS]:
        told = f"{status.word}; {entry.owner}, until {entry.expires}: {entry.reason}"
        yield f"    {clean(state.ids[index])}  {paint.dim(clean(told))}"
    if len(held) > MAX_GROUPS:
        yield paint.dim(f"    … and {len(held) - MAX_GROUPS} more")
    if over:
        yield ""
        yield paint.bold(f"⚑ {len(over)} counted again: the quarantine has expired")
    for index, entry, _ in over[:MAX_GROUPS]:
        told = f"{entry.owner}'s, expired {entry.expires}: {entry.reason}"
        yield f"    {clean(state.ids[index])}  {paint.dim(clean(told))}"
    if len(over) > MAX_GROUPS:
        yield paint.dim(f"    … and {len(over) - MAX_GROUPS} more")


def detail(attempt: Attempt, paint: Paint, raised: Sequence[Handled] = (), folder: str = "") -> Iterator[str]:
    """One attempt's failures: exception, place, operands, the lines of code that matter; `raised` is what its trace
    knows of exceptions, `folder` where its suite's files lie below the project.
    """
    for number, failure in enumerate(attempt.failures):
        for place, exception in enumerate(failure.chain):
            yield from _exception(exception, paint, folder, first=place == 0)
        yield from _handled(handled_before(failure, raised if number == 0 else ()), paint)
    for assertion in attempt.assertions:
        if not assertion.passed and assertion.diff:
            for line in clean_lines(assertion.diff)[:MAX_DETAIL]:
                yield f"      {line}"
    if not attempt.failures and attempt.reason:
        yield clean(f"    {attempt.reason}")


def used_and_left(attempt: Attempt) -> Iterator[str]:
    """What an attempt used, and what it left behind."""
    used = attempt.rusage
    if used is not None:
        peak = f", peak {used.peak_kib / 1024:.0f} MiB" if used.peak_kib else ""
        yield f"    cpu: {used.user:.3f}s user, {used.system:.3f}s system{peak}"
    for leak in attempt.leaks:
        yield clean(f"    left behind: {leak.kind} {leak.what} ({leak.detail})")


def _group(state: RunState, group: CauseGroup, view: RunView, paint: Paint) -> Iterator[str]:
    count = len(group.indices)
    yield ""
    yield paint.bold(paint.verdict("failed", f"✗ {clean(group.title)}")) + paint.dim(
        f"  {clean(group.cause)}, {count} {'scenario' if count == 1 else 'scenarios'}"
    )
    first = group.indices[0]
    attempts = state.attempts(first)
    if attempts:
        yield from detail(attempts[-1], paint, folder=state.folder_of(state.facts[first].suite))
    for index in group.indices[:MAX_IN_GROUP]:
        facts = state.facts[index]
        place = placed(facts.file, facts.line, state.folder_of(facts.suite))
        yield f"    {clean(facts.id)}  {paint.dim(clean(place))}"
    if count > MAX_IN_GROUP:
        yield paint.dim(f"    … and {count - MAX_IN_GROUP} more")
    if view.imported:
        return
    if count <= MAX_IN_GROUP:
        yield f"    rerun: {rerun_command(view.run_id, [state.ids[index] for index in group.indices])}"
    else:
        yield f"    rerun: tracekit rerun {view.run_id} --failed"


def rerun_command(run_id: str, ids: list[str]) -> str:
    """The exact command that runs these scenarios again, safe to paste into a shell."""
    import shlex

    chosen = " ".join(f"-s {shlex.quote(scenario)}" for scenario in ids)
    return clean(f"tracekit rerun {run_id} {chosen}")


def _exception(exception: ExceptionFacts, paint: Paint, folder: str = "", *, first: bool) -> Iterator[str]:
    lead = (
        ""
        if first
        else {"cause": "caused by ", "context": "while handling "}.get(exception.relation or "", "")
    )
    shown = clean_lines(exception.message)[:MAX_DETAIL] or [""]
    yield f"    {lead}{paint.bold(clean(exception.type))}: {shown[0]}"
    for line in shown[1:]:
        yield f"      {line}"
    own = [frame for frame in exception.frames if frame.own] or exception.frames[-1:]
    for frame in own[-3:]:
        at = placed(frame.file, frame.line, folder if frame.own else "")
        yield paint.dim(clean(f"      {at} in {frame.function}"))
        if frame.code:
            yield clean(f"        {frame.code.strip()}")
    for inner in exception.group[:MAX_IN_GROUP]:
        yield from _exception(inner, paint, folder, first=False)


def _handled(many: Sequence[Handled], paint: Paint) -> Iterator[str]:
    """What was caught before it failed."""
    for one in many:
        said = (clean_lines(one.message) or [""])[0]
        times = f", {one.count} times" if one.count > 1 else ""
        held = clean(f", held by {one.name}") if one.name else ""
        yield f"    handled before: {paint.bold(clean(one.type))}: {said}{paint.dim(held + times)}"
        if one.file:
            where = f" in {one.function}" if one.function else ""
            yield paint.dim(clean(f"      {one.file}:{one.line}{where}"))


def _notices(state: RunState, paint: Paint, told: Container[int]) -> Iterator[str]:
    for blocking in blocking_of(state.notices):
        yield ""
        # What is to be done is done on the machine that ran it.
        where = state.run.environment if state.run.environment not in {"", LOCAL_BOX} else ""
        yield from trouble(blocking, paint, state.folder_of(blocking.suite), where)
    # Who reads this has read above it what was told while the run went on.
    stalled = [notice for notice in state.notices if notice.kind == "stalled" and id(notice) not in told]
    if stalled:
        yield ""
        yield from stalls(stalled, paint, most=MAX_IN_GROUP)
    warnings = sum(
        notice.count for notice in state.notices if notice.kind == "warning" and notice.code not in _OURS
    )
    gaps = [notice for notice in state.notices if notice.kind == "gap"]
    if warnings:
        yield paint.dim(f"{warnings} {'warning' if warnings == 1 else 'warnings'}")
    # Each process of a run may miss the same for the same reason.
    for message, times in list(Counter(notice.message for notice in gaps).items())[:MAX_IN_GROUP]:
        yield clean(f"! {message}{_times(times)}")
    for notice in state.notices:
        if notice.kind == "warning" and notice.code in _OURS:
            yield clean(f"! {notice.message}: {notice.action}")


def stalls(
    notices: Iterable[Notice],
    paint: Paint,
    scenario: str = "",
    *,
    most: int | None = None,
    known: dict[tuple[str, int], str] | None = None,
) -> Iterator[str]:
    """Who was silent or over its time, and where it was: of one scenario, or of all; the same thing once.

    A stack that is `known` of its attempt already is not drawn again.
    """
    known = {} if known is None else known
    meant = [
        each for each in notices if each.kind == "stalled" and (not scenario or each.scenario == scenario)
    ]
    times = Counter(map(_stall, meant))
    first: dict[tuple[str, str, str], Notice] = {}
    for each in meant:
        first.setdefault(_stall(each), each)
    for notice in list(first.values())[:most]:
        who = notice.scenario or notice.suite
        said = f"! {who or 'the suite'}: {notice.message}{_times(times[_stall(notice)])}"
        yield paint.bold(clean(said))
        if notice.detail and known.get((who, notice.attempt)) == notice.detail:
            yield paint.dim("    where it was before")
            continue
        known[who, notice.attempt] = notice.detail
        stack = clean_lines(notice.detail)
        yield from (f"    {line}" for line in stack[:MAX_STACK])
        if len(stack) > MAX_STACK:
            yield paint.dim(f"    … and {len(stack) - MAX_STACK} more lines")


def _stall(notice: Notice) -> tuple[str, str, str]:
    """What makes two of them the same to a reader."""
    return notice.scenario or notice.suite, notice.message, notice.detail


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


def placed(file: str, line: int, folder: str = "") -> str:
    """A file below the project, and the line where one is known: a class's own fixture has none."""
    file = below(folder, file)
    return f"{file}:{line}" if line else file


def trouble(notice: Notice, paint: Paint, folder: str = "", where: str = "") -> Iterator[str]:
    """What kept tests from running: where, why, and what to do."""
    told = clean(" on ".join(part for part in (notice.suite, where) if part))
    suite = f" [{told}]" if told else ""
    yield paint.bold(paint.verdict("error", f"✗ {clean(notice.message)}")) + suite
    if notice.file:
        yield clean(f"    {placed(notice.file, notice.line, folder)}")
    if notice.failure is not None:
        for place, exception in enumerate(notice.failure.chain):
            yield from _exception(exception, paint, folder, first=place == 0)
    elif notice.detail:
        for line in clean_lines(notice.detail)[-MAX_DETAIL:]:
            yield f"    │ {line}"
    if notice.command:
        yield paint.dim(clean(f"    command: {' '.join(notice.command)}"))
    if notice.action:
        yield clean(f"    → {f'on {where}: ' if where else ''}{notice.action}")


def _hurt(state: RunState) -> str:
    """What of the recording itself is not as it was written."""
    told = []
    if state.damaged:
        told.append(f"{state.damaged} lines of the journal cannot be read")
    if state.missing_total:
        told.append(f"{state.missing_total} lines are missing")
    told += [f"{number:,} {what}" for number, what in state.trace_losses]
    return ", ".join(told)


def _not_run(state: RunState, paint: Paint) -> Iterator[str]:
    run = state.run
    if run.unrun:
        yield ""
    for left in run.unrun:
        why = f": {clean(left.why)}" if left.why else ""
        yield f"{left.count} not run{why}"
        for scenario in left.ids[:MAX_NOT_RUN]:
            yield paint.dim(f"    {clean(scenario)}")
