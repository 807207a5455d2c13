"""One attempt as a story: steps with timings, assertions, cases, and how to run exactly it again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tracekit.model.facts import Attempt, Frame, Notice, ScenarioFacts, Step
from tracekit.model.runfacts import ELSEWHERE
from tracekit.model.status import BY_WORD, RED_STATUSES, Status
from tracekit.model.words import count, seconds
from tracekit.ui.board import Board
from tracekit.ui.panes.frames import own_frames, place_of
from tracekit.ui.panes.picks import GoTo, Place, Stretch
from tracekit.ui.safe import Line, clean, shorten, shorten_name
from tracekit.ui.theme import Palette
from tracekit.wire.ids import in_python

if TYPE_CHECKING:
    from rich.style import Style

SETUPS = frozenset({"setup", "fixture"})
ENDS = frozenset({"teardown", "cleanup"})
MAX_STEPS = 500
MAX_STACK = 200
#: The column in which durations end.
TOOK_ENDS = 52
FRAME = re.compile(r"  (?P<file>[^\n]+):(?P<line>\d{1,9}) in (?P<function>[^\n]+)")


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


def story_lines(
    facts: ScenarioFacts, attempt: Attempt, look: Palette, *, now: int, stretch: Stretch | None = None
) -> list[Line]:
    """Scenario, setup, steps, assertions, cleanup; a step can be chosen: then every pane is about its time."""
    lines = about_lines(facts, look)
    depth = _depths(attempt.steps)

    def part(heading: str, steps: Sequence[Step]) -> list[Line]:
        lines = title(heading, look)
        for step in steps[:MAX_STEPS]:
            chosen = stretch is not None and stretch.step == step.id
            line = _step(step, attempt, depth.get(step.id, 0), look, now=now, chosen=chosen)
            over = step.start_m + step.duration_ns if step.verdict is not None else 0
            if step.start_m:
                line.pick = Stretch(step.name or step.kind, step.start_m, over, step.id)
            lines.append(line)
        if len(steps) > MAX_STEPS:
            lines.append(Line().own(f"    {len(steps) - MAX_STEPS} more", look.faint))
        return lines if steps else [*lines, Line().gap(4).own("none recorded", look.faint)]

    lines += part("setup", [step for step in attempt.steps if step.kind in SETUPS])
    lines += part("steps", [step for step in attempt.steps if step.kind not in SETUPS | ENDS])
    lines += _assertions(facts, attempt, look)
    lines += part("cleanup", [step for step in attempt.steps if step.kind in ENDS])
    return lines


def about_lines(facts: ScenarioFacts, look: Palette) -> list[Line]:
    """What the scenario is about, in its author's words."""
    lines = title("scenario", look)[1:]
    story = (facts.story or facts.doc).strip()
    told = story.splitlines()[:12] if story else [facts.name.removeprefix("test_").replace("_", " ")]
    lines += [Line(4).gap(4).name(text.strip(), look.text) for text in told]
    if facts.tags:
        lines.append(Line(4).gap(4).own("tags ", look.dim).name(" ".join(facts.tags[:20]), look.dim))
    return lines


def _assertions(facts: ScenarioFacts, attempt: Attempt, look: Palette) -> list[Line]:
    lines = title("assertions", look)
    if not attempt.assertions:
        said = "none recorded: a plain assert is, when it fails" if in_python(facts.id) else "none recorded"
        return [*lines, Line().gap(4).own(said, look.faint)]
    for assertion in attempt.assertions[:MAX_STEPS]:
        status = Status.PASSED if assertion.passed else Status.FAILED
        line = Line(6).gap(4).own(look.glyphs.of(status), look.of(status)).gap(1)
        line.name(str(assertion.actual), look.text).gap(1).name(assertion.op, look.dim).gap(1)
        lines.append(line.name(str(assertion.expected), look.text))
    return lines


def stall_lines(
    notices: Iterable[Notice], facts: ScenarioFacts, attempt: Attempt, look: Palette, root: str = ""
) -> list[Line]:
    """Where an attempt was when it said nothing for too long, or was over its time; the test's own thread first."""
    if not attempt.stalls:
        return []
    lines: list[Line] = []
    before = ""
    for notice in notices:
        if notice.kind != "stalled" or (notice.scenario, notice.attempt) != (facts.id, attempt.number):
            continue
        lines += title("where it was", look)
        lines.append(Line(4).gap(4).name(notice.message, look.warn))
        if notice.detail and notice.detail == before:
            lines.append(Line(8).gap(4).own("where it was before", look.dim))
            continue
        before = notice.detail
        lines += [_stack_line(text, look, root) for text in notice.detail.splitlines()[:MAX_STACK]]
    return lines


