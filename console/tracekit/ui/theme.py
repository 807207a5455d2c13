"""Colours and glyphs: one accent, green and red only for verdicts, dim for what is about the thing and not the thing.

A palette is what panes read; its colours stand in `colours`. On a terminal's own ground the cursor is shown reversed.
Nothing here paints.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style
from textual.theme import Theme

from tracekit.model.status import Status
from tracekit.ui.colours import DARK, THEMES, Colours

RED = frozenset({Status.FAILED, Status.ERROR, Status.TIMEDOUT, Status.CRASHED})
GREEN = frozenset({Status.PASSED, Status.XFAILED, Status.XPASSED})
QUIET = frozenset({Status.SKIPPED, Status.CANCELLED, Status.NOTRUN, Status.LOST})


def theme_of(its: Colours) -> Theme:
    """The screen library's side of a theme: what its style sheets call colours."""

    def native(colour: str) -> str:
        return f"ansi_{colour}" if its.native else colour

    ground, thumb = native(its.background), native(its.thumb)
    return Theme(
        name=f"tracekit-{its.name}",
        primary=native(its.accent),
        secondary=native(its.accent),
        accent=native(its.accent),
        foreground=native(its.text),
        background=ground,
        surface=native(its.surface),
        panel=native(its.surface),
        success=native(its.passed),
        error=native(its.failed),
        warning=native(its.warn),
        dark=its.dark,
        ansi=its.native,
        variables={
            "rule": native(its.rule),
            "alarm": native(its.alarm),
            # Nothing shines through where nothing can be mixed.
            "scrim": ground if its.native else f"{ground} 70%",
            "placeholder": native(its.faint),
            "caret": native(its.background),
            "caret-on": native(its.text),
            # What the library's own sheets ask for in a theme of the terminal's colours.
            "ansi-background": ground,
            "ansi-foreground": native(its.text),
            "scrollbar": thumb,
            "scrollbar-hover": thumb,
            "scrollbar-active": native(its.accent),
            "scrollbar-background": ground,
            "scrollbar-background-hover": ground,
            "scrollbar-background-active": ground,
            "scrollbar-corner-color": ground,
        },
    )


@dataclass(frozen=True)
class Glyphs:
    """Every sign the screen uses, each one cell wide."""

    passed: str = "✓"
    failed: str = "✗"
    skipped: str = "⊘"
    pending: str = "·"
    lost: str = "?"
    xfailed: str = "≈"
    opened: str = "▼"
    closed: str = "▶"
    live: str = "▶"
    arrow: str = "→"
    rule: str = "▕"
    cursor: str = "▌"
    mark: str = "●"
    dots: str = "…"
    unequal: str = "≠"
    own: str = "▸"
    branch: str = "└"
    warn: str = "!"
    bar: str = "─"
    flaky: str = "↻"
    quarantined: str = "⚑"
    leaks: str = "◊"
    high: str = "▇"
    low: str = "▁"
    block: str = "█"
    sliver: str = "▏"
    tick: str = "│"
    times: str = "×"
    pinned: str = "◆"
    more: str = "▲"
    less: str = "▽"
    spinner: tuple[str, ...] = ("⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏")

    def of(self, status: int, now: int = 0) -> str:
        """The sign of a status; a running one turns with the clock."""
        if status == Status.RUNNING:
            return self.spinner[now // 100_000_000 % len(self.spinner)]
        if status in RED:
            return self.failed
        if status in {Status.PASSED, Status.XPASSED}:
            return self.passed
        if status == Status.XFAILED:
            return self.xfailed
        if status == Status.LOST:
            return self.lost
        return self.pending if status == Status.PENDING else self.skipped


UNICODE = Glyphs()
ASCII = Glyphs(
    passed="+",
    failed="x",
    skipped="-",
    pending=".",
    lost="?",
    xfailed="~",
    opened="v",
    closed=">",
    live=">",
    arrow=">",
    rule="|",
    cursor=">",
    mark="*",
    dots="~",
    unequal="!",
    own=">",
    branch="`",
    warn="!",
    bar="-",
    flaky="%",
    quarantined="Q",
    leaks="&",
    high="#",
    low="_",
    block="=",
    sliver="|",
    tick="|",
    times="x",
    pinned="P",
    more="^",
    less="v",
    spinner=("|", "/", "-", "\\"),
)


class Palette:
    """Styles by what they mean. The one that is shared by every widget changes with the theme."""

    def __init__(self, its: Colours, glyphs: Glyphs = UNICODE) -> None:
        self.glyphs = glyphs
        self.become(its)

    def become(self, its: Colours) -> None:
        """Mean the same in other colours."""
        self.colours = its
        native = its.native
        self.text = Style(color=its.text)
        self.strong = Style(color=its.strong, bold=True)
        self.dim = Style(color=its.dim, dim=native or None)
        self.faint = Style(color=its.faint, dim=native or None)
        self.rule = Style(color=its.rule, dim=native or None)
        self.accent = Style(color=its.accent)
        self.passed = Style(color=its.passed)
        self.failed = Style(color=its.failed)
        self.failure = Style(color=its.failed, bold=True)
        self.warn = Style(color=its.warn, bold=native or None)
        self.hunk = Style(color=its.hunk)
        # Where grounds are the terminal's own, what would stand on another one is told by attributes.
        self.added = Style(color=its.added, bgcolor=None if native else its.added_on)
        self.removed = Style(color=its.removed, bgcolor=None if native else its.removed_on)
        self.own = Style(color=its.strong, bgcolor=None if native else its.own, bold=native or None)
        self.cursor = Style(reverse=True) if native else Style(bgcolor=its.cursor)
        # Bars that touch must be told apart.
        self.bar_even = Style(reverse=True) if native else Style(color=its.text, bgcolor=its.own)
        self.bar_odd = Style(underline=True) if native else Style(color=its.text, bgcolor=its.cursor)
        self.cursor_off = Style(underline=True) if native else Style(bgcolor=its.cursor_off)

    def of(self, status: int) -> Style:
        """The colour of a status' sign."""
        if status in RED:
            return self.failed
        if status in GREEN:
            return self.passed
        if status == Status.RUNNING:
            return self.accent
        return self.warn if status == Status.LOST else self.dim


def palette(*, ascii_only: bool = False, its: Colours = THEMES[DARK]) -> Palette:
    """The palette of a theme, with signs that the terminal's font has."""
    return Palette(its, ASCII if ascii_only else UNICODE)
