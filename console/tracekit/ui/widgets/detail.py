"""The right-hand side: title, steps and failure in a line each, tabs, and the pane of the chosen one.

It asks the board for attempts when something changed and builds lines only when the facts behind them are other ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical

from tracekit.model.facts import Attempt, OutputSpan
from tracekit.model.status import BY_WORD, RED_STATUSES, Status
from tracekit.model.words import count, seconds
from tracekit.ui.board import Board
from tracekit.ui.panes import flags, story, summary
from tracekit.ui.panes.events import about
from tracekit.ui.panes.past import past_lines
from tracekit.ui.panes.picks import Stretch
from tracekit.ui.panes.place import place_lines
from tracekit.ui.panes.reported import silent_lines
from tracekit.ui.panes.unrun import unrun_lines, why_unrun
from tracekit.ui.panes.why import headline, why_lines
from tracekit.ui.ports import Ports, ViewFace
from tracekit.ui.rate import Rate
from tracekit.ui.safe import Line, clean, shorten, shorten_name
from tracekit.ui.sections import CAUSE, FILE, GROUP, LEAF, NOTICE, TROUBLES, Section
from tracekit.ui.standing import Standing
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.events import EventRows, EventsPane
from tracekit.ui.widgets.following import FollowingPane
from tracekit.ui.widgets.header import TitleRow
from tracekit.ui.widgets.lines import LinesPane
from tracekit.ui.widgets.output import OutputPane
from tracekit.ui.widgets.reading import PastKey, PastReader, RaisedKey, RaisedReader
from tracekit.ui.widgets.runtimeline import RunTimeline
from tracekit.ui.widgets.timeline import TimelinePane, TimelineRows
from tracekit.wire.names import RED

if TYPE_CHECKING:
    from tracekit.engine.past import Before

#: The tabs of a scenario, with their keys.
KEYS = {
    "steps": "1",
    "why": "2",
    "output": "3",
    "events": "4",
    "timeline": "5",
    "env": "6",
    "history": "7",
    "repro": "8",
}
TABS = tuple(KEYS)
KINDS = {
    "launch": "could not start",
    "discovery": "could not be collected",
    "gap": "not recorded",
    "stalled": "no sign of life",
    "link": "link",
    "warning": "warning",
}
#: What some are called where the whole names do not fit: a word that is cut anywhere reads as a mistake.
SHORT = {"timeline": "Time", "history": "Hist", "output": "Out"}
_SOME, _NONE = frozenset({"timeline", "history"}), frozenset[str]()
#: One try after the other: letters of a name, and the names that are short ones.
NARROWER = ((9, _NONE), (9, _SOME), (9, frozenset(SHORT)), (4, _NONE), (3, _NONE), (0, _NONE), (-1, _NONE))
OF_THE_PAST = frozenset({"why", "history", "env"})
OF_ROWS = ("overview", "output", "events", "timeline", "env")


class Detail(Standing, Vertical):
    """Shows one scenario's attempt, a container, or a notice."""

    DEFAULT_CSS = """
    Detail > .bar { height: 1; }
    Detail > .pane { height: 1fr; }
    Detail > #detail-cause, Detail > #detail-stretch { display: none; }
    Detail > #detail-cause.-on, Detail > #detail-stretch.-on { display: block; }
    """

    def __init__(self, palette: Palette, ports: Ports, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.board = Board()
        self.pinned: str | None = None
        self.rate = Rate()  # of the events that are looked at
        self.resting = True  # nobody has chosen a row yet: where nothing is red, the run itself says most
        self.row = -1
        self._palette, self._ports = palette, ports
        #: How wide it will be, until it is laid out: what is painted first is cut as what is painted then.
        self.expected = 0
        self._attempt_back = 0  # 0: the newest
        self._at: tuple[Section, int] | None = None
        self._shown: object = None
        self._attempts: list[tuple[ViewFace, Attempt]] = []
        self._family_of: tuple[object, list[int]] = (None, [])
        #: What was chosen of the attempt's time; every pane shows that alone.
        self.stretch: Stretch | None = None
        self._past = PastReader(ports, self.run_worker, self.update_facts)
        self._raised = RaisedReader(self.run_worker, self.update_facts, remembered=8)  # its keys hold runs
        self._asked: PastKey | None = None

    def compose(self) -> ComposeResult:
        """Bars and panes; one of the panes is visible."""
        yield TitleRow(id="detail-title", classes="bar")
        yield TitleRow(id="detail-steps", classes="bar")
        yield TitleRow(id="detail-cause", classes="bar")
        yield TitleRow(id="detail-tabs", classes="bar")
        yield TitleRow(id="detail-stretch", classes="bar")
        yield LinesPane(id="lines", classes="pane", palette=self._palette)
        yield OutputPane(self._palette, id="output", classes="pane")
        yield EventsPane(self._palette, id="events-pane", classes="pane")
        yield TimelinePane(self._palette, id="timeline-pane", classes="pane")
        yield RunTimeline(self._palette, id="run-timeline", classes="pane")

    def on_resize(self) -> None:
        """Bars are cut to the width."""
        self._shown = None
        self.update_facts()

    def paint_anew(self) -> None:
        """Make every line again: the palette means other colours now."""
        for pane in self.query(FollowingPane):
            pane.paint_anew()
        self.query_one("#events-pane", EventsPane).paint_anew()
        self.bars.paint_anew()
        self._shown = None
        self.update_facts()

    def select(self, board: Board, at: tuple[Section, int] | None) -> None:
        """Show what the tree's cursor stands on."""
        row = _row_of(at)
        if board is not self.board or row != self.row:
            self._attempt_back, self.stretch = 0, None
        self.board, self._at, self.row = board, at, row
        self.update_facts()

    def choose(self, tab: str) -> None:
        """Stay on a tab, for every scenario that has it."""
        self.pinned = tab
        self.update_facts()

    def turn(self, direction: int) -> bool:
        """Show an earlier or a later attempt; says whether there is one."""
        back = max(0, min(len(self._attempts) - 1, self._attempt_back - direction))
        if back == self._attempt_back:
            return False
        self._attempt_back = back
        self.stretch = None
        self.update_facts()
        return True

    def _earlier(self, view: ViewFace | None) -> int:
        """How many attempts stand before those of a run: each run counts its own from one."""
        at = next((at for at, (other, _) in enumerate(self._attempts) if other is view), 0)
        return at and at - (self._attempts[at][1].number - 1)

    def narrow(self, stretch: Stretch | None) -> None:
        """Show a stretch of the attempt's time alone, in every pane; the same one again, or None, shows all of it."""
        self.stretch = None if stretch == self.stretch else stretch
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
        if self.pinned == "run" or self.pinned in self.tabs:
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
            return "why"
        return "output" if status == Status.RUNNING and shown[1].outputs else "steps"

    def update_facts(self) -> None:
        """Look at the facts again; cheap when nothing changed."""
        if not self.is_mounted:
            return
        self._attempts = self.board.attempts(self.row) if self.row >= 0 else []
        shown = self.attempt
        tab = self.tab
        if tab in OF_THE_PAST and self.row >= 0:
            self._asked = self._past_key(shown)
            self._past.want(self._asked)
        if tab == "why" and shown is not None and shown[1].verdict in RED:
            self._raised.want(self._raised_key(shown))
        key = (id(self.board), self.row, self._node_key(), tab, self._attempt_back, len(self._attempts))
        which = (id(shown[1]), shown[0].cut) if shown else None
        facts_key = (key, which, self._volatile(tab, shown), self.stretch)
        if facts_key == self._shown:
            return
        self._shown = facts_key
        self._bars(shown, tab)
        self._body(shown, tab, key)

    def _volatile(self, tab: str, shown: tuple[ViewFace, Attempt] | None) -> object:
        """What else a tab depends on."""
        unrun = why_unrun(self.board, self.row) if shown is None and self.row >= 0 else None
        return unrun, self._of_tab(tab, shown)

    def _of_tab(self, tab: str, shown: tuple[ViewFace, Attempt] | None) -> object:
        if tab in {"run", "overview"}:
            return self.board.version
        if tab == "steps":
            board, told = self.board, shown[1] if shown else None
            family = [(other, board.status[other], board.duration[other]) for other in self._family()]
            return (
                family,
                (len(told.steps), len(told.assertions), told.stalls) if told is not None else None,
            )
        if tab in OF_THE_PAST:
            return (
                self._past.version,
                self._raised.version,
                self.board.status[self.row] if self.row >= 0 else 0,
            )
        if tab == "output":
            return len(self._spans(shown)[1])
        if tab in {"events", "timeline"}:
            return (about(self.board, self.row, shown, self.stretch), shown[1].verdict if shown else None)
        return self.board.status[self.row] if self.row >= 0 else 0

    def _node_key(self) -> str:
        return f"{self._at[0].key}/{self._at[0].identity(self._at[1])}" if self._at else ""

    def _family(self) -> list[int]:
        """The selected row and its cases: looked for when rows came or moved, not with every change of the run."""
        board, row = self.board, self.row
        if row < 0:
            return []
        key = (id(board), row, board.moves)
        if key != self._family_of[0]:
            self._family_of = key, [row, *board.family(row)]
        return self._family_of[1]

    def _past_key(self, shown: tuple[ViewFace, Attempt] | None) -> PastKey:
        view = shown[0] if shown else self.board.newest
        if view is None:
            return PastKey("", "", "")
        row = self.board.parent[self.row] if self.board.parent[self.row] >= 0 else self.row
        return PastKey(view.root, self.board.ids[row], view.run_id, ended=not view.live)

    def _raised_key(self, shown: tuple[ViewFace, Attempt]) -> RaisedKey:
        view = shown[0]
        return RaisedKey(view.run_id, about(self.board, self.row, shown), not view.live, view)

    # -- bars --------------------------------------------------------------------------------------------------------

    @property
    def _bar_width(self) -> int:
        return max(20, self.size.width or self.expected)

    def _bars(self, shown: tuple[ViewFace, Attempt] | None, tab: str) -> None:
        width = self._bar_width
        self.query_one("#detail-title", TitleRow).show(self._title(shown, width))
        steps = Line()
        if shown is not None:
            steps = story.strip_of_steps(shown[1], self._palette, self._ports.now())
        self.query_one("#detail-steps", TitleRow).show(steps)
        self.query_one("#detail-tabs", TitleRow).show(self._tab_line(tab))
        red = shown is not None and shown[1].verdict in RED and tab != "why"
        cause = self.query_one("#detail-cause", TitleRow)
        cause.set_class(red, "-on")
        if red and shown is not None:
            look = self._palette
            said = shorten(clean(headline(shown[1])), width - 4, look.glyphs.dots)
            cause.show(Line().gap(1).own(look.glyphs.failed, look.failure).gap(1).put(said, look.failed))
        self._stretch_bar(shown, width)

    def _stretch_bar(self, shown: tuple[ViewFace, Attempt] | None, width: int) -> None:
        bar, stretch, look = self.query_one("#detail-stretch", TitleRow), self.stretch, self._palette
        bar.set_class(stretch is not None, "-on")
        if stretch is None or shown is None:
            return
        began = shown[1].started_m
        line = Line().gap(1).own("only ", look.dim)
        line.put(shorten(clean(stretch.name), max(8, width - 44), look.glyphs.dots), look.accent)
        line.gap(2).own(f"{(stretch.since - began) / 1e9:+.3f}s", look.text)
        line.own(" .. ", look.dim)
        line.own(f"{(stretch.until - began) / 1e9:+.3f}s" if stretch.until else "its end", look.text)
        bar.show(line.gap(2).own("esc shows all", look.faint))

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
        if shown is None or (shown[1].verdict is None and board.status[self.row] == Status.LOST):
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
        return line.gap(2).own(counted(section, node), self._palette.dim)

    def _tab_line(self, tab: str) -> Line:
        """Tabs, and whether output follows: names give way to that, then the other tabs, the chosen name never."""
        right, width = self._follow_state() if tab == "output" else Line(), self._bar_width
        line = self._names(tab, 9, roomy=True)
        for letters, short in NARROWER:
            if line.columns + right.columns + bool(right.columns) <= width:
                break
            line = self._names(tab, letters, short)
        return (
            line.gap(max(1, width - 1 - line.columns - right.columns)).join(right) if right.columns else line
        )

    def _names(self, tab: str, letters: int, short: frozenset[str] = _NONE, *, roomy: bool = False) -> Line:
        look, line = self._palette, Line().gap(1)
        shown = (*self.tabs, "run") if tab == "run" else self.tabs
        for place, name in enumerate(shown):
            number = "0" if name == "run" else KEYS.get(name, "1")
            line.gap((2 if roomy else 1) if place else 0)
            if name == tab:
                line.own(f"[{number} {name.capitalize()}]", look.accent)
            elif letters >= 0:
                word = SHORT[name] if name in short else name.capitalize()[:letters]
                line.own(f"{number} {word}".rstrip(), look.dim)
        return line

    def _follow_state(self) -> Line:
        look, pane = self._palette, self.query_one("#output", OutputPane)
        line = Line().own("FOLLOW" if pane.follow else "held", look.accent if pane.follow else look.warn)
        return line.own(f" +{pane.new_lines:,} new", look.warn) if pane.new_lines else line

    def tick(self) -> None:
        """Read output on, and say how much is new; of a run that has ended the past says more."""
        if self.tab in OF_THE_PAST and self.row >= 0 and self._asked != self._past_key(self.attempt):
            self.update_facts()
        counted: tuple[object, int] = None, 0
        if self.tab == "events" and self.is_mounted:
            pane = self.query_one("#events-pane", EventsPane)
            pane.tick()
            counted = pane.counted
        self.rate.look(*counted, self._ports.now())
        if self.tab == "timeline" and self.is_mounted:
            self.bars.tick(self._ports.now())
        if self.tab == "output" and self.is_mounted:
            self.query_one("#output", OutputPane).pump()
            self.query_one("#detail-tabs", TitleRow).show(self._tab_line("output"))

    # -- body --------------------------------------------------------------------------------------------------------

    def _body(self, shown: tuple[ViewFace, Attempt] | None, tab: str, key: object) -> None:
        lines, output = self.query_one("#lines", LinesPane), self.query_one("#output", OutputPane)
        events, bars = self.query_one("#events-pane", EventsPane), self.query_one(TimelinePane)
        run_bars = self.query_one(RunTimeline)
        focused = any(pane.has_focus for pane in (lines, output, events.rows, bars.rows, run_bars.rows))
        output.display, events.display = tab == "output", tab == "events"
        bars.display = tab == "timeline" and self.row >= 0
        run_bars.display = tab == "timeline" and self.row < 0
        lines.display = tab not in {"output", "events", "timeline"}
        if focused:
            self.keys_to.focus()
        if tab == "events":
            view = shown[0] if shown else self.board.newest if self.row < 0 else None
            broke = shown is not None and shown[1].verdict in RED
            unrun = unrun_lines(self.board, self.row, self._palette) if self.row >= 0 and not shown else []
            which = about(self.board, self.row, shown, self.stretch)
            events.show(view, which, ended_red=broke, unrun=unrun, earlier=self._earlier(view))
            return
        if tab == "timeline":
            if self.row < 0:
                run_bars.show(self.board.newest, self._part(), key, self._ports.now())
            elif shown is None:
                bars.clear(unrun_lines(self.board, self.row, self._palette))
            else:
                bars.show(*shown, about(self.board, self.row, shown), self.stretch, self._ports.now())
            return
        if tab == "output":
            view, spans = self._spans(shown)
            if view is None:
                output.clear(unrun_lines(self.board, self.row, self._palette) if self.row >= 0 else ())
            else:
                silent = silent_lines(self.board, self.row, shown, self._palette) if shown else ()
                output.show(view, spans, key, silent)
            return
        lines.show(self._lines(shown, tab), key)

    @property
    def keys_to(self) -> LinesPane | OutputPane | EventRows | TimelineRows:
        """The pane of the tab that is shown: where keys go."""
        if self.tab == "events":
            return self.query_one("#events-pane", EventsPane).rows
        if self.tab == "timeline":
            return self.bars.rows
        return (
            self.query_one("#output", OutputPane)
            if self.tab == "output"
            else self.query_one("#lines", LinesPane)
        )

    @property
    def bars(self) -> TimelinePane | RunTimeline:
        """The timeline: of an attempt, or of the run where no scenario is selected."""
        return self.query_one(TimelinePane) if self.row >= 0 else self.query_one(RunTimeline)

    def _part(self) -> frozenset[str] | None:
        """The scenarios of a file or a class that is selected; None is all of the run."""
        if self._at is None or self._at[0].kind[self._at[1]] not in {FILE, GROUP}:
            return None
        return frozenset(self.board.ids[row] for row in self._at[0].leaves(self._at[1]))

    def _spans(self, shown: tuple[ViewFace, Attempt] | None) -> tuple[ViewFace | None, list[OutputSpan]]:
        if self.row >= 0:
            return (shown[0], self._within(shown[1])) if shown else (None, [])
        view = self.board.newest
        return (view, view.state.runner_output) if view is not None else (None, [])

    def _within(self, attempt: Attempt) -> list[OutputSpan]:
        """What was printed in the stretch that is chosen: by its step where that is known, else by the clock."""
        stretch = self.stretch
        if stretch is None:
            return attempt.outputs
        ahead = attempt.started_t - attempt.started_m
        since, until = stretch.since + ahead, stretch.until + ahead if stretch.until else 0
        return [
            span
            for span in attempt.outputs
            if (stretch.step and span.step == stretch.step)
            or (since <= span.t and (not until or span.t < until))
        ]

    def _lines(self, shown: tuple[ViewFace, Attempt] | None, tab: str) -> list[Line]:
        look, now, board = self._palette, self._ports.now(), self.board
        if tab == "run":
            return summary.run_lines(board, look, now)
        if tab == "env":
            return self._place(shown)
        if self.row < 0:
            return self._overview()
        facts = board.facts[self.row]
        attempt = shown[1] if shown else None
        beside = self._flag_lines(shown)
        if tab == "why":
            if shown is None:
                return unrun_lines(board, self.row, look)
            raised = self._raised.told(self._raised_key(shown)) or ()
            before = self._before(shown)
            return [*why_lines(board, self.row, shown, before, look, now=now, raised=raised), *beside]
        if tab == "history":
            run = shown[0].run_id if shown else ""
            return past_lines(self._before(shown), self._past.problem, run, look, now)
        if tab == "repro":
            return story.repro_lines(facts, attempt, self.command(), look, self._root(shown))
        if attempt is None:
            body = [*story.about_lines(facts, look), Line(), *unrun_lines(board, self.row, look)]
        else:
            body = story.story_lines(facts, attempt, look, now=now, stretch=self.stretch)
        lines = [*beside[1:], *beside[:1], *body]
        # Of a red one the bar above says it already, where nothing else is known of it.
        told = attempt is not None and attempt.verdict in RED and headline(attempt) == attempt.reason
        if attempt is not None and attempt.reason and attempt.verdict not in {"passed", None} and not told:
            lines = [Line(2).gap(2).name(attempt.reason, look.text), Line(), *lines]
        if shown is not None:
            lines += story.stall_lines(shown[0].state.notices, facts, shown[1], look, self._root(shown))
        lines += story.case_lines(board, self.row, look, now)
        return lines + story.code_lines(facts, self.command(), look)

    def _before(self, shown: tuple[ViewFace, Attempt] | None) -> Before | None:
        return self._past.told(self._past_key(shown))

    def _place(self, shown: tuple[ViewFace, Attempt] | None) -> list[Line]:
        view = shown[0] if shown else self.board.newest
        if view is None:
            return [Line().own("  no run yet", self._palette.dim)]
        with view.lock:
            run = view.state.run
        facts = self.board.facts[self.row] if self.row >= 0 else None
        before = self._before(shown) if facts is not None else None
        return place_lines(
            run, facts, shown[1] if shown else None, before, self._palette, now=self._ports.now()
        )

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
        if section.ref[node] >= 0 or section.key in {*TROUBLES, "notes", "causes"}:
            return summary.run_lines(board, look, self._ports.now())
        return summary.rows_lines(board, section.label.get(node, ""), section.leaves(node), look)

    @property
    def reading(self) -> bool:
        """Whether something is being read for what is shown."""
        return self._past.busy or self._raised.busy or self.bars.reading.busy

    @property
    def picked(self) -> object:
        """What the cursor of the pane stands on, while that has the keys."""
        pane = self.query_one("#lines", LinesPane)
        return pane.picked if pane.has_focus else None

    def command(self) -> str:
        """The command that runs exactly what is selected."""
        view = self.board.newest
        if view is None or self._at is None or view.imported:
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


def counted(section: Section, node: int) -> str:
    """How much stands below a head, by the numbers of the tree: tests are counted, their parts are told apart."""
    if section.causes:
        return str(len(section.causes))
    tests = section.total[node]
    parts = len(section.leaves(node)) - tests
    if not tests:
        return ""
    return count(tests, "test") + (f" with {count(parts, 'part')}" if parts else "")
