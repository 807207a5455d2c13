"""What is written to the terminal of a frame: the cells that are others than those that stand there, and no more.

The screen library repaints whole lines of a widget, each part with all of its colours. A frame of a flood is a third of
that here, which is what a long line, a slow terminal and whoever waits behind them notice. Nothing is laid out here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import repeat

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from tracekit.ui.cells import disputed

Cell = tuple[str, Style | None]
Cells = list[Cell]
#: A gap of so many cells costs as much as going over it.
GAP = 6
RESET = "\x1b[0m"


class Canvas:
    """The parts of lines that stand on the terminal, by where they begin."""

    def __init__(self) -> None:
        self._lines: dict[int, dict[int, tuple[int, Cells | None]]] = {}

    def forget(self) -> None:
        """Somebody else may have written there."""
        self._lines.clear()

    def known(self, y: int, x: int, columns: int) -> Cells | None:
        """What stands at a place, if it is one part of just so many columns, each of one letter."""
        at = self._lines.get(y, {}).get(x)
        return at[1] if at is not None and at[0] == columns else None

    def put(self, y: int, x: int, columns: int, cells: Cells | None) -> None:
        """Something was painted: whatever it covers is gone."""
        line = self._lines.setdefault(y, {})
        gone = [
            other
            for other, (size, _) in line.items()
            if other != x and other < x + columns and x < other + size
        ]
        for other in gone:
            del line[other]
        line[x] = columns, cells


class Whole(CompositorUpdate):
    """A whole screen, painted as the library does it and remembered."""

    def __init__(self, update: LayoutUpdate, canvas: Canvas) -> None:
        self._update, self._canvas = update, canvas

    def render_segments(self, console: Console) -> str:
        """All of it."""
        canvas, update = self._canvas, self._update
        colours = console._color_system or ColorSystem.TRUECOLOR  # noqa: SLF001 - as the library itself renders
        canvas.forget()
        lines = [list(line) for line in update.strips]
        behind: list[str] = []
        for y, line in enumerate(lines, update.region.y):
            x = update.region.x
            for at, strip in enumerate(line):
                canvas.put(y, x, strip.cell_length, cells_of(strip))
                if is_disputed(strip):
                    behind += placed(y, x, strip, colours)
                    line[at] = Strip.blank(strip.cell_length)
                x += strip.cell_length
        return LayoutUpdate([*lines], update.region).render_segments(console) + "".join(behind)


class Patches(CompositorUpdate):
    """Parts of lines, of which only what differs is painted."""

    def __init__(self, update: ChopsUpdate, canvas: Canvas) -> None:
        self._update, self._canvas = update, canvas

    def render_segments(self, console: Console) -> str:
        """What differs."""
        colours = console._color_system or ColorSystem.TRUECOLOR  # noqa: SLF001 - as the library itself renders
        written: list[str] = []
        update = self._update
        for y, since, until in update.spans:
            for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if strip is not None and x < until and end > since:
                    self._part(y, x, strip, colours, written)
        return "".join(written)

    def _part(self, y: int, x: int, strip: Strip, colours: ColorSystem, written: list[str]) -> None:
        canvas, columns = self._canvas, strip.cell_length
        cells, before = cells_of(strip), canvas.known(y, x, columns)
        canvas.put(y, x, columns, cells)
        if cells is None and is_disputed(strip):
            written += placed(y, x, strip, colours)
            return
        if cells is None or before is None:
            parts = cells if cells is not None else [(text, style) for text, style, _ in strip]
            written += [_to(x, y), painted(parts, colours)]
            return
        for start, stop in others(before, cells):
            written += [_to(x + start, y), painted(cells[start:stop], colours)]


def cells_of(strip: Strip) -> Cells | None:
    """One letter a cell; None for a line in which that is not so."""
    cells: Cells = []
    for text, style, control in strip:
        # Letter by letter: a wide one and a mark that takes no cell are two cells together, and neither is one.
        if control or not (text.isascii() or all(map(_is_one, text))):
            return None
        cells += zip(text, repeat(style))
    return cells if len(cells) == strip.cell_length else None


@lru_cache(maxsize=4096)
def _is_one(letter: str) -> bool:
    return cell_len(letter) == 1 and letter not in disputed()


def is_disputed(strip: Strip) -> bool:
    """Whether terminals differ in how much of the line a letter of it takes."""
    return any(not text.isascii() and not disputed().isdisjoint(text) for text, _, _ in strip)


def placed(y: int, x: int, strip: Strip, colours: ColorSystem) -> Iterator[str]:
    """Each part of such a line at its own place, over blanks: whatever the terminal thinks, the next stands right."""
    for text, style, _ in strip:
        columns = cell_len(text)
        if text.isascii():
            yield from (_to(x, y), painted([(text, style)], colours))
        else:
            yield from (_to(x, y), painted([(" " * columns, style)], colours))
            yield from (_to(x, y), painted([(text, style)], colours))
        x += columns


def others(before: Cells, now: Cells) -> list[tuple[int, int]]:
    """The stretches that differ; those with little between them are one."""
    found: list[tuple[int, int]] = []
    if before == now:
        return found
    # In most lines of a flood most cells differ: comparing is done in one go.
    differing = [at for at, (old, new) in enumerate(zip(before, now, strict=True)) if old != new]
    for at in differing:
        if found and at - found[-1][1] <= GAP:
            found[-1] = (found[-1][0], at + 1)
        else:
            found.append((at, at + 1))
    return found


def painted(parts: Sequence[Cell], colours: ColorSystem) -> str:
    """Letters with their colours; what stays from one to the next is said once."""
    written: list[str] = []
    last = NONE
    style: Style | None = None
    first = True
    for text, of in parts:
        if first or (of is not style and of != style):
            first, style = False, of
            codes = _codes(of, colours) if of is not None else NONE
            if codes != last:
                written.append(_turn(last, codes))
                last = codes
        written.append(text)
    if last != NONE:
        written.append(RESET)
    return "".join(written)


#: Attributes, colour and ground, as the numbers of an escape sequence.
Codes = tuple[str, str, str]
NONE: Codes = ("", "", "")


@lru_cache(maxsize=4096)
def _codes(style: Style, colours: ColorSystem) -> Codes:
    colour = Style(color=style.color) if style.color is not None else None
    ground = Style(bgcolor=style.bgcolor) if style.bgcolor is not None else None
    found = [Strip.render_ansi(part, colours) if part is not None else "" for part in (colour, ground)]
    return Strip.render_ansi(style.without_color, colours), found[0], found[1]


@lru_cache(maxsize=4096)
def _turn(last: Codes, codes: Codes) -> str:
    """From one look to another; what cannot be taken back by itself needs all of it said anew."""
    back = codes[0] != last[0] or any(old and not new for old, new in zip(last, codes, strict=True))
    said = [new for old, new in zip(last, codes, strict=True) if new and (back or new != old)]
    return "\x1b[" + ";".join((["0"] if back and last != NONE else []) + said) + "m"


def _to(x: int, y: int) -> str:
    return f"\x1b[{y + 1};{x + 1}H"
