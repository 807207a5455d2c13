"""What is rendered of a screen: the same as the library renders of all of it, from fewer lines of fewer widgets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, Compositor, LayoutUpdate
from textual.app import App, ComposeResult
from textual.events import Resize
from textual.geometry import Region, Size
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from tests.support import journals
from tests.support.consoles import Console, FakeView, press, settle, showing
from tests.ui.conftest import drive
from tests.ui.screens import GOLDEN_TRACE
from tracekit.ui.composing import Sparing, Sparingly
from tracekit.ui.safe import MOST_STYLES, Line
from tracekit.ui.widgets.detail import Detail
from tracekit.ui.widgets.header import TitleRow
from tracekit.ui.widgets.rolling import Bar, Lined, Rolling, filtered

#: Keys after which other widgets are in sight.
WAYS: tuple[tuple[str, ...], ...] = (
    (),
    ("J",),
    ("J", "4"),
    ("J", "5"),
    ("slash", "c"),
    ("J", "z"),
    ("J", "4", "v"),
)


def traced() -> Console:
    view = FakeView(journals.failing())
    view.traced = GOLDEN_TRACE
    return showing(view)


def cells(strips: list[Strip]) -> list[list[tuple[str, object]]]:
    return [[(letter, style) for text, style, _ in strip for letter in text] for strip in strips]


def theirs(compositor: Compositor, dirty: list[Region]) -> ChopsUpdate:
    """The library's own update of the same."""
    compositor._dirty_regions = set(dirty)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Sparing, "_render_chops", Compositor._render_chops)
        update = Compositor.render_partial_update(compositor)
    assert update is not None
    return update


def painted(update: ChopsUpdate) -> dict[tuple[int, int], list[tuple[str, object]]]:
    """What an update paints: the parts of lines that lie in what has changed."""
    found = {}
    for y, since, until in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if x < until and end > since:
                assert strip is not None, (y, x)
                found[y, x] = cells([strip])[0]
    return found


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 20), (36, 9)])
@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_sparing__anything_that_changes__then_the_same_parts_as_the_library(
    way: tuple[str, ...], size: tuple[int, int]
) -> None:
    luck = random.Random(str((way, size)))

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, *way)
        compositor = shown.app.board_screen._compositor
        assert isinstance(compositor, Sparing)
        whole = cells(Sparing.render_strips(compositor))
        for _ in range(12):
            dirty = []
            for _ in range(luck.randrange(1, 5)):
                x, y = luck.randrange(size[0]), luck.randrange(size[1])
                dirty.append(
                    Region(x, y, luck.randrange(1, size[0] - x + 1), luck.randrange(1, size[1] - y + 1))
                )
            expected = painted(theirs(compositor, dirty))
            compositor._dirty_regions = set(dirty)
            update = compositor.render_partial_update()
            assert update is not None
            assert painted(update) == expected
            assert {
                key: whole[key[0]][key[1] : key[1] + len(part)] for key, part in expected.items()
            } == expected

    drive(traced, story, size=size)


