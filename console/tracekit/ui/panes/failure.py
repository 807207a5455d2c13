"""The failure of one attempt: exception chain, own frames with their source line and locals, operands, diff.

Lines are built from the fold's facts; what a hostile test may have put there is bounded here and cleaned by `Line`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tracekit.model.facts import Assertion, Attempt, ExceptionFacts, Failure, Frame
from tracekit.ui.panes.picks import Place
from tracekit.ui.safe import Line, clean, safe_lines
from tracekit.ui.theme import Palette

WORD = re.compile(r"\w+")
MAX_FRAMES = 60
MAX_LOCALS = 24
MAX_DIFF = 400
MAX_TEXT = 400
MAX_CHAIN = 12
MAX_NOTE = 30
MAX_MESSAGE = 60
# Of a long message the beginning stands before the place, the rest below it.
FIRST_LINES = 4
RELATIONS = {
    "cause": "caused by",
    "context": "while handling",
}


def failure_lines(attempt: Attempt, look: Palette, root: str = "") -> list[Line]:
    """Everything that went wrong in an attempt, the most telling first; places below `root` are told from there."""
    lines: list[Line] = []
    if attempt.reason and attempt.verdict not in {"passed", None}:
        lines += [Line(2).own("  ").name(attempt.reason, look.text), Line()]
    failed = [assertion for assertion in attempt.assertions if not assertion.passed]
    for number, failure in enumerate(attempt.failures):
        if number:
            lines.append(Line())
        lines += _failure(failure, failed if number == 0 else [], look, root)
    if not attempt.failures:
        for assertion in failed:
            lines += _assertion(assertion, look)
    if not lines:
        lines.append(Line().own("  nothing failed in this attempt", look.dim))
    return lines


def _failure(failure: Failure, assertions: list[Assertion], look: Palette, root: str) -> list[Line]:
    lines: list[Line] = []
    if failure.when and failure.when != "call":
        lines.append(Line().own("  in ", look.dim).name(failure.when, look.warn))
    if not failure.chain:
        return lines + _text(failure.text, look)
    for number, exception in enumerate(failure.chain[:MAX_CHAIN]):
        if number:
            lines.append(Line())
        lines += _exception(
            exception, look, first=number == 0, most=FIRST_LINES if number == 0 else MAX_MESSAGE
        )
        if number == 0:
            for assertion in assertions:
                lines += [Line(), *_assertion(assertion, look)]
        lines += _frames(exception.frames, look, root, with_locals=number == 0)
        if number == 0:
            lines += _rest(exception.message, look)
    if len(failure.chain) > MAX_CHAIN:
        lines.append(Line().own(f"  {len(failure.chain) - MAX_CHAIN} more exceptions", look.dim))
    return lines


def _rest(message: str, look: Palette) -> list[Line]:
    """What a long message says beyond its beginning: below the place, which tells more."""
    said = message.splitlines()
    if len(said) <= FIRST_LINES + 1:
        return []
    shown = said[FIRST_LINES:MAX_MESSAGE]
    lines = [Line(), Line().own("  the rest of its message", look.accent)]
    lines += [Line(4).gap(4).name(text, look.text) for text in shown]
    if len(said) > MAX_MESSAGE:
        lines.append(Line().gap(4).own(f"{len(said) - MAX_MESSAGE} more lines", look.faint))
    return lines


def _exception(
    exception: ExceptionFacts, look: Palette, *, first: bool, depth: int = 0, most: int = MAX_MESSAGE
) -> list[Line]:
    head = Line(4).gap(2 + 2 * depth)
    if not first and exception.relation:
        head.own(RELATIONS.get(exception.relation, "after") + " ", look.dim)
    head.name(type_of(exception), look.failure)
    message = _message_lines(exception.message, most)
    lines = [head]
    if len(message) == 1 and message[0].strip():
        head.own("  ").name(message[0], look.strong if first else look.text)
    else:
        lines += [
            Line(4).gap(4 + 2 * depth).name(text, look.strong if first else look.text) for text in message
        ]
    for note in exception.notes[:20]:
        told = note.splitlines()[:MAX_NOTE] or [""]
        lines.append(Line(4).gap(4 + 2 * depth).own("note ", look.dim).name(told[0], look.text))
        lines += [Line(9).gap(9 + 2 * depth).name(text, look.text) for text in told[1:]]
    for inner in exception.group[:20]:
        if depth < 6:
            lines += _exception(inner, look, first=True, depth=depth + 1)
    return lines


def type_of(exception: ExceptionFacts) -> str:
    """An exception's type; with its module where the name alone says nothing, as in `zlib.error`."""
    plain = exception.type[:1].islower() and exception.module not in {"", "builtins", "__main__"}
    return f"{exception.module}.{exception.type}" if plain else exception.type


def _message_lines(message: str, most: int) -> list[str]:
    lines = message.splitlines() or [""]
    if len(lines) > most + 1:
        return [*lines[:most], f"({len(lines) - most} more lines)"]
    return lines


