"""The timeline of a run, or of a part of it: lanes by worker, a cursor over attempts, and what each of them is.

All attempts are read on another thread, at most once a second while the run goes on; painting folds what is in sight.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from textual.app import ComposeResult
from textual.containers import Vertical

from tracekit.ui.panes import runbars, timeline
from tracekit.ui.safe import Line
from tracekit.ui.standing import Standing
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.header import TitleRow
from tracekit.ui.widgets.lines import LinesPane
from tracekit.ui.widgets.reading import Latest
from tracekit.ui.widgets.timeline import OFTEN, TimelineRows

if TYPE_CHECKING:
    from tracekit.ui.ports import ViewFace


class Asked(NamedTuple):
    """What is to be read."""

    view: ViewFace
    wanted: Collection[str] | None
    cut: int
    now: int


class RunTimeline(Standing, Vertical):
    """Axis, lanes, and what the cursor stands on in words."""

    DEFAULT_CSS = """
    RunTimeline > .bar { height: 1; }
    RunTimeline > #run-bars { height: 1fr; }
    RunTimeline > #run-bars-note { height: auto; max-height: 4; }
    """

    def __init__(self, palette: Palette, *, id: str, classes: str) -> None:
        super().__init__(id=id, classes=classes)
        self._palette = palette
        self._bars = runbars.RunBars()
        self._view: ViewFace | None = None
        self._wanted: Collection[str] | None = None
        self._key: object = None
        self._window: tuple[int, int] | None = None  # None: all of it
        self._painted: object = None
        self._known = False  # the bars are those of the key
        self._looked = 0
        self._seen: object = None
        self.reading: Latest[Asked] = Latest(self.run_worker, self._read)

    def compose(self) -> ComposeResult:
        """The axis, the lanes, what the run says as a whole, and the bar under the cursor."""
        yield TitleRow(id="run-bars-axis", classes="bar")
        yield TimelineRows(self._palette, id="run-bars")
        yield LinesPane(id="run-bars-note")
        yield TitleRow(id="run-bars-foot", classes="bar")

    def on_mount(self) -> None:
        """What is said below the lanes is read, never walked in."""
        self.query_one("#run-bars-note", LinesPane).can_focus = False

    @property
    def rows(self) -> TimelineRows:
        """Where keys go."""
        return self.query_one("#run-bars", TimelineRows)

    def show(self, view: ViewFace | None, wanted: Collection[str] | None, key: object, now: int) -> None:
        """Show a run, or some scenarios of it."""
        if key != self._key:
            self._key, self._window, self._seen, self._known = key, None, None, False
            self._bars = runbars.RunBars()
            self.rows.at = self.rows.bar = 0
        self._view, self._wanted = view, wanted
        self._ask(now)
        self._paint()

    def tick(self, now: int) -> None:
        """What goes on grows."""
        view = self._view
        if view is not None and (view.live or view.generation != self._seen) and now - self._looked >= OFTEN:
            self._ask(now)

    def on_resize(self) -> None:
        """Another width has other columns."""
        self._paint()

    def paint_anew(self) -> None:
        """The palette means other colours now."""
        self._painted = None
        self._paint()

    def moved(self) -> None:
        """The cursor stands on another bar."""
        self._foot()

    def zoom(self, factor: float) -> None:
        """A shorter window around the cursor's bar, or a longer one."""
        bars, bar = self._bars, self.rows.chosen
        if not bars.lanes:
            return
        whole = (bars.begin, bars.end)
        window = self._window or whole
        middle = (bar.start + bar.end) // 2 if bar is not None else sum(window) // 2
        window = timeline.zoomed(*window, whole, factor, middle)
        self._window = None if window == whole else window
        self._paint()

    # -- reading -----------------------------------------------------------------------------------------------------

    def _ask(self, now: int) -> None:
        view = self._view
        if view is None:
            return
        seen = (view.generation, now if view.live else 0, view.cut)
        if seen == self._seen:
            return
        self._seen, self._looked = seen, now
        self.reading.ask(Asked(view, self._wanted, view.cut, now))

    async def _read(self, asked: Asked) -> None:
        found = await asyncio.to_thread(_look, asked)
        if asked.view is self._view and asked.wanted == self._wanted:
            self._bars, self._known = found, True
            self._paint()

    # -- painting ----------------------------------------------------------------------------------------------------

    def _chart(self) -> timeline.Chart:
        window = self._window or (self._bars.begin, self._bars.end)
        return timeline.Chart(self._palette, *window, max(24, self.size.width - 1), self._bars.begin)

    def _paint(self) -> None:
        if not self.is_mounted:
            return
        wanted = (self._known, id(self._bars), self._window, self.size.width)
        if wanted == self._painted:
            return  # whoever holds this asks for it as well where the size is another
        self._painted = wanted
        look, chart, bars = self._palette, self._chart(), self._bars
        axis, note = self.query_one("#run-bars-axis", TitleRow), self.query_one("#run-bars-note", LinesPane)
        if not bars.lanes:
            words = "nothing has begun in this part of the run" if self._known else "looking"
            axis.show(Line().gap(1).own(words, look.dim))
            self.rows.show([], chart)
            note.show([], "note")
            self.query_one("#run-bars-foot", TitleRow).show(Line())
            return
        axis.show(chart.axis())
        self.rows.show(runbars.rows(bars, chart.since, chart.until, chart.width), chart)
        note.show(runbars.summary(bars, look), "note")
        self._foot()

    def _foot(self) -> None:
        bar, look, line = self.rows.chosen, self._palette, Line()
        if bar is not None:
            line = self._chart().about(bar)
        hint = "enter opens it  + - zoom"
        room = self.size.width - line.columns - len(hint) - 1
        if room > 1:
            line.gap(room).own(hint, look.faint)
        self.query_one("#run-bars-foot", TitleRow).show(line)


def _look(asked: Asked) -> runbars.RunBars:
    view = asked.view
    with view.lock:
        state, ended_t = view.state, view.state.run.ended_t
    now = asked.now if asked.cut or (view.live and not ended_t) else ended_t
    return runbars.read(state, view.lock, asked.wanted, now)
