"""One row of the tree as a line: cursor, mark, fold, sign, name, and on the right durations and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracekit.model.status import RED_STATUSES, Status
from tracekit.model.words import count, seconds
from tracekit.ui.panes import rowbars
from tracekit.ui.safe import NOTHING, Line, Safe, clean, shorten, shorten_name
from tracekit.ui.sections import CAUSE, FILE, GROUP, HEAD, LEAF, TROUBLES, Section
from tracekit.ui.theme import QUIET, Palette

if TYPE_CHECKING:
    from tracekit.model.facts import Notice
    from tracekit.ui.widgets.tree import ScenarioTree

UNTIMED = frozenset({Status.PENDING, Status.NOTRUN, Status.SKIPPED})
REASONED = QUIET | {Status.XFAILED}


class RowPainter:
    """Makes lines of nodes; knows the palette and nothing of scrolling."""

    def __init__(self, palette: Palette) -> None:
        self.palette = palette

    def line(self, tree: ScenarioTree, section: Section, node: int, width: int, *, selected: bool) -> Line:
        """The node's line, `width` cells wide."""
        look = self.palette
        line = Line()
        line.own(look.glyphs.cursor if selected else " ", look.accent)
        line.own(look.glyphs.mark if self._marked(tree, section, node) else " ", look.accent)
        kind = section.kind[node]
        if kind == LEAF:
            return self._leaf(tree, section, node, line, width)
        if kind == CAUSE:
            return self._cause(section, node, line, width)
        if kind in {FILE, GROUP, HEAD}:
            return self._container(section, node, line, width)
        return self._notice(section, node, line, width)

    def _marked(self, tree: ScenarioTree, section: Section, node: int) -> bool:
        return (
            bool(tree.marks)
            and section.kind[node] == LEAF
            and tree.board.ids[section.ref[node]] in tree.marks
        )

    def _leaf(self, tree: ScenarioTree, section: Section, node: int, line: Line, width: int) -> Line:
        look, board, row = self.palette, tree.board, section.ref[node]
        status = board.status[row]
        if status == Status.RUNNING and board.unended(row):
            status = Status.LOST
        line.gap(min(2 * section.depth[node], width // 3))
        line.own(
            look.glyphs.of(status, tree.now), look.failure if status in RED_STATUSES else look.of(status)
        ).gap(1)
        took = board.duration[row]
        if status == Status.RUNNING and (since := board.running_since(row)):
            took = max(0, tree.now - since)
        flags = board.flags(row)
        right = self._flags(flags)
        if took and status not in UNTIMED:
            right.gap(1 if right.columns else 0).own(
                seconds(took), look.warn if "slow" in flags else look.dim
            )
        facts = board.facts[row]
        style = (
            look.strong
            if status in RED_STATUSES
            else look.dim
            if status in QUIET or status == Status.PENDING
            else look.text
        )
        timed = rowbars.bar(board, row, tree.now, look) if tree.timed and status not in REASONED else None
        if timed is not None and tree.timed + rowbars.CELLS + right.columns + 2 <= width:
            room = tree.timed - line.columns - 2
        else:
            room, timed = width - line.columns - (right.columns + 2 if right.columns else 1), None
        name = shorten_name(clean(facts.name), room, look.glyphs.dots)
        line.put(name, style)
        if status in REASONED and room - name.columns > 6 and (reason := board.reason(row)):
            line.gap(1).put(
                shorten(clean(f"({reason})"), room - name.columns - 1, look.glyphs.dots), look.faint
            )
        if timed is not None:
            line.gap(tree.timed - line.columns).join(timed)
        return line.gap(width - 1 - line.columns - right.columns).join(right)

    def _flags(self, flags: frozenset[str]) -> Line:
        """One sign for each thing that is said beside the verdict; the detail says it in words."""
        look, line = self.palette, Line()
        for word, glyph, style in (
            ("leaks", look.glyphs.leaks, look.warn),
            ("flaky", look.glyphs.flaky, look.warn),
            ("quarantined", look.glyphs.quarantined, look.dim),
            ("expired", look.glyphs.quarantined, look.warn),
        ):
            if word in flags:
                line.own(glyph, style)
        return line

    def _cause(self, section: Section, node: int, line: Line, width: int) -> Line:
        look = self.palette
        group = section.causes[section.ref[node]]
        right = count(section.total[node], "test")
        fold = look.glyphs.opened if section.open[node] else look.glyphs.closed
        line.gap(2).own(fold, look.faint).gap(1).own(look.glyphs.failed, look.failure).gap(1)
        room = width - line.columns - len(right) - 2
        line.put(shorten(clean(group.title), room, look.glyphs.dots), look.strong)
        return line.gap(width - 1 - line.columns - len(right)).own(right, look.dim)

    def _container(self, section: Section, node: int, line: Line, width: int) -> Line:
        look, kind = self.palette, section.kind[node]
        line.gap(min(2 * section.depth[node], width // 3))
        line.own(look.glyphs.opened if section.open[node] else look.glyphs.closed, look.faint).gap(1)
        label = section.label.get(node, "")
        if kind == HEAD:
            style = look.warn if section.key in TROUBLES else look.dim
            return line.own(label, style).gap(2).own(str(section.ref[node]), style)
        right = Line()
        if section.red[node]:
            right.own(f"{look.glyphs.failed}{section.red[node]}", look.failed).gap(2)
        over, total = section.over[node], section.total[node]
        right.own(f"{over}/{total}" if 0 < over < total else f"{total}", look.faint)
        room = width - line.columns - right.columns - 2
        line.put(shorten(clean(label), room, look.glyphs.dots), look.dim if kind == FILE else look.text)
        return line.gap(width - 1 - line.columns - right.columns).join(right)

    def _notice(self, section: Section, node: int, line: Line, width: int) -> Line:
        look = self.palette
        _, notice = section.notices[section.ref[node]]
        line.gap(2).own(look.glyphs.warn, look.warn if section.key != "notes" else look.dim).gap(1)
        style, room = look.strong if section.key != "notes" else NOTHING, width - line.columns - 1
        where, said = told_of(notice)
        if where:
            place = _end_of(clean(where), max(8, room * 3 // 5), look.glyphs.dots)
            line.put(place, style).gap(2)
            room -= place.columns + 2
            style = look.text
        return line.put(shorten(clean(said), room, look.glyphs.dots), style)


def _end_of(place: Safe, room: int, dots: str) -> Safe:
    """The end of a long place, which tells it from its neighbours."""
    if place.columns <= room:
        return place
    text = place.text
    while text and clean(text).columns > room - len(dots):
        text = text[1:]
    return clean(dots + text)


def told_of(notice: Notice) -> tuple[str, str]:
    """Where something was, and the first line of what it said: of two rows one of both is another."""
    said = (notice.message.strip().splitlines() or [notice.kind])[0]
    if notice.kind != "discovery":
        # What is no suite of the project, as what waits for its services, has a name for machines alone.
        named = notice.suite and not notice.suite.startswith(":")
        return "", f"{notice.suite}: {said}" if named else said
    chain = notice.failure.chain if notice.failure is not None else ()
    if chain:
        # What was raised first is what is to be mended; a runner wraps it in its own.
        root = chain[-1]
        first = (root.message.strip().splitlines() or [""])[0]
        # That a module is missing is said by the message; which one must not be cut off behind the type.
        plain = first and root.type == "ModuleNotFoundError"
        said = first if plain else f"{root.type}: {first}" if first else root.type
    return notice.file or notice.suite, said
