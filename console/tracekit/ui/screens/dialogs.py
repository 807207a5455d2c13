"""Screens over the console: questions, the list of runs, the palette, help. They answer; they do nothing themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from tracekit.ui.actions import LIST, Action, bindings, by_group, shown_key
from tracekit.ui.ports import RunRow
from tracekit.ui.safe import Line, clean, shorten
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.box import Box
from tracekit.ui.widgets.choices import Choices
from tracekit.ui.widgets.lines import LinesPane
from tracekit.ui.words import ago

REDS = ("failed", "error", "timedout", "crashed")


Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer | None], Generic[Answer], inherit_bindings=False):
    """A list under a few lines of text; esc is no answer."""

    BINDINGS = bindings(LIST)
    AUTO_FOCUS = "#choices"

    def __init__(self, look: Palette) -> None:
        super().__init__()
        self.look = look

    def compose(self) -> ComposeResult:
        """Text, then choices."""
        with Vertical():
            yield LinesPane(id="text")
            yield from self.more()
            yield Choices(self.look, id="choices")

    def more(self) -> ComposeResult:
        """What stands between."""
        yield from ()

    @property
    def room(self) -> int:
        """The columns of a choice."""
        return max(20, min(84, int(self.app.size.width * 0.96)) - 8)

    def fill(self, text: Sequence[Line], lines: Sequence[Line], at: int = 0) -> None:
        """Show both parts."""
        pane, choices = self.query_one("#text", LinesPane), self.query_one("#choices", Choices)
        pane.can_focus = False
        pane.styles.height = max(1, len(text))
        pane.show(text)
        choices.styles.height = max(1, min(len(lines), 24))
        choices.show(lines, at)

    def answer(self, at: int) -> Answer | None:
        """What a line stands for."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Keys that come before there is anything to see decide nothing."""
        return bool(self.query(Choices))

    def action_move(self, where: str) -> None:
        """Move the cursor."""
        self.query_one("#choices", Choices).move(where)

    @on(Choices.Chosen)
    def action_open(self) -> None:
        """Choose."""
        self.dismiss(self.answer(self.query_one("#choices", Choices).at))

    def action_back(self) -> None:
        """No answer."""
        self.dismiss(None)

    def action_quit(self) -> None:
        """No answer either."""
        self.dismiss(None)


class Question(Dialog[str]):
    """A question with a few answers; the first is the one that enter gives."""

    def __init__(
        self, look: Palette, title: str, text: Sequence[str], answers: Sequence[tuple[str, str]]
    ) -> None:
        super().__init__(look)
        self.title_text, self.text, self.answers = title, text, answers

    def on_mount(self) -> None:
        """Show it."""
        look = self.look
        lines = [Line().own(self.title_text, look.strong)]
        lines += [Line(2).name(text, look.dim) for text in self.text]
        self.fill(lines, [Line().own(words, look.text) for _, words in self.answers])

    def answer(self, at: int) -> str | None:
        """The answer's name."""
        return self.answers[at][0] if 0 <= at < len(self.answers) else None


