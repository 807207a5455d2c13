"""One attempt as a story: steps with timings, assertions, cases, and how to run exactly it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tracekit.model.facts import Attempt, Notice, ScenarioFacts, Step
from tracekit.model.status import BY_WORD, RED_STATUSES, Status
from tracekit.ui.board import Board
from tracekit.ui.panes.failure import place_of
from tracekit.ui.safe import Line, clean, safe_lines, shorten
from tracekit.ui.theme import Palette
from tracekit.ui.words import count, moment, seconds

SETUPS = frozenset({"setup", "fixture"})
ENDS = frozenset({"teardown", "cleanup"})
MAX_STEPS = 500
MAX_STACK = 200


def sign(verdict: str | None, look: Palette, now: int) -> tuple[str, int]:
    """The sign of a verdict and the status it stands for; none yet means it runs."""
    status = Status.RUNNING if verdict is None else BY_WORD.get(verdict, Status.ERROR)
    return look.glyphs.of(status, now), status


def strip_of_steps(attempt: Attempt, look: Palette, now: int) -> Line:
    """`setup ✓ 0.10s → call ✗ 2.10s → teardown ✓`: the attempt in one line."""
    line = Line().gap(1)
    steps = _told(attempt.steps)
    for number, step in enumerate(steps[:12]):
        if number:
            line.gap(1).own(look.glyphs.arrow, look.faint).gap(1)
        glyph, status = sign(step.verdict or attempt.verdict, look, now)
        line.put(
            shorten(clean(step.name or step.kind), 24), look.text if status in RED_STATUSES else look.dim
        )
        line.gap(1).own(glyph, look.of(status))
        if step.duration_ns >= 10_000_000:
            line.gap(1).own(seconds(step.duration_ns), look.faint)
    if len(steps) > 12:
        line.own(f" {look.glyphs.dots} {len(steps) - 12} more", look.faint)
    return line


def _told(steps: Sequence[Step]) -> list[Step]:
    """Phases, with what a test declared in the place of its call; fixtures are told by the setup they belong to."""
    declared = [step for step in steps if step.kind in {"step", "fault"} and not _inside(step, steps)]
    first = [step for step in steps if step.kind == "setup"]
    last = [step for step in steps if step.kind == "teardown"] or [
        step for step in steps if step.kind == "cleanup"
    ]
    return [*first, *(declared or [step for step in steps if step.kind == "call"]), *last]


def _inside(step: Step, steps: Sequence[Step]) -> bool:
    return (
        any(other.id == step.parent and other.kind in {"step", "fault"} for other in steps)
        if step.parent
        else False
    )


def title(text: str, look: Palette) -> list[Line]:
    """A row that begins a part."""
    return [Line(), Line().own(f"  {text}", look.accent)]


def story_lines(facts: ScenarioFacts, attempt: Attempt | None, look: Palette, now: int) -> list[Line]:
    """Story, setup, steps, assertions, cleanup."""
    lines: list[Line] = []
    story = (facts.story or facts.doc).strip()
    if story:
        lines += [Line(2).gap(2).name(text.strip(), look.text) for text in story.splitlines()[:12]]
    if facts.tags:
        lines.append(Line(2).gap(2).own("tags ", look.dim).name(" ".join(facts.tags[:20]), look.dim))
    if attempt is None:
        return [*lines, *title("not run yet", look)] if lines else [Line().own("  not run yet", look.dim)]
    depth = _depths(attempt.steps)
    for heading, kinds in (("setup", SETUPS), ("steps", None), ("cleanup", ENDS)):
        steps = [
            step
            for step in attempt.steps
            if (step.kind in kinds if kinds else step.kind not in SETUPS | ENDS)
        ]
        if steps:
            lines += title(heading, look)
            lines += [_step(step, attempt, depth.get(step.id, 0), look, now) for step in steps[:MAX_STEPS]]
            if len(steps) > MAX_STEPS:
                lines.append(Line().own(f"    {len(steps) - MAX_STEPS} more", look.faint))
    if attempt.assertions:
        lines += title("assertions", look)
        for assertion in attempt.assertions[:MAX_STEPS]:
            status = Status.PASSED if assertion.passed else Status.FAILED
            line = Line(6).gap(4).own(look.glyphs.of(status), look.of(status)).gap(1)
            line.name(str(assertion.actual), look.text).gap(1).name(assertion.op, look.dim).gap(1)
            lines.append(line.name(str(assertion.expected), look.text))
    return lines[1:] if lines and not lines[0].segments else lines


def stall_lines(
    notices: Iterable[Notice], facts: ScenarioFacts, attempt: Attempt, look: Palette
) -> list[Line]:
    """Where an attempt was when it said nothing for too long, or was over its time; the test's own thread first."""
    if not attempt.stalls:
        return []
    lines: list[Line] = []
    for notice in notices:
        if notice.kind != "stalled" or (notice.scenario, notice.attempt) != (facts.id, attempt.number):
            continue
        lines += title("where it was", look)
        lines.append(Line(4).gap(4).name(notice.message, look.warn))
        said = safe_lines(notice.detail.encode("utf-8", "surrogatepass"))
        lines += [Line(4).gap(4).put(line, look.text) for line in said[:MAX_STACK]]
    return lines


