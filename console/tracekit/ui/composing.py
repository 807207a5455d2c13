"""What is rendered of a screen: the lines that are others, of the widgets that are in sight there, and no more.

The screen library renders every widget whole, the ones that lie beneath others too, for each line that changes. In a
flood that is most of what the screen's thread does. What is laid out where is the library's matter; so is its result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from textual._compositor import ChopsUpdate, Compositor, CompositorMap
from textual.geometry import Region
from textual.strip import Strip

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.widget import Widget

    _Base = Screen[None]
else:
    _Base = object

#: Cuts of a line that has one part in sight and one beneath another widget.
THREE = 3
#: Where a part of a line begins, with what stands there once it is known.
Parts = dict[int, Strip | None]


class Sparing(Compositor):
    """The library's compositor, which asks nobody for what is not seen."""

    @property
    def full_map(self) -> CompositorMap:
        """Where everything was laid out last: asking for a place lays out nothing, or nobody would paint what moved."""
        return self._full_map

    def update_widgets(self, widgets: set[Widget]) -> None:
        """What these have to paint. One that is out of sight has nothing to: it is laid out when it comes into sight.

        The library would lay out everything anew then, whenever it is next asked for a place, and tell no widget; one
        that comes into sight later would never hear how large it is.
        """
        super().update_widgets({widget for widget in widgets if widget in self.visible_widgets})

    def render_partial_update(self) -> ChopsUpdate | None:
        """The parts of lines that a change has touched."""
        regions = self._dirty_regions.copy()
        self._dirty_regions.clear()
        if not regions:
            return None
        screen = self.size.region
        spans = list(self._regions_to_spans(region.intersection(screen) for region in regions))
        open_lines: dict[int, list[int]] = {}
        for y, since, until in spans:
            parts = open_lines.setdefault(y, [])
            parts += [x for x, end in pairwise(self.cuts[y]) if x < until and end > since]
        chops = self._rendered(open_lines)
        return ChopsUpdate(chops, spans, [line[1:] for line in self.cuts])

    def _render_chops(
        self, crop: Region, is_rendered_line: Callable[[int], bool]
    ) -> Sequence[Mapping[int, Strip]]:
        """All of the lines that are asked for; the library calls this for a whole screen."""
        lines = range(max(0, crop.y), min(crop.bottom, len(self.cuts)))
        return self._rendered({y: self.cuts[y][:-1] for y in lines if is_rendered_line(y)})

    def _rendered(self, open_lines: dict[int, list[int]]) -> Sequence[Mapping[int, Strip]]:
        """Parts of lines, by where they begin: whoever lies in front has the first word."""
        chops: list[Parts] = [cast("Parts", dict.fromkeys(line[:-1])) for line in self.cuts]
        for widget, (region, clip) in self.visible_widgets.items():
            seen = region.intersection(clip)
            left, right = seen.column_span
            # A part may be open in a line of which this widget has another one.
            wanted = [y for y in seen.line_range if any(left <= x < right for x in open_lines.get(y, ()))]
            for first, count in _runs(wanted):
                crop = Region(seen.x - region.x, first - region.y, seen.width, count)
                for y, strip in enumerate(widget.render_lines(crop), first):
                    self._put(chops[y], y, strip, left, right)
                    open_lines[y] = [x for x in open_lines[y] if not left <= x < right]
                    if not open_lines[y]:
                        del open_lines[y]
            if not open_lines:
                break
        return cast("Sequence[Mapping[int, Strip]]", chops)

    def _put(self, parts: Parts, y: int, strip: Strip, left: int, right: int) -> None:
        cuts = [cut for cut in self.cuts[y] if left <= cut <= right]
        divided: Sequence[Strip]
        if cuts == [left, right]:
            divided = [strip]
        elif len(cuts) == THREE and parts[cuts[1]] is not None:
            # A bar stands beside the lines: what lies beneath it is cut off, and not made.
            divided = [strip.crop(0, cuts[1] - left)]
        else:
            divided = strip.divide([cut - left for cut in cuts[1:]])
        for cut, part in zip(cuts, divided, strict=False):
            if parts[cut] is None:
                parts[cut] = part


class Sparingly(_Base):
    """A screen that is painted by it, before the library's own in its bases."""

    def __init__(self) -> None:
        super().__init__()
        self._compositor = Sparing()

    def paint_now(self) -> bool:
        """Paint what has changed, and say whether that was done.

        Left alone, each widget sends word of itself, and the screen waits for its timer: many messages for a frame, and
        a key that is answered late. Where something has to be laid out anew, or another screen lies above, it stays
        with that.
        """
        if self.app.screen is not self or self._layout_required or self._recompose_required:
            return False
        # One that has sent its word already is among them: nothing is left to paint when that comes.
        changed = [each for each in self._compositor.visible_widgets if _is_changed(each)]
        if any(_is_to_be_laid_out(widget) for widget in changed):
            return False
        for widget in changed:
            widget._repaint_required = False  # noqa: SLF001 - as the widget itself, when it sends word
        self._dirty_widgets.update(changed)
        self._on_timer_update()
        return True


def _is_changed(widget: Widget) -> bool:
    return widget._repaint_required or bool(widget._repaint_regions)  # noqa: SLF001 - it has no other way to say


def _is_to_be_laid_out(widget: Widget) -> bool:
    return widget._layout_required or widget._scroll_required  # noqa: SLF001 - as above


def _runs(lines: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers that follow one another, as first and count."""
    found: list[tuple[int, int]] = []
    for y in lines:
        if found and sum(found[-1]) == y:
            found[-1] = found[-1][0], found[-1][1] + 1
        else:
            found.append((y, 1))
    return found
