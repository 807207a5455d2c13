"""What stands over the tree: its order, what is done with it, and the scale of its column of time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tracekit.ui.panes import rowbars
from tracekit.ui.safe import Line
from tracekit.ui.theme import Palette

if TYPE_CHECKING:
    from tracekit.ui.widgets.tree import ScenarioTree


def filtered(text: str, look: Palette, *, refused: bool) -> Line:
    """The filter, and first that it was refused: a long one is cut at the end."""
    style = look.warn if refused else look.accent
    return Line().own("refused " if refused else "", look.warn).own("/", style).name(text, style)


def line(tree: ScenarioTree, said: Iterable[Line], look: Palette) -> Line:
    """The title of the tree, with what else is said of it."""
    told = Line().gap(1).own("SCENARIOS", look.dim).gap(1)
    told.own("[failed first]" if tree.failed_first else "[in order]", look.faint)
    for one in said:
        told.gap(2).join(one)
    if tree.marks:
        told.gap(2).own(f"{len(tree.marks)} marked", look.accent)
    scale = rowbars.title(tree.board, tree.now, look) if tree.timed else None
    if scale is not None and (room := tree.timed - told.columns) > 0:
        told.gap(room).join(scale)
    return told