def _frames(frames: list[Frame], look: Palette, root: str, *, with_locals: bool) -> list[Line]:
    if not frames:
        return []
    lines = [Line()]
    shown = frames if len(frames) <= MAX_FRAMES else [*frames[: MAX_FRAMES // 2], *frames[-MAX_FRAMES // 2 :]]
    hidden = len(frames) - len(shown)
    last_own = next((frame for frame in reversed(frames) if frame.own), None)
    for number, frame in enumerate(shown):
        if hidden and number == MAX_FRAMES // 2:
            lines.append(Line().own(f"      {hidden} frames left out", look.faint))
        lines += _frame(frame, look, root)
        if with_locals and frame is last_own and frame.locals:
            lines += _locals(frame, look)
    return lines


def _frame(frame: Frame, look: Palette, root: str) -> list[Line]:
    style = look.text if frame.own else look.faint
    sign = look.glyphs.own if frame.own else " "
    place = Line(6).gap(2).own(sign, look.accent).gap(1).name(place_of(frame, root), style)
    place.own("  in ", look.faint).name(frame.function, look.dim if frame.own else look.faint)
    place.pick = Place(frame.file, frame.line) if frame.own else None
    if not frame.code:
        return [place]
    code = Line(8).gap(6).name(frame.code.strip(), look.own if frame.own else look.faint)
    return [place, code]


def own_frames(attempt: Attempt | None) -> list[Frame]:
    """The project's own frames of what was raised, the outermost first."""
    failures = attempt.failures if attempt is not None else []
    return [frame for failure in failures for link in failure.chain[:1] for frame in link.frames if frame.own]


def place_of(frame: Frame, root: str) -> str:
    """`file:line`, from the project's root where it lies below it; what is installed, from its packages on."""
    file = frame.file
    if root and file.startswith(root.rstrip("/") + "/"):
        file = file[len(root.rstrip("/")) + 1 :]
    else:
        for folder in ("/site-packages/", "/dist-packages/"):
            file = file.rpartition(folder)[2]
    return f"{file}:{frame.line}"


def _locals(frame: Frame, look: Palette) -> list[Line]:
    # What stands in the line itself is looked for first.
    used = set(WORD.findall(frame.code))
    names = sorted(frame.locals.items(), key=lambda one: one[0] not in used)
    width = min(16, max((clean(name).columns for name, _ in names[:MAX_LOCALS]), default=0))
    lines = []
    for name, value in names[:MAX_LOCALS]:
        shown = clean(name)
        line = Line(8 + width).gap(6).put(shown, look.dim).gap(width - shown.columns)
        lines.append(line.own(" = ", look.faint).name(value.replace("\n", "\\n"), look.text))
    if len(names) > MAX_LOCALS:
        lines.append(Line().own(f"      {len(names) - MAX_LOCALS} more locals", look.faint))
    return lines


def _assertion(assertion: Assertion, look: Palette) -> list[Line]:
    lines = []
    actual, expected = _operand(assertion.actual), _operand(assertion.expected)
    sign = {"==": look.glyphs.unequal}.get(assertion.op, assertion.op)
    if len(actual) == 1 and len(expected) == 1 and len(actual[0]) + len(expected[0]) < 56:
        line = Line(6).gap(4).name(actual[0], look.failure).gap(1).name(sign, look.dim).gap(1)
        lines.append(line.name(expected[0], look.strong))
    else:
        for word, operand in (("actual", actual), ("expected", expected)):
            line = Line(13).gap(4).own(f"{word:<9}", look.dim).name(operand[0], look.text)
            lines.append(line)
            lines += [Line(13).gap(13).name(text, look.text) for text in operand[1:6]]
            if len(operand) > 6:
                lines.append(Line().gap(13).own(f"{len(operand) - 6} more lines", look.faint))
    if assertion.diff:
        lines += [Line(), *diff_lines(assertion.diff, look)]
    return lines


def _operand(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.splitlines() or [""]
    try:
        return [json.dumps(value, ensure_ascii=False, default=str)]
    except (ValueError, RecursionError):
        return ["(cannot be shown)"]


def diff_lines(diff: str, look: Palette) -> list[Line]:
    """A diff with its signs coloured."""
    styles = {"+": look.added, "-": look.removed, "?": look.faint, "@": look.hunk}
    raw = diff.splitlines()
    lines = [Line(6).gap(4).name(text, styles.get(text[:1], look.dim)) for text in raw[:MAX_DIFF]]
    if len(raw) > MAX_DIFF:
        lines.append(Line().own(f"    {len(raw) - MAX_DIFF} more lines", look.faint))
    return lines


def _text(text: str, look: Palette) -> list[Line]:
    """What the runner itself said, where no exception was recorded."""
    lines = safe_lines(text.encode("utf-8", "surrogatepass"))
    return [Line(4).gap(2).put(line, look.text) for line in lines[:MAX_TEXT]]
