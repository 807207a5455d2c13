"""The scenario tree: sections of flat arrays painted line by line; 100,000 rows cost what is visible and what changes.

It owns cursor, folds, marks and order, none of which a run could tell; rows and verdicts come from the board.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from itertools import accumulate

from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from tracekit.model.status import RED_STATUSES, Status
from tracekit.ui.board import Board, Delta
from tracekit.ui.panes import rowbars
from tracekit.ui.safe import NOTHING
from tracekit.ui.sections import (
    CAUSE,
    HEAD,
    LEAF,
    TROUBLES,
    Allowed,
    Section,
    cause_section,
    file_section,
    notice_sections,
)
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.rolling import Rolling
from tracekit.ui.widgets.rows import RowPainter

# How much of a frame may go into building sections.
BUILD_SECONDS = 0.012


class ScenarioTree(Rolling, can_focus=True, inherit_bindings=False):
    """Causes, notices and files with their scenarios."""

    DEFAULT_CSS = "ScenarioTree { overflow-y: auto; overflow-x: hidden; scrollbar-size-vertical: 1; }"
    ALLOW_SELECT = False

    class Moved(Message):
        """The cursor stands on another node."""

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.board = Board()
        self.failed_first = True
        self.marks: set[str] = set()
        self.now = 0
        self.timed = 0  # where the column of time begins; nowhere without the room for it
        self._scale: rowbars.Scale | None = None
        self.touched = False  # a person has moved the cursor; until then it goes where the trouble is
        self.sections: list[Section] = []
        self._palette = palette
        self._painter = RowPainter(palette)
        self._files: dict[str, Section] = {}
        self._before: list[Section] = []
        self._after: list[Section] = []
        self._starts: list[int] = [0]
        self._folded: dict[str, set[str]] = {"notes": {f"{HEAD}:NOTES"}}
        self._causes_open: set[str] = set()
        self._allowed: Allowed = None
        self._status = bytearray()
        self._cursor: tuple[str, str] | None = None
        self._gone: tuple[str, str] | None = (
            None  # where the cursor stood; a rerun takes a cause away for a while
        )
        self._gone_top = 0  # the first row in sight then
        self._at = 0
        self._waiting: set[str] = set()
        self._tops_waiting = False
        self._not_before = 0.0
        self._return_to = ""

    # -- structure ---------------------------------------------------------------------------------------------------

    def use(self, board: Board, *, keep: bool = False) -> None:
        """Show another board from its beginning; `keep` what a person has folded and where the cursor stands."""
        self._return_to = ""
        if keep:
            self._folded |= {key: section.closed() for key, section in self._files.items()}
            found = self.selected
            if self.touched and found is not None and found[0].kind[found[1]] == LEAF:
                self._return_to = self.board.ids[found[0].ref[found[1]]]
        self.board, self._files, self._status = board, {}, bytearray()
        self._before, self._after, self._cursor, self._gone = [], [], None, None
        self._at, self.touched = 0, False
        self._causes_open, self.sections, self._allowed = set(), [], None
        self._waiting, self._tops_waiting = set(), False
        self._arrange()
        # A board without a row brings nothing that would paint over those of the one before.
        self.refresh()

    def sync(self, delta: Delta) -> None:
        """Take over what the board has found: statuses by row at once, structure as often as it is cheap."""
        for row in delta.changed:
            self._mark_changed(row)
        self._waiting |= delta.files
        if self.failed_first:
            self._waiting |= delta.reds
        if self._allowed is not None:
            self._waiting |= {self.board.file[row] for row in delta.changed}
        self._tops_waiting |= delta.causes or delta.notices
        self._repaint(delta.changed)
        self._measure()
        self.settle()
        if self._return_to:
            self._return()

    def come_to(self, scenario: str) -> None:
        """Put the cursor on a scenario as soon as its row is there."""
        self._return_to = scenario
        self._return()

    def _return(self) -> None:
        """Put the cursor where it stood before the board was read again, as soon as that row is there."""
        row = self.board.index.get(self._return_to, -1)
        if row >= 0 and self.board.file[row] in self._files:
            self._return_to = ""
            self.go(row)

    @property
    def settled(self) -> bool:
        """Whether the structure is what the board says."""
        return not self._waiting and not self._tops_waiting

    def settle(self, *, force: bool = False) -> None:
        """Build what is waiting, but never spend more than a fifth of the time on it."""
        began = time.perf_counter()
        if self.settled or (began < self._not_before and not force):
            return
        if self._tops_waiting:
            self._build_tops()
            self._tops_waiting = False
        # From the top down: what is in sight first, the rest with the next frames.
        gone = self._waiting - self.board.files.keys()
        for key in (*gone, *(key for key in self.board.files if key in self._waiting)):
            self._build(key)
            self._waiting.discard(key)
            if not force and time.perf_counter() - began > BUILD_SECONDS:
                break
        self._arrange()
        self.refresh()
        now = time.perf_counter()
        self._not_before = now + 4 * (now - began)

    def rebuild(self) -> None:
        """Build everything anew: another order, another filter."""
        for key in self.board.files:
            self._build(key)
        self._build_tops()
        self._arrange()
        self.refresh()

    def only(self, allowed: Allowed) -> None:
        """Show only rows that `allowed` lets through."""
        self._allowed = allowed
        for section in (*self._files.values(), *self._before):
            section.show(allowed if section.key not in TROUBLES else None)
        self._arrange()
        self.refresh()

    def _mark_changed(self, row: int) -> None:
        if row >= len(self._status):
            self._status.extend(bytes(len(self.board.status) - len(self._status)))
        before, after = self._status[row], self.board.status[row]
        self._status[row] = after
        section = self._files.get(self.board.file[row])
        if section is not None:
            section.changed(row, before, after)

    def _build(self, key: str) -> None:
        old = self._files.get(key)
        closed = old.closed() if old is not None else self._folded.get(key, ())
        if not self.board.files.get(key):
            self._files.pop(key, None)
            return
        section = file_section(key, self.board, failed_first=self.failed_first, closed=closed)
        if self._allowed is not None:
            section.show(self._allowed)
        self._files[key] = section

    def _build_tops(self) -> None:
        for section in (*self._before, *self._after):
            self._folded[section.key] = {
                name for name in section.closed() if not name.startswith(f"{CAUSE}:")
            }
            if section.key == "causes":
                shown = [node for node, kind in enumerate(section.kind) if kind == CAUSE]
                closed = {section.identity(node) for node in shown if not section.open[node]}
                # One that is not there while its tests run again comes back as it was.
                self._causes_open |= {section.identity(node) for node in shown} - closed
                self._causes_open -= closed
        closed = {name for names in self._folded.values() for name in names}
        starts, self._after = notice_sections(self.board, closed)
        causes = cause_section(self.board, closed, self._causes_open)
        if causes is not None and self._allowed is not None:
            causes.show(self._allowed)
        self._before = starts + ([causes] if causes is not None else [])

    def _arrange(self) -> None:
        files = [self._files[key] for key in self.board.files if key in self._files]
        if self.failed_first:
            files.sort(key=lambda section: not section.red[0])
        shown = [section for section in (*self._before, *files, *self._after) if len(section)]
        self.sections = shown
        self._starts = [0, *accumulate(len(section) for section in shown)]
        self.hold(Size(max(1, self.size.width), self._starts[-1]))
        self._restore()

    # -- cursor ------------------------------------------------------------------------------------------------------

    def _restore(self) -> None:
        if not self._starts[-1]:
            self._at = 0
            self._place(0)
            return
        if not self.touched:
            self._place(self._trouble())
            return
        for stood in (self._gone, self._cursor):
            at = self._found(stood) if stood is not None else -1
            if at >= 0:
                if self._gone is not None:
                    self._look_from(self._gone_top, at)
                elif at < self.scroll_offset.y:
                    self._look_from(0, at)  # its file has moved up: what leads it is there to be seen
                if stood == self._gone:
                    self._gone = None
                self._place(at)
                return
        if self._gone is None:
            self._gone, self._gone_top = self._cursor, self.scroll_offset.y
        self._place(self._at)

    def _look_from(self, top: int, at: int) -> None:
        """Show the rows that a person looked at, as far as this one is among them: causes come and go above it."""
        if top <= at < top + self.size.height and top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, immediate=True)

    def _found(self, stood: tuple[str, str]) -> int:
        """The line of what the cursor stood on, or -1."""
        for start, section in zip(self._starts, self.sections, strict=False):
            if section.key == stood[0] and (node := section.find(stood[1])) >= 0:
                return start + section.place(node)
        return -1

    def stay(self) -> None:
        """A person wants the cursor where it stands."""
        self.touched, self._gone = True, None

    def _trouble(self) -> int:
        """Where a person looks first: the first cause, else the first notice, else the first row of the first file.

        What was not collected stands above the causes and stays in sight; where it fills the screen, it comes first.
        """
        height = self.size.height  # none yet: nothing is out of sight
        for start, section in zip(self._starts, self.sections, strict=False):
            if section.key == "causes" and len(section) > 1 and (not height or start + 1 < height):
                return start + 1
        return 1 if self.sections and self.sections[0].span[0] > 1 and len(self.sections[0]) > 1 else 0

    def _place(self, at: int) -> None:
        before, self._at = self._at, max(0, min(at, self._starts[-1] - 1))
        found = self.at(self._at)
        cursor = (found[0].key, found[0].identity(found[1])) if found else None
        changed, self._cursor = cursor != self._cursor, cursor
        self._keep_visible()
        if before != self._at:
            self.refresh_line(before)
        self.refresh_line(self._at)
        if changed:
            self.post_message(self.Moved())

    def _keep_visible(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if height and self._at < top:
            self.scroll_to(y=self._at, animate=False)
        elif height and self._at >= top + height:
            self.scroll_to(y=self._at - height + 1, animate=False)

    def at(self, y: int) -> tuple[Section, int] | None:
        """The section and node of a visible line."""
        if not 0 <= y < self._starts[-1]:
            return None
        number = bisect_right(self._starts, y) - 1
        section = self.sections[number]
        return section, section.visible[y - self._starts[number]]

    @property
    def selected(self) -> tuple[Section, int] | None:
        """What the cursor stands on."""
        return self.at(self._at)

    def move(self, where: str) -> None:
        """Move the cursor by name."""
        page = max(1, self.size.height // 2)
        step = {
            "down": 1,
            "up": -1,
            "page_down": page,
            "page_up": -page,
            "top": -self._starts[-1],
            "bottom": self._starts[-1],
        }
        self.stay()
        self._place(self._at + step.get(where, 0))

    def jump(self, direction: int) -> bool:
        """Go to the next scenario of a file that is in sight; round the end; says whether there was one."""
        total = self._starts[-1]
        for step in range(1, total + 1):
            at = (self._at + direction * step) % total
            found = self.at(at)
            if found is None or found[0].kind[found[1]] != LEAF or found[0].key == "causes":
                continue
            self.stay()
            self._place(at)
            return True
        return False

    def jump_red(self, direction: int) -> bool:
        """Go to the next red row that says what went wrong, unfolding what hides it; round the end.

        Says whether there was one.
        """
        status, allowed = self.board.status, self._allowed
        files = {self.board.file[row] for row in self.board.reds()}
        silent = self.board.holders()
        reds = [
            (number, node)
            for number, section in enumerate(self.sections)
            if section.key in files
            for node, kind in enumerate(section.kind)
            if kind == LEAF
            and status[section.ref[node]] in RED_STATUSES
            and section.ref[node] not in silent
            and (allowed is None or allowed(section.ref[node]))
        ]
        if not reds:
            return False
        found = self.selected
        here = (self.sections.index(found[0]), found[1]) if found is not None else (-1, -1)
        at = bisect_right(reds, here) if direction > 0 else bisect_left(reds, here) - 1
        number, node = reds[at % len(reds)]
        self.go(self.sections[number].ref[node])
        return True

    def go(self, row: int) -> None:
        """Put the cursor on a row in its file, unfolding what hides it."""
        section = self._files.get(self.board.file[row])
        node = section.node_of.get(row, -1) if section is not None else -1
        if section is None or node < 0:
            return
        above = section.up[node]
        while above >= 0:
            section.open[above] = 1
            above = section.up[above]
        section.show(self._allowed)
        self.stay()
        self._cursor = (section.key, section.identity(node))
        self._arrange()
        self.post_message(self.Moved())
        self.refresh()

    def fold(self, *, opened: bool) -> bool:
        """Open or close the selected container; says whether that changed anything."""
        found = self.selected
        if found is None:
            return False
        section, node = found
        if section.span[node] == 1 or bool(section.open[node]) == opened:
            return False
        section.open[node] = opened
        section.show(self._allowed)
        self.stay()
        self._arrange()
        self.refresh()
        return True

    def up(self) -> None:
        """Go to the container of the selected row."""
        found = self.selected
        if found is not None and found[0].up[found[1]] >= 0:
            section, node = found
            self.stay()
            self._place(self._starts[self.sections.index(section)] + section.place(section.up[node]))

    def rows(self) -> list[int]:
        """The rows the selection stands for."""
        found = self.selected
        return found[0].leaves(found[1]) if found is not None else []

    def mark(self) -> None:
        """Mark what is selected, or take its marks away when all of it is marked."""
        ids = {self.board.ids[row] for row in self.rows()}
        self.marks = self.marks - ids if ids <= self.marks else self.marks | ids
        self.refresh()

    # -- painting ----------------------------------------------------------------------------------------------------

    def _repaint(self, changed: set[int]) -> None:
        if len(changed) > 4 * max(1, self.size.height):
            self.refresh()
            return
        top = self.scroll_offset.y
        for y in range(top, min(top + self.size.height, self._starts[-1])):
            found = self.at(y)
            if found is not None and (found[0].kind[found[1]] != LEAF or found[0].ref[found[1]] in changed):
                self.refresh_line(y)

    def tick(self, now: int) -> None:
        """Build what waits; turn the spinners that are in sight; nothing else."""
        self.settle()
        if now // 100_000_000 == self.now // 100_000_000:
            return
        self.now = now
        self._measure()
        if not self.board.running:
            return
        top = self.scroll_offset.y
        for y in range(top, min(top + self.size.height, self._starts[-1])):
            found = self.at(y)
            if found is None or found[0].kind[found[1]] != LEAF:
                continue
            if self.board.status[found[0].ref[found[1]]] == Status.RUNNING:
                self.refresh_line(y)

    def _measure(self) -> None:
        """Every bar is another where its run has become longer than its scale."""
        if not self.timed:
            return
        place = rowbars.newest(self.board)
        measured = rowbars.scale(self.board, place, self.now) if place >= 0 else None
        if measured != self._scale:
            self._scale = measured
            self.refresh()

    def on_resize(self) -> None:
        """Keep the cursor in sight; one that nobody has moved goes where the trouble is in this size."""
        self.hold(Size(max(1, self.size.width), self._starts[-1]))
        self._restore()
        self._keep_visible()

    def on_click(self, event: events.Click) -> None:
        """Select with the mouse; a click on the selected container folds it."""
        at = self.scroll_offset.y + event.y
        if at == self._at and (found := self.selected) is not None:
            self.fold(opened=not found[0].open[found[1]])
        elif at < self._starts[-1]:
            self.stay()
            self._place(at)

    def render_line(self, y: int) -> Strip:
        """Paint one line of the window."""
        row, width, base = self.scroll_offset.y + y, self.size.width, self.rich_style
        found = self.at(row)
        if found is None:
            return Strip.blank(width, base)
        over: Style = NOTHING
        if row == self._at:
            over = self._palette.cursor if self.has_focus else self._palette.cursor_off
        section, node = found
        line = self._painter.line(
            self, section, node, max(1, self.scrollable_content_region.width), selected=row == self._at
        )
        return line.strip(width, base + over)
