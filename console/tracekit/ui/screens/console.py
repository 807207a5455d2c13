"""The console: tree on the left, what is selected on the right, header above and footer below.

It shows what the board holds and passes keys on; runs are asked for in `doing`, questions are other screens.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.screen import Screen
from textual.widgets import Input

from tracekit.model.selection import parse_selector
from tracekit.model.status import RED_STATUSES, Status
from tracekit.model.words import clock
from tracekit.ui.actions import CONSOLE, bindings, footer_hints
from tracekit.ui.asking import NEVER
from tracekit.ui.board import Board, Delta
from tracekit.ui.composing import Sparingly
from tracekit.ui.panes import rowbars, states, timebar, treetitle
from tracekit.ui.panes.picks import GoTo, OpenRun, Place, Stretch
from tracekit.ui.ports import ViewFace
from tracekit.ui.safe import Line
from tracekit.ui.screens.beside import Beside
from tracekit.ui.screens.copying import Copying
from tracekit.ui.screens.layout import Fit, detail_width, fit, left_width
from tracekit.ui.screens.noticing import Noticing
from tracekit.ui.screens.travelling import Travelling
from tracekit.ui.sections import CAUSE, LEAF
from tracekit.ui.standing import Standing
from tracekit.ui.theme import GREEN, QUIET
from tracekit.ui.widgets.box import Box
from tracekit.ui.widgets.detail import Detail
from tracekit.ui.widgets.events import EventRows, EventsPane
from tracekit.ui.widgets.following import FollowingPane
from tracekit.ui.widgets.header import Footer, Header, HeaderFacts, Rule, TitleRow
from tracekit.ui.widgets.lines import LinesPane
from tracekit.ui.widgets.output import OutputPane
from tracekit.ui.widgets.selecting import Selecting
from tracekit.ui.widgets.timeline import TimelineRows
from tracekit.ui.widgets.tree import ScenarioTree
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.ui.app import ConsoleApp


LINK_WORDS = {"ended": ""}


def link_word(view: ViewFace) -> str:
    """What the header says of a run's link; scenarios that were only looked for are nobody's recording."""
    if not view.run_id or (view.link == "replay" and view.state.run.mode == "discover"):
        return ""
    if view.link == "attached" and not view.elsewhere:
        return ""
    return LINK_WORDS.get(view.link, view.link)


class ConsoleScreen(Copying, Noticing, Travelling, Standing, Sparingly, Screen[None], inherit_bindings=False):
    """The main screen."""

    BINDINGS = bindings(CONSOLE)
    AUTO_FOCUS = "#tree"
    app: ConsoleApp

    def __init__(self, app: ConsoleApp) -> None:
        super().__init__()
        self.owner = app
        # What is shown tells the time of its moment.
        self.ports = replace(app.ports, now=self.now)
        self.look = app.look
        self.board = Board()
        self.paused = False
        self.beside = Beside(self)
        self.problems: tuple[Problem, ...] = ()
        self.filter_text = ""
        self.filter_fault: Problem | None = None  # the filter cannot be understood: all rows are shown
        self.stage = "starting"  # what is awaited: trust, discovering, opening, launching; idle: nothing
        self.fit = Fit.WIDE

    def dress(self, width: int, height: int, *, known: bool) -> None:
        """Before it is mounted, the classes that it begins with: one that comes later has every widget styled again.

        `known` says that the first frame has rows.
        """
        self.fit = fit(width, height)
        worn = {self.fit.value: True, "ascii": self.owner.ascii_only, "empty": not known}
        self.add_class(*(name for name, on in worn.items() if on), update=False)

    def compose(self) -> ComposeResult:
        """Header, the two sides, footer; and what stands in for them."""
        look = self.look
        yield Header(look, id="header")
        with Container(id="body"):
            with Vertical(id="left"):
                yield TitleRow(id="tree-title")
                yield ScenarioTree(look, id="tree")
                yield LinesPane(id="filter-fault")
                yield Box("path, name, glob, tag:slow, status:failed", id="filter")
            yield Rule(look, id="rule")
            yield Detail(look, self.ports, id="detail")
        yield LinesPane(id="state")
        yield TitleRow(id="tiny")
        yield TitleRow(id="timebar")
        yield TitleRow(id="banner")
        yield Footer(look, footer_hints(self.owner.actions), id="footer")

    def on_mount(self) -> None:
        """The parts, once; keys go to the tree."""
        self.scenarios = self.query_one("#tree", ScenarioTree)
        self.detail = self.query_one("#detail", Detail)
        self.query_one("#filter-fault", LinesPane).can_focus = False  # it is read, never walked in
        self.detail.expected = detail_width(self.fit, self.app.size.width)
        self._refit(self.app.size.width, self.app.size.height)
        self.use(self.board)
        self.owner.begin()
        self.show_state()

    def on_resize(self, event: events.Resize) -> None:
        """Another size may want another way."""
        self._refit(event.size.width, event.size.height)

    def _refit(self, width: int, height: int) -> None:
        self.fit = fit(width, height)
        self.remove_class(*(way.value for way in Fit if way is not self.fit), update=False)
        self.add_class(self.fit.value)
        if self.is_mounted and hasattr(self, "detail"):
            self.scenarios.timed = rowbars.start(width, left_width(width) if self.fit is Fit.WIDE else width)
            self.show_bars(self.ports.now())

    # -- what the pump calls -----------------------------------------------------------------------------------------

    def use(self, board: Board, *, keep: bool = False) -> None:
        """Show another chain of runs; `keep` when it is the same project, looked at again."""
        self.board = board
        self.scenarios.use(board, keep=keep)
        self._select()

    def apply(self, delta: Delta) -> None:
        """Show what a look at the runs has brought."""
        self.adopt()
        self.scenarios.sync(delta)
        if (
            self.detail.row < 0
            or self.detail.row in delta.changed
            or self.detail.tab in {"run", "output", "steps", "events"}
            or delta.files
        ):
            self._select()
        self.show_state()

    def tick(self, now: int) -> None:
        """What turns with the clock."""
        if not hasattr(self, "detail"):
            return
        self.look_behind()
        self.follow_saves()
        self.beside.tick()
        if not self.travelling:
            self.notice_end()
        self.query_one("#footer", Footer).tick(now)
        # Where a moment is shown, the clock stands.
        shown = self.now() if self.travelling else now
        if not self.paused:
            self.scenarios.tick(shown)
            self.detail.tick()
        self.show_bars(shown)

    def failed(self, problems: tuple[Problem, ...]) -> None:
        """The engine refused: say what, and what to do."""
        self.problems = problems
        self.stage = "idle"
        self.refreshing = False
        self.show_state()
        if problems and problems[0].code in NEVER:
            self.owner.show_refused(problems[0])
            return
        if problems and self.board.ids:
            first = problems[0]
            self.say(" · ".join(part for part in (first.where, first.what, first.action) if part), warn=True)

    def say(self, text: str, *, warn: bool = False, about: str = "") -> None:
        """One line at the foot of the screen, for a while."""
        self.query_one("#footer", Footer).say(text, self.owner.ports.now(), warn=warn, about=about)

    # -- painting ----------------------------------------------------------------------------------------------------

    def show_state(self) -> None:
        """Where there are no rows, say why, and what a person can do."""
        empty = not self.board.ids and not self.board.notices()
        self.set_class(empty, "empty")
        if empty:
            lines = states.state_lines(self.board, self.stage, self.problems, self.owner.root, self.look)
            self.query_one("#state", LinesPane).show(lines, "state")

    def paint_anew(self) -> None:
        """The theme is another: lines that were made with the last one are made again."""
        self.detail.paint_anew()
        self.show_state()
        self.show_bars(self.ports.now())
        for widget in self.query("*"):
            widget.refresh()

    def action_suspend(self) -> None:
        """The shell's turn, where one is there to bring the console back; runs do not notice."""
        if os.getpgrp() == os.getsid(0):
            # In the session's first group nobody has job control: what stops there stops for good.
            self.say("no shell is there to come back from")
            return
        self.app.action_suspend_process()

    def action_theme(self) -> None:
        """Other colours."""
        self.owner.show_themes()

    def show_bars(self, now: int) -> None:
        """Header, titles and banner; each repaints only when it says something else."""
        header = self.query_one("#header", Header)
        header.show(self.header_facts(now))
        if self.fit is Fit.TINY:
            self.query_one("#tiny", TitleRow).show(header.line(max(1, self.size.width)))
        self.query_one("#footer", Footer).offer(self._there)
        self.query_one("#tree-title", TitleRow).show(self._tree_title())
        time = self.time_facts
        self.query_one("#timebar", TitleRow).set_class(time is not None, "-on")
        if time is not None:
            self.query_one("#timebar", TitleRow).show(timebar.bar(time, max(1, self.size.width), self.look))
        banner = states.banner(self.board, self.problems, self.look, now)
        self.query_one("#banner", TitleRow).set_class(banner is not None, "-on")
        if banner is not None:
            self.query_one("#banner", TitleRow).show(banner)

    def header_facts(self, now: int) -> HeaderFacts:
        """The header's numbers, from the board's tally."""
        view, tally = self.board.newest, self.board.progress()
        total = sum(tally.values())
        waiting = tally[Status.PENDING] + tally[Status.RUNNING]
        run = view.state.run if view is not None else None
        # The clock of a run goes on while it does; where nobody wrote down when it ended, nothing is known of that.
        goes_on = view is not None and (view.live or view.link == "lost" or self.travelling)
        ended = run.ended_t or (now if goes_on else 0) if run is not None else 0
        elapsed = (
            clock(ended - run.started_t)
            if run is not None and run.started_t and ended and run.mode != "discover"
            else ""
        )
        live = view is not None and view.live and run is not None and run.mode != "discover"
        live = live and not self.travelling
        return HeaderFacts(
            project=((view.root if view else "") or self.owner.root).rstrip("/").rpartition("/")[2],
            # What was only looked for stands for the runs that will be: they go where the person has said.
            environment=(run.environment if run is not None and run.mode != "discover" else "")
            or self.owner.environment
            or "local",
            state="live" if live else "",
            over=total - waiting,
            total=total,
            passed=sum(tally[status] for status in GREEN),
            red=sum(tally[status] for status in RED_STATUSES) - self.board.apart.excused,
            flaky=self.board.apart.flaky,
            excused=self.board.apart.excused,
            skipped=sum(tally[status] for status in QUIET),
            elapsed=elapsed,
            rate=self.detail.rate.a_second if live and not self.paused else None,
            dropped=view.state.dropped if view is not None else 0,
            link="then" if self.travelling else link_word(view) if view is not None else "",
            trouble=self.board.trouble,
            paused=self.paused,
            filtered=bool(self.filter_text) and self.filter_fault is None,
        )

    @property
    def _there(self) -> frozenset[str]:
        """What keys of the footer may need."""
        ran = any(view.state.run.mode != "discover" for view in self.board.views)
        told = (("run", ran), ("red", self.board.counted_red or self.board.apart.excused))
        return frozenset(name for name, there in told if there)

    def _tree_title(self) -> Line:
        tree, said = self.scenarios, []
        if self.refreshing:
            said.append(
                Line().own("looking again", self.look.dim).own(self.look.glyphs.dots, self.look.accent)
            )
        if self.watching:
            said.append(Line().own("watching", self.look.accent))
        if self.filter_text:
            said.append(
                treetitle.filtered(self.filter_text, self.look, refused=self.filter_fault is not None)
            )
        return treetitle.line(tree, said, self.look)

    @on(ScenarioTree.Moved)
    def _moved(self) -> None:
        self._select()
        self.paint_now()

    def reselect(self) -> None:
        """What is selected has other facts."""
        if hasattr(self, "detail"):
            self._select()

    def _select(self) -> None:
        self.detail.resting = not self.scenarios.touched
        self.detail.select(self.board, self.scenarios.selected)

    # -- looking -----------------------------------------------------------------------------------------------------

    @property
    def in_detail(self) -> bool:
        """Whether keys go to the right-hand side."""
        return isinstance(self.focused, LinesPane | FollowingPane | TimelineRows)

    def action_move(self, where: str) -> None:
        """Movement goes to whatever has the keys."""
        target = (
            self.focused
            if isinstance(self.focused, LinesPane | FollowingPane | TimelineRows | ScenarioTree)
            else self.scenarios
        )
        target.move(where)
        self._told_of_move()

    def _told_of_move(self) -> None:
        if isinstance(self.focused, TimelineRows):
            self.detail.bars.moved()

    def action_left(self) -> None:
        """Fold, go up, scroll left, and back to the tree from there."""
        if isinstance(self.focused, FollowingPane | TimelineRows) and self.focused.sideways(-16):
            self._told_of_move()
            return
        if self.in_detail:
            self.to_tree()
        elif not self.scenarios.fold(opened=False):
            self.scenarios.up()

    def action_right(self) -> None:
        """Unfold; from a row to its failure; scroll right."""
        if isinstance(self.focused, FollowingPane | TimelineRows):
            self.focused.sideways(16)
            self._told_of_move()
        elif not self.in_detail and not self.scenarios.fold(opened=True):
            if self.detail.row >= 0 and self.board.status[self.detail.row] not in {
                Status.PENDING,
                Status.RUNNING,
            }:
                self.detail.choose("why")
            self.to_detail()

    def action_open(self) -> None:
        """Drill: a container unfolds, a row shows its story with the keys over there."""
        if isinstance(self.focused, LinesPane):
            self.focused.choose()
            return
        if isinstance(self.focused, TimelineRows):
            bar = self.focused.chosen
            if bar is not None and bar.scenario:
                self.detail.choose("timeline")
                self.go_to(bar.scenario)
                self.to_detail()
            elif bar is not None:
                self.detail.narrow(bar.stretch)
            return
        found = self.scenarios.selected
        if self.in_detail or found is None:
            return
        if found[0].kind[found[1]] not in {LEAF, CAUSE} and found[0].span[found[1]] > 1:
            self.scenarios.fold(opened=not found[0].open[found[1]])
            return
        self.to_detail()

    @on(LinesPane.Chosen)
    def _picked(self, event: LinesPane.Chosen) -> None:
        """A line of a pane was chosen: go where it points."""
        pick = event.pick
        if isinstance(pick, GoTo):
            self.go_to(pick.scenario)
        elif isinstance(pick, Stretch):
            self.detail.narrow(pick)
        elif isinstance(pick, Place):
            self.edit(pick.file, pick.line)
        elif isinstance(pick, OpenRun):
            self.open_run(pick.run_id, pick.scenario)

    def go_to(self, scenario: str) -> None:
        """Put the cursor on a scenario, whatever hides it."""
        row = self.board.index.get(scenario, -1)
        if row < 0:
            self.say("that scenario is not in this run")
            return
        if self.filter_text:
            self.close_filter(keep=False)
        self.scenarios.go(row)

    def to_detail(self) -> None:
        """Give the keys to the right-hand side."""
        self.add_class("detail")
        self.query_one("#footer", Footer).over("tab")
        self.set_focus(self.detail.keys_to)  # at once: keys that were typed ahead are for it

    def to_tree(self) -> None:
        """Give the keys back to the tree."""
        self.remove_class("detail", "zoomed")
        self.set_focus(self.scenarios)

    def action_back(self) -> None:
        """One level back, always."""
        events = self.query_one("#events-pane", EventsPane)
        if events.typing:
            events.leave(keep=False)
        elif isinstance(self.focused, Selecting) and self.focused.selecting:
            self.focused.end_selection()
        elif self.query_one("#filter").has_focus or (self.filter_text and not self.in_detail):
            self.close_filter(keep=False)
        elif self.has_class("zoomed"):
            self.remove_class("zoomed")
            if self.fit is Fit.SINGLE:
                self.to_tree()
        elif self.detail.stretch is not None:
            self.detail.narrow(None)
        elif self.in_detail:
            self.to_tree()
        elif self.detail.pinned is not None:
            self.detail.pinned = None
            self.detail.update_facts()
        else:
            self.problems = ()

    def action_pane(self, _direction: int) -> None:
        """Tree and detail in turn."""
        if self.in_detail:
            self.to_tree()
        else:
            self.to_detail()

    def nothing_here(self) -> bool:
        """Whether there are no rows that a key could be about; it says so, and nothing happens out of sight."""
        if self.has_class("empty"):
            self.say("there are no scenarios on the screen")
        return self.has_class("empty")

    def action_tab(self, name: str) -> None:
        """Show a tab of what is selected."""
        if self.nothing_here():
            return
        if name in {*self.detail.tabs, "run"} or (self.detail.row < 0 and name == "steps"):
            self.detail.choose(name if name in {*self.detail.tabs, "run"} else "overview")
            if self.fit is Fit.SINGLE and not self.in_detail:
                # Behind the tree nobody would see it.
                self.to_detail()
        else:
            self.say("this row has no such tab")

    def action_attempt(self, direction: int) -> None:
        """An earlier or a later attempt."""
        if not self.detail.turn(direction):
            self.say(f"there is no {'later' if direction > 0 else 'earlier'} attempt of this row")

    def action_zoom(self) -> None:
        """All the width for the detail, and back."""
        if self.nothing_here():
            return
        self.toggle_class("zoomed")
        if self.has_class("zoomed"):
            self.to_detail()
            self.add_class("zoomed")

    def action_closer(self, closer: int) -> None:
        """A shorter or a longer window of the timeline."""
        if self.nothing_here():
            return
        if self.detail.tab == "timeline":
            self.detail.bars.zoom(0.5 if closer > 0 else 2.0)
        else:
            self.detail.choose("timeline")

    def action_failure(self, direction: int) -> None:
        """To the next failed scenario."""
        if not self.scenarios.jump_red(direction):
            hidden = self.filter_text and any(True for _ in self.board.reds())
            self.say("the filter hides what has failed" if hidden else "nothing has failed")

    def action_match(self, direction: int) -> None:
        """To the next scenario that is shown."""
        if not self.scenarios.jump(direction):
            self.say("there is no scenario to go to")

    def action_sort(self) -> None:
        """Failed first, or as the files stand."""
        if self.nothing_here():
            return
        self.scenarios.failed_first = not self.scenarios.failed_first
        self.scenarios.rebuild()

    def action_follow(self) -> None:
        """Follow output, or hold it."""
        if self.nothing_here():
            return
        pane = self.detail.keys_to
        if not isinstance(pane, FollowingPane):
            self.detail.choose("output")
            self.query_one("#output", OutputPane).resume()
        elif pane.follow:
            pane.release()
        else:
            pane.resume()

    def action_pause(self) -> None:
        """Hold the screen; the run does not notice."""
        self.paused = not self.paused
        self.show_bars(self.ports.now())

    # -- other machines ----------------------------------------------------------------------------------------------

    def action_environments(self) -> None:
        """Where tests can run."""
        self.owner.show_environments()

    def action_shell(self) -> None:
        """A shell where the newest run is."""
        view = self.board.newest
        box = view.state.run.environment if view is not None else ""
        if view is None or box in {"", "local"}:
            self.say("this run is of this very machine" if view is not None else "there is no run yet")
            return
        self.owner.open_shell(box, view.run_id)

    # -- the filter --------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Ask for a selector; in the events, for a filter of theirs."""
        if self.nothing_here():
            return
        if isinstance(self.focused, EventRows):
            self.query_one("#events-pane", EventsPane).ask()
            return
        box = self.query_one("#filter", Input)
        # At once: keys that were typed ahead are for the box.
        box.display = True
        self.set_focus(box)

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        self.filter_text = event.value.strip()
        if not self.filter_text:
            self._refuse_filter(None)
            self.scenarios.only(None)
            return
        try:
            selector = parse_selector(self.filter_text)
        except ProblemError as error:
            self._refuse_filter(error.first)
            self.scenarios.only(None)
            return
        board = self.board
        self._refuse_filter(None)
        self.scenarios.only(
            lambda row: selector.matches(board.facts[row], board.status[row], partial(board.flags, row))
        )

    @on(Input.Submitted, "#filter")
    def _filter_submitted(self) -> None:
        if self.filter_fault is None:
            self.close_filter(keep=True)
        else:
            self.say("this filters nothing: change it, or esc lets it go", warn=True)

    def _refuse_filter(self, fault: Problem | None) -> None:
        """Say above the box what is not understood and where; nothing is filtered meanwhile."""
        self.filter_fault = fault
        pane = self.query_one("#filter-fault", LinesPane)
        pane.set_class(fault is not None, "-on")
        if fault is not None:
            pane.show(states.fault_lines(fault, self.look), "fault")
        self.show_bars(self.ports.now())

    def close_filter(self, *, keep: bool) -> None:
        """Leave the box; the filter stays, or goes."""
        box = self.query_one("#filter", Input)
        if not keep:
            box.value = ""
            self.filter_text = ""
            self._refuse_filter(None)
            self.scenarios.only(None)
        self.set_focus(self.scenarios)
        box.display = False
