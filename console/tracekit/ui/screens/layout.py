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


CSS = """
ConsoleScreen { background: $background; color: $foreground; layout: vertical; }
#body { height: 1fr; layout: horizontal; }
#left { width: 42%; min-width: 30; height: 100%; }
#tree { height: 1fr; }
#detail { width: 1fr; height: 100%; }
#rule { width: 1; height: 100%; }
#state { height: 1fr; padding: 1 2; display: none; }
#tiny { display: none; }
#banner { display: none; height: 1; background: $surface; }
#banner.-on { display: block; }
#filter { display: none; height: 1; border: none; padding: 0 1; background: $surface; }
#filter:focus { border: none; }
.empty #body { display: none; }
.empty #state { display: block; }
.stacked #body { layout: vertical; }
.stacked #left { width: 100%; height: 42%; }
.stacked #detail { width: 100%; height: 1fr; border-top: solid #2b3440; }
.stacked #rule { display: none; }
.single #body { layout: vertical; }
.single #left { width: 100%; }
.single #rule { display: none; }
.single #detail { width: 100%; display: none; }
.single.detail #left { display: none; }
.single.detail #detail { display: block; }
.zoomed #left, .zoomed #rule { display: none; }
.zoomed.zoomed #detail { display: block; border: none; height: 1fr; }
.tiny #header, .tiny #body, .tiny #state, .tiny #footer, .tiny #banner { display: none; }
.tiny #tiny { display: block; }
.ascii ScenarioTree, .ascii LinesPane, .ascii FollowingPane { scrollbar-size-vertical: 0; }
Dialog { align: center middle; background: $background 70%; }
Dialog > Vertical { width: 84; max-width: 96%; height: auto; max-height: 94%; background: $surface; padding: 1 2; }
Secret, Refused { align: center middle; background: $background 70%; }
Secret > Vertical, Refused > Vertical { width: 84; max-width: 96%; height: auto; max-height: 94%; padding: 1 2; }
Secret > Vertical, Secret LinesPane { background: $surface; }
Refused > Vertical, Refused LinesPane { background: #2b1014; }
Secret #secret { height: 1; border: none; padding: 0 1; background: $background; margin: 1 2; }
Secret #secret:focus { border: none; }
Environments > Vertical { width: 100; }
Dialog LinesPane, Dialog Choices { background: $surface; }
Dialog #choices { margin-top: 1; }
Dialog #ask { height: 1; border: none; padding: 0 1; background: $background; margin-top: 1; }
Dialog #ask:focus { border: none; }
.ascii.stacked #detail { border-top: ascii #2b3440; }
"""
