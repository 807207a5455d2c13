"""How the console fits a terminal: side by side, stacked, one pane at a time, or one status line."""

from __future__ import annotations

from enum import Enum


class Fit(Enum):
    """The four ways."""

    WIDE = "wide"
    STACKED = "stacked"
    SINGLE = "single"
    TINY = "tiny"


def fit(width: int, height: int) -> Fit:
    """The way that suits a size."""
    if width < 40 or height < 10:
        return Fit.TINY
    if width < 70 or height < 20:
        return Fit.SINGLE
    return Fit.WIDE if width >= 100 else Fit.STACKED


#: How much of a wide screen the left side takes, and at least.
LEFT, LEAST = 42, 30


def left_width(width: int) -> int:
    """How wide the left side of a wide screen is."""
    return max(LEAST, width * LEFT // 100)


def detail_width(way: Fit, width: int) -> int:
    """How wide the right side will be: its bars are cut before it is laid out."""
    return width - left_width(width) - 1 if way is Fit.WIDE else width


CSS = """
ConsoleScreen, PastScreen { background: $background; color: $foreground; layout: vertical; }
PastScreen #header { background: $surface; }
PastScreen #rows, PastScreen #lines { height: 1fr; }
RunsScreen.wide #left { width: 62%; }
Box > .input--placeholder { color: $placeholder; text-style: none; }
Box > .input--cursor { background: $caret-on; color: $caret; text-style: none; }
Box:ansi > .input--placeholder { color: $placeholder; text-style: dim; }
Box:ansi > .input--cursor { background: $caret-on; color: $caret; text-style: reverse; }
Box:focus { background-tint: $background 0%; }
ComparisonScreen.wide #left { width: 56%; }
#body { height: 1fr; layout: horizontal; }
#left { width: 42%; min-width: 30; height: 100%; }
#tree { height: 1fr; }
#detail { width: 1fr; height: 100%; }
#rule { width: 1; height: 100%; }
#state { height: 1fr; padding: 1 2; display: none; }
#tiny { display: none; }
#banner { display: none; height: 1; background: $surface; }
#banner.-on { display: block; }
#timebar { display: none; height: 1; background: $surface; }
#timebar.-on { display: block; }
#filter { display: none; height: 1; border: none; padding: 0 1; background: $surface; }
#filter:focus { border: none; }
#filter-fault { display: none; height: auto; max-height: 5; background: $surface; }
#filter-fault.-on { display: block; }
.empty #body { display: none; }
.empty #state { display: block; }
.stacked #body { layout: vertical; }
.stacked #left { width: 100%; height: 42%; }
.stacked #detail { width: 100%; height: 1fr; border-top: solid $rule; }
.stacked #rule { display: none; }
.single #body { layout: vertical; }
.single #left { width: 100%; }
.single #rule { display: none; }
.single #detail { width: 100%; display: none; }
.single.detail #left { display: none; }
.single.detail #detail { display: block; }
.zoomed #left, .zoomed #rule { display: none; }
.zoomed.zoomed #detail { display: block; border: none; height: 1fr; }
.tiny #header, .tiny #body, .tiny #state, .tiny #footer, .tiny #banner, .tiny #timebar { display: none; }
.tiny #tiny { display: block; }
.-ascii ScenarioTree, .-ascii FlatList, .-ascii LinesPane, .-ascii FollowingPane { scrollbar-size-vertical: 0; }
.-ascii Choices { scrollbar-size-vertical: 0; }
Dialog { align: center middle; background: $scrim; }
Dialog > Vertical { width: 84; max-width: 96%; height: auto; max-height: 94%; background: $surface; padding: 1 2; }
Secret, Refused { align: center middle; background: $scrim; }
Secret > Vertical, Refused > Vertical { width: 84; max-width: 96%; height: auto; max-height: 94%; padding: 1 2; }
Secret > Vertical, Secret LinesPane { background: $surface; }
Refused > Vertical, Refused LinesPane { background: $alarm; }
Secret #secret { height: 1; border: none; padding: 0 1; background: $background; margin: 1 2; }
Secret #secret:focus { border: none; }
Environments > Vertical { width: 100; }
Help > Vertical, PaletteScreen > Vertical { width: 128; }
Dialog LinesPane, Dialog Choices { background: $surface; }
Dialog #choices { margin-top: 1; }
Dialog #ask { height: 1; border: none; padding: 0 1; background: $background; margin-top: 1; }
Dialog #ask:focus { border: none; }
.ascii.stacked #detail { border-top: ascii $rule; }
"""
