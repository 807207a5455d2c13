"""What is found by words: the palette over actions, scenarios and runs, and help with every key of a screen.

Ids are folded once and searched as one text; a list is never longer than a person would read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from tracekit.model.status import Status
from tracekit.model.words import ago
from tracekit.ui.actions import Action, by_group, shown_key
from tracekit.ui.board import Board
from tracekit.ui.ports import RunRow
from tracekit.ui.safe import Line, clean, shorten, shorten_name
from tracekit.ui.screens.dialogs import Dialog
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.box import Box
from tracekit.ui.widgets.choices import Choices

MOST = 200
_BETWEEN = "\n"


class Pick(NamedTuple):
    """What was chosen: an action by its handler, a scenario or a run by its id."""

    kind: str
    what: str
    live: bool = False


class Names:
    """The ids of scenarios, folded once into one text: a search looks at nothing else."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = ids
        self._text = ""
        self._starts: list[int] = []

    def _fold(self) -> None:
        starts, at, parts = [], 0, []
        for each in self._ids:
            folded = each.casefold().replace(_BETWEEN, " ")
            starts.append(at)
            at += len(folded) + 1
            parts.append(folded)
        self._text, self._starts = _BETWEEN.join([*parts, ""]), starts

    def find(self, words: Sequence[str], most: int = MOST) -> list[int]:
        """The rows that hold every word, in their order."""
        if not self._starts and self._ids:
            self._fold()
        text, at = self._text, 0
        found: list[int] = []
        rarest = max(words, key=len)
        while len(found) < most and (at := text.find(rarest, at)) >= 0:
            row = bisect_right(self._starts, at) - 1
            end = self._starts[row + 1] if row + 1 < len(self._starts) else len(text)
            line = text[self._starts[row] : end]
            if all(word in line for word in words):
                found.append(row)
            at = end
        return found


