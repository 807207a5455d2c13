"""What the application wears: the colours of a theme, as far as the terminal has them, changed while it is shown.

A part of the application; the colours themselves stand in `colours`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.app import App
from textual.css.stylesheet import Stylesheet
from textual.filter import LineFilter, Monochrome, NoColor

from tracekit.ui import colours
from tracekit.ui.safe import SafetyFilter
from tracekit.ui.theme import Palette, palette, theme_of

if TYPE_CHECKING:
    from textual.theme import Theme

    from tracekit.ui.screens.console import ConsoleScreen

    _Base = App[int]
else:
    _Base = object


class Sheets(Stylesheet):
    """Style sheets, which are read anew where their colours are others: reading them is most of a start."""

    _others = False

    def set_variables(self, variables: dict[str, str]) -> None:
        """What the sheets call colours."""
        self._others = variables != self._variables
        if self._others:
            super().set_variables(variables)

    def reparse(self) -> None:
        """Read what has been read with other colours; what has not been read yet is, when it is asked for."""
        if self._others:
            super().reparse()


class Wearing(_Base):
    """A part of the application."""

    look: Palette = palette()  # the library asks for colours while it is being made
    themed = colours.DARK
    safety: SafetyFilter
    board_screen: ConsoleScreen
    ask: Callable[[str, Sequence[str], Sequence[tuple[str, str]], Callable[[str | None], None]], None]

    def its(self, theme: str) -> colours.Colours:
        """The colours of a theme, as far as this terminal has them."""
        if os.environ.get("TRACEKIT_GOLDEN"):
            return colours.colours(theme)
        if os.environ.get("NO_COLOR") or self.console.color_system is None:
            return colours.colourless()
        return colours.colours(theme, few=self.console.color_system == "standard")

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Style sheets are read before a theme is worn."""
        return theme_of(self.look.colours).variables

    def _become(self, theme: str) -> tuple[colours.Colours, Theme]:
        """What our own painting takes its colours from, and the library's name for them, which is still to be worn."""
        self.themed, its = theme, self.its(theme)
        self.look.become(its)
        dressed = theme_of(its)
        self.register_theme(dressed)
        return its, dressed

    def begin_with(self, theme: str) -> None:
        """Wear this one before anything is painted, or any sheet read: nothing is to be done again for it."""
        its, dressed = self._become(theme)
        if (printed := its.terminal()) is not None:
            self.set_reactive(App.ansi_theme_dark if its.dark else App.ansi_theme_light, printed)
        self.set_reactive(App.theme, dressed.name)
        # What the library does where it is told of a theme, apart from reading every sheet anew.
        self.update_classes({"-dark-mode": its.dark, "-light-mode": not its.dark}, update=False)
        self._refresh_truecolor_filter(self.ansi_theme)
        self.stylesheet = Sheets(variables=self.get_css_variables())

    def wear(self, theme: str) -> None:
        """Paint with another theme from now on; what was painted with the last one is painted again."""
        its, dressed = self._become(theme)
        if (printed := its.terminal()) is not None:
            # Only the one that is in use: the library paints everything anew for each.
            if its.dark:
                self.ansi_theme_dark = printed
            else:
                self.ansi_theme_light = printed
        self.theme = dressed.name
        if hasattr(self.board_screen, "detail"):
            self.board_screen.paint_anew()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What the library wants, and then the last look at every line."""
        wanted = super().get_line_filters()
        if self.look.colours.colourless:
            # The library would turn colours into greys, and greys are colours.
            wanted = [NoColor(), *(each for each in wanted if not isinstance(each, Monochrome))]
        return [*wanted, self.safety]

    def show_themes(self) -> None:
        """The themes, and which one is worn."""

        def chosen(theme: str | None) -> None:
            if theme is None:
                return
            self.wear(theme)
            few = self.look.colours.native and theme != colours.ANSI
            told = "this terminal has few colours: its own are shown" if few else f"{theme} from now on"
            self.board_screen.say(f'{told} · theme = "{theme}" below [settings] of config.toml keeps it')

        names = [self.themed, *(name for name in colours.THEMES if name != self.themed)]
        answers = [(name, f"{name:<15}{colours.ABOUT[name]}") for name in names]
        self.ask("Theme", ("enter wears it; the first is the one that is worn",), answers, chosen)
