"""The one-line header and footer: fixed places that never move, painted from a few numbers and words."""

from __future__ import annotations

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tracekit.model.words import few
from tracekit.ui.actions import Action
from tracekit.ui.safe import Line, clean, shorten
from tracekit.ui.theme import Palette
from tracekit.ui.widgets.rolling import Lined

LOUD_LINKS = frozenset({"reconnecting", "no link", "lost", "connecting", "then"})
# What is said where there is no room for more.
SHORT_LINKS = {"reconnecting": "no link", "attached": ""}
ROOMY = 100

#: What keys may need; a screen that says nothing has all of it.
ALL = frozenset({"run", "red"})


@dataclass(frozen=True)
class HeaderFacts:
    """What the header says."""

    project: str = ""
    environment: str = "local"
    state: str = ""  # live, done, replay …
    over: int = 0
    total: int = 0
    passed: int = 0
    red: int = 0
    skipped: int = 0
    flaky: int = 0
    excused: int = 0  # red and not counted: they stand in quarantine
    elapsed: str = ""
    rate: int | None = None  # events a second, where they are looked at while they come
    dropped: int = 0
    link: str = ""
    trouble: int = 0  # what could not start or be collected
    paused: bool = False
    filtered: bool = False


class Header(Lined, Widget):
    """Who, where, how far, since when."""

    DEFAULT_CSS = "Header { height: 1; background: $surface; }"

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._palette = palette
        self.facts = HeaderFacts()

    def show(self, facts: HeaderFacts) -> None:
        """Repaint only what is different."""
        if facts != self.facts:
            self.facts = facts
            self.refresh()

    def line(self, width: int) -> Line:
        """The header's text for a width: what matters most survives the narrowest."""
        look, facts = self._palette, self.facts
        digits = len(f"{facts.total}")
        run = Line()
        live = facts.state == "live"
        run.own(look.glyphs.live if live else " ", look.accent).gap(1)
        run.own(f"{facts.over:>{digits}}/{facts.total}", look.strong if live else look.text).gap(2)
        for glyph, number, style in (
            (look.glyphs.passed, facts.passed, look.passed),
            (look.glyphs.failed, facts.red, look.failure),
            (look.glyphs.skipped, facts.skipped, look.dim),
        ):
            run.own(f"{glyph}{number:<{digits}}", style if number else look.faint).gap(1)
        for glyph, number, style in (
            (look.glyphs.flaky, facts.flaky, look.warn),
            (look.glyphs.quarantined, facts.excused, look.dim),
        ):
            if number:
                run.own(f"{glyph}{number}", style).gap(1)
        run.gap(1).own(f"{facts.elapsed:>5}", look.text)
        right = self._right(facts.link if width >= ROOMY else SHORT_LINKS.get(facts.link, facts.link))
        line = Line().own(" tracekit", look.accent)
        project = shorten(clean(facts.project), min(max(8, width - run.columns - right.columns - 34), 28))
        # Where one of them has no room it is the project: it stays the same, and the state does not.
        needed = line.columns + project.columns + run.columns + right.columns + 6
        if width >= 80 or 60 <= width >= needed:
            line.gap(2).put(project, look.strong)
        if width >= 80:
            local = facts.environment in {"", "local"}
            line.gap(2).own("env: ", look.dim).put(
                shorten(clean(facts.environment or "local"), 18), look.dim if local else look.warn
            )
        line.gap(2 if width >= 60 else 1).join(run)
        # Last, where there is room: nothing moves when it comes and goes.
        told = f"{few(facts.rate):>5} ev/s" if facts.rate is not None else ""
        if told and line.columns + len(told) + right.columns + 4 <= width:
            right = Line().own(told, look.dim).gap(2).join(right)
        if line.columns + right.columns + 2 <= width:
            line.gap(width - 1 - line.columns - right.columns).join(right)
        return line

    def _right(self, link: str) -> Line:
        look, facts = self._palette, self.facts
        line = Line()
        if facts.filtered:
            line.own("filter", look.accent).gap(2)
        if facts.paused:
            line.own("paused", look.warn).gap(2)
        if facts.trouble:
            line.own(f"{look.glyphs.warn}{facts.trouble}", look.warn).gap(2)
        if link:
            line.own(link, look.warn if link in LOUD_LINKS else look.dim).gap(2)
        return line.own(f"drop {few(facts.dropped)}", look.warn if facts.dropped else look.faint)

    def render_line(self, y: int) -> Strip:
        """Paint it."""
        return self.line(self.size.width).strip(self.size.width, self.rich_style)


class Footer(Lined, Widget):
    """Keys that help here, or what has just happened."""

    DEFAULT_CSS = "Footer { height: 1; background: $surface; }"

    def __init__(self, palette: Palette, hints: list[Action], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._palette = palette
        self._hints = hints
        self._message: Line | None = None
        self._until = 0
        self._about = ""
        self._have = ALL

    def offer(self, have: frozenset[str]) -> None:
        """What there is now: a key that has nothing to do yet is no hint."""
        if have != self._have:
            self._have = have
            self.refresh()

    def say(self, text: str, now: int, *, warn: bool = False, about: str = "") -> None:
        """Show a message for a few seconds, or until the next, or until what it is `about` is over."""
        self._message = Line().gap(1).name(text, self._palette.warn if warn else self._palette.text)
        self._until, self._about = now + 6_000_000_000, about
        self.refresh()

    def over(self, about: str) -> None:
        """What was said about it does not hold any more."""
        if self._message is not None and self._about == about:
            self._message = None
            self.refresh()

    def tick(self, now: int) -> None:
        """Let an old message go."""
        if self._message is not None and now > self._until:
            self._message = None
            self.refresh()

    def line(self, width: int) -> Line:
        """As many hints as fit."""
        if self._message is not None:
            return self._message
        look, line = self._palette, Line().gap(1)
        for action in self._hints:
            if action.needs and action.needs not in self._have:
                continue
            key = action.shown(ascii_only=look.glyphs.passed.isascii())
            if line.columns + len(key) + len(action.label) + 3 > width:
                break
            line.own(key, look.accent).gap(1).own(action.label, look.dim).gap(2)
        return line

    def render_line(self, y: int) -> Strip:
        """Paint it."""
        return self.line(self.size.width).strip(self.size.width, self.rich_style)


class TitleRow(Lined, Widget):
    """One line of prepared text: a title instead of a box."""

    DEFAULT_CSS = "TitleRow { height: 1; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._line = Line()

    def show(self, line: Line) -> None:
        """Repaint when the text is another."""
        if line.segments != self._line.segments:
            self._line = line
            self.refresh()

    @property
    def text(self) -> str:
        """What it says."""
        return self._line.text

    def render_line(self, y: int) -> Strip:
        """Paint it, with a mark where its end is missing."""
        width, base = self.size.width, self.rich_style
        if self._line.columns <= width or not width:
            return self._line.strip(width, base)
        look = getattr(self.app, "look", None)
        dots = look.glyphs.dots if isinstance(look, Palette) else "…"
        return Strip([*self._line.strip(width - 1, base), Segment(dots, base)], width)


class Rule(Lined, Widget):
    """The one vertical rule."""

    DEFAULT_CSS = "Rule { width: 1; }"

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._palette = palette

    def render_line(self, y: int) -> Strip:
        """Paint one cell of it."""
        return (
            Line()
            .own(self._palette.glyphs.rule, self._palette.rule)
            .strip(self.size.width, self.rich_style + Style())
        )