def _stack_line(text: str, look: Palette, root: str) -> Line:
    """A line of a stack: the project's own frames as they look elsewhere, and they can be chosen."""
    found = FRAME.fullmatch(text)
    below = root.rstrip("/") + "/"
    own = found is not None and root != "" and found["file"].startswith(below)
    if found is None or not own or "/site-packages/" in found["file"]:
        return Line(8).gap(4).name(text, look.text if found is None else look.faint)
    frame = Frame(found["file"], int(found["line"]), found["function"], own=True)
    line = Line(8).gap(4).own(look.glyphs.own, look.accent).gap(1).name(place_of(frame, root), look.text)
    line.own("  in ", look.faint).name(frame.function, look.dim)
    line.pick = Place(frame.file, frame.line)
    return line


def _depths(steps: Sequence[Step]) -> dict[str, int]:
    depth: dict[str, int] = {}
    for step in steps:
        depth[step.id] = min(8, depth.get(step.parent, 0) + 1) if step.parent else 0
    return depth


def _step(step: Step, attempt: Attempt, depth: int, look: Palette, *, now: int, chosen: bool) -> Line:
    # A step that was open when its attempt was ended from outside went the way of the attempt.
    glyph, status = sign(step.verdict or attempt.verdict, look, now)
    line = Line(6).gap(2).own(look.glyphs.own if chosen else " ", look.accent).gap(1 + 2 * depth)
    line.own(glyph, look.of(status)).gap(1)
    took = seconds(step.duration_ns) if step.verdict is not None else ""
    _timed(line, step.name or step.kind, took, look.strong if status in RED_STATUSES else look.text, look)
    return line.gap(2).own(step.kind if step.kind in SETUPS | ENDS else "", look.faint)


def case_lines(board: Board, row: int, look: Palette, now: int) -> list[Line]:
    """Edge cases: other parameters and the sub-tests of the same test; each can be chosen."""
    family = [row, *board.family(row)]
    subs = [other for other in family if board.parent[other] == row]
    cases = [other for other in family if board.parent[other] != row]
    lines = title("edge cases", look)
    if len(cases) > 1:
        lines.append(Line().gap(4).own(f"{count(len(cases), 'case')} of this test", look.dim))
        lines += [_case(board, other, look, now, here=other == row) for other in sorted(cases)[:MAX_STEPS]]
    if subs:
        lines.append(Line().gap(4).own(count(len(subs), "sub-test"), look.dim))
        lines += [_case(board, other, look, now, here=False) for other in subs[:MAX_STEPS]]
    if len(lines) == 2:
        lines.append(Line().gap(4).own("no parameters and no sub-tests", look.faint))
    return lines


def _case(board: Board, row: int, look: Palette, now: int, *, here: bool) -> Line:
    status = board.status[row]
    line = Line(6).gap(2).own(look.glyphs.own if here else " ", look.accent).gap(1)
    line.own(look.glyphs.of(status, now), look.of(status)).gap(1)
    took = seconds(board.duration[row]) if board.duration[row] else ""
    _timed(line, board.facts[row].name, took, look.strong if status in RED_STATUSES else look.text, look)
    line.pick = None if here else GoTo(board.ids[row])
    return line


def _timed(line: Line, name: str, took: str, style: Style, look: Palette) -> None:
    """A name and behind it how long it took, which ends in one column however long the name is."""
    room = TOOK_ENDS - line.columns - len(took) - 2
    line.put(shorten_name(clean(name), room, look.glyphs.dots), style)
    line.gap(TOOK_ENDS - line.columns - len(took)).own(took, look.dim)


def code_lines(facts: ScenarioFacts, command: str, look: Palette) -> list[Line]:
    """Code and command: where it stands, and how to run exactly this."""
    place = f"{facts.file}:{facts.line}" if facts.line else facts.file
    lines = title("code and command", look)
    line = Line(6).gap(4).name(place or "unknown", look.text)
    line.pick = Place(facts.file, max(1, facts.line)) if facts.file else None
    return [*lines, line, _command(command, look)]


def _command(command: str, look: Palette) -> Line:
    """How it is run again; of what was recorded elsewhere there is no way here."""
    return Line(6).gap(4).name(command, look.strong) if command else Line(6).gap(4).own(ELSEWHERE, look.dim)


def repro_lines(
    facts: ScenarioFacts, attempt: Attempt | None, command: str, look: Palette, root: str = ""
) -> list[Line]:
    """Where the code is, and how to run exactly this again."""
    lines = title("command", look)[1:]
    lines.append(_command(command, look))
    lines += title("code", look)
    place = f"{facts.file}:{facts.line}" if facts.line else facts.file
    lines.append(Line(6).gap(4).name(place or "unknown", look.text))
    for frame in own_frames(attempt)[-6:]:
        line = Line(6).gap(4).name(place_of(frame, root), look.dim).gap(2).name(frame.code.strip(), look.own)
        line.pick = Place(frame.file, frame.line)
        lines.append(line)
    lines += title("scenario", look)
    lines.append(Line(6).gap(4).name(facts.id, look.text))
    return lines
