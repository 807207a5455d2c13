"""Letters that terminals give different cells: one measure of ours, and whatever stands behind them stands right."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import pytest
from rich.cells import cell_len, get_character_cell_size
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from tracekit.ui.cells import disputed
from tracekit.ui.painting import Canvas, Patches, Whole
from tracekit.ui.safe import Line, clean

WIDTH, CUT, HEIGHT = 40, 20, 3
NAMES = ("परीक्षा_काम", "சோதனை", "kâ\u0301 ൎക", "☰ মা", "plain")
CONSOLE = Console(color_system="truecolor", force_terminal=True)
BLUE, BASE = Style.parse("#8888ff"), Style.parse("#ffffff on #101010")
Wide = Callable[[str], int]


def one(letter: str) -> int:
    """A terminal like most."""
    return get_character_cell_size(letter)


def other(letter: str) -> int:
    """A terminal that draws marks on their letter, and signs as narrow as they were."""
    if letter not in disputed():
        return get_character_cell_size(letter)
    return 1 if unicodedata.category(letter) == "So" else 0


class Terminal:
    """Puts letters where a terminal of that mind would."""

    def __init__(self, wide: Wide) -> None:
        self.lines = [["?"] * WIDTH for _ in range(HEIGHT)]
        self._wide, self._x, self._y = wide, 0, 0

    def feed(self, said: str) -> None:
        for found in re.finditer(r"\x1b\[(\d+);(\d+)H|\x1b\[[\d;]*m|(.)", said, re.DOTALL):
            if found[1]:
                self._y, self._x = int(found[1]) - 1, int(found[2]) - 1
            elif found[3]:
                self._draw(found[3], self._wide(found[3]))

    def _draw(self, letter: str, cells: int) -> None:
        line = self.lines[self._y]
        if not cells:
            line[self._x - 1] += letter
            return
        line[self._x : self._x + cells] = [letter] + [""] * (cells - 1)
        assert len(line) == WIDTH, "it wrote beyond the end of the line"
        self._x += cells


def test_cell_len__every_character__then_as_wide_as_the_safe_text_says() -> None:
    wrong = [
        f"{code:x}"
        for code in range(0x20, 0x110000)
        if unicodedata.category(chr(code)) not in {"Cs", "Cn", "Co", "Cc"}
        and (made := clean(f"a{chr(code)}b")).columns != cell_len(made.text)
    ]
    assert wrong == []
    assert cell_len("का", "5.0.0") == clean("का").columns == 2


@pytest.mark.parametrize("wide", [one, other])
def test_paint__names_with_such_marks__then_what_stands_behind_them_stands_where_it_should(
    wide: Wide,
) -> None:
    for name in NAMES:
        left = Line().own("✗ ").name(name, BLUE).gap(2).own("80ms").strip(CUT, BASE)
        right = Line().own("▕ after").strip(WIDTH - CUT, BASE)
        shown, canvas = Terminal(wide), Canvas()
        whole = LayoutUpdate([[left, right]] * HEIGHT, Region(0, 0, WIDTH, HEIGHT))
        shown.feed(Whole(whole, canvas).render_segments(CONSOLE))
        _stands(shown, name)
        held = [{0: Strip([Segment("#" * CUT)]), CUT: right}, {0: left, CUT: right}, {0: left, CUT: right}]
        ends = [[CUT, WIDTH]] * HEIGHT
        shown.feed(Patches(ChopsUpdate(held, [(0, 0, CUT)], ends), canvas).render_segments(CONSOLE))
        held[0] = held[1]
        shown.feed(Patches(ChopsUpdate(held, [(0, 0, CUT)], ends), canvas).render_segments(CONSOLE))
        _stands(shown, name)


def _stands(shown: Terminal, name: str) -> None:
    at = 2 + clean(name).columns
    for line in shown.lines:
        assert line[:2] == ["✗", " "]
        assert line[at : at + 6] == list("  80ms")
        assert line[CUT : CUT + 7] == list("▕ after")
        assert not {"#", "?"} & set(line)
