"""What the screens of recorded runs have in common: a list, beside it what is selected, one way at every size.

They read the disk on other threads and show what has come; a question that fails is told where its answer would stand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical

from tracekit.ui.actions import footer_hints
from tracekit.ui.panes import states
from tracekit.ui.safe import Line
from tracekit.ui.screens.layout import Fit, fit
from tracekit.ui.screens.once import Once
from tracekit.ui.widgets.flatlist import FlatList
from tracekit.ui.widgets.header import Footer, Rule, TitleRow
from tracekit.ui.widgets.lines import LinesPane
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.ui.app import ConsoleApp

Answer = TypeVar("Answer")
Found = TypeVar("Found")
_TURN = 1.0


class PastScreen(Once[Answer | None], Generic[Answer], inherit_bindings=False):
    """Header, list, detail, footer."""

    AUTO_FOCUS = "#rows"
    CONTEXT: ClassVar[str] = ""
    app: ConsoleApp

    def __init__(self, owner: ConsoleApp) -> None:
        super().__init__()
        self.owner, self.look, self.ports = owner, owner.look, owner.ports
        self.fit = Fit.WIDE
        self.problems: tuple[Problem, ...] = ()

    def compose(self) -> ComposeResult:
        """The parts; their names are those of the main screen, and so is their place."""
        yield TitleRow(id="header")
        with Container(id="body"):
            with Vertical(id="left"):
                yield TitleRow(id="rows-title")
                yield FlatList(self.look, self.paint_row, id="rows")
                yield from self.below_rows()
            yield Rule(self.look, id="rule")
            with Vertical(id="detail"):
                yield TitleRow(id="detail-title")
                yield LinesPane(id="lines")
        yield LinesPane(id="state")
        yield TitleRow(id="tiny")
        yield Footer(self.look, footer_hints(self.owner.actions, self.CONTEXT), id="footer")

    def below_rows(self) -> ComposeResult:
        """A box to type in, where there is one."""
        yield from ()

    # -- what a screen says ------------------------------------------------------------------------------------------

    def paint_row(self, row: int, width: int) -> Line:
        """A row of the list."""
        raise NotImplementedError

    def head(self) -> Line:
        """The header."""
        raise NotImplementedError

    def show_selected(self) -> None:
        """The cursor stands on another row."""
        raise NotImplementedError

    def nothing(self) -> Sequence[Line] | None:
        """What is said in the place of everything, or None where there is something."""
        raise NotImplementedError

    # -- parts -------------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> FlatList:
        """The list."""
        return self.query_one("#rows", FlatList)

    @property
    def lines(self) -> LinesPane:
        """What is beside it."""
        return self.query_one("#lines", LinesPane)

    @property
    def in_detail(self) -> bool:
        """Whether keys go to the right-hand side."""
        return isinstance(self.focused, LinesPane)

    def on_mount(self) -> None:
        """As the terminal is."""
        self.set_class(self.owner.ascii_only, "ascii")
        self._refit(self.app.size.width, self.app.size.height)
        self.set_interval(_TURN, self._turn)
        self.show_all()

    def _turn(self) -> None:
        self.query_one("#footer", Footer).tick(self.ports.now())

    def on_resize(self, event: events.Resize) -> None:
        """Another size may want another way."""
        self._refit(event.size.width, event.size.height)

    def _refit(self, width: int, height: int) -> None:
        self.fit = fit(width, height)
        self.remove_class(*(way.value for way in Fit if way is not self.fit), update=False)
        self.add_class(self.fit.value)

    def show_all(self) -> None:
        """Header, and either what there is, or why there is nothing."""
        if not self.is_mounted:
            return
        head = Line().own(" tracekit", self.look.accent).gap(2).join(self.head())
        self.query_one("#header", TitleRow).show(head)
        self.query_one("#tiny", TitleRow).show(head)
        said = states.problem_lines(self.problems, self.look) if self.problems else self.nothing()
        self.set_class(said is not None, "empty")
        if said is not None:
            self.query_one("#state", LinesPane).show(said, "state")

    def say(self, text: str, *, warn: bool = False) -> None:
        """One line at the foot of the screen, for a while."""
        self.query_one("#footer", Footer).say(text, self.ports.now(), warn=warn)

    def complain(self, problems: Sequence[Problem]) -> None:
        """What could not be done, and what to do."""
        first = problems[0]
        self.say(" · ".join(part for part in (first.what, first.action) if part), warn=True)

    # -- asking the disk ---------------------------------------------------------------------------------------------

    async def told(self, ask: Callable[[], Found]) -> Found | tuple[Problem, ...]:
        """What another thread found, or what kept it from that."""
        (found,) = await asyncio.gather(asyncio.to_thread(ask), return_exceptions=True)
        if isinstance(found, ProblemError):
            return tuple(found.problems)
        if isinstance(found, BaseException):
            if not isinstance(found, Exception):
                raise found
            what = f"it cannot be read: {type(found).__name__}: {found}"
            return (Problem("ui.unreadable", what, "", "`tracekit doctor` looks at where runs are kept"),)
        return found

    # -- keys --------------------------------------------------------------------------------------------------------

    @on(FlatList.Moved)
    def _moved(self) -> None:
        self.show_selected()

    @on(FlatList.Chosen)
    def _chosen(self) -> None:
        self.action_open()

    def action_move(self, where: str) -> None:
        """Movement goes to whatever has the keys."""
        (self.lines if self.in_detail else self.rows).move(where)

    def action_open(self) -> None:
        """Enter."""
        raise NotImplementedError

    def action_left(self) -> None:
        """Back to the list."""
        self.to_rows()

    def action_right(self) -> None:
        """To what is beside it."""
        if not self.in_detail:
            self.add_class("detail")
            self.set_focus(self.lines)

    def to_rows(self) -> None:
        """Give the keys to the list."""
        self.remove_class("detail")
        self.set_focus(self.rows)

    def action_pane(self, _direction: int) -> None:
        """List and detail in turn."""
        if self.in_detail:
            self.to_rows()
        else:
            self.action_right()

    def action_back(self) -> None:
        """One level back, always."""
        if self.in_detail:
            self.to_rows()
        else:
            self.dismiss(None)

    def action_quit(self) -> None:
        """Back to the run that is shown."""
        self.dismiss(None)

    def action_redraw(self) -> None:
        """Something else has written here."""
        self.owner.redraw()

    def action_help(self) -> None:
        """Every key."""
        self.owner.show_help()
