"""The right-hand side: title, steps in one line, tabs, and the pane of the chosen tab for what the tree has selected.

It asks the board for attempts when something changed and builds lines only when the facts behind them are other ones.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from tracekit.model.facts import Attempt, OutputSpan
from tracekit.model.status import BY_WORD, RED_STATUSES, Status
from tracekit.ui.board import Board
from tracekit.ui.panes import flags, story, summary
from tracekit.ui.panes.events import about
from tracekit.ui.panes.failure import failure_lines
from tracekit.ui.ports import Ports, ViewFace
from tracekit.ui.safe import Line, clean, shorten, shorten_name
from tracekit.ui.sections import CAUSE, LEAF, NOTICE, Section
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.events import EventRows, EventsPane
from tracekit.ui.widgets.header import TitleRow
from tracekit.ui.widgets.lines import LinesPane
from tracekit.ui.widgets.output import OutputPane
from tracekit.ui.words import count, seconds
from tracekit.wire.names import RED

TABS = ("steps", "failure", "output", "cases", "repro", "run", "events")
KINDS = {
    "launch": "could not start",
    "discovery": "could not be collected",
    "gap": "not recorded",
    "stalled": "no sign of life",
    "link": "link",
    "warning": "warning",
}
OF_ROWS = ("overview", "output", "run", "events")


class Detail(Vertical):
    """Shows one scenario's attempt, a container, or a notice."""

    DEFAULT_CSS = "Detail > .bar { height: 1; } Detail > .pane { height: 1fr; }"

    def __init__(self, palette: Palette, ports: Ports, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.board = Board()
        self.pinned: str | None = None
        self.resting = True  # nobody has chosen a row yet: where nothing is red, the run itself says most
        self.row = -1
        self._palette, self._ports = palette, ports
        self._attempt_back = 0  # 0: the newest
        self._at: tuple[Section, int] | None = None
        self._shown: object = None
        self._attempts: list[tuple[ViewFace, Attempt]] = []

    def compose(self) -> ComposeResult:
        """Three bars and three panes, one of them visible."""
        yield TitleRow(id="detail-title", classes="bar")
        yield TitleRow(id="detail-steps", classes="bar")
        yield TitleRow(id="detail-tabs", classes="bar")
        yield LinesPane(id="lines", classes="pane")
        yield OutputPane(self._palette, id="output", classes="pane")
        yield EventsPane(self._palette, id="events-pane", classes="pane")

    def on_resize(self) -> None:
        """Bars are cut to the width."""
        self._shown = None
        self.update_facts()

    def select(self, board: Board, at: tuple[Section, int] | None) -> None:
        """Show what the tree's cursor stands on."""
        row = _row_of(at)
        if board is not self.board or row != self.row:
            self._attempt_back = 0
        self.board, self._at, self.row = board, at, row
        self.update_facts()

    def choose(self, tab: str) -> None:
        """Stay on a tab, for every scenario that has it."""
        self.pinned = tab
        self.update_facts()

    def turn(self, direction: int) -> None:
        """Show an earlier or a later attempt."""
        self._attempt_back = max(0, min(len(self._attempts) - 1, self._attempt_back - direction))
        self.update_facts()

    @property
    def attempt(self) -> tuple[ViewFace, Attempt] | None:
        """The attempt that is shown, and the run it belongs to."""
        if not self._attempts:
            return None
        return self._attempts[max(0, len(self._attempts) - 1 - self._attempt_back)]

    @property
    def tabs(self) -> tuple[str, ...]:
        """The tabs of what is selected."""
        return TABS if self.row >= 0 else OF_ROWS

    @property
    def tab(self) -> str:
        """The tab that is shown: the one a person chose, else what says most about the state."""
        if self.pinned in self.tabs:
            return self.pinned
        if self.row < 0:
            return self.tabs[0]
        if self.resting and not self.board.red_count and not self.board.running:
            return "run"
        shown = self.attempt
        if shown is None:
            return "steps"
        status = Status.RUNNING if shown[1].verdict is None else BY_WORD.get(shown[1].verdict, Status.ERROR)
        if status in RED_STATUSES:
            return "failure"
        return "output" if status == Status.RUNNING and shown[1].outputs else "steps"

    def update_facts(self) -> None:
        """Look at the facts again; cheap when nothing changed."""
        if not self.is_mounted:
            return
        self._attempts = self.board.attempts(self.row) if self.row >= 0 else []
        shown = self.attempt
        tab = self.tab
        key = (id(self.board), self.row, self._node_key(), tab, self._attempt_back, len(self._attempts))
        facts_key = (key, id(shown[1]) if shown else 0, self._volatile(tab, shown))
        if facts_key == self._shown:
            return
        self._shown = facts_key
        self._bars(shown, tab)
        self._body(shown, tab, key)

    def _volatile(self, tab: str, shown: tuple[ViewFace, Attempt] | None) -> object:
        """What else a tab depends on."""
        if tab in {"run", "overview", "cases"}:
            return self.board.version
        if tab == "output":
            return len(self._spans(shown)[1])
        if tab == "events":
            return (about(self.board, self.row, shown), shown[1].verdict if shown else None)
        return self.board.status[self.row] if self.row >= 0 else 0

    def _node_key(self) -> str:
        return f"{self._at[0].key}/{self._at[0].identity(self._at[1])}" if self._at else ""

    # -- bars --------------------------------------------------------------------------------------------------------

    def _bars(self, shown: tuple[ViewFace, Attempt] | None, tab: str) -> None:
        width = max(20, self.size.width)
        self.query_one("#detail-title", TitleRow).show(self._title(shown, width))
        steps = Line()
        if shown is not None:
            steps = story.strip_of_steps(shown[1], self._palette, self._ports.now())
        self.query_one("#detail-steps", TitleRow).show(steps)
        self.query_one("#detail-tabs", TitleRow).show(self._tab_line(tab))

    def _title(self, shown: tuple[ViewFace, Attempt] | None, width: int) -> Line:
        look = self._palette
        line = Line().gap(1)
        if self.row < 0:
            return self._plain_title(line, width)
        board = self.board
        glyph, status = (
            story.sign(shown[1].verdict, look, self._ports.now())
            if shown
            else (look.glyphs.pending, Status.PENDING)
        )
        if shown is None:
            status = Status(board.status[self.row])
            glyph = look.glyphs.of(status)
        facts = board.facts[self.row]
        right = Line()
        if len(self._attempts) > 1:
            right.own(
                f"attempt {len(self._attempts) - self._attempt_back}/{len(self._attempts)}", look.accent
            ).gap(2)
        if shown is not None and shown[1].duration_ns:
            right.own(seconds(shown[1].duration_ns), look.dim).gap(2)
        place = clean(f"{facts.file}:{facts.line}" if facts.line else facts.file)
        right.put(shorten(place, max(10, width // 3)), look.dim)
        line.own(glyph, look.failure if status in RED_STATUSES else look.of(status)).gap(1)
        line.put(shorten_name(clean(facts.name), width - line.columns - right.columns - 3), look.strong)
        return line.gap(width - 1 - line.columns - right.columns).join(right)

    def _plain_title(self, line: Line, width: int) -> Line:
        if self._at is None:
            return line
        section, node = self._at
        if section.kind[node] == NOTICE:
            return line.own(
                KINDS.get(section.notices[section.ref[node]][1].kind, "note"), self._palette.strong
            )
        label = section.label.get(node, "")
        line.put(shorten(clean(label), width - 14), self._palette.strong)
        tests = section.total[node]
        return line.gap(2).own(count(tests, "row") if tests else "", self._palette.dim)

    def _tab_line(self, tab: str) -> Line:
        """Tabs, and whether output follows: names give way to that, then the other tabs, the chosen name never."""
        right, width = self._follow_state() if tab == "output" else Line(), max(20, self.size.width)
        line = self._names(tab, 9)
        for letters in (4, 3, 0, -1):
            if line.columns + right.columns + 1 <= width:
                break
            line = self._names(tab, letters)
        return (
            line.gap(max(1, width - 1 - line.columns - right.columns)).join(right) if right.columns else line
        )

    def _names(self, tab: str, letters: int) -> Line:
        look, line = self._palette, Line().gap(1)
        for name in self.tabs:
            number = TABS.index(name) + 1 if name in TABS else 1  # as its key is
            if name == tab:
                line.own(f"[{number} {name.capitalize()}]", look.accent)
            elif letters >= 0:
                line.own(f" {number} {name.capitalize()[:letters]}".rstrip() + " ", look.dim)
        return line

    def _follow_state(self) -> Line:
        look, pane = self._palette, self.query_one("#output", OutputPane)
        line = Line().own("FOLLOW" if pane.follow else "held", look.accent if pane.follow else look.warn)
        return line.own(f" +{pane.new_lines:,} new", look.warn) if pane.new_lines else line

    def tick(self) -> None:
        """Read output on, and say how much is new."""
        if self.tab == "events" and self.is_mounted:
            self.query_one("#events-pane", EventsPane).tick()
        if self.tab == "output" and self.is_mounted:
            self.query_one("#output", OutputPane).pump()
            self.query_one("#detail-tabs", TitleRow).show(self._tab_line("output"))

    # -- body --------------------------------------------------------------------------------------------------------

    def _body(self, shown: tuple[ViewFace, Attempt] | None, tab: str, key: object) -> None:
        lines, output = self.query_one("#lines", LinesPane), self.query_one("#output", OutputPane)
        events = self.query_one("#events-pane", EventsPane)
        focused = any(pane.has_focus for pane in (lines, output, events.rows))
        output.display, events.display = tab == "output", tab == "events"
        lines.display = not (output.display or events.display)
        if focused:
            self.keys_to.focus()
        if tab == "events":
            view = shown[0] if shown else self.board.newest if self.row < 0 else None
            broke = shown is not None and shown[1].verdict in RED
            events.show(view, about(self.board, self.row, shown), ended_red=broke)
            return
        if tab == "output":
            view, spans = self._spans(shown)
            if view is None:
                output.clear()
            else:
                output.show(view, spans, key)
            return
        lines.show(self._lines(shown, tab), key)

    @property
    def keys_to(self) -> LinesPane | OutputPane | EventRows:
        """The pane of the tab that is shown: where keys go."""
        if self.tab == "events":
            return self.query_one("#events-pane", EventsPane).rows
        return (
            self.query_one("#output", OutputPane)
            if self.tab == "output"
            else self.query_one("#lines", LinesPane)
        )

    def _spans(self, shown: tuple[ViewFace, Attempt] | None) -> tuple[ViewFace | None, list[OutputSpan]]:
        if self.row >= 0:
            return (shown[0], shown[1].outputs) if shown else (None, [])
        view = self.board.newest
        return (view, view.state.runner_output) if view is not None else (None, [])

    def _lines(self, shown: tuple[ViewFace, Attempt] | None, tab: str) -> list[Line]:
        look, now, board = self._palette, self._ports.now(), self.board
        if tab == "run":
            return summary.run_lines(board, look, now)
        if self.row < 0:
            return self._overview()
        facts = board.facts[self.row]
        attempt = shown[1] if shown else None
        stalls = story.stall_lines(shown[0].state.notices, facts, attempt, look) if shown and attempt else []
        beside = self._flag_lines(shown)
        if tab == "failure":
            return (
                [*failure_lines(attempt, look, self._root(shown)), *stalls, *beside]
                if attempt
                else [Line().own("  not run yet", look.dim)]
            )
        if tab == "cases":
            return story.case_lines(board, self.row, look, now)
        if tab == "repro":
            return story.repro_lines(facts, attempt, self.command(), look, self._root(shown))
        lines = [*beside[1:], *beside[:1], *story.story_lines(facts, attempt, look, now)]
        if attempt is not None and attempt.reason and attempt.verdict not in {"passed", None}:
            lines = [Line(2).gap(2).name(attempt.reason, look.text), Line(), *lines]
        return [*lines, *stalls]

    def _flag_lines(self, shown: tuple[ViewFace, Attempt] | None) -> list[Line]:
        if shown is None:
            return []
        view, attempt = shown
        with view.lock:
            i = view.state.index.get(self.board.ids[self.row], -1)
            return flags.flag_lines(view.state, i, attempt, self._palette) if i >= 0 else []

    def _root(self, shown: tuple[ViewFace, Attempt] | None) -> str:
        return shown[0].state.run.root or shown[0].root if shown else ""

    def _overview(self) -> list[Line]:
        look, board = self._palette, self.board
        if self._at is None:
            return summary.run_lines(board, look, self._ports.now())
        section, node = self._at
        if section.kind[node] == NOTICE:
            return summary.notice_lines(section.notices[section.ref[node]][1], look)
        if section.ref[node] >= 0 or section.key in {"starts", "collects", "notes", "causes"}:
            return summary.run_lines(board, look, self._ports.now())
        return summary.rows_lines(board, section.label.get(node, ""), section.leaves(node), look)

    def command(self) -> str:
        """The command that runs exactly what is selected."""
        view = self.board.newest
        if view is None or self._at is None:
            return ""
        rows = [self.row] if self.row >= 0 else self._at[0].leaves(self._at[1])
        ids = [self.board.ids[row] for row in rows if self.board.parent[row] < 0] or [
            self.board.ids[self.board.parent[row]] for row in rows
        ]
        return self._ports.command(view.root, ids, view.state.run.profile)


def _row_of(at: tuple[Section, int] | None) -> int:
    """The scenario a node stands for; a cause stands for its first."""
    if at is None:
        return -1
    section, node = at
    if section.kind[node] == LEAF:
        return section.ref[node]
    if section.kind[node] == CAUSE:
        return next(iter(section.leaves(node)), -1)
    return -1
