"""Outside text on its way to the terminal: lines made of `Safe` parts, and the last filter before the driver.

Layer 1 is `tracekit._native`, at the edge of every widget: a `Line` takes `Safe` and nothing else. Layer 2, the
`SafetyFilter`, replaces what should never have come this far by pictures of the same width, and counts it. Nothing here
knows markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.strip import Strip

from tracekit._native import Safe, safe, safe_lines
from tracekit.ui import cells

__all__ = [
    "NOTHING",
    "Line",
    "Safe",
    "SafetyFilter",
    "clean",
    "safe",
    "safe_lines",
    "shorten",
    "shorten_name",
    "wrap",
]

cells.agree()

NOTHING = Style.null()
UNCOLOURED = Style(color="default", bgcolor="default")
NAME_COLUMNS = 512
MOST_STYLES = 4096

# Everything a terminal obeys, hides or reorders by: C0, DEL, C1, bidi, zero width, separators, tags, noncharacters,
# fillers, lone surrogates, and what makes the width of a sign depend on its neighbours (selectors, modifiers, flags).
# Combining marks stay: layer 1 has bounded them.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff\U000e0000-\U000e0fff]"
)
PICTURE = "\N{REPLACEMENT CHARACTER}"

#: The last part of a path with a line.
_PLACE = re.compile(r"[^/\s]+:\d+")


def clean(text: str) -> Safe:
    """A short outside text (a name, a path, a message's line) as safe text; remembered, because rows repeat."""
    return _remembered(text) if len(text) <= NAME_COLUMNS else safe(text, NAME_COLUMNS)


@lru_cache(maxsize=16384)
def _remembered(text: str) -> Safe:
    return safe(text, NAME_COLUMNS)


@lru_cache(maxsize=512)
def _style(words: str) -> Style:
    try:
        return Style.parse(words)
    except Exception:  # noqa: BLE001 - a colour that this terminal library does not know is no colour
        return NOTHING


class Over(dict[Style | None, Style]):
    """Styles laid over one, each once: looking one up is most of what laying it costs."""

    def __init__(self, base: Style) -> None:
        super().__init__()
        self._base = base

    def __missing__(self, style: Style | None) -> Style:
        if len(self) >= MOST_STYLES:
            self.clear()
        made = self[style] = self._base + style if style is not None else self._base
        return made


@lru_cache(maxsize=64)
def _over(base: Style) -> Over:
    return Over(base)


class Line:
    """One line of a screen: safe parts with their styles; `pick` is what a person who chooses the line chooses."""

    __slots__ = ("columns", "indent", "pick", "segments")

    def __init__(self, indent: int = 0) -> None:
        self.segments: list[Segment] = []
        self.columns = 0
        self.indent = indent
        self.pick: object = None

    def put(self, text: Safe, style: Style = NOTHING) -> Line:
        """Add safe text; its own colours lie over `style`."""
        self.columns += text.columns
        if not text.spans:
            self.segments.append(Segment(text.text, style))
            return self
        at = 0
        for start, end, words in text.spans:
            if start > at:
                self.segments.append(Segment(text.text[at:start], style))
            self.segments.append(Segment(text.text[start:end], style + _style(words)))
            at = end
        if at < len(text.text):
            self.segments.append(Segment(text.text[at:], style))
        return self

    def name(self, text: str, style: Style = NOTHING) -> Line:
        """Add a short outside text."""
        return self.put(clean(text), style)

    def own(self, text: str, style: Style = NOTHING) -> Line:
        """Add words of the program itself: literals, glyphs and numbers."""
        self.columns += cell_len(text)
        self.segments.append(Segment(text, style))
        return self

    def gap(self, columns: int, style: Style = NOTHING) -> Line:
        """Add blank columns."""
        if columns > 0:
            self.segments.append(Segment(" " * columns, style))
            self.columns += columns
        return self

    def join(self, other: Line) -> Line:
        """Add another line's parts."""
        self.segments.extend(other.segments)
        self.columns += other.columns
        return self

    def strip(self, width: int, base: Style) -> Strip:
        """The line as a widget paints it: exactly `width` cells on `base`."""
        if base.reverse:
            # A sign's colour would be a patch of that colour.
            return (
                Strip([Segment(text, (style or NOTHING) + UNCOLOURED) for text, style, _ in self.segments])
                .apply_style(base)
                .adjust_cell_length(width, base)
                .crop(0, width)
            )
        # One strip, not one for each thing that is done to it: a flood is made of these.
        over = _over(base)
        parts = [Segment(text, over[style]) for text, style, _ in self.segments]
        columns = sum(
            len(text) if text.isascii() and text.isprintable() else cell_len(text) for text, _, _ in parts
        )
        if columns < width:
            parts.append(Segment(" " * (width - columns), base))
            columns = width
        return Strip(parts, columns).crop(0, width)

    @property
    def text(self) -> str:
        """What a person reads; for copying and for tests."""
        return "".join(segment.text for segment in self.segments)


def shorten(text: Safe, width: int, glyph: str = "…") -> Safe:
    """Safe text cut to `width` cells, with a mark where something is missing."""
    if text.columns <= width:
        return text
    if width <= 0:
        return clean("")
    kept, columns = [], 0
    for char in text.text:
        columns += cell_len(char)
        if columns > width - cell_len(glyph):
            break
        kept.append(char)
    return clean("".join(kept) + glyph)


def shorten_name(text: Safe, width: int, glyph: str = "…") -> Safe:
    """A name cut in its middle: long names of one file begin alike, and parameters stand at the end.

    What comes before the parameters is cut first, down to a third: of many cases of one test nothing else differs.
    """
    if text.columns <= width or width < 16:
        return shorten(text, width, glyph)
    at = text.text.find("[") if text.text.endswith("]") else -1
    if at <= 0:
        return _ends(text, width, glyph)
    case = _ends(clean(text.text[at:]), width - width // 3, glyph)
    return clean(_ends(clean(text.text[:at]), width - case.columns, glyph).text + case.text)


def _ends(text: Safe, width: int, glyph: str) -> Safe:
    """Beginning and end of a text, with a mark between them."""
    if text.columns <= width:
        return text
    room = width - cell_len(glyph)
    tail, columns = "", 0
    for char in reversed(text.text):
        columns += cell_len(char)
        if columns > room * 2 // 5:
            break
        tail = char + tail
    head = shorten(text, room - cell_len(tail) + cell_len(glyph), glyph)
    return clean(head.text + tail)


def wrap(lines: Iterable[Line], width: int, limit: int) -> list[Line]:
    """Lines no wider than `width`; what does not fit goes on below, indented as the line asks."""
    done: list[Line] = []
    for line in lines:
        if line.columns <= width or width < 8:
            done.append(line)
        else:
            done.extend(_wrapped(line, width))
        if len(done) >= limit:
            break
    return done[:limit]


def _wrapped(line: Line, width: int) -> list[Line]:
    indent = min(line.indent, width // 2)
    pieces: list[Line] = []
    rest = Strip(line.segments)
    room = width
    while rest.cell_length > room:
        cut = _break_at(rest, room)
        head, rest = rest.crop(0, cut), rest.crop(cut, None)
        pieces.append(_piece(head, indent if pieces else 0))
        room = width - indent
    pieces.append(_piece(rest, indent if pieces else 0))
    pieces[0].pick = line.pick
    return pieces


def _break_at(strip: Strip, room: int) -> int:
    """After the last space that fits, when that does not waste a third of the line; else where the room ends, but never
    within the name and the line of a file: half a number is another line.
    """
    whole, text = strip.text, strip.crop(0, room).text
    space = text.rfind(" ")
    if space > len(text) * 2 // 3:
        return cell_len(text[: space + 1])
    folder = text.rfind("/")
    named = folder > max(space, len(text) // 3) and _PLACE.match(whole, folder + 1) is not None
    return cell_len(text[: folder + 1]) if named else room


def _piece(strip: Strip, indent: int) -> Line:
    piece = Line()
    piece.gap(indent)
    piece.segments.extend(strip)
    piece.columns += strip.cell_length
    return piece


class SafetyFilter(LineFilter):
    """The last look at every line: pictures for controls that are left, no links at all. `caught` should stay 0."""

    def __init__(self) -> None:
        super().__init__()
        self.caught = 0

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Give the same list back when it is clean, which is nearly always."""
        search = UNSAFE.search
        for text, style, _ in segments:
            if (not text.isascii() or not text.isprintable()) and search(text):
                break
            if style is not None and style.link:
                break
        else:
            return segments
        return [self._clean(segment) for segment in segments]

    def _clean(self, segment: Segment) -> Segment:
        text, style, _ = segment
        pictured = UNSAFE.sub(_picture, text)
        if pictured != text:
            self.caught += 1
            # Joined signs fall apart without their joiners: the line must not grow by that.
            pictured = set_cell_size(pictured, cell_len(text))
        if style is not None and style.link:
            style = style.update_link(None)
            self.caught += 1
        return Segment(pictured, style)


def _picture(match: re.Match[str]) -> str:
    return PICTURE * max(0, cell_len(match.group()))
