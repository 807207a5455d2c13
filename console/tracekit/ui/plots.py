"""Plots as lines: bars of two parts and a curve of dots, in blocks and braille or in ASCII. Numbers in, lines out.

There is one column, or one dot, for a value where there is room, else for a few together; nothing is loaded for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tracekit.ui.safe import Line
from tracekit.ui.theme import Palette

_AXIS = 8
_EIGHTHS = " ▁▂▃▄▅▆▇█"
# The dots of a braille cell by column, from the bottom up.
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))


def bunched(size: int, columns: int) -> list[range]:
    """The values that share a column, oldest first."""
    each = max(1, -(-size // max(1, columns)))
    return [range(start, min(size, start + each)) for start in range(0, size, each)]


def bars(values: Sequence[tuple[int, int]], width: int, height: int, look: Palette) -> list[Line]:
    """A column a run: what is red from the bottom up, what is green upon it."""
    ascii_only = look.glyphs.passed.isascii()
    room = max(8, width - _AXIS - 1)
    bunches = bunched(len(values), room)
    # Of runs that share a column the one that says most.
    told = [max((values[i] for i in bunch), key=lambda value: (value[1], value[0])) for bunch in bunches]
    most = max((green + red for green, red in told), default=0) or 1
    wide = min(3, max(1, room // max(1, len(told))))
    lines = []
    for row in range(height - 1, -1, -1):
        label = f"{most:,}" if row == height - 1 else "0" if row == 0 else ""
        line = Line().own(f"{label:>{_AXIS - 1}} ", look.faint)
        for green, red in told:
            low = min(height, max(1, round(red * height / most))) if red else 0
            top = (green + red) * height / most
            if row < low:
                line.own(("x" if ascii_only else "█") * wide, look.failed)
            else:
                eighths = max(0, min(8, round((top - row) * 8)))
                if row == low == 0 and green:
                    eighths = max(1, eighths)
                sign = ("#" if eighths > 3 else " ") if ascii_only else _EIGHTHS[eighths]
                line.own(sign * wide, look.passed)
        lines.append(line)
    return lines


def curve(
    values: Sequence[int],
    width: int,
    height: int,
    look: Palette,
    words: Callable[[int], str],
    *,
    guides: Sequence[tuple[str, int]] = (),
    over: int = 0,
) -> list[Line]:
    """A dot a value from 0 up, with named levels across; what is above `over` stands out."""
    if not values:
        return [Line().gap(_AXIS).own("nothing to draw", look.dim)]
    ascii_only = look.glyphs.passed.isascii()
    tall, broad = (1, 1) if ascii_only else (4, 2)
    room = max(8, width - _AXIS - 1)
    bunches = bunched(len(values), room * broad)
    told = [max(values[i] for i in bunch) for bunch in bunches]
    most = max(*told, *(level for _, level in guides), 1)
    rows = height * tall

    def place(value: int) -> int:
        return min(rows - 1, max(0, value) * (rows - 1) // most)

    cells: dict[tuple[int, int], int] = {}
    loud: set[tuple[int, int]] = set()
    for at, value in enumerate(told):
        row, column = place(value), at // broad
        key = row // tall, column
        cells[key] = cells.get(key, 0) | (1 if ascii_only else _DOTS[at % 2][row % 4])
        if over and value > over:
            loud.add(key)
    levels = {place(level) // tall: name for name, level in reversed(guides)}
    columns = -(-len(told) // broad)
    lines = []
    for row in range(height - 1, -1, -1):
        label = words(most) if row == height - 1 else levels.get(row) or ("0" if row == 0 else "")
        line = Line().own(f"{label:>{_AXIS - 1}} ", look.dim if row in levels else look.faint)
        for column in range(columns):
            dots = cells.get((row, column))
            if dots:
                style = look.warn if (row, column) in loud else look.accent
                line.own("*" if ascii_only else chr(0x2800 + dots), style)
            else:
                line.own(("." if ascii_only else "┄") if row in levels else " ", look.faint)
        lines.append(line)
    return lines
