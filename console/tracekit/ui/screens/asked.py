"""What a login asks, and what it refuses: a secret that is typed and forgotten, a key that is new, a key that is wrong.

An answer goes to whoever asked and nowhere else. A key that has changed or was revoked cannot be accepted.
"""

from __future__ import annotations

import re

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from tracekit.ui.actions import LIST, bindings
from tracekit.ui.asking import NEVER, Asked
from tracekit.ui.safe import Line, wrap
from tracekit.ui.screens.dialogs import Question
from tracekit.ui.screens.once import Once
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.box import Box
from tracekit.ui.widgets.lines import LinesPane
from tracekit.wire.problems import Problem

TITLES = {"passphrase": "A key is locked", "password": "A password is wanted", "interactive": "The box asks"}
_LONGEST = 12
_PRINT = re.compile(r"(SHA256:[A-Za-z0-9+/]{43})")
_COMMAND = re.compile(r"(`ssh-keygen -R [^`]+`)")


def room(width: int) -> int:
    """The columns of a dialog's text."""
    return max(20, min(84, int(width * 0.96)) - 5)


class Secret(Once[str | None], ModalScreen[str | None], inherit_bindings=False):
    """One line that only a person knows; shown as dots unless the box itself says that it may be seen."""

    BINDINGS = [each for each in bindings(LIST) if getattr(each, "id", "") == "look.back"]
    AUTO_FOCUS = "#secret"

    def __init__(self, look: Palette, question: Asked) -> None:
        super().__init__(classes="dialog")
        self.look, self.question = look, question

    def compose(self) -> ComposeResult:
        """Who asks for what, the box to type in, and what becomes of it."""
        with Vertical():
            yield LinesPane(id="text")
            yield Box("", id="secret", hidden=not self.question.echo)
            yield LinesPane(id="hint")

    def on_mount(self) -> None:
        """The words; those of the box are a stranger's."""
        asked = self.question
        said = [each.strip() for each in asked.text.splitlines() if each.strip()]
        text = [Line(2).name(each, self.look.text) for each in said]
        self._show(TITLES.get(asked.kind, "A login asks"), text, self._hint())

    def withdrawn(self) -> None:
        """A word that is half typed is typed to its end here: its rest is no keys."""
        if not any(box.value for box in self.query(Box)):
            super().withdrawn()
            return
        look = self.look
        text = [Line(2).own("It ended unanswered: nothing typed here is sent.", look.text)]
        self._show("The login is over", text, Line(2).own("enter", look.dim).own(" closes", look.faint))

    def _show(self, title: str, text: list[Line], hint: Line) -> None:
        head = [
            Line().own(title, self.look.strong),
            Line(),
            Line(2).name(self.question.where, self.look.accent),
        ]
        shown = wrap([*head, *text], room(self.app.size.width), _LONGEST)
        for name, told in (("#text", shown), ("#hint", [hint])):
            pane = self.query_one(name, LinesPane)
            pane.can_focus = False
            pane.styles.height = len(told)
            pane.show(told)

    def _hint(self) -> Line:
        told = Line(2).own("enter", self.look.dim).own(" answers   ", self.look.faint)
        told.own("esc", self.look.dim).own(" gives up   ", self.look.faint)
        return told.own("used once, kept nowhere", self.look.faint)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        answer = event.value
        self.query_one("#secret", Input).value = ""
        self.dismiss(answer)

    def action_back(self) -> None:
        """No answer."""
        self.dismiss(None)


def new_key(look: Palette, question: Asked) -> Question:
    """A box whose key no file names; the first answer, which enter gives, trusts nobody."""
    text = [
        question.where,
        question.fingerprint,
        "",
        "No file of yours knows this box. Compare this with its own key",
        "before you trust it; `ssh-keygen -lf` shows it there.",
    ]
    answers = (
        ("cancel", "cancel"),
        ("once", "trust it until this console ends"),
        ("save", "trust it from now on, and keep it in our own known_hosts"),
    )
    return Question(look, "This box is not known", text, answers)


class Refused(Once[None], ModalScreen[None], inherit_bindings=False):
    """A key that is wrong: what, where and what to do, and nothing to accept."""

    BINDINGS = bindings(LIST)
    AUTO_FOCUS = "#text"

    def __init__(self, look: Palette, problem: Problem) -> None:
        super().__init__(classes="dialog -red")
        self.look, self.problem = look, problem

    def compose(self) -> ComposeResult:
        """Nothing but words."""
        with Vertical():
            yield LinesPane(id="text")

    def on_mount(self) -> None:
        """The words."""
        look, problem = self.look, self.problem
        lines = [Line().own(NEVER.get(problem.code, "REFUSED"), look.failure), Line()]
        lines.append(Line(2).name(problem.where, look.accent))
        # A fingerprint is compared letter by letter: it stands on a line of its own.
        parts = [part.strip(" ,") for part in _PRINT.split(problem.what)]
        for part in filter(None, parts):
            is_print = _PRINT.fullmatch(part) is not None
            lines.append(Line(4 if is_print else 2).name(part, look.strong if is_print else look.text))
        lines.append(Line())
        # A command that is typed or copied stands on a line of its own, too.
        for part in filter(None, (part.strip(" ,;") for part in _COMMAND.split(problem.action))):
            typed = _COMMAND.fullmatch(part) is not None
            said = part.strip("`") if typed else part
            lines.append(Line(4 if typed else 2).name(said, look.strong if typed else look.text))
        lines.append(Line())
        lines.append(Line(2).own("Nothing was sent to it. Nothing here accepts this key.", look.text))
        lines += [Line(), Line(2).own("esc", look.dim).own(" goes back", look.faint)]
        shown = wrap(lines, room(self.app.size.width), self.app.size.height - 4)
        pane = self.query_one("#text", LinesPane)
        pane.styles.height = len(shown)
        pane.show(shown)

    def action_back(self) -> None:
        """Seen."""
        self.dismiss(None)

    def action_quit(self) -> None:
        """Seen, too."""
        self.dismiss(None)

    def action_open(self) -> None:
        """Enter is no answer here."""

    def action_move(self, where: str) -> None:
        """For a small terminal."""
        self.query_one("#text", LinesPane).move(where)
