"""The events pane: rows of a trace, live or recorded, through a filter; the box for that filter; and what is wrong.

The rows in sight are asked of the native view, once a window; nothing else of a trace is ever held here.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.cache import LRUCache
from textual.containers import Vertical
from textual.widgets import Input

from tracekit.store.tracewindow import About, Window
from tracekit.ui.panes import events
from tracekit.ui.ports import ViewFace
from tracekit.ui.safe import Line
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.box import Box
from tracekit.ui.widgets.following import MAX_COLUMNS, FollowingPane
from tracekit.ui.widgets.header import TitleRow
from tracekit.ui.widgets.lines import LinesPane
from tracekit.wire.ids import in_python
from tracekit.wire.problems import Problem, ProblemError

PLACEHOLDER = "kind:log level>=warning name:shop* dur>10ms text~refused @fail(-50ms..+10ms)"


class EventRows(FollowingPane, can_focus=True, inherit_bindings=False):
    """The rows themselves."""

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:
        super().__init__(palette, id=id)
        self.window: Window | None = None
        self.missing: list[Line] = []
        self.alone = False  # all of them of one scenario
        self.earlier = 0  # attempts of that one in other runs, which are counted first
        self._painted: LRUCache[int, Line] = LRUCache(1024)
        self._threads: dict[int, tuple[int, int, str]] = {}

    def use(self, window: Window | None, *, follow: bool) -> None:
        """Show the rows of a window from their end, or from their beginning."""
        self.window = window
        self._painted.clear()
        self._threads = window.threads() if window is not None else {}
        self.begin_again(follow=follow)

    def grow(self, before: int) -> None:
        """Rows came after those."""
        self.lay_out()
        if self.follow or before <= self.scroll_offset.y + self.size.height:
            self.refresh()

    def paint_anew(self) -> None:
        """Forget the lines that were painted."""
        self._painted.clear()
        self.refresh()

    @property
    def line_count(self) -> int:
        """Rows that pass, as far as they are counted."""
        return len(self.window) if self.window is not None else 0

    def stand_in(self, y: int) -> Line | None:
        """Why there is nothing."""
        return self.missing[y] if y < len(self.missing) else None

    def line_at(self, row: int) -> Line | None:
        """A painted row."""
        if row not in self._painted:
            self._fetch(row)
        return self._painted.get(row)

    def _fetch(self, row: int) -> None:
        """Make the rows around one: one question for the whole window."""
        window = self.window
        if window is None:
            return
        first = max(0, min(row, self.scroll_offset.y))
        if row - first > 256:
            first = row
        try:
            found = window.shown(first, max(1, self.size.height), MAX_COLUMNS)
        except ProblemError as error:
            self._painted[row] = Line().gap(2).name(error.first.what, self._palette.warn)
            return
        begin, alone = window.begin, self.alone
        if any(one[5] not in self._threads for one in found):
            self._threads = window.threads()
        for number, one in enumerate(found):
            self._painted[first + number] = events.row_line(
                one, begin, self._threads, self._palette, alone=alone, earlier=self.earlier
            )


class EventsPane(Vertical):
    """Head, rows, and under them the filter with what is wrong with it."""

    DEFAULT_CSS = """
    EventsPane > .bar { height: 1; }
    EventsPane > #events { height: 1fr; }
    EventsPane > #events-note, EventsPane > #events-fault, EventsPane > #events-filter { display: none; }
    EventsPane > #events-fault { height: auto; max-height: 5; }
    EventsPane > #events-filter { height: 1; border: none; padding: 0 1; background: $surface; }
    EventsPane > #events-filter:focus { border: none; }
    EventsPane > #events-note.-on, EventsPane > #events-fault.-on { display: block; }
    """

    def __init__(self, palette: Palette, *, id: str, classes: str) -> None:
        super().__init__(id=id, classes=classes)
        self._palette = palette
        self.filter_text = ""
        self._view: ViewFace | None = None
        self._window: Window | None = None
        self._about = About()
        self._key: object = None
        self._problem: Problem | None = None
        self._live = False
        self._unrun: list[Line] = []

    def compose(self) -> ComposeResult:
        """The parts; most of them show only when they have something to say."""
        yield TitleRow(id="events-head", classes="bar")
        yield TitleRow(id="events-note", classes="bar")
        yield EventRows(self._palette, id="events")
        yield LinesPane(id="events-fault")
        yield Box(PLACEHOLDER, id="events-filter")

    def on_mount(self) -> None:
        """What is wrong is read, never walked in."""
        self.query_one("#events-fault", LinesPane).can_focus = False

    @property
    def rows(self) -> EventRows:
        """Where the keys go."""
        return self.query_one("#events", EventRows)

    @property
    def behind(self) -> bool:
        """Whether there is more to look at right now."""
        return self._window is not None and self._window.behind

    @property
    def counted(self) -> tuple[object, int]:
        """What is counted of a run that goes on, and how much there is of it; None where nobody can say."""
        window = self._window
        if window is None or not self._live or window.behind or self._problem is not None:
            return None, 0
        return (self._key, window.traced, self.filter_text), window.total

    @property
    def typing(self) -> bool:
        """Whether keys go into the filter."""
        return self.query_one("#events-filter").has_focus

    @property
    def about(self) -> About:
        """Which rows are shown."""
        return self._about

    # -- what is shown -----------------------------------------------------------------------------------------------

    def show(
        self,
        view: ViewFace | None,
        about: About,
        *,
        ended_red: bool,
        unrun: Sequence[Line] = (),
        earlier: int = 0,
    ) -> None:
        """Show these rows of a run; the same ones go on where they were. `unrun` says why there can be none."""
        if earlier != self.rows.earlier:
            self.rows.earlier = earlier
            self.rows.paint_anew()
        if list(unrun) != self._unrun:
            self._unrun, self._key = list(unrun), None
        key = (id(view), about.scenarios, about.since, about.until)
        if key == self._key and self._about == about:
            self.tick()
            return
        again = key != self._key
        self._key, self._about = key, about
        if view is not self._view or self._window is None:
            self._view, self._window = view, None
            if view is not None:
                self._window = self._opened(view)
        # A red one is looked at from its end, where it broke.
        follow = view is not None and (view.live or ended_red)
        self._look(self.filter_text, follow=follow if again else self.rows.follow)

    def _opened(self, view: ViewFace) -> Window | None:
        try:
            return view.events()
        except ProblemError as error:
            self._problem = error.first
            return None

    def _look(self, text: str, *, follow: bool) -> bool:
        """Apply the filter; what cannot be understood is told, and the rows stay."""
        if self._window is None:
            self.rows.use(None, follow=False)
            self._tell()
            return False
        try:
            self._window.look(self._about, text)
        except ProblemError as error:
            self._problem = error.first
            self._tell()
            return False
        self._problem, self.filter_text = None, text
        self.rows.alone = bool(self._about.scenarios)
        self.rows.use(self._window, follow=follow)
        self._tell()
        return True

    def tick(self) -> None:
        """Look for more; every frame while the run is live or a filter is being counted."""
        window, view = self._window, self._view
        if window is None or view is None:
            return
        live, self._live = self._live, view.live
        if not (live or view.live or window.behind):
            return
        before, traced = len(window), window.traced
        try:
            new = window.poll()
        except ProblemError as error:
            self._problem = error.first
            self._tell()
            return
        if window.traced != traced:
            self.rows.use(window, follow=self.rows.follow)
        elif len(window) != before:
            self.rows.grow(before)
        if new or live != view.live or not len(window):
            self._tell()

    def _tell(self) -> None:
        """Head, note, stand-in and fault, as things are now."""
        look, window = self._palette, self._window
        pane = self.rows
        follow = Line()
        if self._view is not None and self._view.live:
            follow.own("FOLLOW" if pane.follow else "held", look.accent if pane.follow else look.warn)
            if pane.new_lines:
                follow.own(f" +{pane.new_lines:,} new", look.warn)
        width = max(20, self.size.width)
        known = self._view is None or self._view.state.run.trace == "calls"
        told = self._about.scenarios
        calls = known or (bool(told) and not any(map(in_python, told)))
        head = events.head_line(window, self.filter_text, follow, width, look, calls=calls)
        self.query_one("#events-head", TitleRow).show(head)
        live = self._view is not None and self._view.live
        note = events.note_line(window, look, live=live) if window is not None and not self._waits else None
        row = self.query_one("#events-note", TitleRow)
        row.set_class(note is not None, "-on")
        if note is not None:
            row.show(note)
        if window is not None:
            missing = events.empty_lines(window, self.filter_text, self._about, live=live, look=look)
        else:
            missing = self._unrun or [Line().gap(2).own("no run yet", look.dim)]
        if missing != pane.missing:
            pane.missing = missing
            pane.refresh()
        fault = self.query_one("#events-fault", LinesPane)
        fault.set_class(self._problem is not None, "-on")
        if self._problem is not None:
            fault.show(events.problem_lines(self._problem, look), "fault")

    @property
    def _waits(self) -> bool:
        """Whether a trace may still come: then nothing is said of its absence."""
        view = self._view
        return view is not None and view.live and view.state.run.trace != "off"

    def paint_anew(self) -> None:
        """The bars around the rows are made again."""
        self._tell()

    def on_resize(self) -> None:
        """The head is cut to the width."""
        self._tell()

    # -- the filter --------------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Open the box."""
        box = self.query_one("#events-filter", Box)
        box.value = self.filter_text
        box.cursor_position = len(box.value)
        # At once: keys that were typed ahead are for the box.
        box.display = True
        self.screen.set_focus(box)

    @on(Input.Changed, "#events-filter")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._problem is not None and self.typing:
            self._problem = None
            self._tell()

    @on(Input.Submitted, "#events-filter")
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._look(event.value.strip(), follow=self.rows.follow):
            self.leave(keep=True)

    def leave(self, *, keep: bool) -> None:
        """Close the box; the filter stays, or goes."""
        box = self.query_one("#events-filter", Box)
        self.screen.set_focus(self.rows)
        box.display = False
        if not keep:
            self._look("", follow=self.rows.follow)