def test_sparing__two_lines_of_one_widget__then_nobody_else_is_asked_and_that_one_for_these(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, int, int]] = []

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J")
        render = Widget.render_lines

        def noted(self: Widget, crop: Region) -> list[Strip]:
            asked.append((type(self).__name__, crop.y, crop.height))
            return render(self, crop)

        lined = Lined.render_lines

        def noted_too(self: Any, crop: Region) -> list[Strip]:
            asked.append((type(self).__name__, crop.y, crop.height))
            return lined(self, crop)

        monkeypatch.setattr(Widget, "render_lines", noted)
        monkeypatch.setattr(Lined, "render_lines", noted_too)
        tree, compositor = shown.app.board_screen.scenarios, shown.app.board_screen._compositor
        tree.refresh_line(2)
        tree.refresh_line(4)
        compositor.update_widgets({tree})
        assert compositor.render_update() is not None
        assert asked == [("ScenarioTree", 2, 1), ("ScenarioTree", 4, 1)]
        monkeypatch.undo()

    drive(traced, story)


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_lined__every_widget_in_sight__then_the_cells_that_the_library_would_make(
    way: tuple[str, ...],
) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, *way)
        compared = 0
        for widget, (region, _) in shown.app.board_screen._compositor.visible_widgets.items():
            if isinstance(widget, Lined | Bar):
                crop = region.size.region
                widget._styles_cache.clear()
                assert cells(widget.render_lines(crop)) == cells(
                    widget._styles_cache.render_widget(widget, crop)
                )
                part = Region(0, crop.height // 2, crop.width, 1)
                assert (
                    cells(widget.render_lines(part)) == cells(widget.render_lines(crop))[part.y : part.bottom]
                )
                compared += 1
        assert compared > 5

    drive(traced, story)


def test_filtered__text_that_no_terminal_may_see__then_the_last_look_replaces_it() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        row = shown.app.board_screen.query_one("#tree-title", TitleRow)
        bad = Strip([Segment("a\x1b]0;b"), Segment(" ")])
        (done,) = filtered(row, [bad], Region(0, 0, 8, 1), row.rich_style)
        assert "\x1b" not in done.text
        assert done.cell_length == 8
        assert shown.app.safety.caught == 1
        shown.app.safety.caught = 0

    drive(traced, story)


def test_line__more_styles_than_are_remembered__then_each_is_still_its_own() -> None:
    base = Style(bgcolor="#101010")
    for number in [*range(MOST_STYLES + 10), 3, MOST_STYLES + 3]:
        letter, rest = Line().own("x", style(number)).strip(2, base)
        assert (letter.style, rest.style) == (base + style(number), base)


def style(number: int) -> Style:
    return Style(color=f"#{number:06x}")


class Held(App[None]):
    """One pane."""

    CSS = "Pane { height: 10; overflow-y: auto; overflow-x: hidden; scrollbar-size-vertical: 1; }"

    def __init__(self) -> None:
        super().__init__()
        self.pane = Pane()

    def compose(self) -> ComposeResult:
        yield self.pane


class Pane(Rolling):
    """Lines that say their number; it notes the sizes that it is told."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.heard: list[Size] = []

    def on_resize(self, event: Resize) -> None:
        self.heard.append(event.size)

    def render_line(self, y: int) -> Strip:
        return Line().own(f"{self.scroll_offset.y + y}").strip(self.size.width, self.rich_style)


async def _laid_out(pilot: Any, do: Callable[[], None]) -> int:
    """How often the screen is laid out for something."""
    screen, times = pilot.app.screen, [0]
    reflow = screen._compositor.reflow

    def counted(*given: Any) -> Any:
        times[0] += 1
        return reflow(*given)

    screen._compositor.reflow = counted
    do()
    await pilot.pause()
    await pilot.pause()
    screen._compositor.reflow = reflow
    return times[0]


def held(story: Callable[[Any, Pane], Any]) -> None:
    """Run a story against one pane."""

    async def go() -> None:
        app = Held()
        async with app.run_test(size=(40, 12)) as pilot:
            await pilot.pause()
            await story(pilot, app.pane)

    asyncio.run(go())


def test_hold__more_lines__then_nothing_is_laid_out_until_the_bar_comes_or_goes() -> None:
    async def story(pilot: Any, pane: Pane) -> None:
        assert await _laid_out(pilot, lambda: pane.hold(Size(40, 5))) == 0
        assert await _laid_out(pilot, lambda: pane.hold(Size(40, 50))) >= 1
        assert pane.scrollable_content_region.width == 39
        assert await _laid_out(pilot, lambda: pane.hold(Size(40, 5000))) == 0
        assert pane.max_scroll_y == 4990
        assert pane.vertical_scrollbar.window_virtual_size == 5000
        pane.scroll_to(y=4990, animate=False)
        assert await _laid_out(pilot, lambda: pane.hold(Size(40, 20))) == 0
        assert pane.scroll_offset.y == 10
        assert await _laid_out(pilot, lambda: pane.hold(Size(40, 10))) >= 1
        assert not pane.show_vertical_scrollbar

    held(story)


def test_bar__lines_come_and_go__then_the_librarys_picture_and_painted_only_where_it_is_another() -> None:
    luck = random.Random(5)

    async def story(pilot: Any, pane: Pane) -> None:
        pane.hold(Size(40, 100))
        await pilot.pause()
        bar = pane.vertical_scrollbar
        assert isinstance(bar, Bar)
        lines, crop = 100, bar.size.region
        for _ in range(60):
            before = cells(bar.render_lines(crop))
            lines = max(11, lines + luck.choice([1, 7, 1000, -50]))
            pane.hold(Size(40, lines))
            pane.scroll_to(y=luck.choice([0, lines // 2, lines]), animate=False)
            regions = bar._exchange_repaint_regions()
            after = cells(bar.render_lines(crop))
            bar._styles_cache.clear()
            assert after == cells(bar._styles_cache.render_widget(bar, crop))
            assert bool(regions) or after == before
        pane.hold(Size(40, 10_000_000))
        pane.scroll_to(y=pane.max_scroll_y, animate=False)
        bar.render_lines(crop)
        for more in range(1, 50):
            pane.hold(Size(40, 10_000_000 + 30_000 * more))
            pane.scroll_to(y=pane.max_scroll_y, animate=False)
            assert not bar._exchange_repaint_regions()

    held(story)


def test_paint_now__what_has_changed__then_it_is_painted_before_any_message_and_not_again() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await settle(pilot, shown)
        screen, displayed = shown.app.board_screen, list[object]()
        display = shown.app._display

        def noted(on: Any, update: Any) -> None:
            displayed.append(update)
            display(on, update)

        shown.app._display = noted  # type: ignore[method-assign, assignment]
        screen.say("something has happened")
        assert not displayed
        assert screen.paint_now()
        (update,) = displayed
        assert isinstance(update, ChopsUpdate)
        assert [y for y, _, _ in update.spans] == [screen.size.height - 1]
        displayed.clear()
        await pilot.pause()
        assert not any(displayed)
        assert "something has happened" in shown.screen_text()

    drive(traced, story)


def test_paint_now__something_is_to_be_laid_out_or_lies_above__then_that_comes_first() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        screen = shown.app.board_screen
        screen.query_one(Detail).refresh(layout=True)
        assert not screen.paint_now()
        await pilot.pause()
        assert screen.paint_now()
        await press(pilot, shown, "question_mark")
        assert shown.app.screen is not screen
        screen.say("beneath")
        assert not screen.paint_now()

    drive(traced, story)


class Hiding(Sparingly, Screen[None]):
    """Two panes, one of them out of sight."""

    CSS = """
    Pane { height: 1fr; }
    #second { display: none; }
    """

    def compose(self) -> ComposeResult:
        yield Pane(id="first")
        yield Pane(id="second")


def test_update_widgets__one_out_of_sight_has_changed__then_it_hears_its_size_when_it_comes_into_sight() -> (
    None
):
    async def go() -> None:
        app: App[None] = App()
        async with app.run_test(size=(40, 12)) as pilot:
            screen = Hiding()
            await app.push_screen(screen)
            await pilot.pause()
            second = screen.query_one("#second", Pane)
            second.refresh()
            screen._compositor.update_widgets({second})
            second.display = True
            assert not second.region, "it is asked for before it is laid out"
            await pilot.pause()
            await pilot.pause()
            assert second.heard == [Size(40, 6)]

    asyncio.run(go())


@pytest.mark.parametrize("above", ["", "question_mark", "H"])
def test_resize__the_size_that_it_has_is_told_again__then_all_of_the_screen_is_painted(
    above: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await settle(pilot, shown)
        if above:
            await press(pilot, shown, above)
        # Screens that lie beneath may have one above them painted as well; that is nothing to rely on.
        monkeypatch.setattr(type(shown.app), "_background_screens", [])
        displayed = list[object]()
        monkeypatch.setattr(shown.app, "_display", lambda _on, update: displayed.append(update))
        shown.app.post_message(Resize(shown.app.size, shown.app.size))
        await settle(pilot, shown)
        assert any(isinstance(update, LayoutUpdate) for update in displayed)

    drive(traced, story)
