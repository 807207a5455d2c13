"""Lines of which a window is in sight, painted without detours; and the bar beside them.

How many lines there are changes with every frame of a flood. Nothing is laid out anew for that, a line goes through as
few hands as can be, and the bar is painted where it would look different. Nothing here knows what a line says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Any

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip
from textual.widget import Widget

from tracekit.ui.safe import MOST_STYLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    _Base = Widget
else:
    _Base = object

#: A bar's ends are drawn that exactly.
EIGHTHS = 8


class Lined(_Base):
    """A widget that paints line by line, before the library's own in its bases."""

    #: While lines are painted: what they stand on is looked for once.
    _ground: Style | None = None

    @property
    def rich_style(self) -> Style:
        """What everything here stands on."""
        return self._ground if self._ground is not None else super().rich_style

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines that are asked for; a border and what else the library draws around them is its own matter."""
        if self.styles.gutter.totals != (0, 0) or self.opacity != 1.0:
            return super().render_lines(crop)
        self._ground = base = self.rich_style
        try:
            made = [self.render_line(y) for y in crop.line_range]
        finally:
            self._ground = None
        return filtered(self, made, crop, base)


def filtered(widget: Widget, strips: Iterable[Strip], crop: Region, base: Style) -> list[Strip]:
    """Lines as they go to the terminal: through every filter, the last look at outside text among them."""
    background = widget.background_colors[1]
    filters = [_way(each, background) for each in widget.get_line_filters()]
    left, right = crop.column_span
    done: list[Strip] = []
    for strip in strips:
        segments: list[Segment] = list(strip)
        for each in filters:
            segments = each(segments)
        columns = strip.cell_length
        if columns < right:
            segments = [*segments, Segment(" " * (right - columns), base)]
            columns = right
        made = Strip(segments, columns)
        done.append(made if (left, right) == (0, columns) else made.crop(left, right))
    return done


def _way(each: LineFilter, background: Color) -> Callable[[list[Segment]], list[Segment]]:
    """How a filter is applied; of the one that only looks at styles, each style is looked at once."""
    if type(each) is not ANSIToTruecolor:
        return lambda segments: each.apply(segments, background)
    known = _recoloured(each, background)

    def recolour(segments: list[Segment]) -> list[Segment]:
        return [Segment(text, known[style]) for text, style, _ in segments]

    return recolour


class Recoloured(dict[Style | None, Style | None]):
    """Styles as a filter makes them."""

    def __init__(self, each: ANSIToTruecolor, background: Color) -> None:
        super().__init__()
        self._filter, self._background = each, background.rich_color

    def __missing__(self, style: Style | None) -> Style | None:
        if len(self) >= MOST_STYLES:
            self.clear()
        made = self[style] = style and self._filter.truecolor_style(style, self._background)
        return made


@lru_cache(maxsize=64)
def _recoloured(each: ANSIToTruecolor, background: Color) -> Recoloured:
    return Recoloured(each, background)


class Bar(ScrollBar):
    """The library's bar, which is painted where its picture is another one."""

    _pictured: tuple[object, ...] | None = None
    _strips: list[Strip]

    def _picture(self) -> tuple[object, ...]:
        """What can be seen of it: its colours, and its eighths of a cell."""
        made: Any = self.render()
        height, virtual, window = self.size.height, made.virtual_size, made.window_size
        if not (height and virtual and window) or height == virtual:
            return height, made.style
        thumb = max(1, window / (virtual / height))
        start = int((height - thumb) * (made.position / (virtual - window)) * EIGHTHS)
        return height, made.style, start, start + ceil(thumb * EIGHTHS)

    def _exchange_repaint_regions(self) -> Collection[Region]:
        """Nothing where it would look the same: more lines move it by less than can be seen."""
        regions = super()._exchange_repaint_regions()
        return () if self._pictured == self._picture() else regions

    def render_lines(self, crop: Region) -> list[Strip]:
        """The library's own picture, made once for all that look the same."""
        if not self.vertical or self.thickness != 1:
            return super().render_lines(crop)
        picture, base = self._picture(), self.rich_style
        if picture != self._pictured or len(self._strips) != self.size.height:
            made: Any = self.render()
            bar = made.render_bar(
                size=self.size.height,
                virtual_size=made.virtual_size,
                window_size=made.window_size,
                position=made.position,
                thickness=1,
                back_color=made.style.bgcolor,
                bar_color=made.style.color,
            )
            self._strips = [Strip([segment], 1).apply_style(base) for segment in bar.segments]
            self._pictured = picture
        return filtered(self, self._strips[crop.y : crop.bottom], crop, base)


class Rolling(Lined, ScrollView):
    """Lines that are scrolled up and down; whoever is made of it knows them."""

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """The bar, made when it is first asked for."""
        if self._vertical_scrollbar is None:
            self._vertical_scrollbar = bar = Bar(
                vertical=True, name="vertical", thickness=self.scrollbar_size_vertical
            )
            bar.display = False
            self.app._start_widget(self, bar)  # noqa: SLF001 - as the library makes its own
        return self._vertical_scrollbar

    def hold(self, size: Size) -> None:
        """There are so many lines. Where they take the room that they are given, no other widget needs to know."""
        if size == self.virtual_size:
            return
        if not self.container_size or self.styles.auto_dimensions:
            self.virtual_size = size
            return
        self.set_reactive(Widget.virtual_size, size)
        self._scroll_update(size)
