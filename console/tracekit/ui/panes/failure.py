"""The failure of one attempt: exception chain, own frames with their source line and locals, operands, diff.

Lines are built from the fold's facts; what a hostile test may have put there is bounded here and cleaned by `Line`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tracekit.model.facts import Assertion, Attempt, ExceptionFacts, Failure, Frame, Handled
from tracekit.model.handling import handled_before
from tracekit.ui.panes.frames import frame_lines, frames_lines, place_of
from tracekit.ui.safe import Line, clean, safe_lines, shorten
from tracekit.ui.theme import Palette

MAX_DIFF = 400
MAX_TEXT = 400
MAX_CHAIN = 12
MAX_BEHIND = 3
MAX_NOTE = 30
MAX_SAID = 56  # columns of a message whose whole stands further down
MAX_MESSAGE = 60
# Of a long message the beginning stands before the place, the rest below it.
FIRST_LINES = 4
RELATIONS = {
    "cause": "caused by",
    "context": "while handling",
}

# Where node's own difference begins.
_COMPARED = "+ actual - expected"


def failure_lines(
    attempt: Attempt, look: Palette, root: str = "", raised: Sequence[Handled] = ()
) -> list[Line]:
    """Everything that went wrong in an attempt, the most telling first; places below `root` are told from there.
    `raised` is what its trace knows of exceptions.
    """
    lines: list[Line] = []
    if attempt.reason and attempt.verdict not in {"passed", None}:
        lines += [Line(2).own("  ").name(attempt.reason, look.text), Line()]
    failed = [assertion for assertion in attempt.assertions if not assertion.passed]
    for number, failure in enumerate(attempt.failures):
        if number:
            lines.append(Line())
        here = failed if number == 0 else []
        lines += _failure(failure, here, look, root)
        lines += _handled(handled_before(failure, raised if number == 0 else ()), look, root)
        lines += _rest(_without(failure.chain[0].message, here), look) if failure.chain else []
    if not attempt.failures:
        for assertion in _unsaid(failed, ""):
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
        if number == 0:
            told = _unsaid(assertions, exception.message)
            head = replace(exception, message=_without(exception.message, told))
            lines += _exception(head, look, first=True, most=FIRST_LINES)
            lines += _behind(failure.chain[1:], exception.message, look, root)
            for assertion in told:
                lines += [Line(), *_assertion(assertion, look)]
        else:
            lines += _exception(exception, look, first=False)
        # What is raised by a runner on behalf of something else has no place of the project: the next one has.
        others = any(frame.own for link in failure.chain[number + 1 :] for frame in link.frames)
        lines += frames_lines(exception, look, root, first=number == 0, others=others)
    if len(failure.chain) > MAX_CHAIN:
        lines.append(Line().own(f"  {len(failure.chain) - MAX_CHAIN} more exceptions", look.dim))
    return lines


def _unsaid(assertions: Sequence[Assertion], message: str) -> list[Assertion]:
    """Without those that the message says word for word already, and each of the others once."""
    first, found = (message.splitlines() or [""])[0], list[Assertion]()
    for assertion in assertions:
        words = " ".join([*_operand(assertion.actual)[:1], assertion.op, *_operand(assertion.expected)[:1]])
        # Of two short values a difference is not shown either: the message has said it all.
        said = first.removeprefix("assert ") == words and _short(assertion)
        if not said and not any(_same(assertion, other) for other in found):
            found.append(assertion)
    return found


def _without(message: str, assertions: Sequence[Assertion]) -> str:
    """A message without what values and their difference say right below it."""
    told = {
        f"{word}: {value}"
        for one in assertions
        for word, value in (("left", one.actual), ("right", one.expected))
    }
    kept: list[str] = []
    for line in message.splitlines():
        if line.strip() == _COMPARED and any(one.diff for one in assertions):
            break
        if line.strip() not in told:
            kept.append(line)
    while kept and not kept[-1].strip():
        kept.pop()
    return "\n".join(kept) if kept else message


def _same(one: Assertion, other: Assertion) -> bool:
    return (one.actual, one.op, one.expected, one.diff) == (
        other.actual,
        other.op,
        other.expected,
        other.diff,
    )


def _behind(links: Sequence[ExceptionFacts], told: str, look: Palette, root: str) -> list[Line]:
    """What led to the first one, in a line each: their frames stand further down. A message is begun where it says
    anything beside what was `told` already.
    """
    lines = []
    for link in links[:MAX_BEHIND]:
        line = Line(6).gap(4).own(RELATIONS.get(link.relation or "", "after") + " ", look.dim)
        line.name(type_of(link), look.failed)
        said = next((text.strip() for text in link.message.splitlines() if text.strip()), "")
        if said and said not in told:
            line.own("  ").put(shorten(clean(said), MAX_SAID, look.glyphs.dots), look.text)
            told = f"{told}\n{said}"
            own = [frame for frame in link.frames if frame.own]  # a place of others says less than the words
        else:
            own = [frame for frame in link.frames if frame.own] or link.frames
        lines.append(line.own("  ").name(place_of(own[-1], root), look.dim) if own else line)
    return lines


def _rest(message: str, look: Palette) -> list[Line]:
    """What a long message says beyond its beginning: below the place, which tells more."""
    said = message.splitlines()
    if len(said) <= FIRST_LINES + 1:
        return []
    shown = said[FIRST_LINES - 1 : MAX_MESSAGE]
    lines = [Line(), Line().own("  the rest of its message", look.accent)]
    lines += [Line(4).gap(4).name(text, look.text) for text in shown]
    if len(said) > MAX_MESSAGE:
        lines.append(Line().gap(4).own(f"{len(said) - MAX_MESSAGE} more lines", look.faint))
    return lines


def _handled(many: Sequence[Handled], look: Palette, root: str) -> list[Line]:
    """What was caught before it failed: a place each, nothing that was told already."""
    if not many:
        return []
    lines = [Line(), Line().own("  handled before it failed", look.accent)]
    for one in many:
        head = Line(6).gap(4).name(type_of(one), look.failed)
        said = (one.message.strip().splitlines() or [""])[0]
        head.own("  " if said else "").name(said, look.text)
        if one.name:
            head.own("  held by ", look.faint).name(one.name, look.dim)
        head.own(f"  {one.count:,} times" if one.count > 1 else "", look.faint)
        lines.append(head)
        if one.file:
            at = Frame(one.file, one.line, one.function, one.own, one.code)
            lines += frame_lines(at, look, root, indent=2)
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


def type_of(exception: ExceptionFacts | Handled) -> str:
    """An exception's type; with its module where the name alone says nothing, as in `zlib.error`."""
    plain = exception.type[:1].islower() and exception.module not in {"", "builtins", "__main__"}
    return f"{exception.module}.{exception.type}" if plain else exception.type