class Runs(Dialog[tuple[str, bool]]):
    """Recorded and live runs; choosing one replays or attaches."""

    def __init__(self, look: Palette, now: int) -> None:
        super().__init__(look)
        self.rows: Sequence[RunRow] | None = None
        self.ready = False
        self.now = now

    def on_mount(self) -> None:
        """The rows come a moment later."""
        self.ready = True
        self.show_rows(self.rows)

    def show_rows(self, rows: Sequence[RunRow] | None) -> None:
        """Show the list, newest first."""
        self.rows = rows
        if not self.ready:
            return
        if rows is None:
            self.fill(
                [Line().own("RUNS", self.look.dim), Line().own("reading the list", self.look.faint)], []
            )
        elif not rows:
            self.fill(
                [
                    Line().own("RUNS", self.look.dim),
                    Line().own("nothing was recorded on this machine yet", self.look.text),
                ],
                [],
            )
        else:
            head = (
                Line()
                .own("RUNS", self.look.dim)
                .own("  enter replays, or attaches to a live one", self.look.faint)
            )
            self.fill([head], [self._row(row) for row in rows[:2000]])

    def _row(self, row: RunRow) -> Line:
        look, counts = self.look, row.counts
        red = sum(counts.get(word, 0) for word in REDS)
        passed = counts.get("passed", 0) + counts.get("xpassed", 0)
        glyph, style = (
            (look.glyphs.live, look.accent)
            if row.live
            else (look.glyphs.failed, look.failure)
            if red
            else (look.glyphs.passed, look.passed)
        )
        if not row.live and row.reason not in {"finished", ""}:
            glyph, style = look.glyphs.warn, look.warn
        line = Line().own(glyph, style).gap(1).name(row.run_id[-8:], look.text).gap(2)
        line.own(f"{ago(row.started_t, self.now):>8}", look.dim).gap(2)
        line.own(f"{look.glyphs.passed}{passed:<6}", look.passed if passed else look.faint)
        line.own(f"{look.glyphs.failed}{red:<5}", look.failed if red else look.faint)
        state = "live" if row.live else row.reason
        line.put(shorten(clean(state), 10), look.accent if row.live else look.dim).gap(
            max(1, 50 - line.columns)
        )
        return line.put(shorten(clean(row.root.rstrip("/").rpartition("/")[2]), 24), look.text).own(
            "  child" if row.parent else "", look.faint
        )

    def answer(self, at: int) -> tuple[str, bool] | None:
        """The run, and whether it is live."""
        return (self.rows[at].run_id, self.rows[at].live) if self.rows and 0 <= at < len(self.rows) else None


class PaletteScreen(Dialog[str]):
    """Finds an action by a part of its name."""

    AUTO_FOCUS = "#ask"

    def __init__(self, look: Palette, actions: Sequence[Action]) -> None:
        super().__init__(look)
        self.actions, self.found = actions, list(actions)

    def more(self) -> ComposeResult:
        """The box to type in."""
        yield Box("what to do", id="ask")

    def on_mount(self) -> None:
        """Everything, at first."""
        self._find("")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._find(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_open()

    def _find(self, words: str) -> None:
        parts = words.casefold().split()
        self.found = [
            action
            for action in self.actions
            if all(part in f"{action.id} {action.label} {action.description}".casefold() for part in parts)
        ]
        self.fill(
            [Line().own("ACTIONS", self.look.dim)],
            [action_line(action, self.look, self.room) for action in self.found],
        )

    def answer(self, at: int) -> str | None:
        """The action's handler."""
        return self.found[at].handler if 0 <= at < len(self.found) else None


class Help(Dialog[str]):
    """Every key, from the registry."""

    def __init__(self, look: Palette, actions: Sequence[Action]) -> None:
        super().__init__(look)
        self.actions = actions

    def on_mount(self) -> None:
        """Groups with their keys."""
        lines: list[Line] = []
        for group, actions in by_group(self.actions):
            lines += [*([Line()] if lines else []), Line().own(group, self.look.accent)]
            lines += [action_line(action, self.look, self.room) for action in actions]
        lines += [Line(), Line().own("Signs", self.look.accent), *self._signs()]
        self.fill(
            [
                Line()
                .own("KEYS", self.look.dim)
                .own("  any of them can be changed by its id", self.look.faint)
            ],
            lines,
        )

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
        return [Line().own(f"{sign:<14}", self.look.strong).own(text, self.look.text) for sign, text in told]

    def answer(self, at: int) -> str | None:
        """Help answers nothing."""
        return None


def action_line(action: Action, look: Palette, width: int) -> Line:
    """Keys, what they do, and the id on the right."""
    keys = " ".join(shown_key(key, ascii_only=look.glyphs.passed.isascii()) for key in action.keys)
    line = Line().own(f"{keys:<14}", look.strong)
    line.put(shorten(clean(action.description), width - 17 - len(action.id), look.glyphs.dots), look.text)
    return line.gap(max(2, width - 1 - line.columns - len(action.id))).own(action.id, look.faint)
