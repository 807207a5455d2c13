"""The run itself, a container of scenarios, or a notice: what a person sees where no single scenario is selected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tracekit.model.facts import Attempt, Notice, RunFacts
from tracekit.model.status import RED_STATUSES, WORDS, Status
from tracekit.model.words import clock, count, moment, seconds
from tracekit.ui.board import Board
from tracekit.ui.panes.failure import failure_lines
from tracekit.ui.panes.states import awaited
from tracekit.ui.panes.story import title
from tracekit.ui.ports import ViewFace
from tracekit.ui.safe import Line, clean, safe_lines, shorten
from tracekit.ui.theme import Palette

MAX_NOT_RUN = 200
MAX_NOTICES = 50
NEXT_ACTION = {
    "launch": "fix the command or its interpreter, then run again",
    "discovery": "fix the file, then look again",
}

UNFINISHED = {
    Status.CANCELLED: "cancelled",
    Status.LOST: "lost",
    Status.RUNNING: "without an end",
    Status.NOTRUN: "not run",
    Status.PENDING: "pending",
}


def run_lines(board: Board, look: Palette, now: int) -> list[Line]:
    """What ran where, how it ended, what was not run and why."""
    view = board.newest
    if view is None:
        return [Line().own("  no run yet", look.dim)]
    with view.lock:
        run = view.state.run
        damaged, missing, losses = view.state.damaged, view.state.missing_total, view.state.trace_losses
    lines = [_headline(board, run, view, look), Line()]
    lines += _verdicts(board.progress(), look)
    lines += _apart(board, look)
    lines.append(Line())
    looked = (
        run.mode == "discover"
    )  # it ran nothing: no seed steered it, and nobody waits to hear how it ended
    took = (run.ended_t or now) - run.started_t if run.started_t and not looked else 0
    for word, value in (
        ("run", run.run_id),
        ("of", run.parent or ""),
        ("project", run.root or view.root),
        ("profile", run.profile or ""),
        ("where", run.environment),
        ("seed", f"0x{run.seed:x}" if run.seed is not None and run.seed >= 0 and not looked else ""),
        ("looked" if looked else "began", moment(run.started_t) + " UTC" if run.started_t else ""),
        ("took", clock(took) if took else ""),
        ("ended", "" if looked and run.reason == "finished" else run.reason),
    ):
        if value:
            lines.append(Line(12).gap(2).own(f"{word:<9}", look.dim).name(value, look.text))
    for suite in run.suites[:20]:
        facts = " ".join(
            part
            for part in (suite.framework, suite.python_version and f"Python {suite.python_version}")
            if part
        )
        lines.append(
            Line(12)
            .gap(2)
            .own(f"{'suite':<9}", look.dim)
            .name(suite.name or suite.runner, look.text)
            .gap(2)
            .name(facts, look.dim)
        )
    lines += _not_run(run, look)
    problem = view.problem if not view.live else None
    if damaged or missing or losses or problem is not None:
        lines += title("recording", look)
    if problem is not None:
        lines.append(Line(4).gap(4).name(problem.what, look.warn))
        lines.append(Line(4).gap(4).own("→ ", look.accent).name(problem.action, look.text))
    if damaged or missing:
        lines.append(Line(4).gap(4).own(f"{damaged} damaged lines, {missing} missing lines", look.warn))
    for number, what in losses:
        told = Line(4).gap(4).own(f"{number:,} {what}", look.warn)
        lines.append(told.own("  4 and kind:gap say where", look.dim))
    return lines


def _headline(board: Board, run: RunFacts, view: ViewFace, look: Palette) -> Line:
    red, tests = board.counted_red, sum(board.progress().values())
    if run.mode == "discover":
        return (
            Line()
            .gap(2)
            .own(count(tests, "scenario") + " found", look.strong)
            .own("  a runs everything, r the selected row", look.dim)
        )
    if view.live:
        tally = board.progress()
        tests = sum(tally.values())
        over = tests - tally[Status.PENDING] - tally[Status.RUNNING]
        if (found := awaited(run)) is not None:
            what, why = found
            return Line(4).gap(2).name(what, look.warn).name(f": {why}", look.text)
        if not tests:
            return Line().gap(2).own("no test has begun yet", look.strong)
        return Line().gap(2).own(f"running: {over:,} of {tests:,}", look.strong)
    if red:
        return Line().gap(2).own(f"{red:,} of {tests:,} failed", look.failure)
    if board.trouble:
        return (
            Line()
            .gap(2)
            .own(f"{count(board.trouble, 'part')} of the run could not start or be collected", look.warn)
        )
    if not tests:
        return Line().gap(2).own("nothing ran", look.warn)
    if board.apart.excused:
        passed = board.tally[Status.PASSED] + board.tally[Status.XPASSED]
        line = Line().gap(2).own(f"{passed:,} of {tests:,} passed", look.strong)
        return line.own(f", {board.apart.excused:,} red in quarantine, not counted", look.dim)
    return _without_reds(board.tally, tests, run, look)


def _without_reds(tally: Counter[int], tests: int, run: RunFacts, look: Palette) -> Line:
    """Green is said only of a run that came to its end and left nothing out."""
    left = [f"{tally[status]:,} {word}" for status, word in UNFINISHED.items() if tally[status]]
    if tests == sum(tally[status] for status in (Status.NOTRUN, Status.PENDING)):
        line = Line().gap(2)
        if not run.reason:
            return line.own("nothing ran yet", look.warn)
        why = "" if run.reason == "finished" else f", {run.reason}"
        return line.own("nothing ran", look.warn).name(why, look.warn)
    if not left and run.reason == "finished":
        return Line().gap(2).own(f"{look.glyphs.passed} all green", look.passed)
    passed = tally[Status.PASSED] + tally[Status.XPASSED]
    if not left:
        left = [f"the run ended early: {run.reason}" if run.reason else "the recording has no end"]
    line = Line().gap(2).own(f"{passed:,} of {tests:,} passed", look.strong)
    return line.name(", " + ", ".join(left), look.warn)


def _apart(board: Board, look: Palette) -> list[Line]:
    """What is said beside verdicts, each with the filter that shows the rows."""
    told = (
        (look.glyphs.flaky, "flaky", board.apart.flaky, "flag:flaky"),
        (look.glyphs.quarantined, "excused", board.apart.excused, "flag:quarantined"),
    )
    return [
        Line(6)
        .gap(4)
        .own(glyph, look.warn)
        .own(f" {word:<10}", look.text)
        .own(f"{number:,}", look.text)
        .gap(2)
        .own(f"/ {selector}", look.faint)
        for glyph, word, number, selector in told
        if number
    ]


def _verdicts(tally: Counter[int], look: Palette) -> list[Line]:
    lines = []
    for status in sorted(tally, key=lambda status: (status not in RED_STATUSES, status)):
        if tally[status]:
            line = (
                Line()
                .gap(4)
                .own(look.glyphs.of(status), look.of(status))
                .own(f" {WORDS[status]:<10}", look.text)
            )
            lines.append(line.own(f"{tally[status]:>8,}", look.dim))
    return lines


def _not_run(run: RunFacts, look: Palette) -> list[Line]:
    if not run.not_run_count:
        return []
    lines = title(f"{count(run.not_run_count, 'scenario')} not run", look)
    for left in run.unrun:
        if left.why:
            lines.append(Line(4).gap(4).own("because ", look.dim).name(left.why, look.text))
        lines += [Line(6).gap(4).name(scenario, look.dim) for scenario in left.ids[:MAX_NOT_RUN]]
        more = left.count - min(len(left.ids), MAX_NOT_RUN)
        if more > 0:
            lines.append(Line().gap(4).own(f"{more:,} more", look.faint))
    return lines


def rows_lines(board: Board, label: str, rows: Iterable[int], look: Palette) -> list[Line]:
    """A file or class: its verdicts and its slowest scenarios."""
    listed = list(rows)
    lines = [Line(4).gap(2).name(label, look.strong), Line()]
    lines += _verdicts(Counter(board.status[row] for row in listed if board.parent[row] < 0), look)
    slowest = sorted((row for row in listed if board.duration[row]), key=lambda row: -board.duration[row])[:8]
    if slowest:
        lines += title("slowest", look)
        for row in slowest:
            took = seconds(board.duration[row])
            line = Line().gap(4).own(look.glyphs.of(board.status[row]), look.of(board.status[row])).gap(1)
            line.put(shorten(clean(board.facts[row].name), 42), look.text)
            lines.append(line.gap(max(2, 54 - line.columns - len(took))).own(took, look.dim))
    return lines


def notice_lines(notice: Notice, look: Palette) -> list[Line]:
    """A launch that failed, a file that could not be collected, a gap: what, where, what was said, what to do."""
    warn = notice.kind in NEXT_ACTION
    lines = [Line(4).gap(2).name(text, look.strong) for text in notice.message.splitlines()[:10]] or [Line()]
    place = f"{notice.file}:{notice.line}" if notice.file and notice.line else notice.file
    for word, value in (
        ("suite", notice.suite),
        ("place", place),
        ("scenario", notice.scenario),
        ("code", notice.code),
    ):
        if value:
            lines.append(Line(12).gap(2).own(f"{word:<9}", look.dim).name(value, look.text))
    if notice.command:
        lines.append(
            Line(12).gap(2).own(f"{'command':<9}", look.dim).name(" ".join(notice.command), look.text)
        )
    action = notice.action or NEXT_ACTION.get(notice.kind, "")
    if action:
        lines += title("next", look)
        lines.append(
            Line(6)
            .gap(4)
            .own(look.glyphs.arrow + " ", look.accent)
            .name(action, look.strong if warn else look.text)
        )
    if notice.detail:
        lines += title("what it said", look)
        said = safe_lines(notice.detail.encode("utf-8", "surrogatepass"))
        lines += [Line(4).gap(4).put(line, look.text) for line in said[-400:]]
    if notice.failure is not None:
        lines += title("exception", look)
        lines += failure_lines(Attempt(0, failures=[notice.failure]), look)
    return lines
