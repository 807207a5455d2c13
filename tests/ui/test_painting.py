"""What is written of a frame: an emulator shows the same as after the library's own way, from fewer bytes."""

from __future__ import annotations

import random
import unicodedata

import pyte
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from tests.support.terminal import escapes
from tracekit.ui.painting import Canvas, Patches, Whole

WIDTH, HEIGHT, CUT = 40, 6, 17
STYLES = [
    Style.parse(words)
    for words in (
        "#ffffff on #101010",
        "#ff0000 on #101010",
        "bold #ff0000 on #101010",
        "#00ff00",
        "reverse #808080 on #202020",
    )
] + [None]
WORDS = ["call", "return", " ", "21ns", "日本", "é́", "▕", "writer.tick", "0", "e\u0301\u65e5"]
CONSOLE = Console(color_system="truecolor", force_terminal=True)


def screen() -> tuple[pyte.Screen, pyte.Stream]:
    made = pyte.Screen(WIDTH, HEIGHT)
    return made, pyte.Stream(made)


def strip(luck: random.Random, width: int) -> Strip:
    parts = [Segment(luck.choice(WORDS), luck.choice(STYLES)) for _ in range(luck.randrange(1, 8))]
    # The emulator goes to the next line for a mark behind the last column, which a terminal does not.
    return Strip(parts).adjust_cell_length(width, STYLES[0]).crop(0, width - 1).adjust_cell_length(width)


def chops(lines: list[tuple[Strip, Strip]], which: list[int]) -> ChopsUpdate:
    held = [{0: left, CUT: right} for left, right in lines]
    return ChopsUpdate(held, [(y, 0, WIDTH) for y in which], [[CUT, WIDTH]] * HEIGHT)


def cells(shown: pyte.Screen) -> list[object]:
    return [[shown.buffer[y][x] for x in range(WIDTH)] for y in range(HEIGHT)]


def test_patches__any_change_of_lines__then_the_emulator_shows_what_the_library_would_have_painted() -> None:
    luck, canvas = random.Random(7), Canvas()
    ours, to_ours = screen()
    theirs, to_theirs = screen()
    lines = [(strip(luck, CUT), strip(luck, WIDTH - CUT)) for _ in range(HEIGHT)]
    for turn in range(400):
        which = sorted(luck.sample(range(HEIGHT), luck.randrange(1, HEIGHT + 1)))
        for y in which:
            left, right = lines[y]
            lines[y] = (strip(luck, CUT), right) if luck.random() < 0.5 else (left, strip(luck, WIDTH - CUT))
        if turn % 50 == 0:
            whole = LayoutUpdate([list(line) for line in lines], Region(0, 0, WIDTH, HEIGHT))
            said = Whole(whole, canvas).render_segments(CONSOLE)
            to_theirs.feed(whole.render_segments(CONSOLE))
        else:
            update = chops(lines, which)
            said = Patches(update, canvas).render_segments(CONSOLE)
            to_theirs.feed(update.render_segments(CONSOLE))
        assert escapes(said.encode()) == []
        to_ours.feed(said)
        assert cells(ours) == cells(theirs)


def test_patches__line_that_stands_there__then_nothing_is_written() -> None:
    canvas, every = Canvas(), list(range(HEIGHT))
    one = (Strip([Segment("a" * CUT)]), Strip([Segment("b" * (WIDTH - CUT))]))
    same = [one] * HEIGHT
    assert Patches(chops(same, every), canvas).render_segments(CONSOLE)
    assert Patches(chops(same, every), canvas).render_segments(CONSOLE) == ""


def test_patches__one_letter_differs__then_that_letter_alone() -> None:
    canvas, style = Canvas(), Style.parse("#ff0000")
    rest = Strip([Segment("b" * (WIDTH - CUT))])
    before = [(Strip([Segment("a" * CUT, style)]), rest)] * HEIGHT
    after = [(Strip([Segment("a" * 4 + "x" + "a" * (CUT - 5), style)]), rest)] * HEIGHT
    Patches(chops(before, [2]), canvas).render_segments(CONSOLE)
    said = Patches(chops(after, [2]), canvas).render_segments(CONSOLE)
    assert said == "\x1b[3;5H\x1b[38;2;255;0;0mx\x1b[0m"


def test_patches__forgotten__then_all_of_it_again() -> None:
    canvas = Canvas()
    lines = [(Strip([Segment("a" * CUT)]), Strip([Segment("b" * (WIDTH - CUT))]))] * HEIGHT
    first = Patches(chops(lines, [0]), canvas).render_segments(CONSOLE)
    canvas.forget()
    assert Patches(chops(lines, [0]), canvas).render_segments(CONSOLE) == first


def test_patches__mark_and_wide_letter_are_two_cells_together__then_neither_is_taken_for_one() -> None:
    canvas = Canvas()
    ours, to_ours = screen()
    for text in ("e\u0301\u65e5", "exy", "e\u0301\u65e5", "\u65e5e\u0301"):
        left = Strip([Segment(text)]).adjust_cell_length(CUT)
        lines = [(left, Strip.blank(WIDTH - CUT))] * HEIGHT
        to_ours.feed(Patches(chops(lines, [0]), canvas).render_segments(CONSOLE))
        assert ours.display[0].rstrip() == unicodedata.normalize("NFC", text)


def test_patches__a_part_behind_what_has_changed__then_it_is_left_as_it_stands() -> None:
    # Whoever lies beneath was asked for the first part of the line, and made all of it: what is in front of the second
    # was asked for nothing.
    beneath = {0: Strip([Segment("a" * CUT)]), CUT: Strip([Segment("b" * (WIDTH - CUT))])}
    update = ChopsUpdate([beneath] * HEIGHT, [(2, 0, CUT)], [[CUT, WIDTH]] * HEIGHT)
    ours, to_ours = screen()
    theirs, to_theirs = screen()
    to_ours.feed(Patches(update, Canvas()).render_segments(CONSOLE))
    to_theirs.feed(update.render_segments(CONSOLE))
    assert ours.display == theirs.display
    assert ours.display[2].rstrip() == "a" * CUT
