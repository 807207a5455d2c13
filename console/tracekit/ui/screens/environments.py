"""The environments of a project: where its tests can run, and how each box is. It asks; a port goes and looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tracekit.ui.actions import ENVIRONMENTS, LIST, bindings
from tracekit.ui.ports import BoxHealth, BoxRow
from tracekit.ui.safe import Line, clean, shorten, wrap
from tracekit.ui.screens.dialogs import Dialog
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.choices import Choices

_NAME, _MOST, _DOING = 12, 12, "looking"


class Environments(Dialog[tuple[str, str]]):
    """Rows with their health below them; an answer is what to do, and with which."""

    BINDINGS = [*bindings(LIST), *bindings(ENVIRONMENTS)]
    WIDTH = 100

    def __init__(self, look: Palette, rows: Sequence[BoxRow], chosen: Sequence[str]) -> None:
        super().__init__(look)
        self.rows, self.chosen = list(rows), list(chosen)
        #: Those on which a run is to begin at once; with fewer than two, enter takes the one under the cursor.
        self.marks: set[str] = set(chosen) if len(chosen) > 1 else set()
        #: Looks at a box on another thread.
        self.check: Callable[[str], object] = str
        self.health: dict[str, BoxHealth | None] = {}

    def on_mount(self) -> None:
        """The rows at once; what is known of the boxes comes as they answer."""
        names = [row.name for row in self.rows]
        first = next((name for name in names if name in self.chosen), "")
        self.paint(names.index(first) if first else 0)

    def told(self, name: str, health: BoxHealth | None) -> None:
        """How a box is; None: somebody is looking."""
        self.health[name] = health
        if self.is_mounted:
            self.paint(self.at)

    @property
    def at(self) -> int:
        """The row under the cursor."""
        return self.query_one("#choices", Choices).at

    def paint(self, at: int) -> None:
        """Everything."""
        look = self.look
        head = Line().own("ENVIRONMENTS", look.dim)
        head.own("  enter for runs · space marks · c looks · ! shell", look.faint)
        self.fill(wrap([head, *self._unwell()], self.room, _MOST), [self._row(row) for row in self.rows], at)

    def _unwell(self) -> list[Line]:
        """What is wrong with each, in full, and what to do."""
        told = []
        for name, health in self.health.items():
            for problem in health.problems if health is not None else ():
                told.append(Line(2).name(name, self.look.accent).gap(1).name(problem.what, self.look.warn))
                told.append(Line(4).name(problem.action, self.look.dim))
        return [Line(), *told] if told else []

    def _row(self, row: BoxRow) -> Line:
        look, health = self.look, self.health.get(row.name)
        sign, style = " ", look.faint
        if health is not None:
            sign, style = (
                (look.glyphs.passed, look.passed) if health.well else (look.glyphs.failed, look.failure)
            )
        line = Line().own(look.glyphs.mark if row.name in self.marks else " ", look.accent)
        line.own(sign, style).gap(1)
        line.put(shorten(clean(row.name), _NAME), look.accent if row.name in self.chosen else look.text)
        # No wider than the names are: how a box is needs the room.
        line.gap(max(1, self._wide + 5 - line.columns))
        if not row.address:
            return line.own("this machine", look.dim)
        if row.name not in self.health:
            return line.name(row.address, look.dim)
        if health is None:
            return line.name(row.address, look.dim).own(f"  {_DOING}{look.glyphs.dots}", look.accent)
        words = shorten(clean(health.words), max(10, self.room - line.columns), look.glyphs.dots)
        return line.put(words, look.text if health.well else look.warn)

    @property
    def _wide(self) -> int:
        return max((min(_NAME, clean(row.name).columns) for row in self.rows), default=0)

    def answer(self, at: int) -> tuple[str, str] | None:
        """From now on there; on all that are marked, in the order in which they stand."""
        if self.marks:
            return "use", ",".join(row.name for row in self.rows if row.name in self.marks)
        return ("use", self.rows[at].name) if 0 <= at < len(self.rows) else None

    def action_mark(self) -> None:
        """Mark, or not any more, and go on to the next row."""
        if 0 <= self.at < len(self.rows):
            self.marks ^= {self.rows[self.at].name}
            self.paint(self.at)
            self.action_move("down")

    def action_check(self) -> None:
        """Look again."""
        if row := self._box():
            self.check(row.name)

    def action_shell(self) -> None:
        """A shell there."""
        if row := self._box():
            self.dismiss(("shell", row.name))

    def _box(self) -> BoxRow | None:
        """The row under the cursor, where it is another machine."""
        row = self.rows[self.at] if 0 <= self.at < len(self.rows) else None
        return row if row is not None and row.address else None
