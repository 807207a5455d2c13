"""The recorded and live runs: the list as a tree of reruns, the selected one in short, and what can be done with them.

It reads the list once and one run at a time, on other threads; two thousand rows cost what is in sight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from tracekit.model.words import count, weight
from tracekit.ui.actions import RUNS, bindings
from tracekit.ui.panes import runs as pane
from tracekit.ui.ports import Opened, RunRow, same_root
from tracekit.ui.runtree import Placed, arrange, matching
from tracekit.ui.safe import Line, clean, shorten
from tracekit.ui.screens.past import PastScreen
from tracekit.ui.widgets.box import Box
from tracekit.ui.widgets.header import TitleRow
from tracekit.wire.problems import Problem

if TYPE_CHECKING:
    from tracekit.engine.archive import Digest
    from tracekit.ui.app import ConsoleApp

_KEPT = 256


class RunsScreen(PastScreen[Opened]):
    """Runs, newest first. Its answer is a run to open, and whether it is live."""

    CONTEXT = RUNS
    BINDINGS = bindings(RUNS)

    def __init__(self, owner: ConsoleApp) -> None:
        super().__init__(owner)
        self.placed: list[Placed] | None = None
        self.shown: list[Placed] = []
        self.need = pane.Columns()
        self.text = ""
        self.marked: str | None = None
        self._digests: dict[str, Digest | Sequence[Problem]] = {}
        self._reading = False

    def below_rows(self) -> ComposeResult:
        """The filter."""
        yield Box("project, environment, id, red, live, pinned, cancelled, commit", id="filter")

    def on_mount(self) -> None:
        """The rows come a moment later."""
        super().on_mount()
        self.read()

    # -- the list ----------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Read the list, on another thread."""

        async def go() -> None:
            archive = self.ports.engine.archive()
            found = await self.told(lambda: arrange(archive.rows()))
            if isinstance(found, tuple):
                self.problems = found
            else:
                self.problems = ()
                self._take(found)
            self.show_all()

        self.run_worker(go)

    def _take(self, placed: list[Placed]) -> None:
        known = {each.row.run_id for each in placed}
        live = {each.row.run_id for each in placed if each.row.live or not each.row.ended}
        self._digests = {run: told for run, told in self._digests.items() if run in known - live}
        if self.marked not in known:
            self.marked = None
        first, self.placed, self.need = self.placed is None, placed, pane.columns(placed)
        if first:
            # A person who came from one project asks about that one; those of others stand around it.
            mine = (at for at, each in enumerate(placed) if same_root(each.row.root, self.owner.open_root))
            self.shown = matching(placed, self.text)
            if not self.text and (at := next(mine, None)) is not None:
                self.rows.show(len(self.shown), at)
        self._show(keep=True)

    def _show(self, *, keep: bool) -> None:
        before, at = self.selected, self.rows.at
        self.shown = matching(self.placed or (), self.text)
        place = next((at for at, each in enumerate(self.shown) if before and each.row is before.row), None)
        if place is None and before is not None:
            same = (at for at, each in enumerate(self.shown) if each.row.run_id == before.row.run_id)
            place = next(same, at if keep else 0)
        self.rows.show(len(self.shown), place or 0)
        self.show_all()
        self.show_selected()

    @property
    def selected(self) -> Placed | None:
        """The run under the cursor."""
        at = self.rows.at
        return self.shown[at] if 0 <= at < len(self.shown) else None

    def paint_row(self, row: int, width: int) -> Line:
        """One run."""
        each = self.shown[row]
        marked = each.row.run_id == self.marked
        return pane.row_line(each, self.need, width, self.look, self.ports.now(), marked=marked)

    def head(self) -> Line:
        """How many there are, and what they weigh."""
        look, line = self.look, Line().own("runs", self.look.strong)
        placed = self.placed
        if placed is None:
            return line.gap(2).own("reading", look.dim).own(look.glyphs.dots, look.accent)
        live = sum(each.row.live for each in placed)
        pinned = sum(each.row.pinned is not None for each in placed)
        line.gap(2).own(f"{len(placed):,}", look.text)
        if live:
            line.gap(2).own(f"{look.glyphs.live} {live:,} live", look.accent)
        if pinned:
            line.gap(2).own(f"{look.glyphs.pinned} {pinned:,} pinned", look.dim)
        return line.gap(2).own(weight(sum(each.row.disk_bytes for each in placed)), look.dim)

    def nothing(self) -> Sequence[Line] | None:
        """Before the list has come, and where there is none."""
        look = self.look
        if self.placed is None:
            return [
                Line().own("reading the runs of this machine", look.strong).own(look.glyphs.dots, look.accent)
            ]
        if self.placed:
            return None
        return [
            Line().own("nothing was recorded on this machine yet", look.strong),
            Line(),
            Line(2).own(
                "esc goes back: a runs everything there; `tracekit demo` shows how it looks", look.dim
            ),
        ]

    def _title(self) -> None:
        look, line = self.look, Line().gap(1).own("RUNS", self.look.dim).gap(1)
        line.own("[newest first]", look.faint)
        if self.text:
            line.gap(2).own("/", look.accent).name(self.text, look.accent)
            line.gap(2).own(f"{len(self.shown):,} of {len(self.placed or ()):,}", look.dim)
        if self.marked is not None:
            line.gap(2).own("1 marked", look.accent).own("  c compares with it", look.dim)
        self.query_one("#rows-title", TitleRow).show(line)

    # -- the selected run --------------------------------------------------------------------------------------------

    def show_selected(self) -> None:
        """The selected run in short, as far as it is known; the rest is read."""
        self._title()
        each, look = self.selected, self.look
        if each is None:
            self.query_one("#detail-title", TitleRow).show(Line())
            self.lines.show([Line().gap(2).own("no run is like that", look.dim)] if self.text else [], None)
            return
        told = self._digests.get(each.row.run_id)
        title = Line().gap(1).join(pane.sign(each.row, look)).gap(1)
        room = max(20, self.query_one("#detail-title").size.width) - 4
        title.put(shorten(clean(each.row.run_id), room, look.glyphs.dots), look.strong)
        self.query_one("#detail-title", TitleRow).show(title)
        lines = pane.digest_lines(each, told, look, self.ports.now())
        self.lines.show(lines, each.row.run_id)
        if told is None and not self._reading:
            self._reading = True
            self.run_worker(self._read_digests)

    async def _read_digests(self) -> None:
        """Read the run under the cursor until there is none that is not known: whoever moves on is followed."""
        archive = self.ports.engine.archive()
        try:
            while (each := self.selected) is not None and each.row.run_id not in self._digests:
                run, tree = each.row.run_id, each.tree
                found = await self.told(lambda run=run, tree=tree: archive.digest(run, tree))  # type: ignore[misc]
                if len(self._digests) >= _KEPT:
                    self._digests.clear()
                self._digests[run] = found
                if not self.is_mounted:
                    return
                if self.selected is not None and self.selected.row.run_id == run:
                    self.show_selected()
        finally:
            self._reading = False

    # -- keys --------------------------------------------------------------------------------------------------------

    def action_open(self) -> None:
        """Replay it, or attach to it."""
        if (each := self.selected) is not None:
            self.dismiss(Opened(each.row.run_id, each.row.live))

    def action_back(self) -> None:
        """Out of the box, out of the filter, out of the screen."""
        if self.query_one("#filter").has_focus or (self.text and not self.in_detail):
            self._close_filter(keep=False)
        else:
            super().action_back()

    def action_filter(self) -> None:
        """Show only runs in which every word stands."""
        box = self.query_one("#filter", Input)
        box.display = True
        self.remove_class("detail")
        self.set_focus(box)

    @on(Input.Changed, "#filter")
    def _typed(self, event: Input.Changed) -> None:
        self.text = event.value.strip()
        self._show(keep=False)

    @on(Input.Submitted, "#filter")
    def _submitted(self) -> None:
        self._close_filter(keep=True)

    def _close_filter(self, *, keep: bool) -> None:
        box = self.query_one("#filter", Input)
        if not keep:
            box.value = ""
            self.text = ""
            self._show(keep=True)
        self.set_focus(self.rows)
        box.display = False

    def action_mark(self) -> None:
        """Mark it for a comparison, or take its mark away."""
        if (each := self.selected) is not None:
            self.marked = None if self.marked == each.row.run_id else each.row.run_id
            self.rows.refresh()
            self._title()

    def action_compare(self) -> None:
        """Hold it against the marked one, the earlier against the later; else against the one before it."""
        if (each := self.selected) is None:
            return
        run, other = each.row.run_id, self._row(self.marked)
        if other is not None and other.run_id != run:
            one, two = sorted((each.row, other), key=lambda row: (row.started_t, row.run_id))
            self._compare(one.run_id, two.run_id)
            return
        archive = self.ports.engine.archive()

        async def go() -> None:
            found = await self.told(lambda: [archive.pair_of(run)])
            if isinstance(found, tuple):
                self.complain(found)
            else:
                self._compare(*found[0])

        self.run_worker(go)

    def _compare(self, before: str, after: str) -> None:
        def answered(opened: Opened | None) -> None:
            if opened is not None:
                self.dismiss(opened)

        self.owner.compare(before, after, answered)

    def action_trends(self) -> None:
        """How the selected run's project did lately."""
        if (each := self.selected) is not None:

            def answered(opened: Opened | None) -> None:
                if opened is not None:
                    self.dismiss(opened)

            self.owner.show_trends(each.row.root, each.row.environment, answered)

    def _row(self, run: str | None) -> RunRow | None:
        return next((each.row for each in self.placed or () if each.row.run_id == run), None)

    def action_reload(self) -> None:
        """Read the list again."""
        self._digests.clear()
        self.read()

    def action_pin(self) -> None:
        """Keep it whatever the limits say, or leave it to them again."""
        if (each := self.selected) is None:
            return
        archive, run, pinned = self.ports.engine.archive(), each.row.run_id, each.row.pinned is not None
        words = "left to the limits again" if pinned else "pinned: no limit takes it away"
        self._do(lambda: (archive.unpin if pinned else archive.pin)(run), lambda _: words)

    def action_delete(self) -> None:
        """Take it off the disk, after a question that says what goes."""
        each = self.selected
        if each is None:
            return
        if each.row.live:
            self.say("it goes on: attach to it and stop it first", warn=True)
            return
        run, pinned = each.row.run_id, each.row.pinned is not None

        def answered(answer: str | None) -> None:
            if answer == "yes":
                archive = self.ports.engine.archive()
                self._do(
                    lambda: archive.delete((run,), pinned=pinned),
                    lambda freed: f"deleted, {weight(freed)} are free",
                )

        gone = "delete it, although it is pinned" if pinned else "delete it"
        text = [*pane.going([each.row]), "", "its verdicts, output and events go, here and in every history"]
        if below := self._below(each):
            text.append(f"{count(below, 'rerun')} of it stay" + ("s" if below == 1 else ""))
        self.owner.ask("Delete this run?", text, (("no", "keep it"), ("yes", gone)), answered)

    def _below(self, each: Placed) -> int:
        return sum(other.row.parent == each.row.run_id for other in self.placed or ())

    def _do(self, act: Callable[[], int | None], words: Callable[[int], str]) -> None:
        """Do it on another thread, say what came of it, and read the list again."""

        async def go() -> None:
            done = await self.told(act)
            if isinstance(done, tuple):
                self.complain(done)
            else:
                self.say(words(done or 0))
            self.read()

        self.run_worker(go)
