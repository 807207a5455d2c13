"""Themes: every text reads on every ground, `ansi` is the terminal's alone, and a change is seen at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.color import ColorType
from rich.console import Console as Rich
from rich.segment import Segment
from textual.containers import Vertical
from textual.css.stylesheet import Stylesheet
from textual.screen import ModalScreen

from tests.support import journals
from tests.support.consoles import Console, FakeView, press, settle, showing
from tests.ui.conftest import drive
from tests.ui.screens import SHOTS
from tracekit.config.tables import SETTINGS
from tracekit.ui import colours
from tracekit.ui.colours import ABOUT, ANSI, CONTRAST, DARK, LIGHT, THEMES, contrast

TEXTS = ("text", "strong", "dim", "faint", "accent", "passed", "failed", "warn", "hunk")
GROUNDS = ("background", "surface", "cursor", "cursor_off", "own", "alarm")
PAIRS = [(text, ground) for text in TEXTS for ground in GROUNDS] + [
    ("added", "added_on"),
    ("removed", "removed_on"),
    ("background", "text"),  # the caret of a box
]
READABLE = 4.5
OWN = [name for name in THEMES if name != ANSI]
LOOKED_AT = (
    "failing-assertion",
    "drill-steps",
    "events-fault",
    "help",
    "palette",
    "flags",
    "environments",
    "ask-passphrase",
    "host-key-changed",
    "green-not-run",
    "filter",
)


def failing(theme: str = DARK) -> Console:
    return showing(FakeView(journals.failing()), theme=theme)


def segments(shown: Console) -> Iterator[Segment]:
    """Of the dialog, where there is one: what lies under it is there to be remembered, not to be read."""
    strips, screen = shown.strips(), shown.app.screen
    if isinstance(screen, ModalScreen):
        within = screen.query_one(Vertical).region
        strips = [strip.crop(within.x, within.right) for strip in strips[within.y : within.bottom]]
    for strip in strips:
        yield from (segment for segment in strip if segment.text.strip())


def is_drawn(text: str) -> bool:
    """Lines and bars are seen, not read."""
    return not text.strip(" ▕|─-▁▂▃▄▅▆▇█▊▎▌")


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_theme__text_on_a_ground__is_readable(name: str, text: str, ground: str) -> None:
    its = THEMES[name]
    need = 7.0 if name == CONTRAST else READABLE
    assert contrast(getattr(its, text), getattr(its, ground)) >= need


@pytest.mark.parametrize("name", OWN)
def test_theme__colours_that_tests_print__read_on_its_ground(name: str) -> None:
    its = THEMES[name]
    # Black on black and white on white are what a program asked for.
    shown = [
        colour for number, colour in enumerate(its.printed) if number not in ({0} if its.dark else {7, 15})
    ]
    assert len(its.printed) == 16
    assert min(contrast(colour, its.background) for colour in shown) >= 3.9
    assert min(contrast(colour, its.background) for colour in shown[:6]) >= READABLE


@pytest.mark.parametrize("name", [LIGHT, CONTRAST, DARK])
@pytest.mark.parametrize("screen", LOOKED_AT)
def test_theme__whole_screens__every_cell_with_text_is_readable(name: str, screen: str) -> None:
    shot = next(shot for shot in SHOTS if shot.name == screen)
    unread: list[str] = []

    async def story(pilot: Any, shown: Console) -> None:
        if shot.before is not None:
            await shot.before(pilot, shown)
        for segment in segments(shown):
            style = segment.style
            assert style is not None
            assert style.color is not None
            assert style.bgcolor is not None
            fore, back = style.color.get_truecolor().hex, style.bgcolor.get_truecolor().hex
            if style.reverse:
                fore, back = back, fore
            if is_drawn(segment.text):
                continue
            if contrast(fore, back) < READABLE:
                unread.append(f"{segment.text!r} {fore} on {back}")

    def make() -> Console:
        shown = shot.make()
        shown.app.begin_with(name)
        return shown

    drive(make, story)
    assert unread == []


@pytest.mark.parametrize("screen", LOOKED_AT)
def test_ansi__whole_screens__only_colours_of_the_terminal_and_no_ground_of_ours(screen: str) -> None:
    shot = next(shot for shot in SHOTS if shot.name == screen)

    async def story(pilot: Any, shown: Console) -> None:
        if shot.before is not None:
            await shot.before(pilot, shown)
        for segment in segments(shown):
            style = segment.style
            if style is None or is_drawn(segment.text):
                continue
            for colour in (style.color, style.bgcolor):
                assert colour is None or colour.type in {ColorType.DEFAULT, ColorType.STANDARD}, segment
            assert style.bgcolor is None or style.bgcolor.is_default, segment
            assert style.color is None or style.color.number in {None, 1, 2, 5}, segment

    def make() -> Console:
        shown = shot.make()
        shown.app.begin_with(ANSI)
        return shown

    drive(make, story)


def test_theme__another_one_is_chosen__everything_is_painted_with_it_and_the_setting_is_told() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "T")
        assert "the first is the one that is worn" in shown.screen_text()
        await press(pilot, shown, "j", "enter")
        light, dark = THEMES[LIGHT], THEMES[DARK]
        used = {
            colour.get_truecolor().hex
            for segment in segments(shown)
            if segment.style is not None
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour is not None
        }
        assert {light.text, light.background, light.failed, light.cursor} <= used
        mine = {getattr(dark, name) for name in (*TEXTS, *GROUNDS, "added", "removed")}
        assert not used & mine
        assert 'theme = "light" below [settings] of config.toml keeps it' in shown.screen_text()

    drive(failing, story)


@pytest.mark.parametrize("theme", [theme for theme in THEMES if theme != CONTRAST])
def test_start__any_theme__then_no_sheet_is_read_twice_until_another_is_worn(
    theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew: list[bool] = []
    reparse = Stylesheet.reparse

    def noted(self: Stylesheet) -> None:
        anew.append(True)
        reparse(self)

    monkeypatch.setattr(Stylesheet, "reparse", noted)

    async def story(pilot: Any, shown: Console) -> None:
        assert not anew
        await press(pilot, shown, "question_mark", "escape", "colon", "escape")
        assert not anew
        shown.app.wear(CONTRAST)
        await settle(pilot, shown)
        assert anew

    drive(partial(failing, theme), story)


def test_theme__chosen_and_chosen_back__same_cells_as_before() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "3")
        before = list(segments(shown))
        shown.app.wear(CONTRAST)
        await press(pilot, shown, "escape")
        assert list(segments(shown)) != before
        shown.app.wear(DARK)
        await press(pilot, shown, "3")
        assert list(segments(shown)) == before

    drive(failing, story)


@pytest.mark.parametrize(
    ("environ", "asked", "worn"),
    [
        ({"TERM": "xterm"}, LIGHT, ANSI),
        ({"TERM": "xterm-256color"}, LIGHT, LIGHT),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, CONTRAST, CONTRAST),
    ],
)
def test_theme__terminal_of_so_many_colours__gets_what_it_can_show(
    environ: dict[str, str], asked: str, worn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TRACEKIT_GOLDEN", "COLORTERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    shown = failing(asked)
    shown.app.console = Rich(force_terminal=True)
    assert shown.app.its(asked).name == worn


def test_no_color__any_theme__no_cell_has_a_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACEKIT_GOLDEN", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J")
        for segment in segments(shown):
            for colour in (segment.style.color, segment.style.bgcolor) if segment.style else ():
                assert colour is None or colour.is_default, segment

    drive(lambda: failing(LIGHT), story)


def test_themes__all_of_them__are_told_in_words_and_offered_by_flag_and_setting() -> None:
    assert set(ABOUT) == set(THEMES)
    assert set(SETTINGS.keys["theme"].choices) == set(THEMES)


def test_room__colours__stand_in_one_module() -> None:
    folder = Path(colours.__file__).parent
    literal = re.compile(r"""#[0-9a-fA-F]{6}\b|color=['"](?!default)\w""")
    found = {path.name for path in folder.rglob("*.py") if literal.search(path.read_text())}
    assert found == {"colours.py"}
