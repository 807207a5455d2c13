"""The timeline pane: bars of steps and calls over one axis of time, with a cursor, zoom, and a choice that narrows all.

Calls are folded by the native view on another thread, one question at a time; what is painted is what came last.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tracekit.ui.panes import timeline
from tracekit.ui.panes.picks import Stretch
from tracekit.ui.panes.reported import untimed_lines
from tracekit.ui.safe import NOTHING, Line
from tracekit.ui.standing import Standing
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.header import TitleRow
from tracekit.ui.widgets.lines import LinesPane
from tracekit.ui.widgets.reading import Latest
from tracekit.wire.ids import in_python
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from tracekit.model.facts import Attempt
    from tracekit.store.tracewindow import About, Folded, Window
    from tracekit.ui.ports import ViewFace

#: How often a running attempt is read anew, in nanoseconds.
OFTEN = 1_000_000_000


@dataclass(frozen=True)
class Question:
    """What is asked of the trace."""

    view: ViewFace
    about: About
    since: int
    until: int
    columns: int
    turn: int


class TimelineRows(ScrollView, can_focus=True, inherit_bindings=False):
    """The rows themselves."""

    DEFAULT_CSS = "TimelineRows { overflow-y: auto; overflow-x: hidden; scrollbar-size-vertical: 1; }"
    ALLOW_SELECT = False

    def __init__(self, palette: Palette, *, id: str) -> None:
        super().__init__(id=id)
        self._palette = palette
        self.rows: list[timeline.Row] = []
        self.chart: timeline.Chart | None = None
        self.at = 0
        self.bar = 0

    def show(self, rows: list[timeline.Row], chart: timeline.Chart) -> None:
        """Other rows, or the same in another window."""
        self.rows, self.chart = rows, chart
        self.at = max(0, min(self.at, len(rows) - 1))
        self._settle_bar()
        self.virtual_size = Size(max(1, self.size.width), len(rows))
        self.refresh()

    @property
    def chosen(self) -> timeline.Bar | None:
        """The bar under the cursor."""
        row = self.rows[self.at] if self.rows else None
        return row.bars[self.bar] if row is not None and 0 <= self.bar < len(row.bars) else None

    def _sight(self) -> list[int]:
        """Bars of the cursor's row that lie in the window."""
        chart = self.chart
        if chart is None or not self.rows:
            return []
        bars = self.rows[self.at].bars
        return [
            number for number, bar in enumerate(bars) if bar.end >= chart.since and bar.start <= chart.until
        ]

    def _settle_bar(self) -> None:
        sight = self._sight()
        if self.bar not in sight:
            self.bar = sight[0] if sight else -1

    def move(self, where: str) -> None:
        """Another row, under the same moment where there is a bar."""
        page = max(1, self.size.height // 2)
        last = len(self.rows) - 1
        step = {"down": 1, "up": -1, "page_down": page, "page_up": -page, "top": -last, "bottom": last}
        before = self.chosen
        self.at = max(0, min(last, self.at + step.get(where, 0))) if self.rows else 0
        sight = self._sight()
        middle = (before.start + before.end) // 2 if before is not None else 0
        bars = self.rows[self.at].bars if self.rows else []
        self.bar = min(sight, key=lambda number: _away(bars[number], middle), default=-1)
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if not top <= self.at < top + height:
            self.scroll_to(y=self.at if self.at < top else self.at - height + 1, animate=False)
        self.refresh()

    def sideways(self, columns: int) -> bool:
        """The bar before or after; says whether there was one."""
        sight = self._sight()
        place = sight.index(self.bar) + (1 if columns > 0 else -1) if self.bar in sight else 0
        if not 0 <= place < len(sight):
            return False
        self.bar = sight[place]
        self.refresh()
        return True

    def render_line(self, y: int) -> Strip:
        """Paint one row of the window."""
        row, width, base = self.scroll_offset.y + y, self.size.width, self.rich_style
        if self.chart is None or row >= len(self.rows):
            return Strip.blank(width, base)
        here = row == self.at
        line = self.chart.line(self.rows[row], self.bar if here else -1)
        over = (self._palette.cursor if self.has_focus else self._palette.cursor_off) if here else NOTHING
        return line.strip(width, base + over)


def _alike(one: object, other: object) -> bool:
    """What is large is known by its identity: it is made anew where it changes."""
    return one is other or (isinstance(one, str | int | tuple) and one == other)


def _away(bar: timeline.Bar, moment: int) -> int:
    return max(0, bar.start - moment, moment - bar.end)


class TimelinePane(Standing, Vertical):
    """Axis, rows, and what the cursor stands on in words."""

    DEFAULT_CSS = """
    TimelinePane > .bar { height: 1; }
    TimelinePane > #timeline { height: 1fr; }
    TimelinePane > #timeline-note { display: none; height: auto; max-height: 6; }
    TimelinePane > #timeline-note.-on { display: block; }
    """

    def __init__(self, palette: Palette, *, id: str, classes: str) -> None:
        super().__init__(id=id, classes=classes)
        self._palette = palette
        self._attempt: Attempt | None = None
        self._view: ViewFace | None = None
        self._about: About | None = None
        self._stretch: Stretch | None = None
        self._key: object = None
        self._window: tuple[int, int] = (0, 1)
        self._whole: tuple[int, int] = (0, 1)
        self._folded: Folded | None = None
        self._lanes: dict[int, tuple[int, int, str]] = {}
        self._problem = ""
        self.reading: Latest[Question] = Latest(self.run_worker, self._read)
        self._answered: Question | None = None
        self._opened: tuple[object, Window] | None = None
        self._painted: tuple[object, ...] = ()
        self._looked = 0
        self._turn = 0
        self._unrun: list[Line] = []

    def compose(self) -> ComposeResult:
        """Three parts, and a note where calls are missing."""
        yield TitleRow(id="timeline-axis", classes="bar")
        yield TimelineRows(self._palette, id="timeline")
        yield LinesPane(id="timeline-note")
        yield TitleRow(id="timeline-foot", classes="bar")

    @property
    def rows(self) -> TimelineRows:
        """Where keys go."""
        return self.query_one("#timeline", TimelineRows)

    # -- what is shown -----------------------------------------------------------------------------------------------

    def show(self, view: ViewFace, attempt: Attempt, about: About, stretch: Stretch | None, now: int) -> None:
        """Show an attempt; another one, or another stretch, begins with all of it in the window."""
        self._view, self._attempt, self._about = view, attempt, about
        now_m = attempt.started_m + max(0, now - attempt.started_t)
        whole = timeline.bounds(attempt, now_m)
        key = (id(view), about.scenarios, attempt.number, stretch)
        if key != self._key:
            self._key, self._stretch, self._folded = key, stretch, None
            self._window = whole
            if stretch is not None:
                until = stretch.until or whole[1]
                edge = max(1_000, (until - stretch.since) // 20)
                self._window = (max(whole[0], stretch.since - edge), min(whole[1], until + edge))
            if stretch is None:
                self.rows.at = self.rows.bar = 0
        elif self._window == self._whole:
            self._window = whole
        self._whole = whole
        self._ask()
        self._paint()

    def clear(self, unrun: list[Line]) -> None:
        """Nothing has run; these lines say why."""
        self._attempt = self._key = self._folded = None
        self._unrun = unrun
        self.rows.rows = []
        self._paint()

    def tick(self, now: int) -> None:
        """What is running grows."""
        if self._attempt is None or self._attempt.verdict is not None or now - self._looked < OFTEN:
            return
        self._looked, self._turn = now, self._turn + 1
        if self._view is not None and self._about is not None:
            self.show(self._view, self._attempt, self._about, self._stretch, now)

    def on_resize(self) -> None:
        """Another width has other columns."""
        self._ask()
        self._paint()

    def paint_anew(self) -> None:
        """The palette means other colours now."""
        self._painted = ()
        self._paint()

    def zoom(self, factor: float) -> None:
        """A shorter window around the cursor's bar, or a longer one."""
        bar = self.rows.chosen
        middle = (bar.start + bar.end) // 2 if bar is not None else sum(self._window) // 2
        self._window = timeline.zoomed(*self._window, self._whole, factor, middle)
        self._ask()
        self._paint()

    def _chart(self) -> timeline.Chart:
        begin = self._attempt.started_m if self._attempt is not None else 0
        return timeline.Chart(self._palette, *self._window, max(24, self.size.width), begin)

    def _paint(self) -> None:
        if not self.is_mounted:
            return
        chart, attempt = self._chart(), self._attempt
        note = self.query_one("#timeline-note", LinesPane)
        if attempt is None:
            self.query_one("#timeline-axis", TitleRow).show(Line())
            self.query_one("#timeline-foot", TitleRow).show(Line())
            note.set_class(bool(self._unrun), "-on")
            note.show(self._unrun, "unrun")
            self._painted = ()
            self.rows.refresh()
            return
        # Whoever holds this asks for it as well where the size is another.
        wanted = (attempt, self._folded, self._problem, self._window, self._whole, self.size.width)
        same = len(self._painted) == len(wanted) and all(map(_alike, wanted, self._painted))
        if same and attempt.verdict is not None:
            return
        self._painted = wanted
        rows = timeline.step_rows(attempt, self._whole[1])
        if self._folded is not None:
            rows += timeline.lane_rows(self._folded, self._lanes)
        # A scale without anything on it, as of one that took no time that was told, is nothing to read.
        self.query_one("#timeline-axis", TitleRow).show(chart.axis() if rows else Line())
        self.rows.show(rows, chart)
        lines = self._note()
        note.set_class(bool(lines), "-on")
        note.show(lines, "note")
        self._foot()

    def _note(self) -> list[Line]:
        look = self._palette
        if self._problem:
            return [Line(1).gap(1).name(self._problem, look.warn)]
        if self._folded is None or self._folded.calls or self._view is None:
            return []
        trace = self._view.state.run.trace
        told = self._about.scenarios if self._about is not None else ()
        if told and not any(map(in_python, told)):
            return untimed_lines(told[0], self._attempt, look)
        if trace == "calls":
            return [Line().gap(1).own("no call of the project's own functions was recorded here", look.dim)]
        return [Line().gap(1).own("t", look.accent).own(" runs it with each call recorded", look.dim)]

    def _foot(self) -> None:
        bar, look = self.rows.chosen, self._palette
        line = Line()
        if bar is not None:
            line = self._chart().about(bar)
        elif self.rows.rows and self.rows.rows[self.rows.at].kind == "lane":
            line = timeline.moments_line(self.rows.rows[self.rows.at].moments, look)
        hint = (
            "+ - zoom  enter only this" if self._window == self._whole else "+ - zoom  enter only this  esc"
        )
        room = self.size.width - line.columns - len(hint) - 1
        if room > 1 and self.rows.rows:
            line.gap(room).own(hint, look.faint)
        self.query_one("#timeline-foot", TitleRow).show(line)

    def moved(self) -> None:
        """The cursor stands on another bar."""
        self._foot()

    # -- asking the trace --------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        if self._view is None or self._about is None or self._attempt is None or not self.is_mounted:
            return
        width = self._chart().width
        asked = Question(self._view, self._about, *self._window, width, self._turn)
        if asked not in {self._answered, self.reading.wanted}:
            self.reading.ask(asked)

    async def _read(self, asked: Question) -> None:
        problem = ""
        try:
            folded, lanes = await asyncio.to_thread(self._fold, asked)
        except ProblemError as error:
            folded, lanes = None, {}
            problem = f"{error.first.what} · {error.first.action}"
        self._answered = asked
        if self._view is not asked.view or self._about != asked.about:
            return
        if (folded, lanes, problem) != (self._folded, self._lanes, self._problem):
            self._folded, self._lanes, self._problem = folded, lanes, problem
            self._paint()

    def _fold(self, asked: Question) -> tuple[Folded, dict[int, tuple[int, int, str]]]:
        """On another thread, which alone uses this window."""
        held = (id(asked.view), asked.about.scenarios, asked.about.since, asked.about.until)
        if self._opened is None or self._opened[0] != held:
            self._opened = (held, asked.view.events())
            self._opened[1].look(asked.about, "")
        window = self._opened[1]
        window.poll()
        while window.behind:
            window.poll()
        if not window.traced:
            from tracekit.store.tracewindow import Folded

            return Folded([], []), {}
        return window.folded(asked.since, asked.until, asked.columns, timeline.DEEPEST), window.threads()
