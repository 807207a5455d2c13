"""Frames as lines: the project's own stand out, others are few; and what was held in them.

What a hostile test may have put there is bounded here and cleaned by `Line`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracekit.model.facts import Attempt, ExceptionFacts, Frame
from tracekit.ui.panes.picks import Place
from tracekit.ui.safe import Line, clean, shorten
from tracekit.ui.theme import Palette

if TYPE_CHECKING:
    from rich.style import Style

WORD = re.compile(r"\w+")
# What says nothing by itself: modules, functions, classes, objects that have no words of their own.
PLAIN = re.compile(
    r"<(?:module|function|class|built-in|bound method|method) |<[^<>]* object at 0x[0-9a-f]+>$"
)
MAX_FRAMES = 60
MAX_LOCALS = 24
# Of the test's own frame, the outermost, some more; of one between it and the last only what its line names.
MAX_OUTER, MAX_NAMED = 4, 3
# What a frame between them holds is told in one line.
MAX_VALUE = 60
# So many frames of other packages in a row are told one by one, where the project's own stand behind them.
MAX_FOREIGN = 2
SAME = 40


def frames_lines(
    exception: ExceptionFacts, look: Palette, root: str, *, first: bool, others: bool
) -> list[Line]:
    """The frames of one exception, the outermost first, with what their lines name; of the last own one all locals.
    `others` says whether another exception of the same failure has own frames.
    """
    frames = exception.frames
    own = [place for place, frame in enumerate(frames) if frame.own]
    brief = others and not own
    lines = [Line()] if frames else []
    told = set(_told(frames, brief=brief))
    said: set[tuple[str, str]] = set()
    left_out = 0
    for place, frame in enumerate(frames):
        if place not in told:
            left_out += 1
            continue
        if left_out:
            lines.append(_left_out(left_out, look))
            left_out = 0
        lines += frame_lines(frame, look, root)
        if first and own and place == own[-1]:
            lines += _locals(frame, look)
        elif not brief and (place == len(frames) - 1 or (own and place == own[-1])):
            # What the raising line was given, be it the project's own or not; its message is told already.
            words = repr(exception.message)[1:SAME]
            named = [one for one in _named(frame) if one[1][1:SAME] != words]
            lines += _values(named[:MAX_NAMED], look, None if frame.own else look.dim)
        elif first and frame.own:
            values = _speaking(frame) if place == own[0] else _named(frame)
            lines += _outer(values, said, look, MAX_OUTER if place == own[0] else MAX_NAMED)
    return [*lines, _left_out(left_out, look)] if left_out else lines


def _outer(values: list[tuple[str, str]], said: set[tuple[str, str]], look: Palette, most: int) -> list[Line]:
    """What was not told by a frame further out."""
    news = [one for one in values if one not in said][:most]
    said.update(news)
    short = [(name, shorten(clean(value), MAX_VALUE, look.glyphs.dots).text) for name, value in news]
    return _values(short, look, look.dim)


def _left_out(count: int, look: Palette) -> Line:
    return Line().own(f"      {count} {'frame' if count == 1 else 'frames'} left out", look.faint)


def _told(frames: list[Frame], *, brief: bool) -> list[int]:
    """Which frames are told: the project's own, and of the others what leads to them or lies below."""
    if brief:
        return [len(frames) - 1]
    told: list[int] = []
    run: list[int] = []
    for place, frame in enumerate(frames):
        if not frame.own:
            run.append(place)
            continue
        told += [*(run if len(run) <= MAX_FOREIGN else run[-1:]), place]
        run = []
    told += run
    return told if len(told) <= MAX_FRAMES else [*told[: MAX_FRAMES // 2], *told[-MAX_FRAMES // 2 :]]


def frame_lines(frame: Frame, look: Palette, root: str, indent: int = 0) -> list[Line]:
    """A frame's place and its line."""
    style = look.text if frame.own else look.faint
    sign = look.glyphs.own if frame.own else " "
    place = Line(6 + indent).gap(2 + indent).own(sign, look.accent).gap(1).name(place_of(frame, root), style)
    if frame.function:
        place.own("  in ", look.faint).name(frame.function, look.dim if frame.own else look.faint)
    place.pick = Place(frame.file, frame.line) if frame.own else None
    if not frame.code:
        return [place]
    code = Line(8 + indent).gap(6 + indent).name(frame.code.strip(), look.own if frame.own else look.faint)
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
    return f"{file}:{frame.line}" if frame.line else file


def _locals(frame: Frame, look: Palette) -> list[Line]:
    # What stands in the line itself is looked for first, and what says nothing by itself last.
    used = set(WORD.findall(frame.code))
    names = sorted(frame.locals.items(), key=lambda one: (_plain(one[1]), one[0] not in used))
    lines = _values(names[:MAX_LOCALS], look)
    if len(names) > MAX_LOCALS:
        lines.append(Line().own(f"      {len(names) - MAX_LOCALS} more locals", look.faint))
    return lines


def _named(frame: Frame) -> list[tuple[str, str]]:
    """What the line of a frame names, as far as it says something."""
    used = set(WORD.findall(frame.code))
    return [one for one in _speaking(frame) if one[0] in used]


def _speaking(frame: Frame) -> list[tuple[str, str]]:
    return [one for one in frame.locals.items() if not _plain(one[1])]


def _plain(value: str) -> bool:
    return PLAIN.match(value) is not None


def _values(names: Sequence[tuple[str, str]], look: Palette, style: Style | None = None) -> list[Line]:
    width = min(16, max((clean(name).columns for name, _ in names), default=0))
    lines = []
    for name, value in names:
        shown = clean(name)
        line = Line(8 + width).gap(6).put(shown, look.dim).gap(width - shown.columns)
        lines.append(line.own(" = ", look.faint).name(value.replace("\n", "\\n"), style or look.text))
    return lines