def _message_lines(message: str, most: int) -> list[str]:
    lines = message.splitlines() or [""]
    if len(lines) <= most + 1:
        return lines
    # A long message says at its end what it is about: it often is a traceback.
    last = next((line for line in reversed(lines) if line.strip()), "")
    return [*lines[: most - 1], f"({len(lines) - most} more lines)", last]


def _assertion(assertion: Assertion, look: Palette) -> list[Line]:
    actual, expected = _operand(assertion.actual), _operand(assertion.expected)
    sign = {"==": look.glyphs.unequal}.get(assertion.op, assertion.op)
    if _short(assertion):
        line = Line(6).gap(4).name(actual[0], look.failure).gap(1).name(sign, look.dim).gap(1)
        # A difference would say it a second time.
        return [line.name(expected[0], look.strong)]
    lines = []
    for word, operand in (("actual", actual), ("expected", expected)):
        line = Line(13).gap(4).own(f"{word:<9}", look.dim).name(operand[0], look.text)
        lines.append(line)
        lines += [Line(13).gap(13).name(text, look.text) for text in operand[1:6]]
        if len(operand) > 6:
            lines.append(Line().gap(13).own(f"{len(operand) - 6} more lines", look.faint))
    if assertion.diff:
        lines += [Line(), *diff_lines(assertion.diff, look)]
    return lines


def _short(assertion: Assertion) -> bool:
    """Whether both values stand on one line together."""
    actual, expected = _operand(assertion.actual), _operand(assertion.expected)
    return len(actual) == 1 and len(expected) == 1 and len(actual[0]) + len(expected[0]) < 56


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