def _depths(steps: Sequence[Step]) -> dict[str, int]:
    depth: dict[str, int] = {}
    for step in steps:
        depth[step.id] = min(8, depth.get(step.parent, 0) + 1) if step.parent else 0
    return depth


def _step(step: Step, attempt: Attempt, depth: int, look: Palette, now: int) -> Line:
    # A step that was open when its attempt was ended from outside went the way of the attempt.
    glyph, status = sign(step.verdict or attempt.verdict, look, now)
    line = Line(6).gap(4 + 2 * depth).own(glyph, look.of(status)).gap(1)
    took = seconds(step.duration_ns) if step.verdict is not None else ""
    name = shorten(clean(step.name or step.kind), 44)
    line.put(name, look.strong if status in RED_STATUSES else look.text)
    line.gap(max(2, 52 - line.columns - len(took))).own(took, look.dim)
    return line.gap(2).own(step.kind if step.kind in SETUPS | ENDS else "", look.faint)


def case_lines(board: Board, row: int, look: Palette, now: int) -> list[Line]:
    """Other parameters and the sub-tests of the same test."""
    family = [row, *board.family(row)]
    subs = [other for other in family if board.parent[other] == row]
    cases = [other for other in family if board.parent[other] != row]
    lines: list[Line] = []
    if len(cases) > 1:
        lines += title(f"{count(len(cases), 'case')} of this test", look)
        lines += [_case(board, other, look, now, here=other == row) for other in sorted(cases)[:MAX_STEPS]]
    if subs:
        lines += title(count(len(subs), "sub-test"), look)
        lines += [_case(board, other, look, now, here=False) for other in subs[:MAX_STEPS]]
    return lines[1:] or [Line().own("  this test has no parameters and no sub-tests", look.dim)]


def _case(board: Board, row: int, look: Palette, now: int, *, here: bool) -> Line:
    status = board.status[row]
    line = Line(6).gap(2).own(look.glyphs.own if here else " ", look.accent).gap(1)
    line.own(look.glyphs.of(status, now), look.of(status)).gap(1)
    took = seconds(board.duration[row]) if board.duration[row] else ""
    line.put(shorten(clean(board.facts[row].name), 44), look.strong if status in RED_STATUSES else look.text)
    return line.gap(max(2, 52 - line.columns - len(took))).own(took, look.dim)


def repro_lines(
    facts: ScenarioFacts, attempt: Attempt | None, command: str, look: Palette, root: str = ""
) -> list[Line]:
    """Where the code is, and how to run exactly this again."""
    lines = title("command", look)[1:]
    lines.append(Line(6).gap(4).name(command, look.strong))
    lines += title("code", look)
    place = f"{facts.file}:{facts.line}" if facts.line else facts.file
    lines.append(Line(6).gap(4).name(place or "unknown", look.text))
    frames = [
        frame
        for failure in (attempt.failures if attempt else [])
        for link in failure.chain[:1]
        for frame in link.frames
        if frame.own
    ]
    for frame in frames[-6:]:
        lines.append(
            Line(6).gap(4).name(place_of(frame, root), look.dim).gap(2).name(frame.code.strip(), look.own)
        )
    lines += title("scenario", look)
    lines.append(Line(6).gap(4).name(facts.id, look.text))
    if attempt is not None:
        lines += title("process", look)
        for word, value in _process(attempt):
            lines.append(Line(14).gap(4).own(f"{word:<10}", look.dim).name(value, look.text))
    return lines


def _process(attempt: Attempt) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    if attempt.started_t:
        told.append(("began", moment(attempt.started_t) + " UTC"))
    if attempt.pid is not None:
        told.append(("pid", str(attempt.pid)))
    if attempt.rusage is not None:
        used = attempt.rusage
        told.append(("cpu", f"{used.user:.2f}s of its own, {used.system:.2f}s in the system"))
        if used.peak_kib:
            told.append(("memory", f"{used.peak_kib / 1024:.0f} MiB, the process's peak up to then"))
    for word in ("worker", "launch", "exit", "signal"):
        value = getattr(attempt, word)
        if value is not None and value != "":
            told.append((word, str(value)))
    return told
