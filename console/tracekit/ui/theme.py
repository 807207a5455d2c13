"""Colours and glyphs: one accent, green and red only for verdicts, dim for what is about the thing and not the thing.

A palette is plain data that panes read; with few colours or none the cursor is shown reversed. Nothing here paints.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.style import Style
from textual.theme import Theme

from tracekit.model.status import Status

RED = frozenset({Status.FAILED, Status.ERROR, Status.TIMEDOUT, Status.CRASHED})
GREEN = frozenset({Status.PASSED, Status.XFAILED, Status.XPASSED})
QUIET = frozenset({Status.SKIPPED, Status.CANCELLED, Status.NOTRUN, Status.LOST})

BACKGROUND, SURFACE, TEXT = "#10141a", "#161c24", "#c8d0da"
ACCENT, PASS, FAIL, WARN = "#79b8ff", "#63b36b", "#f2706a", "#d9a648"

THEME = Theme(
    name="tracekit",
    primary=ACCENT,
    secondary=ACCENT,
    accent=ACCENT,
    foreground=TEXT,
    background=BACKGROUND,
    surface=SURFACE,
    panel=SURFACE,
    success=PASS,
    error=FAIL,
    warning=WARN,
    dark=True,
    variables={
        "scrollbar": "#2b3440",
        "scrollbar-hover": "#3a4654",
        "scrollbar-active": ACCENT,
        "scrollbar-background": BACKGROUND,
        "scrollbar-background-hover": BACKGROUND,
        "scrollbar-background-active": BACKGROUND,
        "scrollbar-corner-color": BACKGROUND,
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
    spinner=("|", "/", "-", "\\"),
)


@dataclass(frozen=True)
class Palette:
    """Styles by what they mean."""

    glyphs: Glyphs = UNICODE
    text: Style = field(default_factory=lambda: Style(color=TEXT))
    strong: Style = field(default_factory=lambda: Style(color="#eef2f6", bold=True))
    dim: Style = field(default_factory=lambda: Style(color="#8592a0"))
    faint: Style = field(default_factory=lambda: Style(color="#4b5663"))
    accent: Style = field(default_factory=lambda: Style(color=ACCENT))
    passed: Style = field(default_factory=lambda: Style(color=PASS))
    failed: Style = field(default_factory=lambda: Style(color=FAIL))
    failure: Style = field(default_factory=lambda: Style(color=FAIL, bold=True))
    warn: Style = field(default_factory=lambda: Style(color=WARN))
    added: Style = field(default_factory=lambda: Style(color="#8fd19a", bgcolor="#14261a"))
    removed: Style = field(default_factory=lambda: Style(color="#ff9d97", bgcolor="#2b1719"))
    hunk: Style = field(default_factory=lambda: Style(color="#7b93b8"))
    own: Style = field(default_factory=lambda: Style(color="#eef2f6", bgcolor="#1d2632"))
    cursor: Style = field(default_factory=lambda: Style(bgcolor="#233044"))
    cursor_off: Style = field(default_factory=lambda: Style(bgcolor="#1a212b"))

    def of(self, status: int) -> Style:
        """The colour of a status' sign."""
        if status in RED:
            return self.failed
        if status in GREEN:
            return self.passed
        if status == Status.RUNNING:
            return self.accent
        return self.warn if status == Status.LOST else self.dim


def palette(*, ascii_only: bool = False, few_colours: bool = False) -> Palette:
    """The palette for a terminal; where colours are few, backgrounds say nothing, so the cursor is reversed."""
    glyphs = ASCII if ascii_only else UNICODE
    if not few_colours:
        return Palette(glyphs=glyphs)
    return Palette(
        glyphs=glyphs,
        added=Style(color=PASS),
        removed=Style(color=FAIL),
        own=Style(bold=True),
        cursor=Style(reverse=True),
        cursor_off=Style(underline=True),
    )
