"""How a project did over its last runs: plots of all of it, and the scenarios that were red, flaky or excused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events

from tracekit.model.words import count
from tracekit.ui.actions import TRENDS, bindings
from tracekit.ui.panes import trends as pane
from tracekit.ui.ports import Opened, same_root
from tracekit.ui.safe import Line, clean, shorten
from tracekit.ui.screens.past import PastScreen
from tracekit.ui.widgets.header import TitleRow

if TYPE_CHECKING:
    from tracekit.engine.past import Story, Trends
    from tracekit.ui.app import ConsoleApp


class TrendsScreen(PastScreen[Opened]):
    """Its answer is a run to open, and at which scenario."""

    CONTEXT = TRENDS
    BINDINGS = bindings(TRENDS)

    def __init__(self, owner: ConsoleApp, root: str, environment: str, scenario: str = "") -> None:
        super().__init__(owner)
        self.root, self.environment, self.scenario = root, environment or "local", scenario
        self.trends: Trends | None = None
        self.story: Story | None = None
        self.shown: list[pane.Row] = []
        self.folded: set[str] = set()

    def on_mount(self) -> None:
        """The answer comes a moment later."""
        super().on_mount()
        archive = self.ports.engine.archive()

        async def go() -> None:
            found = await self.told(lambda: archive.trends(self.root, self.environment))
            if isinstance(found, tuple):
                self.problems = found
            else:
                await self._take(found)
            self.show_all()

        self.run_worker(go)

    async def _take(self, found: Trends) -> None:
        archive = self.ports.engine.archive()
        if self.scenario:
            story = await self.told(lambda: archive.story(self.scenario, self.root, self.environment))
            if isinstance(story, tuple):
                self.complain(story)
            elif story is None:
                self.say("no ended run knows this scenario: all of them are shown")
            else:
                self.story = story
        self.trends = found
        self.shown = pane.rows_of(found, self.story, self.folded)
        self.show_all()
        self.rows.show(len(self.shown), 2 if self.story is not None else 0)
        self.show_selected()
        self.call_after_refresh(self.show_selected)  # by then the width is known

    def on_resize(self, event: events.Resize) -> None:
        """Plots are as wide as there is room."""
        super().on_resize(event)
        self.call_after_refresh(self.show_selected)

    @property
    def selected(self) -> pane.Row | None:
        """The row under the cursor."""
        at = self.rows.at
        return self.shown[at] if 0 <= at < len(self.shown) else None

    def paint_row(self, row: int, width: int) -> Line:
        """One row."""
        if self.trends is None:
            return Line()
        each = self.shown[row]
        return pane.row_line(each, self.trends, width, self.look, folded=each.section in self.folded)

    def head(self) -> Line:
        """Of what."""
        look, line = self.look, Line().own("trends", self.look.strong).gap(2)
        name = self.root.rstrip("/").rpartition("/")[2]
        line.put(shorten(clean(name), 28, look.glyphs.dots), look.text).gap(2)
        here = self.owner.open_root
        if here and not same_root(here, self.root):
            line.own("another project", look.warn).gap(2)
        line.own("env: ", look.dim)
        line.put(shorten(clean(self.environment), 18), look.dim if self.environment == "local" else look.warn)
        if self.trends is None and not self.problems:
            line.gap(2).own("reading", look.dim).own(look.glyphs.dots, look.accent)
        return line

    def nothing(self) -> Sequence[Line] | None:
        """Before the answer has come, and where there is none."""
        look = self.look
        if self.trends is None:
            return [Line().own("reading the last runs", look.strong).own(look.glyphs.dots, look.accent)]
        if self.trends.points:
            return None
        return [
            Line().own("no whole run of this project has ended here yet", look.strong),
            Line(),
            Line(2).own("esc goes back: a runs everything, and each run adds a point", look.dim),
        ]

    def show_selected(self) -> None:
        """The plots of what is selected."""
        row, found, look = self.selected, self.trends, self.look
        if row is None or found is None or not found.points or not self.is_mounted:
            return
        unsteady = len({story.scenario for story in (*found.red, *found.flaky, *found.quarantined)})
        line = Line().gap(1).own("TRENDS", look.dim).gap(1)
        line.own(f"[{count(unsteady, 'scenario')} not steady]", look.faint)
        self.query_one("#rows-title", TitleRow).show(line)
        width, now = max(24, self.lines.size.width - 1), self.ports.now()
        if row.story is None:
            self.query_one("#detail-title", TitleRow).show(Line().gap(1).own("all of it", look.strong))
            self.lines.show(pane.project_lines(found, width, look, now), "all")
            return
        name = row.story.scenario.rpartition("::")[2]
        self.query_one("#detail-title", TitleRow).show(Line().gap(1).name(name, look.strong))
        self.lines.show(pane.story_lines(row.story, width, look, now), row.story.scenario)

    # -- keys --------------------------------------------------------------------------------------------------------

    def action_open(self) -> None:
        """Fold a list; open the last run of a scenario at it; of the project, its last run."""
        row = self.selected
        if row is None or self.trends is None:
            return
        if row.story is not None:
            self.dismiss(Opened(row.story.verdicts[0].run.run_id, scenario=row.story.scenario))
        elif row.section:
            self._fold(row.section)
        elif self.trends.points:
            self.dismiss(Opened(self.trends.points[-1].run_id))

    def action_left(self) -> None:
        """Back to the list; there, fold."""
        row = self.selected
        if self.in_detail:
            self.to_rows()
        elif row is not None and row.section and row.section not in self.folded:
            self._fold(row.section)

    def action_right(self) -> None:
        """Unfold; to the plots."""
        row = self.selected
        if not self.in_detail and row is not None and row.story is None and row.section in self.folded:
            self._fold(row.section)
        else:
            super().action_right()

    def _fold(self, section: str) -> None:
        if self.trends is None:
            return
        self.folded ^= {section}
        self.shown = pane.rows_of(self.trends, self.story, self.folded)
        at = next((n for n, row in enumerate(self.shown) if row.section == section), 0)
        self.rows.show(len(self.shown), at)
        self.show_selected()
