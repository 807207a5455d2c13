"""A screen as a picture: SVG from the compositor's strips, with nothing random, remote or outside in it.

Every run of equal style is one text element at its own column, so that pictures look the same in every viewer.
Picture and text golden come from the same strips; `text_of` reads the text back.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from html import escape

from rich.cells import cell_len
from rich.color import Color
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.strip import Strip

from tracekit.ui.colours import DARK, THEMES, Colours

CELL, LINE, SIZE, PAD = 8.4, 18, 14, 10
FONT = f'font-size="{SIZE}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace"'
BACK, FORE = THEMES[DARK].background, THEMES[DARK].text


#: The sixteen colours as terminals have had them for long: what a theme shows that takes the terminal's own.
XTERM = TerminalTheme(
    (16, 20, 26),
    (200, 208, 218),
    [
        (0, 0, 0),
        (205, 0, 0),
        (0, 205, 0),
        (205, 205, 0),
        (0, 0, 238),
        (205, 0, 205),
        (0, 205, 205),
        (229, 229, 229),
    ],
    [
        (127, 127, 127),
        (255, 0, 0),
        (0, 255, 0),
        (255, 255, 0),
        (92, 92, 255),
        (255, 0, 255),
        (0, 255, 255),
        (255,) * 3,
    ],
)


def picture(strips: Sequence[Strip], width: int, its: Colours = THEMES[DARK]) -> str:
    """The SVG of a screen; where a theme leaves its ground to the terminal, this one is dark."""
    ground, ink = (BACK, FORE) if its.native else (its.background, its.text)
    height = len(strips) * LINE + 2 * PAD
    across = round(width * CELL + 2 * PAD)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {height}" {FONT}>',
        f'<rect width="{across}" height="{height}" rx="6" fill="{ground}"/>',
    ]
    for row, strip in enumerate(strips):
        parts += _row(strip, row, ground, ink)
    return "\n".join([*parts, "</svg>", ""])


def _row(strip: Strip, row: int, ground: str, ink: str) -> list[str]:
    backs, texts = [], []
    column, top = 0, PAD + row * LINE
    for text, style, _ in strip:
        cells = cell_len(text)
        fore, back = _colours(style, ground, ink)
        x = PAD + column * CELL
        if back != ground:
            backs.append(
                f'<rect x="{x:.1f}" y="{top}" width="{cells * CELL:.1f}" height="{LINE}" fill="{back}"/>'
            )
        shown = text.strip(" ")
        if shown:
            lead = len(text) - len(text.lstrip(" "))
            place, long = PAD + (column + lead) * CELL, cell_len(shown) * CELL
            bold = ' font-weight="bold"' if style is not None and style.bold else ""
            pale = ' fill-opacity=".66"' if style is not None and style.dim else ""
            where = f'x="{place:.1f}" y="{top + 13}" textLength="{long:.1f}" data-at="{row},{column + lead}"'
            look = f'fill="{fore}"{bold}{pale} xml:space="preserve"'
            texts.append(f"<text {where} {look}>{escape(shown, quote=False)}</text>")
        column += cells
    return backs + texts


def _colours(style: Style | None, ground: str, ink: str) -> tuple[str, str]:
    if style is None:
        return ink, ground
    fore, back = _hex(style.color, ink), _hex(style.bgcolor, ground)
    return (back, fore) if style.reverse else (fore, back)


def _hex(colour: Color | None, default: str) -> str:
    if colour is None or colour.is_default:
        return default
    return colour.get_truecolor(XTERM).hex


def text_of(svg: str, height: int) -> str:
    """The screen's text as the picture shows it."""
    rows: list[dict[int, str]] = [{} for _ in range(height)]
    for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):  # noqa: S314 - our own
        row, column = map(int, element.get("data-at", "0,0").split(","))
        rows[row][column] = element.text or ""
    return "\n".join(_joined(row) for row in rows) + "\n"


def _joined(pieces: dict[int, str]) -> str:
    line, at = "", 0
    for column in sorted(pieces):
        line += " " * (column - at) + pieces[column]
        at = column + cell_len(pieces[column])
    return re.sub(r" +$", "", line)