class PaletteScreen(Dialog[Pick]):
    """Finds an action, a scenario or a run by parts of its name."""

    AUTO_FOCUS = "#ask"
    WIDTH = 128

    def __init__(self, look: Palette, actions: Sequence[Action], board: Board, now: int) -> None:
        super().__init__(look)
        self.actions, self.found = actions, list(actions)
        self.picks: list[Pick] = []
        self.runs: Sequence[RunRow] = ()
        self._board, self._now = board, now
        self._names = Names(board.ids)
        self._words = ""

    def more(self) -> ComposeResult:
        """The box to type in."""
        yield Box("an action, a scenario, a run", id="ask")

    def on_mount(self) -> None:
        """Every action, at first."""
        self._find("")

    def on_resize(self) -> None:
        """Fit what was found to the width."""
        self._find(self._words, self.query_one("#choices", Choices).at)

    def know(self, runs: Sequence[RunRow]) -> None:
        """The recorded runs, read on another thread."""
        self.runs = runs
        if self.is_mounted and self._words:
            self._find(self._words)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._find(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_open()

    def _find(self, words: str, at: int = 0) -> None:
        look, self._words = self.look, words
        parts = words.casefold().split()
        self.found = [
            action
            for action in self.actions
            if all(part in f"{action.id} {action.label} {action.description}".casefold() for part in parts)
        ]
        if parts:
            asked = " ".join(parts)
            self.found.sort(key=lambda action: _strays(action, asked))
        rows = self._names.find(parts) if parts else []
        runs = [run for run in self.runs if self._is(run, parts)][:MOST] if parts else []
        self.picks = [Pick("action", action.handler) for action in self.found]
        lines = [action_line(action, look, self.room) for action in self.found]
        self.picks += [Pick("scenario", self._board.ids[row]) for row in rows]
        lines += [self._scenario(row) for row in rows]
        self.picks += [Pick("run", run.run_id, run.live) for run in runs]
        lines += [self._run(run) for run in runs]
        head = Line().own("ACTIONS", look.dim)
        if parts:
            more = "+" if len(rows) == MOST else ""
            told = f"  {len(self.found)}   SCENARIOS  {len(rows)}{more}   RUNS  {len(runs)}"
            head.own(told, look.dim)
        self.fill([head], lines, at)

    @staticmethod
    def _is(run: RunRow, parts: Sequence[str]) -> bool:
        told = f"run {run.run_id} {run.root} {'live' if run.live else run.reason}".casefold()
        return all(part in told for part in parts)

    def _scenario(self, row: int) -> Line:
        look, facts = self.look, self._board.facts[row]
        status = Status(self._board.status[row])
        line = Line().own(look.glyphs.of(status), look.of(status)).gap(1)
        right = shorten(clean(facts.file), self.room // 3, look.glyphs.dots)
        line.put(shorten_name(clean(facts.name), self.room - right.columns - 6, look.glyphs.dots), look.text)
        return line.gap(max(2, self.room - 1 - line.columns - right.columns)).put(right, look.faint)

    def _run(self, run: RunRow) -> Line:
        look = self.look
        line = Line().own(look.glyphs.live if run.live else " ", look.accent).gap(1)
        line.own("run ", look.dim).name(run.run_id, look.text).gap(2)
        line.own(ago(run.started_t, self._now), look.dim).gap(2)
        name = run.root.rstrip("/").rpartition("/")[2]
        return line.put(
            shorten(clean(name), max(1, self.room - line.columns - 1), look.glyphs.dots), look.faint
        )

    def answer(self, at: int) -> Pick | None:
        """What the line stands for."""
        return self.picks[at] if 0 <= at < len(self.picks) else None


class Help(Dialog[str]):
    """Every key of a screen, from the registry; `/` searches, in the other screens' keys too."""

    WIDTH = 128

    def __init__(self, look: Palette, actions: Sequence[Action], context: str) -> None:
        super().__init__(look)
        self.actions, self.context = actions, context

    def more(self) -> ComposeResult:
        """The box, when it is asked for."""
        box = Box("words of a key's name or of what it does", id="ask")
        box.display = False
        yield box

    def on_mount(self) -> None:
        """All of it."""
        self._show("")

    def on_resize(self) -> None:
        """Fit it to the width."""
        self._show(self.query_one("#ask", Box).value, self.query_one("#choices", Choices).at)

    def action_filter(self) -> None:
        """Search."""
        box = self.query_one("#ask", Box)
        box.display = True
        self._show(box.value, self.query_one("#choices", Choices).at)
        self.set_focus(box)

    def action_back(self) -> None:
        """Out of the box first."""
        box = self.query_one("#ask", Box)
        if not box.display:
            self.dismiss(None)
            return
        box.display = False
        box.value = ""
        self._show("")
        self.set_focus(self.query_one("#choices", Choices))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._show(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.set_focus(self.query_one("#choices", Choices))

    def action_open(self) -> None:
        """Enter chooses nothing here."""

    def _show(self, words: str, at: int = 0) -> None:
        look, parts = self.look, words.casefold().split()
        lines: list[Line] = []
        for group, actions in by_group(self.actions):
            wanted = [action for action in actions if self._is(action, parts)]
            if wanted:
                lines += [*([Line()] if lines else []), Line().own(group, look.accent)]
                lines += [action_line(action, look, self.room) for action in wanted]
        if not parts:
            lines += [Line(), Line().own("Signs", look.accent), *self._signs()]
        if not lines:
            lines.append(Line().own("no key does that", look.warn))
        head = (
            Line()
            .own("KEYS", look.dim)
            .own("  / searches, all screens too; any can be changed by its id", look.faint)
        )
        self.fill([head], lines, at)

    def _is(self, action: Action, parts: Sequence[str]) -> bool:
        if not parts:
            return self.context in action.context
        told = f"{action.id} {action.label} {action.description} {' '.join(action.keys)}".casefold()
        return all(part in told for part in parts)

    def _signs(self) -> list[Line]:
        glyphs = self.look.glyphs
        told = (
            (glyphs.flaky, "flaky: passed in the end, after an attempt that did not"),
            (
                glyphs.quarantined,
                "in quarantine: its verdict does not count; in colour when that has expired",
            ),
            (glyphs.leaks, "left something behind: a process, a port, a file, a thread"),
            (glyphs.xfailed, "failed, as its author expected"),
            (glyphs.lost, "its box is gone, and nobody knows"),
        )
        return [
            Line(14).own(f"{sign:<14}", self.look.strong).own(text, self.look.text) for sign, text in told
        ]

    def answer(self, at: int) -> str | None:
        """Help answers nothing."""
        return None


def _strays(action: Action, words: str) -> tuple[bool, ...]:
    """How far what an action is called is from the words; what only its description or its id holds comes last."""
    label, name = action.label.casefold(), action.id.rpartition(".")[2]
    return label != words, name != words, not label.startswith(words), words not in label


def action_line(action: Action, look: Palette, width: int) -> Line:
    """Keys, what they do, and the id on the right where it takes no room from the words."""
    keys = " ".join(shown_key(key, ascii_only=look.glyphs.passed.isascii()) for key in action.keys)
    line = Line(14).own(f"{keys:<13}", look.strong).gap(1).put(clean(action.description), look.text)
    room = width - 1 - line.columns - len(action.id)
    return line.gap(room).own(action.id, look.faint) if room >= 2 else line
