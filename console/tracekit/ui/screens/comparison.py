"""Two runs held against each other, test by test: what they differ in, what changed, and the way into either run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracekit.model.words import count
from tracekit.ui.actions import COMPARISON, bindings
from tracekit.ui.panes import comparison as pane
from tracekit.ui.ports import Opened
from tracekit.ui.safe import Line
from tracekit.ui.screens.past import PastScreen
from tracekit.ui.widgets.header import TitleRow

if TYPE_CHECKING:
    from tracekit.engine.past import Held
    from tracekit.ui.app import ConsoleApp


class ComparisonScreen(PastScreen[Opened]):
    """Its answer is a run to open, and at which scenario."""

    CONTEXT = COMPARISON
    BINDINGS = bindings(COMPARISON)

    def __init__(self, owner: ConsoleApp, before: str, after: str, *, at: str = "") -> None:
        super().__init__(owner)
        self.runs = before, after
        self.held: Held | None = None
        self.shown: list[pane.Row] = []
        self.folded: set[str] = set()
        self._at = at

    def on_mount(self) -> None:
        """The answer comes a moment later."""
        super().on_mount()

        async def go() -> None:
            archive = self.ports.engine.archive()
            found = await self.told(lambda: archive.compare(*self.runs))
            if isinstance(found, tuple):
                self.problems = found
            else:
                self.held = found
                self._lay_out(self._at)
            self.show_all()

        self.run_worker(go)

    def _lay_out(self, at: str = "") -> None:
        if self.held is None:
            return
        self.shown = pane.rows_of(self.held, self.folded)
        same = (n for n, row in enumerate(self.shown) if row.pair is not None and row.pair.scenario == at)
        # The first scenario that changed says most.
        first = next((n for n, row in enumerate(self.shown) if row.pair is not None), 0)
        self.rows.show(len(self.shown), next(same, first) if at or not self.folded else None)
        self.show_selected()

    @property
    def selected(self) -> pane.Row | None:
        """The row under the cursor."""
        at = self.rows.at
        return self.shown[at] if 0 <= at < len(self.shown) else None

    def paint_row(self, row: int, width: int) -> Line:
        """One row."""
        each, facts = self.shown[row], self.held.facts if self.held is not None else ()
        return pane.row_line(each, facts, width, self.look, folded=each.kind.name in self.folded)

    def head(self) -> Line:
        """Both runs."""
        look, now = self.look, self.ports.now()
        line = Line().own("compare", look.strong).gap(2)
        if self.held is None:
            return line if self.problems else line.own("reading", look.dim).own(look.glyphs.dots, look.accent)
        line.join(pane.run_words(self.held.before, look, now)).own(f"  {look.glyphs.arrow}  ", look.faint)
        return line.join(pane.run_words(self.held.after, look, now))

    def nothing(self) -> Sequence[Line] | None:
        """Before the answer has come, and where nothing differs."""
        look = self.look
        if self.held is None:
            return [Line().own("reading both runs", look.strong).own(look.glyphs.dots, look.accent)]
        if self.shown:
            return None
        same = count(self.held.scenarios.same, "scenario")
        return [
            Line().own("nothing changed", look.strong),
            Line(),
            Line(2).own(f"{same} with the same verdict, started with the same", look.dim),
        ]

    def show_selected(self) -> None:
        """The selected scenario in both runs."""
        look, row = self.look, self.selected
        if self.held is None:
            return
        line = Line().gap(1).own("CHANGES", look.dim).gap(1)
        changed = {pair.scenario for kind in self.held.scenarios.kinds() for pair in kind.pairs}
        line.own(f"[{count(len(changed), 'scenario')} of {self._scenarios:,}]", look.faint)
        self.query_one("#rows-title", TitleRow).show(line)
        self.query_one("#detail-title", TitleRow).show(pane.title_line(row, look))
        key = row.pair.scenario if row is not None and row.pair is not None else None
        self.lines.show(pane.detail_lines(row, self.held, look), key)

    @property
    def _scenarios(self) -> int:
        return self.held.scenarios.scenarios if self.held is not None else 0

    # -- keys --------------------------------------------------------------------------------------------------------

    def action_open(self) -> None:
        """Fold a head; open the scenario in the second run, or where it is."""
        row = self.selected
        if row is None:
            return
        if row.head:
            self._fold(row.kind.name)
        elif row.pair is not None:
            self.action_open_in(1 if row.pair.after is not None else 0)

    def action_open_in(self, which: int) -> None:
        """Open the scenario in the first run, or in the second."""
        row = self.selected
        if row is None or row.pair is None or self.held is None:
            return
        if (row.pair.after if which else row.pair.before) is None:
            self.say(f"it is not in the {'second' if which else 'first'} run", warn=True)
            return
        run = self.held.after if which else self.held.before
        self.owner.compared = (*self.runs, row.pair.scenario)
        self.dismiss(Opened(run.run_id, run.live, row.pair.scenario))

    def action_left(self) -> None:
        """Back to the list; there, fold."""
        row = self.selected
        if self.in_detail:
            self.to_rows()
        elif row is not None and row.kind.name not in self.folded:
            self._fold(row.kind.name)

    def action_right(self) -> None:
        """Unfold; to what is beside the list."""
        row = self.selected
        if not self.in_detail and row is not None and row.head and row.kind.name in self.folded:
            self._fold(row.kind.name)
        else:
            super().action_right()

    def _fold(self, kind: str) -> None:
        self.folded ^= {kind}
        self.shown = pane.rows_of(self.held, self.folded) if self.held is not None else []
        at = next((n for n, row in enumerate(self.shown) if row.head and row.kind.name == kind), 0)
        self.rows.show(len(self.shown), at)
        self.show_selected()
