"""Screens over the console: questions; and what they have in common. They answer; they do nothing themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from tracekit.ui.actions import LIST, bindings
from tracekit.ui.safe import Line, wrap
from tracekit.ui.screens.once import Once
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.choices import BEFORE, Choices
from tracekit.ui.widgets.lines import MAX_LINES, LinesPane

Answer = TypeVar("Answer")
#: Rows of a question's own: its padding, and what it leaves of the screen above and below.
FRAME = 6
#: Rows of the box to type in, with what stands above it.
BOX = 2


class Dialog(Once[Answer | None], ModalScreen[Answer | None], Generic[Answer], inherit_bindings=False):
    """A list under a few lines of text; esc is no answer."""

    BINDINGS = bindings(LIST)
    AUTO_FOCUS = "#choices"
    #: The columns it would have; the stylesheet says the same.
    WIDTH = 84

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
        return max(20, min(self.WIDTH, int(self.app.size.width * 0.96)) - 8)

    def fill(self, text: Sequence[Line], lines: Sequence[Line], at: int = 0) -> None:
        """Show both parts."""
        pane, choices = self.query_one("#text", LinesPane), self.query_one("#choices", Choices)
        pane.can_focus = False
        text = wrap(text, self.room + BEFORE, MAX_LINES)
        pane.styles.height = max(1, len(text))
        pane.show(text)
        rows = len(wrap(lines, self.room, MAX_LINES))
        above = len(text) + (BOX if any(box.display for box in self.query("#ask")) else 0)
        choices.styles.height = max(1, min(rows, self.app.size.height - FRAME - above))
        choices.show(lines, at)

    def answer(self, at: int) -> Answer | None:
        """What a line stands for."""
        raise NotImplementedError

    def action_move(self, where: str) -> None:
        """Move the cursor."""
        self.query_one("#choices", Choices).move(where)

    @on(Choices.Chosen)
    def action_open(self) -> None:
        """Choose."""
        self.dismiss(self.answer(self.query_one("#choices", Choices).at))

    def action_filter(self) -> None:
        """Only a screen that can be searched has a box."""

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
        lines += [Line(4 if text.startswith(" ") else 2).name(text, look.dim) for text in self.text]
        # A long line takes more rows than one; the answers stay in sight below them.
        most = max(3, self.app.size.height - len(self.answers) - FRAME)
        answers = [Line().own(words, look.text) for _, words in self.answers]
        self.fill(wrap(lines, self.room, most)[:most], answers)

    def answer(self, at: int) -> str | None:
        """The answer's name."""
        return self.answers[at][0] if 0 <= at < len(self.answers) else None
